//! What can be wrong with a setup, and what to do about it.

use std::{
    any::TypeId,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use serde_json::Value as JsonValue;

use super::{BuildError, Builder, CORE};
use crate::{
    command::Command,
    entity::{Def, Durability, EntityDef},
    keys::KeyRing,
    operation::Operation,
    plugin::{Capability, Manifest, Parts, Problem},
    public_url::PublicUrl,
    route::{self, Route, Routes},
    schema::{Migration, Step, drift, fold},
    stage::Stage,
    store::{Acknowledgement, BatchSpan, Store},
    value::ColumnKind,
};

/// Everything that was found so far.
#[derive(Default)]
pub(super) struct Problems(BTreeSet<Problem>);

impl Problems {
    pub(super) fn add(&mut self, plugin: &'static str, text: impl Into<String>) {
        self.0.insert(Problem::new(plugin, text));
    }

    pub(super) fn insert(&mut self, problem: Problem) {
        self.0.insert(problem);
    }

    pub(super) fn demand<T>(&mut self, value: Option<T>, otherwise: &str) -> Option<T> {
        if value.is_none() {
            self.add(CORE, otherwise);
        }
        value
    }

    /// Reports every name that is claimed more than once.
    fn unique<N: Ord + fmt::Display>(&mut self, what: &str, names: impl Iterator<Item = (&'static str, N)>) {
        let mut owners: BTreeMap<N, Vec<&'static str>> = BTreeMap::new();
        for (plugin, name) in names {
            owners.entry(name).or_default().push(plugin);
        }
        for (name, mut plugins) in owners.into_iter().filter(|(_, plugins)| plugins.len() > 1) {
            plugins.sort_unstable();
            let plugins = plugins.join(" and ");
            self.add(CORE, format!("the {what} {name} is declared more than once, by {plugins}; rename or drop one"));
        }
    }

    /// Reports what nobody does.
    pub(super) fn at_least_one(&mut self, count: usize, does: &str, hint: &str) {
        if count == 0 {
            self.add(CORE, format!("no plugin {does}; add {hint}"));
        }
    }

    /// Reports what several do.
    pub(super) fn at_most_one(&mut self, count: usize, they: &str) {
        if count > 1 {
            self.add(CORE, format!("{count} plugins {they}; keep one of them"));
        }
    }

    pub(super) fn none(self) -> Result<(), BuildError> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into()) }
    }
}

impl From<Problems> for BuildError {
    fn from(problems: Problems) -> Self {
        Self { problems: problems.0.into_iter().collect() }
    }
}

impl Builder {
    pub(super) fn check_public_url(&self, problems: &mut Problems) -> Option<PublicUrl> {
        let text =
            problems.demand(self.public_url.as_deref(), "there is no public_url; add .public_url(\"https://…\")")?;
        match PublicUrl::parse(text) {
            Ok(url) if url.is_secure() || url.is_loopback() => Some(url),
            Ok(_) => {
                problems.add(CORE, "public_url is not https; only a loopback address may be without");
                None
            }
            Err(error) => {
                problems.add(CORE, format!("public_url: {error}"));
                None
            }
        }
    }

    pub(super) fn check_keys(&self, url: Option<&PublicUrl>, problems: &mut Problems) -> Option<KeyRing> {
        let missing = "there are no keys; add .keys(KeyRing::from_env()?), or KeyRing::dev_file for development";
        let keys = problems.demand(self.keys.clone(), missing)?;
        if keys.is_for_development() && url.is_some_and(|url| !url.is_loopback()) {
            problems.add(CORE, "a development key file serves only a loopback public_url; use KeyRing::from_env()");
        }
        Some(keys)
    }

    pub(super) fn check_prefix(&self, problems: &mut Problems) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_');
        let well_formed = self.prefix.is_empty() || (self.prefix.starts_with('/') && !self.prefix.ends_with('/'));
        if !well_formed || !self.prefix.chars().all(plain) {
            problems.add(CORE, "the prefix has to be empty or like /v1");
        }
    }

    /// What the plugins declare, asked once. A plugin that was added twice is looked at once.
    pub(super) fn check_plugins(&mut self, problems: &mut Problems) -> Vec<Manifest> {
        let mut plugins: Vec<_> = self.plugins.drain(..).map(|plugin| (plugin.manifest(), plugin)).collect();
        plugins.sort_by_key(|(manifest, _)| manifest.id);
        for twice in plugins.windows(2) {
            if let [(one, _), (other, _)] = twice
                && one.id == other.id
            {
                problems.add(CORE, format!("the plugin {} is added more than once; keep one of them", one.id));
            }
        }
        plugins.dedup_by_key(|(manifest, _)| manifest.id);
        if plugins.iter().any(|(manifest, _)| manifest.id == CORE) {
            problems.add(CORE, format!("a plugin calls itself {CORE}, which is core's own name; rename it"));
            plugins.retain(|(manifest, _)| manifest.id != CORE);
        }
        let (manifests, plugins) = plugins.into_iter().unzip();
        self.plugins = plugins;
        manifests
    }

    pub(super) fn check_sections(&self, manifests: &[Manifest], problems: &mut Problems) {
        let sections = match &self.config {
            JsonValue::Null => return,
            JsonValue::Object(sections) => sections,
            _ => {
                problems.add(CORE, "the configuration has to be a table of sections");
                return;
            }
        };
        for section in sections.keys() {
            if section == CORE {
                problems.add(CORE, format!("the section [{CORE}] is not read: core has no settings; drop it"));
            } else if !manifests.iter().any(|manifest| manifest.id == section) {
                let text = format!(
                    "the configuration has a section [{section}], but no such plugin is registered; add it, or drop the section"
                );
                problems.add(CORE, text);
            }
        }
    }

    /// Settings that nobody looks at would be taken for settings that hold.
    pub(super) fn check_settings(&self, plugin: &'static str, parts: &Parts, problems: &mut Problems) {
        if self.config.get(plugin).is_some() && !parts.sections.iter().any(|section| section.plugin == plugin) {
            problems.add(plugin, format!("the section [{plugin}] is not read: the plugin has no settings; drop it"));
        }
    }

    pub(super) fn check_routes(&self, manifests: &[Manifest], defs: &[Def], problems: &mut Problems) -> Routes {
        let own = |table: &str| manifests.iter().any(|m| m.id == CORE && m.entities.iter().any(|d| d.table == table));
        let mut seen = BTreeSet::new();
        for (tables, store) in &self.routes {
            let capabilities = store.capabilities();
            if capabilities.batches != BatchSpan::Everything {
                let all = tables.iter().copied().collect::<Vec<_>>().join(", ");
                problems.add(CORE, format!("the store of {all} cannot write several entities in one commit"));
            }
            for table in tables {
                let Some(def) = defs.iter().find(|def| def.table == *table) else {
                    problems.add(CORE, format!("the table {table} is routed, but no plugin declares it"));
                    continue;
                };
                if own(table) {
                    problems.add(CORE, format!("the table {table} is core's own and stays in the main store"));
                } else if !def.routable {
                    let text = format!(
                        "the table {table} is not made for another store: what is lost there cannot undo what is written beside it"
                    );
                    problems.add(CORE, text);
                }
                if !seen.insert(*table) {
                    problems.add(CORE, format!("the table {table} is routed more than once"));
                }
                if def.durability == Durability::Durable && capabilities.durability != Acknowledgement::Kept {
                    let text = format!("the store of {table} may lose acknowledged writes, which {table} cannot bear");
                    problems.add(CORE, text);
                }
                let refers =
                    |other: &&Def| !tables.contains(other.table) && other.references.iter().any(|r| r.table == *table);
                for other in defs.iter().filter(refers) {
                    let text = format!("{} refers to {table}, so it has to be routed to the same store", other.table);
                    problems.add(CORE, text);
                }
            }
        }
        let steps: Vec<_> = manifests.iter().flat_map(|manifest| manifest.migrations.iter().cloned()).collect();
        let route = |(tables, store): &(BTreeSet<_>, Arc<dyn Store>)| Route::new(store.clone(), tables, defs, &steps);
        Routes(self.routes.iter().map(route).collect())
    }
}

pub(super) fn check_names(manifests: &[Manifest], problems: &mut Problems) {
    let errors =
        |manifest: &'_ Manifest| manifest.errors.iter().map(|error| (manifest.id, error.code)).collect::<Vec<_>>();
    problems.unique("error code", manifests.iter().flat_map(errors));
    let events =
        |manifest: &'_ Manifest| manifest.events.iter().map(|event| (manifest.id, event.kind)).collect::<Vec<_>>();
    problems.unique("event", manifests.iter().flat_map(events));
    let owned = |manifest: &'_ Manifest| tables(manifest).map(|table| (manifest.id, table)).collect::<Vec<_>>();
    problems.unique("table", manifests.iter().flat_map(owned));
    for manifest in manifests.iter().filter(|manifest| manifest.id != CORE) {
        if manifest.id.starts_with(CORE) {
            problems.add(manifest.id, format!("names that begin with {CORE} are core's own; rename the plugin"));
        }
        if tables(manifest).chain(created(manifest)).any(|table| table == route::MARKS) {
            problems.add(manifest.id, format!("the table {} is core's own; rename it", route::MARKS));
        }
        for error in manifest.errors.iter().filter(|error| !error.code.starts_with(&format!("{}.", manifest.id))) {
            problems.add(manifest.id, format!("the error code {} has to begin with {}.", error.code, manifest.id));
        }
    }
}

/// Folds the histories and compares them with the entities as declared.
pub(super) fn check_schema(manifests: &[Manifest], problems: &mut Problems) -> Vec<Def> {
    let steps: Vec<_> = manifests.iter().flat_map(|manifest| own_steps(manifest, problems)).collect();
    let (defs, faults) = fold(&steps);
    for fault in faults {
        problems.add(CORE, fault);
    }
    let core: BTreeSet<&str> = manifests.iter().filter(|m| m.id == CORE).flat_map(tables).collect();
    for manifest in manifests {
        let own: BTreeSet<&str> = tables(manifest).chain(created(manifest)).collect();
        for declared in &manifest.entities {
            let history = defs.iter().find(|def| def.table == declared.table);
            let fault = match history {
                Some(history) => drift(declared, history),
                None => Some(format!(
                    "no migration creates the table {}; add .creates::<…>() or a Step::Create",
                    declared.table
                )),
            };
            if let Some(fault) = fault {
                problems.add(manifest.id, fault);
            }
            check_entity(manifest.id, declared, &defs, problems);
            // Steps are made plugin by plugin, so only these tables are there for certain.
            let foreign = |table: &&str| !own.contains(table) && !core.contains(table);
            let named = declared.references.iter().map(|reference| reference.table);
            for other in named.filter(foreign).filter(|table| defs.iter().any(|def| def.table == *table)) {
                let text = format!(
                    "{} refers to {other}, a table of another plugin; refer to one of core or of its own",
                    declared.table
                );
                problems.add(manifest.id, text);
            }
        }
    }
    defs
}

/// The steps of a plugin on its own tables. Stores remember a step by its plugin and number.
fn own_steps(manifest: &Manifest, problems: &mut Problems) -> Vec<Migration> {
    let own: BTreeSet<&str> = tables(manifest).chain(created(manifest)).collect();
    for (migration, number) in manifest.migrations.iter().zip(1..) {
        let (plugin, table) = (migration.plugin, migration.step.table());
        if plugin != manifest.id || migration.number != number {
            let text =
                format!("step {number} calls itself migration {} of {plugin}; add it with .step(…)", migration.number);
            problems.add(manifest.id, text);
        }
        if !own.contains(table) {
            let text = format!("migration {number} changes {table}, which is not a table of its own; drop the step");
            problems.add(manifest.id, text);
        }
    }
    manifest.migrations.iter().filter(|migration| own.contains(migration.step.table())).cloned().collect()
}

fn tables(manifest: &Manifest) -> impl Iterator<Item = &'static str> {
    manifest.entities.iter().map(|def| def.table)
}

fn created(manifest: &Manifest) -> impl Iterator<Item = &'static str> {
    let created = manifest.migrations.iter().filter(|migration| matches!(migration.step, Step::Create(_)));
    created.map(|migration| migration.step.table())
}

/// What every store can hold.
fn check_entity(plugin: &'static str, def: &EntityDef, defs: &[Def], problems: &mut Problems) {
    let table = def.table;
    let columns = def.columns.iter().map(|column| column.name);
    let indexes = def.indexes.iter().map(|index| index.name);
    for name in [table].into_iter().chain(columns).chain(indexes).filter(|name| !is_name(name)) {
        let text =
            format!("the name {name:?} in {table} has to be lower-case words with underscores, at most 40 characters");
        problems.add(plugin, text);
    }
    if table.starts_with("authkit_") {
        problems.add(plugin, format!("the table {table} begins with authkit_, which is for stores; rename it"));
    }
    for reference in &def.references {
        match defs.iter().find(|other| other.table == reference.table) {
            None => problems.add(plugin, format!("{table} refers to {}, which no plugin declares", reference.table)),
            Some(other) if other.reach != def.reach => {
                problems.add(plugin, format!("{table} refers to {}, which has another reach", other.table));
            }
            Some(other) if other.expiry.is_some() => {
                problems.add(plugin, format!("{table} refers to {}, whose rows expire", other.table));
            }
            // Its rows go with the row that they refer to.
            Some(other) if (def.durability, other.durability) == (Durability::Durable, Durability::Ephemeral) => {
                let text = format!("{table} is durable, but refers to {}, whose rows go without a record", other.table);
                problems.add(plugin, text);
            }
            Some(_) => {}
        }
    }
    for index in &def.indexes {
        for column in index.columns.iter().filter_map(|at| def.columns.get(*at)) {
            if column.kind == ColumnKind::Json {
                problems.add(plugin, format!("the index {} of {table} holds JSON, which has no order", index.name));
            }
            if column.volatile && index.unique {
                problems.add(plugin, format!("the unique index {} of {table} holds a volatile column", index.name));
            }
        }
    }
    if def.durability == Durability::Ephemeral && def.columns.iter().any(|column| column.volatile) {
        problems.add(plugin, format!("{table} is ephemeral, so its columns need not be volatile"));
    }
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.len() <= 40 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain)
}

pub(super) fn check_store(store: &dyn Store, problems: &mut Problems) {
    let capabilities = store.capabilities();
    if capabilities.batches != BatchSpan::Everything {
        problems.add(CORE, "the store cannot write several entities in one commit, so it cannot be the main store");
    }
    if capabilities.durability != Acknowledgement::Kept {
        problems.add(CORE, "the store may lose acknowledged writes, so it cannot be the main store");
    }
}

/// Fills what was required from what was provided.
pub(super) fn resolve(parts: &mut Parts, problems: &mut Problems) -> HashMap<TypeId, Capability> {
    problems.unique("capability", parts.provided.iter().map(|(plugin, _, name, _)| (*plugin, *name)));
    let provided: HashMap<TypeId, Capability> =
        parts.provided.drain(..).map(|(_, id, _, capability)| (id, capability)).collect();
    for (plugin, name, resolve) in parts.required.drain(..) {
        if !resolve(&provided) {
            problems.add(plugin, format!("needs {name}, which no plugin provides; add the plugin that does"));
        }
    }
    provided
}

/// Sorts stages by what they demand, then by id; the same for every order of registration.
pub(super) fn order_stages(
    stages: Vec<(&'static str, Arc<dyn Stage>)>,
    problems: &mut Problems,
) -> Vec<Arc<dyn Stage>> {
    problems.unique("stage", stages.iter().map(|(plugin, stage)| (*plugin, stage.id())));
    let ids: BTreeSet<&str> = stages.iter().map(|(_, stage)| stage.id()).collect();
    for (plugin, stage) in &stages {
        for before in stage.order().after.iter().filter(|before| !ids.contains(*before)) {
            let text = format!(
                "the stage {} runs after {before}, which nobody registers; add its plugin, or drop it from the order",
                stage.id()
            );
            problems.add(plugin, text);
        }
    }
    let mut waiting: BTreeMap<&str, Arc<dyn Stage>> =
        stages.into_iter().map(|(_, stage)| (stage.id(), stage)).collect();
    let mut ordered: Vec<Arc<dyn Stage>> = Vec::new();
    while !waiting.is_empty() {
        let free = |stage: &Arc<dyn Stage>| !stage.order().after.iter().any(|before| waiting.contains_key(before));
        let Some(next) = waiting.iter().find(|(_, stage)| free(stage)).map(|(id, _)| *id) else {
            let circle = waiting.keys().copied().collect::<Vec<_>>().join(", ");
            let text = format!("the stages {circle} wait for each other or themselves; change what one runs after");
            problems.add(CORE, text);
            break;
        };
        ordered.extend(waiting.remove(next));
    }
    ordered
}

pub(super) fn check_parts(parts: &Parts, manifests: &[Manifest], problems: &mut Problems) {
    let verifiers = parts.verifiers.iter().chain(&parts.machines);
    problems.unique("method", verifiers.map(|(plugin, method, _)| (*plugin, method.clone())));
    problems.unique("enroller", parts.enrollers.iter().map(|(plugin, method, _)| (*plugin, method.clone())));
    problems.unique("importer", parts.importers.iter().map(|(plugin, method, _)| (*plugin, method.clone())));
    problems.unique("identifier kind", parts.identifiers.iter().map(|(plugin, kind)| (*plugin, kind.kind())));
    problems.unique("job", parts.jobs.iter().map(|(plugin, job)| (*plugin, job.id)));
    problems.unique("topic", parts.receivers.iter().map(|(plugin, topic, _)| (*plugin, *topic)));
    problems.unique("audit logger", parts.loggers.iter().map(|(plugin, logger, _)| (*plugin, logger.id())));
    check_paths(&parts.operations, problems);
    check_commands(&parts.commands, problems);
    for (plugin, method, _) in &parts.enrollers {
        if !parts.verifiers.iter().any(|(_, verified, _)| verified == method) {
            problems.add(plugin, format!("enrols {method}, which no plugin verifies; register its verifier"));
        }
    }
    for (plugin, method, _) in &parts.importers {
        if !parts.verifiers.iter().any(|(_, verified, _)| verified == method) {
            problems.add(plugin, format!("imports {method}, which no plugin verifies; register its verifier"));
        }
    }
    for (plugin, kind, _) in &parts.subscribers {
        if !manifests.iter().any(|manifest| manifest.events.iter().any(|event| event.kind == *kind)) {
            let text = format!(
                "subscribes to {kind}, which no plugin declares; add the plugin that does, or .event::<…>() to its manifest"
            );
            problems.add(plugin, text);
        }
    }
}

/// An edge has to be able to mount every path beside every other.
fn check_paths(operations: &[(&'static str, Operation)], problems: &mut Problems) {
    let route = |(plugin, operation): &(&'static str, Operation)| {
        (*plugin, format!("{} {}", operation.method.as_str(), operation.path))
    };
    problems.unique("route", operations.iter().map(route));
    let mut spellings: BTreeMap<String, &str> = BTreeMap::new();
    for (plugin, operation) in operations {
        let path = operation.path;
        if !path.starts_with('/') || !path.split('/').skip(1).all(is_part) {
            let text =
                format!("the path {path} has to consist of lower-case words and {{names}}, as in /sessions/{{id}}");
            problems.add(plugin, text);
        }
        if path.starts_with("/auth/{") || path == "/openapi.json" {
            let text = format!("the path {path} is kept for the edge, which answers there itself; choose another");
            problems.add(plugin, text);
        }
        let spelling = spellings.entry(unnamed(path)).or_insert(path);
        if *spelling != path {
            problems.add(plugin, format!("the paths {spelling} and {path} are one; name their parts alike"));
        }
    }
}

/// A shell has to be able to tell every command and every option from every other.
fn check_commands(commands: &[(&'static str, Command)], problems: &mut Problems) {
    problems.unique("command", commands.iter().map(|(plugin, command)| (*plugin, command.name)));
    for (plugin, command) in commands {
        let name = command.name;
        if !name.split(' ').all(is_word) || name.starts_with("help") {
            problems
                .add(plugin, format!("the command {name:?} has to consist of lower-case words, as in accounts list"));
        }
        let below =
            |(_, other): &&(_, Command)| other.name.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
        if let Some((_, other)) = commands.iter().find(below) {
            problems.add(plugin, format!("the command {name} begins the name of {}; rename one", other.name));
        }
        if command.input.get("type").and_then(JsonValue::as_str) != Some("object") {
            problems.add(plugin, format!("the command {name} has to take a struct"));
        }
        let fields = command.input.get("properties").and_then(JsonValue::as_object);
        for field in fields.into_iter().flatten().map(|(field, _)| field) {
            if Command::RESERVED.contains(&field.as_str()) {
                let text = format!("the command {name} takes {field}, which is the shell's own word; rename the field");
                problems.add(plugin, text);
            }
        }
    }
}

fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain)
}

fn is_part(part: &str) -> bool {
    let word = |text: &str, also: &[char]| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || also.contains(&c))
    };
    match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => word(name, &['_']),
        None => word(part, &['-', '.', '_']),
    }
}

/// The path without the names of its parts.
fn unnamed(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
