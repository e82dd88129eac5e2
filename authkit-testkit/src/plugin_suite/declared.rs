//! What a manifest says.

use std::collections::BTreeSet;

use authkit_core::{Manifest, Plugin as _};

use super::Subject;

/// A manifest is data: the same from every instance, before and after it was registered.
pub async fn its_manifest_is_the_same_every_time(subject: Subject) {
    let plugin = (subject.plugin)();
    let first = format!("{:?}", plugin.manifest());
    let same = |manifest: Manifest, when: &str| {
        assert_eq!(format!("{manifest:?}"), first, "the manifest is another one {when}");
    };
    same(plugin.manifest(), "when asked again");
    same((subject.plugin)().manifest(), "of another instance");
    let place = subject.place().await;
    same(place.plugins[0].manifest(), "after registration");
}

/// Codes begin with the id of the plugin; texts are sentences that can be shown to anybody.
pub async fn its_errors_are_its_own_and_say_a_sentence(subject: Subject) {
    let manifest = (subject.plugin)().manifest();
    let mut seen = BTreeSet::new();
    for error in &manifest.errors {
        let name = error.code.strip_prefix(manifest.id).and_then(|rest| rest.strip_prefix('.'));
        let name = name.unwrap_or_else(|| panic!("the code {} does not begin with {}.", error.code, manifest.id));
        assert!(is_snake_case(name), "the code {} is not in snake case", error.code);
        assert!(seen.insert(error.code), "the code {} is declared twice", error.code);
        assert!(is_sentence(error.text), "the text of {} is no sentence: {:?}", error.code, error.text);
        let placeholder = error.text.contains(['{', '}', '<', '>']);
        assert!(!placeholder, "the text of {} has room for data of the request: {:?}", error.code, error.text);
    }
}

/// Kinds of events are in snake case, each declared once.
pub async fn its_events_are_named_in_snake_case(subject: Subject) {
    let mut seen = BTreeSet::new();
    for kind in (subject.plugin)().manifest().events.into_iter().map(|event| event.kind) {
        assert!(is_snake_case(kind), "the event {kind} is not in snake case");
        assert!(seen.insert(kind), "the event {kind} is declared twice");
    }
}

/// Tables have a prefix, so that they meet no table of the application, and are short enough for every database.
pub async fn its_tables_have_names_of_their_own(subject: Subject) {
    for def in (subject.plugin)().manifest().entities {
        let table = def.table;
        assert!(is_snake_case(table), "the table {table} is not in snake case");
        assert!(table.len() <= 40, "the name of the table {table} is longer than 40 characters");
        assert!(table.contains('_'), "the table {table} has no prefix, such as auth_{table}");
        let names = def.columns.iter().map(|column| column.name).chain(def.indexes.iter().map(|index| index.name));
        for name in names {
            assert!(is_snake_case(name), "{name} of the table {table} is not in snake case");
        }
    }
}

/// Steps are numbered 1, 2, 3, … under the id of the plugin, and are about its own tables only.
pub async fn its_migrations_are_numbered_without_gaps(subject: Subject) {
    let manifest = (subject.plugin)().manifest();
    for (migration, number) in manifest.migrations.iter().zip(1..) {
        assert_eq!((migration.plugin, migration.number), (manifest.id, number), "a step is out of order");
        let table = migration.step.table();
        let own = manifest.entities.iter().any(|def| def.table == table);
        assert!(own, "step {number} is about {table}, which the manifest does not declare");
    }
}

/// Lower-case ASCII words with underscores between, not beginning with a digit.
fn is_snake_case(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain) && !name.ends_with('_')
}

/// Begins with a capital and ends with a full stop.
pub(super) fn is_sentence(text: &str) -> bool {
    text.len() >= 8
        && text.starts_with(char::is_uppercase)
        && text.ends_with(['.', '!', '?'])
        && !text.contains(char::is_control)
}
