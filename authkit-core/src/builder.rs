//! The setup: plain setters, and `build()`, which checks everything and reports all problems at once.

use std::{
    any::TypeId,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use serde_json::Value as JsonValue;

use crate::{
    audit::{AuditLog, AuditRecord, TurnedAway, deliveries},
    collection::{Collection, Table},
    engine::Engine,
    entity::{Def, Durability, Entity, EntityDef},
    error, event,
    flow::{ActionGrant, FlowRow},
    id::IdSource,
    job::{Job, JobRow, Sweep},
    keys::KeyRing,
    manager::{AuthManager, Whole},
    operations,
    outbox::{NOTICES, NoticeDelivery, Outbox, OutboxRow},
    plugin::{Capability, Manifest, Parts, Plugin, Problem, Registrar},
    principal::{Enrolment, IdentifierKinds, PrincipalRow, Spine},
    public_url::PublicUrl,
    route::{self, ErrandDelivery, Route, Routes},
    schema::{drift, fold},
    secret::TokenKind,
    slot::{Clock, Notifier, OsRng, Rng, SystemClock},
    stage::{Counter, Stage},
    store::{Acknowledgement, BatchSpan, Store},
    value::ColumnKind,
};

/// Collects the parts of a setup. Order does not matter; nothing runs before [`Builder::build`].
#[must_use]
pub struct Builder {
    public_url: Option<String>,
    prefix: String,
    keys: Option<KeyRing>,
    store: Option<Arc<dyn Store>>,
    routes: Vec<(BTreeSet<&'static str>, Arc<dyn Store>)>,
    plugins: Vec<Box<dyn Plugin>>,
    config: JsonValue,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    notifier: Option<Arc<dyn Notifier>>,
}

/// Everything that is wrong with a setup.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuildError {
    /// All problems, sorted.
    pub problems: Vec<Problem>,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the authentication setup is not complete:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n- {problem}"))
    }
}

impl std::error::Error for BuildError {}

/// The name under which problems of the setup as a whole are reported, and core's own plugin id.
const CORE: &str = "authkit";

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            public_url: None,
            prefix: "/v1".to_owned(),
            keys: None,
            store: None,
            routes: Vec::new(),
            plugins: Vec::new(),
            config: JsonValue::Null,
            clock: Arc::new(SystemClock),
            rng: Arc::new(OsRng),
            notifier: None,
        }
    }

    /// The address under which clients reach the application: scheme, host and port.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// What stands before the path of every operation; `/v1` unless set.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The application's keys.
    pub fn keys(mut self, keys: KeyRing) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Where everything is stored.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// Where everything is stored, shared with the application.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Keeps the tables of some entities in another store: `.route(["auth_sessions"], redis)`.
    ///
    /// A commit that writes to both is decided by the main store. Its record says `pending` until the other store has
    /// answered; where this process dies first, the outbox goes on. If the other store does not answer, the caller gets
    /// [`codes::UNAVAILABLE`](crate::codes::UNAVAILABLE) and the act is done later: within a minute if the store is back
    /// by then. References from these tables to others are not kept by any store. A joined read across is two calls.
    pub fn route(mut self, tables: impl IntoIterator<Item = &'static str>, store: impl Store) -> Self {
        self.routes.push((tables.into_iter().collect(), Arc::new(store)));
        self
    }

    /// Adds a feature.
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.push(Box::new(plugin));
        self
    }

    /// Settings by section, laid over those given in code: `{"password": {"min_length": 20}}`.
    pub fn config(mut self, tree: JsonValue) -> Self {
        self.config = tree;
        self
    }

    /// Tells the time; the system's clock unless set.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Draws randomness; the operating system's unless set.
    pub fn rng(mut self, rng: impl Rng) -> Self {
        self.rng = Arc::new(rng);
        self
    }

    /// Delivers messages to people.
    pub fn notifier(mut self, notifier: impl Notifier) -> Self {
        self.notifier = Some(Arc::new(notifier));
        self
    }

    /// Checks the whole setup and puts it together.
    ///
    /// # Errors
    ///
    /// [`BuildError`] with every problem, not just the first.
    pub fn build(mut self) -> Result<AuthManager, BuildError> {
        let mut problems = Problems::default();
        self.plugins.sort_by_key(|plugin| plugin.manifest().id);
        let mut manifests = vec![core_manifest()];
        manifests.extend(self.plugins.iter().map(|plugin| plugin.manifest()));

        let public_url = self.check_public_url(&mut problems);
        let keys = self.check_keys(public_url.as_ref(), &mut problems);
        let store = problems.demand(self.store.take(), "there is no store; add .store(…)");
        self.check_prefix(&mut problems);
        check_names(&manifests, &mut problems);
        let defs = check_schema(&manifests, &mut problems);
        self.check_sections(&manifests, &mut problems);
        if let Some(store) = &store {
            check_store(store.as_ref(), &mut problems);
        }
        let routes = self.check_routes(&manifests, &defs, &mut problems);
        let (Some(public_url), Some(keys), Some(store)) = (public_url, keys, store) else {
            return Err(problems.into());
        };

        let mut tables: BTreeMap<&'static str, Arc<Table>> =
            defs.iter().map(|def| (def.table, Table::new(def.clone(), store.clone()))).collect();
        let routed = |route: &Route| {
            let table = |def: &Def| (def.table, Table::new(def.clone(), route.store.clone()));
            route.defs.iter().map(table).collect::<Vec<_>>()
        };
        tables.extend(routes.0.iter().flat_map(routed));
        let own = OwnTables(&tables);
        let mut parts = self.register(&manifests, &tables, &keys, &mut problems);
        parts.operations.extend(operations::all().into_iter().map(|operation| (CORE, operation)));
        let main = defs.iter().filter(|def| routes.of(def.table).is_none()).map(|def| (def, &store));
        let routed = routes.0.iter().flat_map(|route| route.defs.iter().map(|def| (def, &route.store)));
        let expiring = main.chain(routed).filter(|(def, _)| def.expiry.is_some());
        let sweep = Sweep { tables: expiring.map(|(def, store)| (def.clone(), store.clone())).collect() };
        let every = std::time::Duration::from_secs(60);
        parts.jobs.push((CORE, Job { id: "core.sweep", every, task: Arc::new(sweep) }));
        parts.receivers.extend(deliveries().map(|(topic, receiver)| (CORE, topic, receiver)));
        parts.receivers.push((CORE, route::TOPIC, Arc::new(ErrandDelivery)));
        if let Some(notifier) = self.notifier.take() {
            parts.receivers.push((CORE, NOTICES, Arc::new(NoticeDelivery(notifier))));
        }

        let capabilities = resolve(&mut parts, &mut problems);
        let stages = order_stages(std::mem::take(&mut parts.stages), &mut problems);
        check_parts(&parts, &manifests, &mut problems);
        let one = |count: usize, what: &str, problems: &mut Problems| match count {
            0 => problems.add(CORE, format!("no plugin {what}")),
            1 => {}
            _ => problems.add(CORE, format!("{count} plugins {what}; register one")),
        };
        one(
            parts.users.len(),
            "finds principals; add authkit-account or one with a user store of your own",
            &mut problems,
        );
        one(parts.sessions.len(), "keeps sessions; add authkit-session", &mut problems);
        one(parts.tokens.len(), "shows sessions to clients; add authkit-session", &mut problems);
        if parts.verifiers.is_empty() {
            problems.add(CORE, "no plugin verifies anything; add authkit-password or another method");
        }
        let (Some((_, users)), Some((_, sessions)), Some((_, tokens))) =
            (parts.users.pop(), parts.sessions.pop(), parts.tokens.pop())
        else {
            return Err(problems.into());
        };
        let (Some(spine), Some(audit_records), Some(rows)) = (own.spine(), own.of(), own.of()) else {
            return Err(problems.into());
        };
        let (Some(flows), Some(grants), Some(counters), Some(job_rows)) = (own.of(), own.of(), own.of(), own.of())
        else {
            return Err(problems.into());
        };
        problems.none()?;

        let mut subscribers: HashMap<&'static str, Vec<_>> = HashMap::new();
        for (_, kind, subscriber) in parts.subscribers {
            subscribers.entry(kind).or_default().push(subscriber);
        }
        let mut jobs: Vec<Job> = parts.jobs.into_iter().map(|(_, job)| job).collect();
        jobs.sort_by_key(|job| job.id);
        let engine = Engine {
            clock: self.clock,
            rng: self.rng,
            ids: IdSource::default(),
            pseudonyms: keys.mac("pseudonym"),
            flow_tokens: TokenKind::new(&keys, "akf"),
            grant_tokens: TokenKind::new(&keys, "akg"),
            keys,
            store,
            routes,
            spine,
            flows,
            grants,
            counters,
            job_rows,
            audit: AuditLog {
                records: audit_records,
                loggers: parts.loggers.into_iter().map(|(_, logger, role)| (logger, role)).collect(),
                subscribers,
                turned_away: TurnedAway::default(),
            },
            outbox: Outbox {
                rows,
                receivers: parts.receivers.into_iter().map(|(_, topic, receiver)| (topic, receiver)).collect(),
            },
            users,
            identifiers: IdentifierKinds(parts.identifiers.into_iter().map(|(_, kind)| (kind.kind(), kind)).collect()),
            sessions,
            tokens,
            verifiers: parts.verifiers.into_iter().map(|(_, method, verifier)| (method, verifier)).collect(),
            machines: parts.machines.into_iter().map(|(_, method, verifier)| (method, verifier)).collect(),
            enrollers: parts.enrollers.into_iter().map(|(_, method, enroller)| (method, enroller)).collect(),
            stages,
            jobs,
            capabilities,
        };
        let mut operations: Vec<_> = parts.operations.into_iter().map(|(_, operation)| operation).collect();
        operations.sort_by_key(|operation| (operation.path, operation.method));
        let migrations = manifests.into_iter().flat_map(|manifest| manifest.migrations).collect();
        let whole = Whole { engine: Arc::new(engine), public_url, prefix: self.prefix, operations, migrations, defs };
        Ok(AuthManager { parts: Arc::new(whole) })
    }

    fn check_public_url(&self, problems: &mut Problems) -> Option<PublicUrl> {
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

    fn check_keys(&self, url: Option<&PublicUrl>, problems: &mut Problems) -> Option<KeyRing> {
        let missing = "there are no keys; add .keys(KeyRing::from_env()?), or KeyRing::dev_file for development";
        let keys = problems.demand(self.keys.clone(), missing)?;
        if keys.is_for_development() && url.is_some_and(|url| !url.is_loopback()) {
            problems.add(CORE, "a development key file serves only a loopback public_url; use KeyRing::from_env()");
        }
        Some(keys)
    }

    fn check_prefix(&self, problems: &mut Problems) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_');
        let well_formed = self.prefix.is_empty() || (self.prefix.starts_with('/') && !self.prefix.ends_with('/'));
        if !well_formed || !self.prefix.chars().all(plain) {
            problems.add(CORE, "the prefix has to be empty or like /v1");
        }
    }

    fn check_sections(&self, manifests: &[Manifest], problems: &mut Problems) {
        let sections = match &self.config {
            JsonValue::Null => return,
            JsonValue::Object(sections) => sections,
            _ => {
                problems.add(CORE, "the configuration has to be a table of sections");
                return;
            }
        };
        for section in sections.keys() {
            if !manifests.iter().any(|manifest| manifest.id == section) {
                let text = format!("the configuration has a section [{section}], but no such plugin is registered");
                problems.add(CORE, text);
            }
        }
    }

    fn check_routes(&self, manifests: &[Manifest], defs: &[Def], problems: &mut Problems) -> Routes {
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
                }
                if !seen.insert(*table) {
                    problems.add(CORE, format!("the table {table} is routed more than once"));
                }
                if def.durability == Durability::Durable && capabilities.durability != Acknowledgement::Kept {
                    problems.add(
                        CORE,
                        format!("the store of {table} may lose acknowledged writes, which {table} cannot bear"),
                    );
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

    fn register(
        &self,
        manifests: &[Manifest],
        tables: &BTreeMap<&'static str, Arc<Table>>,
        keys: &KeyRing,
        problems: &mut Problems,
    ) -> Parts {
        let mut parts = Parts::default();
        let Some(principals) = OwnTables(tables).of::<PrincipalRow>() else {
            return parts;
        };
        // The first manifest is core's own.
        for (plugin, manifest) in self.plugins.iter().zip(manifests.iter().skip(1)) {
            let mut registrar = Registrar {
                plugin: manifest.id,
                declared: &manifest.entities,
                tables,
                principals: &principals,
                keys,
                section: self.config.get(manifest.id),
                parts: &mut parts,
            };
            if let Err(problem) = plugin.register(&mut registrar) {
                problems.all.insert(problem);
            }
        }
        parts
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builder({} plugins)", self.plugins.len())
    }
}

#[derive(Default)]
struct Problems {
    all: BTreeSet<Problem>,
}

impl Problems {
    fn add(&mut self, plugin: &'static str, text: impl Into<String>) {
        self.all.insert(Problem::new(plugin, text));
    }

    fn demand<T>(&mut self, value: Option<T>, otherwise: &str) -> Option<T> {
        if value.is_none() {
            self.add(CORE, otherwise);
        }
        value
    }

    /// Reports every name that several plugins claim.
    fn unique<N: Ord + fmt::Display>(&mut self, what: &str, names: impl Iterator<Item = (&'static str, N)>) {
        let mut owners: BTreeMap<N, Vec<&'static str>> = BTreeMap::new();
        for (plugin, name) in names {
            owners.entry(name).or_default().push(plugin);
        }
        for (name, plugins) in owners.into_iter().filter(|(_, plugins)| plugins.len() > 1) {
            self.add(CORE, format!("the {what} {name} is declared more than once, by {}", plugins.join(" and ")));
        }
    }

    fn none(&self) -> Result<(), BuildError> {
        if self.all.is_empty() { Ok(()) } else { Err(BuildError { problems: self.all.iter().cloned().collect() }) }
    }
}

impl From<Problems> for BuildError {
    fn from(problems: Problems) -> Self {
        Self { problems: problems.all.into_iter().collect() }
    }
}

/// Core's own entities, from the tables of the setup.
struct OwnTables<'t>(&'t BTreeMap<&'static str, Arc<Table>>);

impl OwnTables<'_> {
    fn of<E: Entity>(&self) -> Option<Collection<E>> {
        self.0.get(E::def().table).map(|table| Collection::new(table.clone()))
    }

    fn spine(&self) -> Option<Spine> {
        Some(Spine { principals: self.of()?, enrolments: self.of()? })
    }
}

fn core_manifest() -> Manifest {
    let mut manifest = Manifest::new(CORE, env!("CARGO_PKG_VERSION"))
        .creates::<PrincipalRow>()
        .creates::<Enrolment>()
        .creates::<FlowRow>()
        .creates::<ActionGrant>()
        .creates::<AuditRecord>()
        .creates::<OutboxRow>()
        .creates::<Counter>()
        .creates::<JobRow>();
    manifest.errors.extend(error::codes::ALL);
    manifest.events.extend(event::KINDS);
    manifest
}

fn check_names(manifests: &[Manifest], problems: &mut Problems) {
    problems.unique("plugin", manifests.iter().map(|manifest| (manifest.id, manifest.id)));
    let errors =
        |manifest: &'_ Manifest| manifest.errors.iter().map(|error| (manifest.id, error.code)).collect::<Vec<_>>();
    problems.unique("error code", manifests.iter().flat_map(errors));
    let events = |manifest: &'_ Manifest| manifest.events.iter().map(|kind| (manifest.id, *kind)).collect::<Vec<_>>();
    problems.unique("event", manifests.iter().flat_map(events));
    let tables =
        |manifest: &'_ Manifest| manifest.entities.iter().map(|def| (manifest.id, def.table)).collect::<Vec<_>>();
    problems.unique("table", manifests.iter().flat_map(tables));
    for manifest in manifests.iter().filter(|manifest| manifest.id != CORE) {
        for error in manifest.errors.iter().filter(|error| !error.code.starts_with(&format!("{}.", manifest.id))) {
            problems.add(manifest.id, format!("the error code {} has to begin with {}.", error.code, manifest.id));
        }
    }
}

/// Folds the histories and compares them with the entities as declared.
fn check_schema(manifests: &[Manifest], problems: &mut Problems) -> Vec<Def> {
    let steps: Vec<_> = manifests.iter().flat_map(|manifest| manifest.migrations.iter().cloned()).collect();
    let (defs, faults) = fold(&steps);
    for fault in faults {
        problems.add(CORE, fault);
    }
    for manifest in manifests {
        for declared in &manifest.entities {
            let history = defs.iter().find(|def| def.table == declared.table);
            let fault = match history {
                Some(history) => drift(declared, history),
                None => Some(format!("no migration creates the table {}", declared.table)),
            };
            if let Some(fault) = fault {
                problems.add(manifest.id, fault);
            }
            check_entity(manifest.id, declared, &defs, problems);
        }
    }
    defs
}

/// What every store can hold.
fn check_entity(plugin: &'static str, def: &EntityDef, defs: &[Def], problems: &mut Problems) {
    let table = def.table;
    for reference in &def.references {
        match defs.iter().find(|other| other.table == reference.table) {
            None => problems.add(plugin, format!("{table} refers to {}, which no plugin declares", reference.table)),
            Some(other) if other.reach != def.reach => {
                problems.add(plugin, format!("{table} refers to {}, which has another reach", other.table));
            }
            Some(other) if other.expiry.is_some() => {
                problems.add(plugin, format!("{table} refers to {}, whose rows expire", other.table));
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

fn check_store(store: &dyn Store, problems: &mut Problems) {
    let capabilities = store.capabilities();
    if capabilities.batches != BatchSpan::Everything {
        problems.add(CORE, "the store cannot write several entities in one commit, so it cannot be the main store");
    }
    if capabilities.durability != Acknowledgement::Kept {
        problems.add(CORE, "the store may lose acknowledged writes, so it cannot be the main store");
    }
}

/// Fills what was required from what was provided.
fn resolve(parts: &mut Parts, problems: &mut Problems) -> HashMap<TypeId, Capability> {
    problems.unique("capability", parts.provided.iter().map(|(plugin, _, name, _)| (*plugin, *name)));
    let provided: HashMap<TypeId, Capability> =
        parts.provided.drain(..).map(|(_, id, _, capability)| (id, capability)).collect();
    for (plugin, name, resolve) in parts.required.drain(..) {
        if !resolve(&provided) {
            problems.add(plugin, format!("needs {name}, which no plugin provides"));
        }
    }
    provided
}

/// Sorts stages by what they demand, then by id; the same for every order of registration.
fn order_stages(stages: Vec<(&'static str, Arc<dyn Stage>)>, problems: &mut Problems) -> Vec<Arc<dyn Stage>> {
    problems.unique("stage", stages.iter().map(|(plugin, stage)| (*plugin, stage.id())));
    let ids: BTreeSet<&str> = stages.iter().map(|(_, stage)| stage.id()).collect();
    for (plugin, stage) in &stages {
        for before in stage.order().after.iter().filter(|before| !ids.contains(*before)) {
            problems.add(plugin, format!("the stage {} runs after {before}, which nobody registers", stage.id()));
        }
    }
    let mut waiting: BTreeMap<&str, Arc<dyn Stage>> =
        stages.into_iter().map(|(_, stage)| (stage.id(), stage)).collect();
    let mut ordered: Vec<Arc<dyn Stage>> = Vec::new();
    while !waiting.is_empty() {
        let free = |stage: &Arc<dyn Stage>| !stage.order().after.iter().any(|before| waiting.contains_key(before));
        let Some(next) = waiting.iter().find(|(_, stage)| free(stage)).map(|(id, _)| *id) else {
            let circle: Vec<&str> = waiting.keys().copied().collect();
            problems.add(CORE, format!("the stages {} wait for each other", circle.join(", ")));
            break;
        };
        ordered.extend(waiting.remove(next));
    }
    ordered
}

fn check_parts(parts: &Parts, manifests: &[Manifest], problems: &mut Problems) {
    let verifiers = parts.verifiers.iter().chain(&parts.machines);
    problems.unique("method", verifiers.map(|(plugin, method, _)| (*plugin, method.clone())));
    problems.unique("enroller", parts.enrollers.iter().map(|(plugin, method, _)| (*plugin, method.clone())));
    problems.unique("identifier kind", parts.identifiers.iter().map(|(plugin, kind)| (*plugin, kind.kind())));
    problems.unique("job", parts.jobs.iter().map(|(plugin, job)| (*plugin, job.id)));
    problems.unique("topic", parts.receivers.iter().map(|(plugin, topic, _)| (*plugin, *topic)));
    problems.unique("audit logger", parts.loggers.iter().map(|(plugin, logger, _)| (*plugin, logger.id())));
    let route = |(plugin, operation): &(&'static str, crate::operation::Operation)| {
        (*plugin, format!("{} {}", operation.method.as_str(), operation.path))
    };
    problems.unique("route", parts.operations.iter().map(route));
    for (plugin, method, _) in &parts.enrollers {
        if !parts.verifiers.iter().any(|(_, verified, _)| verified == method) {
            problems.add(plugin, format!("enrols {method}, which no plugin verifies"));
        }
    }
    for (plugin, kind, _) in &parts.subscribers {
        if !manifests.iter().any(|manifest| manifest.events.contains(kind)) {
            problems.add(plugin, format!("subscribes to {kind}, which no plugin declares"));
        }
    }
}
