//! The setup: plain setters, and `build()`, which checks everything and reports all problems at once.

mod check;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use serde_json::Value as JsonValue;

use self::check::{Problems, check_names, check_parts, check_schema, check_store, order_stages, resolve};
use crate::{
    audit::{AuditLog, AuditRecord, Subscribers, TurnedAway, deliveries},
    charge::Counter,
    collection::{Collection, Table},
    commands,
    engine::Engine,
    entity::{Def, Entity},
    error, event,
    flow::{ActionGrant, FlowRow},
    id::IdSource,
    job::{Job, JobRow, Sweep},
    keys::KeyRing,
    manager::{AuthManager, Whole},
    operations,
    outbox::{NOTICES, NoticeDelivery, Outbox, OutboxRow},
    plugin::{Manifest, Parts, Plugin, Problem, Registrar},
    principal::{Enrolment, IdentifierKinds, PrincipalRow, Spine},
    public_url::PublicUrl,
    route::{self, ErrandDelivery, Route},
    schema::Migration,
    secret::TokenKind,
    slot::{Clock, Notifier, OsRng, Rng, SystemClock},
    store::{Capabilities, Done, Get, Op, Query, Row, Scope, Store, StoreError},
    timestamp::Timestamp,
};

/// Collects the parts of a setup. Order does not matter; nothing runs before [`Builder::build`].
///
/// # Examples
///
/// Settings of a file go over those in code; the store that expects the most traffic is apart:
///
/// ```
/// use authkit_core::{AuthManager, BuildError, Builder, Store};
/// use serde_json::json;
///
/// fn configured(builder: Builder, sessions: impl Store) -> Result<AuthManager, BuildError> {
///     builder
///         .config(json!({ "password": { "min_length": 20 } }))
///         .route(["auth_sessions"], sessions)
///         .build()
/// }
/// ```
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
    ///
    /// # Examples
    ///
    /// Every problem is reported at once, with what to do about it:
    ///
    /// ```
    /// use authkit_core::AuthManager;
    ///
    /// let error = AuthManager::builder().public_url("http://example.com").build().unwrap_err();
    /// let text = error.to_string();
    /// assert!(text.contains("there is no store; add .store(…)"), "{text}");
    /// assert!(error.problems.len() > 2);
    /// ```
    pub fn build(mut self) -> Result<AuthManager, BuildError> {
        let mut problems = Problems::default();
        let mut manifests = vec![core_manifest()];
        manifests.extend(self.check_plugins(&mut problems));

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
        // With stand-ins for what is missing, the plugins are looked at all the same.
        let keys = keys.or_else(|| self.stand_in_keys());
        let store = store.unwrap_or_else(|| Arc::new(NoStore));
        let Some(keys) = keys else {
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
        let (mut parts, registered) = self.register(&manifests, &tables, &keys, public_url.as_ref(), &mut problems);
        parts.operations.extend(operations::all().into_iter().map(|operation| (CORE, operation)));
        parts.commands.extend(commands::all().into_iter().map(|command| (CORE, command)));
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

        if !parts.receivers.iter().any(|(_, topic, _)| *topic == NOTICES) {
            for plugin in &parts.notifying {
                problems.add(plugin, "sends messages to people, and there is no notifier; add .notifier(…)");
            }
        }
        let capabilities = resolve(&mut parts, &mut problems);
        let stages = order_stages(std::mem::take(&mut parts.stages), &mut problems);
        check_parts(&parts, &manifests, &mut problems);
        let (users, sessions, tokens) = (parts.users.len(), parts.sessions.len(), parts.tokens.len());
        problems.at_most_one(users, "find principals");
        problems.at_most_one(sessions, "keep sessions");
        problems.at_most_one(tokens, "show sessions to clients");
        // What is missing may be what a plugin did not come to register.
        if registered {
            problems.at_least_one(users, "finds principals", "authkit-account or one with a user store of your own");
            problems.at_least_one(sessions, "keeps sessions", "authkit-session");
            problems.at_least_one(tokens, "shows sessions to clients", "authkit-session");
            problems.at_least_one(parts.verifiers.len(), "verifies anything", "authkit-password or another method");
        }
        let Some(public_url) = public_url else {
            return Err(problems.into());
        };
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

        let mut events: Vec<_> = manifests.iter().flat_map(|manifest| manifest.events.iter().copied()).collect();
        events.sort_by_key(|event| (event.plugin, event.kind));
        let kinds = events.iter().map(|event| (event.kind, event.event)).collect();
        let mut subscribers = Subscribers::new();
        for (plugin, kind, subscriber) in parts.subscribers {
            subscribers.entry(kind).or_default().push((plugin, subscriber));
        }
        let mut jobs: Vec<Job> = parts.jobs.into_iter().map(|(_, job)| job).collect();
        jobs.sort_by_key(|job| job.id);
        let mut errors: Vec<_> = manifests.iter().flat_map(|manifest| manifest.errors.iter().copied()).collect();
        errors.sort_by_key(|error| error.code);
        let engine = Engine {
            clock: self.clock,
            rng: self.rng,
            ids: IdSource::default(),
            pseudonyms: keys.mac("pseudonym"),
            counter_keys: keys.mac("counter"),
            flow_tokens: TokenKind::new(&keys, "akf"),
            grant_tokens: TokenKind::new(&keys, "akg"),
            keys,
            store,
            routes,
            migrations: manifests.into_iter().flat_map(|manifest| manifest.migrations).collect(),
            defs,
            spine,
            flows,
            grants,
            counters,
            job_rows,
            audit: AuditLog {
                records: audit_records,
                loggers: parts.loggers.into_iter().map(|(_, logger, role)| (logger, role)).collect(),
                subscribers,
                kinds,
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
            importers: parts.importers.into_iter().map(|(_, method, importer)| (method, importer)).collect(),
            stages,
            jobs,
            capabilities,
        };
        let mut operations: Vec<_> = parts.operations.into_iter().map(|(_, operation)| operation).collect();
        operations.sort_by_key(|operation| (operation.path, operation.method));
        let mut commands: Vec<_> = parts.commands.into_iter().map(|(_, command)| command).collect();
        commands.sort_by_key(|command| command.name);
        let mut sections = parts.sections;
        sections.sort_by_key(|section| section.plugin);
        let (engine, prefix) = (Arc::new(engine), self.prefix);
        let whole = Whole { engine, public_url, prefix, operations, commands, errors, events, sections };
        Ok(AuthManager { parts: Arc::new(whole) })
    }

    /// What all plugins register, and whether each came to its end.
    fn register(
        &self,
        manifests: &[Manifest],
        tables: &BTreeMap<&'static str, Arc<Table>>,
        keys: &KeyRing,
        public_url: Option<&PublicUrl>,
        problems: &mut Problems,
    ) -> (Parts, bool) {
        let (mut parts, mut complete) = (Parts::default(), true);
        let Some(principals) = OwnTables(tables).of::<PrincipalRow>() else {
            return (parts, false);
        };
        // The first manifest is core's own.
        for (plugin, manifest) in self.plugins.iter().zip(manifests.iter().skip(1)) {
            let mut registrar = Registrar {
                plugin: manifest.id,
                declared: &manifest.entities,
                tables,
                principals: &principals,
                keys: keys.of(manifest.id),
                public_url,
                section: self.config.get(manifest.id),
                parts: &mut parts,
            };
            match plugin.register(&mut registrar) {
                Ok(()) => self.check_settings(manifest.id, &parts, problems),
                Err(problem) => {
                    problems.insert(problem);
                    complete = false;
                }
            }
        }
        (parts, complete)
    }

    fn stand_in_keys(&self) -> Option<KeyRing> {
        let mut secret = [0; 32];
        self.rng.fill(&mut secret);
        KeyRing::new([secret]).ok()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builder({} plugins)", self.plugins.len())
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

/// Stands in for the store that a setup forgot. Nothing is ever asked of it.
struct NoStore;

#[async_trait]
impl Store for NoStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL
    }

    fn statements(&self, _: &[Migration]) -> Vec<String> {
        Vec::new()
    }

    async fn migrate(&self, _: &[Migration], _: &[Def]) -> Result<(), StoreError> {
        Err(StoreError::Busy)
    }

    async fn get(&self, _: &Scope, _: &Get) -> Result<Option<Row>, StoreError> {
        Err(StoreError::Busy)
    }

    async fn query(&self, _: &Scope, _: &Query) -> Result<Vec<Row>, StoreError> {
        Err(StoreError::Busy)
    }

    async fn commit(&self, _: &Scope, _: &[Op], _: Timestamp) -> Result<Vec<Done>, StoreError> {
        Err(StoreError::Busy)
    }

    async fn sweep(&self, _: &Def, _: Timestamp, _: usize) -> Result<u64, StoreError> {
        Err(StoreError::Busy)
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
    event::declared(manifest)
}
