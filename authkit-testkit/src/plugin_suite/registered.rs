//! What a plugin does to a setup.

use authkit_core::{AuthManager, BuildError, Plugin as _, Problem};
use serde_json::{Value as JsonValue, json};

use super::{AnyPlugin, Subject, setup::Surroundings};

/// Whatever order plugins are added in, operations, tables, steps and methods are the same.
pub async fn every_order_of_registration_gives_the_same(subject: Subject) {
    let around = Surroundings::new(subject.store).await;
    let (plugins, auth) = around.complete(&subject.given());
    let expected = outline(&auth);
    for order in orders(&plugins) {
        let built = around.build(&order, JsonValue::Null);
        let built = built.unwrap_or_else(|error| panic!("{order:?} does not build: {error}"));
        assert_eq!(outline(&built), expected, "the order {order:?} makes a difference");
    }
}

/// Two of one plugin are a problem that says which.
pub async fn registering_it_twice_is_refused_by_name(subject: Subject) {
    let around = Surroundings::new(subject.store).await;
    let (mut plugins, _) = around.complete(&subject.given());
    plugins.push((subject.plugin)());
    let id = plugins[0].manifest().id;
    let problems = problems(around.build(&plugins, JsonValue::Null));
    let named = problems.iter().any(|problem| problem.text.contains("more than once") && problem.text.contains(id));
    assert!(named, "two of the plugin {id} are not refused by name: {problems:?}");
}

/// Nothing runs before the setup is accepted.
pub async fn building_touches_no_store(subject: Subject) {
    let around = Surroundings::new(subject.store).await;
    around.complete(&subject.given());
    assert_eq!(around.store.calls(), 0, "the store was called while the setup was built");
}

/// The setup builds, and every declared entity is a table of it, as declared.
pub async fn its_entities_are_what_its_migrations_make(subject: Subject) {
    let place = subject.place().await;
    for declared in place.plugins[0].manifest().entities {
        let made = place.auth.entities().iter().find(|def| def.table == declared.table);
        assert_eq!(made, Some(&declared), "the steps make another table {}", declared.table);
    }
}

/// A node that starts again, and one that starts beside it, find their tables as they are.
pub async fn migrating_again_and_elsewhere_changes_nothing(subject: Subject) {
    let place = subject.place().await;
    place.auth.migrate().await.expect("the same node migrates again");
    let other = subject.given();
    let (_, other) = place.around.complete(&other);
    other.migrate().await.expect("another node migrates");
}

/// A misspelt setting is never ignored: it is a problem of this plugin.
pub async fn an_unknown_setting_is_refused_by_name(subject: Subject) {
    let around = Surroundings::new(subject.store).await;
    let (plugins, _) = around.complete(&subject.given());
    let id = plugins[0].manifest().id;
    let problems = problems(around.build(&plugins, json!({ id: { "no_such_setting_of_any_plugin": 1 } })));
    let named = problems.iter().any(|problem| problem.plugin == id);
    assert!(named, "an unknown setting of [{id}] is no problem of its own");
}

fn problems(built: Result<AuthManager, BuildError>) -> Vec<Problem> {
    built.err().map(|error| error.problems).unwrap_or_default()
}

/// Everything of a setup that can be compared.
fn outline(auth: &AuthManager) -> String {
    let operations = auth.operations().iter();
    let operations: Vec<_> =
        operations.map(|o| format!("{o:?} {:?} {} {:?} {:?}", o.access, o.summary, o.input, o.output)).collect();
    let methods: Vec<_> = auth.methods().collect();
    let enrollable: Vec<_> = auth.enrollable_methods().collect();
    format!("{operations:#?} {:#?} {:#?} {methods:#?} {enrollable:#?}", auth.migrations(), auth.entities())
}

/// All orders of a few plugins; of many, those in which each comes first and last.
fn orders(plugins: &[AnyPlugin]) -> Vec<Vec<AnyPlugin>> {
    if let [_, _, _, _, _, ..] = plugins {
        let turned = (0..plugins.len()).map(|by| {
            let mut turned = plugins.to_vec();
            turned.rotate_left(by);
            turned
        });
        return turned.flat_map(|order| [order.clone(), order.into_iter().rev().collect()]).collect();
    }
    let [first, rest @ ..] = plugins else {
        return vec![Vec::new()];
    };
    let with_first = |order: Vec<AnyPlugin>| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, first.clone());
            order
        })
    };
    orders(rest).into_iter().flat_map(with_first).collect()
}
