//! Plugins: what a feature declares, and where it declares it.

use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as JsonValue;

use crate::{
    audit::{AuditEvent, AuditLogger, EventKind, LoggerRole, Subscriber},
    collection::{Collection, ReadOnly, Table},
    command::Command,
    entity::{Def, DurabilityKind, Entity},
    error::{AuthError, ErrorCode, codes},
    evidence::MethodId,
    import::{AnyImporter, CredentialImporter},
    job::{Job, Task},
    keys::KeyRing,
    operation::Operation,
    outbox::Deliver,
    principal::{IdentifierKind, PrincipalRow, UserStore},
    public_url::PublicUrl,
    schema::{Migration, Step},
    session::{SessionStore, TokenStrategy},
    stage::Stage,
    verifier::{AnyEnroller, AnyVerifier, CredentialVerifier, Enroller, Erased},
};

/// What may be set about one plugin: a section of the configuration tree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Section {
    /// The plugin, and the name of the section.
    pub plugin: &'static str,
    /// Every key with the value that holds where the tree has none.
    pub given: JsonValue,
    /// What the keys mean, and which values they take.
    pub schema: Schema,
}

/// A feature: what it is, and how its parts enter the whole.
///
/// # Examples
///
/// A plugin that tells the time in UTC, below `/v1/time`:
///
/// ```
/// use authkit_core::{Access, AuthError, Call, HttpMethod, Manifest, Operation, Plugin, Problem, Registrar, Reply, Timestamp};
/// use serde_json::Value;
///
/// struct Time;
///
/// impl Plugin for Time {
///     fn manifest(&self) -> Manifest {
///         Manifest::new("time", env!("CARGO_PKG_VERSION"))
///     }
///
///     fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
///         let now = |call: Call, _: Value| async move { Ok::<_, AuthError>(Reply::ok(call.cx.now())) };
///         registrar.operation(Operation::new(HttpMethod::Get, "/time", Access::Public, "Tells the time.", now));
///         Ok(())
///     }
/// }
/// ```
pub trait Plugin: Send + Sync + 'static {
    /// What the plugin declares. Data only; called first, for all plugins.
    fn manifest(&self) -> Manifest;

    /// Adds the plugin's parts. Nothing may run yet; the order of plugins means nothing.
    ///
    /// # Errors
    ///
    /// A [`Problem`] that ends the registration of this plugin; others are still looked at.
    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem>;
}

const _: fn(&dyn Plugin) = |_| ();

/// What a plugin declares, as data.
///
/// # Examples
///
/// A table in its first form, a column that a later release added, and a public error:
///
/// ```
/// use authkit_core::{Class, Entity, ErrorCode, Id, Manifest, Step};
///
/// #[derive(Entity)]
/// #[entity(table = "shop_orders", durable)]
/// struct Order {
///     id: Id,
///     total: i64,
/// }
///
/// static CLOSED: ErrorCode = ErrorCode::new("shop.closed", Class::Conflict, "The shop is closed.");
///
/// let manifest = Manifest::new("shop", "0.1.0").creates::<Order>().error(&CLOSED);
/// assert!(matches!(manifest.migrations[0].step, Step::Create(_)));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Manifest {
    /// Unique name, which also names its configuration section: `password`.
    pub id: &'static str,
    /// Version of the crate.
    pub version: &'static str,
    /// Steps that make its tables, in order.
    pub migrations: Vec<Migration>,
    /// What its entities look like now.
    pub entities: Vec<Def>,
    /// Its public errors.
    pub errors: Vec<&'static ErrorCode>,
    /// Its events.
    pub events: Vec<EventKind>,
}

impl Manifest {
    /// Starts a manifest; the version is `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub const fn new(id: &'static str, version: &'static str) -> Self {
        Self { id, version, migrations: Vec::new(), entities: Vec::new(), errors: Vec::new(), events: Vec::new() }
    }

    /// Declares an entity in its first form: the next step creates its table.
    #[must_use]
    pub fn creates<E: Entity>(self) -> Self {
        self.step(Step::Create(E::def())).declares::<E>()
    }

    /// Declares an entity whose steps are given one by one.
    #[must_use]
    pub fn declares<E: Entity>(mut self) -> Self {
        self.entities.push(Arc::new(E::def()));
        self
    }

    /// Adds the next step. A released step is never edited.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        let number = u32::try_from(self.migrations.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.migrations.push(Migration::new(self.id, number, step));
        self
    }

    /// Declares a public error; its code begins with the id of the plugin and a full stop.
    #[must_use]
    pub fn error(mut self, code: &'static ErrorCode) -> Self {
        self.errors.push(code);
        self
    }

    /// Declares an event. What is not declared cannot be recorded.
    #[must_use]
    pub fn event<E: AuditEvent>(mut self) -> Self {
        self.events.push(EventKind::of::<E>(self.id));
        self
    }
}

/// Something that keeps `build()` from accepting the setup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Problem {
    /// The plugin, or `authkit` for the setup as a whole.
    pub plugin: &'static str,
    /// What is wrong and what to do about it.
    pub text: String,
}

impl Problem {
    /// Says what is wrong with a plugin's setup and what to do about it.
    #[must_use]
    pub fn new(plugin: &'static str, text: impl Into<String>) -> Self {
        Self { plugin, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.plugin, self.text)
    }
}

/// Something that one plugin provides to others and to the application, found by its Rust type.
pub(crate) type Capability = Arc<dyn Any + Send + Sync>;

/// A capability of another plugin; there once `build()` has accepted.
pub struct Required<T: ?Sized>(Arc<OnceLock<Arc<T>>>);

impl<T: ?Sized> Required<T> {
    /// The capability.
    ///
    /// # Errors
    ///
    /// [`codes::INTERNAL`] before `build()` has accepted.
    pub fn get(&self) -> Result<&T, AuthError> {
        let missing = || AuthError::new(&codes::INTERNAL).because("a capability was used before build()");
        self.0.get().map(AsRef::as_ref).ok_or_else(missing)
    }
}

impl<T: ?Sized> Clone for Required<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> fmt::Debug for Required<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Required({})", std::any::type_name::<T>())
    }
}

/// Fills a [`Required`] from what was provided; false if nobody did.
pub(crate) type Resolve = Box<dyn FnOnce(&HashMap<TypeId, Capability>) -> bool>;

/// What was registered, and by whom.
#[derive(Default)]
pub(crate) struct Parts {
    /// Plugins that send messages to people.
    pub(crate) notifying: Vec<&'static str>,
    /// Plugins that have read their settings.
    pub(crate) sections: Vec<Section>,
    pub(crate) users: Vec<(&'static str, Arc<dyn UserStore>)>,
    pub(crate) sessions: Vec<(&'static str, Arc<dyn SessionStore>)>,
    pub(crate) tokens: Vec<(&'static str, Arc<dyn TokenStrategy>)>,
    pub(crate) identifiers: Vec<(&'static str, Arc<dyn IdentifierKind>)>,
    pub(crate) verifiers: Vec<(&'static str, MethodId, Arc<dyn AnyVerifier>)>,
    pub(crate) machines: Vec<(&'static str, MethodId, Arc<dyn AnyVerifier>)>,
    pub(crate) enrollers: Vec<(&'static str, MethodId, Arc<dyn AnyEnroller>)>,
    pub(crate) importers: Vec<(&'static str, MethodId, Arc<dyn AnyImporter>)>,
    pub(crate) stages: Vec<(&'static str, Arc<dyn Stage>)>,
    pub(crate) operations: Vec<(&'static str, Operation)>,
    pub(crate) commands: Vec<(&'static str, Command)>,
    pub(crate) jobs: Vec<(&'static str, Job)>,
    pub(crate) receivers: Vec<(&'static str, &'static str, Arc<dyn Deliver>)>,
    pub(crate) subscribers: Vec<(&'static str, &'static str, Arc<dyn Subscriber>)>,
    pub(crate) loggers: Vec<(&'static str, Arc<dyn AuditLogger>, LoggerRole)>,
    pub(crate) provided: Vec<(&'static str, TypeId, &'static str, Capability)>,
    pub(crate) required: Vec<(&'static str, &'static str, Resolve)>,
}

/// Where a plugin adds its parts. It reaches only what the plugin declared.
pub struct Registrar<'b> {
    pub(crate) plugin: &'static str,
    pub(crate) declared: &'b [Def],
    pub(crate) tables: &'b BTreeMap<&'static str, Arc<Table>>,
    pub(crate) principals: &'b Collection<PrincipalRow>,
    /// Keys derived from it are this plugin's own.
    pub(crate) keys: KeyRing,
    /// None where it is missing or wrong, which is reported.
    pub(crate) public_url: Option<&'b PublicUrl>,
    pub(crate) section: Option<&'b JsonValue>,
    pub(crate) parts: &'b mut Parts,
}

impl Registrar<'_> {
    /// The right to one of the plugin's own entities.
    ///
    /// # Errors
    ///
    /// A [`Problem`] if the manifest does not declare the entity.
    pub fn collection<E: Entity>(&self) -> Result<Collection<E>, Problem> {
        let def = E::def();
        let truthful = def.durability == <E::Durability as DurabilityKind>::DURABILITY;
        let own = truthful && self.declared.iter().any(|declared| **declared == def);
        match self.tables.get(def.table) {
            Some(table) if own => Ok(Collection::new(table.clone())),
            _ => Err(self.problem(format!(
                "the entity {} is used but not declared in the manifest; add .creates::<…>() to it",
                def.table
            ))),
        }
    }

    /// The right to read the principals.
    #[must_use]
    pub fn principals(&self) -> ReadOnly<PrincipalRow> {
        self.principals.lend()
    }

    /// The application's keys. What is derived from them is this plugin's own: another one derives other keys for the
    /// same purpose.
    #[must_use]
    pub const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Where clients reach the application: `https://example.com`, as RFC 6454 §6.2 writes an origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        // Without one nothing is built, but the plugins are looked at all the same.
        self.public_url.map_or("http://localhost", PublicUrl::origin)
    }

    /// The plugin's settings: those given in code, with the section of the configuration tree laid over them.
    ///
    /// # Errors
    ///
    /// A [`Problem`] that names the key that is unknown or cannot be read.
    ///
    /// # Examples
    ///
    /// Defaults in code, and what the application's file says over them:
    ///
    /// ```
    /// use authkit_core::{Problem, Registrar};
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Clone, Serialize, Deserialize, JsonSchema)]
    /// struct Settings {
    ///     /// Orders that one principal may have open.
    ///     most_open: u32,
    /// }
    ///
    /// fn register(registrar: &mut Registrar<'_>) -> Result<u32, Problem> {
    ///     Ok(registrar.config(&Settings { most_open: 10 })?.most_open)
    /// }
    /// ```
    pub fn config<T: Serialize + DeserializeOwned + JsonSchema>(&mut self, given: &T) -> Result<T, Problem> {
        let given = serde_json::to_value(given).map_err(|error| self.problem(error.to_string()))?;
        let section = Section { plugin: self.plugin, given: given.clone(), schema: schema_for!(T) };
        self.parts.sections.push(section);
        let mut tree = given.clone();
        let Some(section) = self.section else {
            return serde_json::from_value(tree).map_err(|error| self.problem(error.to_string()));
        };
        overlay(&mut tree, section, self.plugin).map_err(|text| self.problem(text))?;
        serde_json::from_value(tree).map_err(|error| {
            let culprit = culprit::<T>(&given, section, &mut Vec::new());
            match culprit {
                Some((path, error)) => self.problem(format!("{}.{path}: {error}", self.plugin)),
                None => self.problem(format!("the section [{}]: {error}", self.plugin)),
            }
        })
    }

    /// Says what is wrong with this plugin's setup.
    #[must_use]
    pub fn problem(&self, text: impl Into<String>) -> Problem {
        Problem::new(self.plugin, text)
    }

    /// Provides something to other plugins and to the application, by its type.
    pub fn provide<T: ?Sized + Send + Sync + 'static>(&mut self, capability: Arc<T>) {
        let name = std::any::type_name::<T>();
        self.parts.provided.push((self.plugin, TypeId::of::<T>(), name, Arc::new(capability)));
    }

    /// Needs something that another plugin provides.
    ///
    /// # Examples
    ///
    /// A mailer that another plugin provides; whoever forgets that plugin is told by `build()`:
    ///
    /// ```
    /// use authkit_core::{AuthError, Registrar, Required};
    ///
    /// trait Mailer: Send + Sync {
    ///     fn send(&self, to: &str);
    /// }
    ///
    /// fn register(registrar: &mut Registrar<'_>) -> Required<dyn Mailer> {
    ///     registrar.require()
    /// }
    ///
    /// fn greet(mailer: &Required<dyn Mailer>) -> Result<(), AuthError> {
    ///     mailer.get()?.send("ada@example.com");
    ///     Ok(())
    /// }
    /// ```
    pub fn require<T: ?Sized + Send + Sync + 'static>(&mut self) -> Required<T> {
        let slot = Arc::new(OnceLock::new());
        let filled = slot.clone();
        let resolve = move |all: &HashMap<TypeId, Capability>| {
            let found = all.get(&TypeId::of::<T>()).and_then(|any| any.downcast_ref::<Arc<T>>());
            found.is_some_and(|capability| filled.set(capability.clone()).is_ok())
        };
        self.parts.required.push((self.plugin, std::any::type_name::<T>(), Box::new(resolve)));
        Required(slot)
    }

    /// Finds principals and keeps profiles; there is one.
    pub fn user_store(&mut self, store: Arc<dyn UserStore>) {
        self.parts.users.push((self.plugin, store));
    }

    /// Keeps sessions; there is one.
    pub fn session_store(&mut self, store: Arc<dyn SessionStore>) {
        self.parts.sessions.push((self.plugin, store));
    }

    /// Shows sessions to clients; there is one.
    pub fn token_strategy(&mut self, strategy: Arc<dyn TokenStrategy>) {
        self.parts.tokens.push((self.plugin, strategy));
    }

    /// Parses a kind of identifier.
    pub fn identifier_kind(&mut self, kind: Arc<dyn IdentifierKind>) {
        self.parts.identifiers.push((self.plugin, kind));
    }

    /// Verifies a method.
    pub fn verifier<V: CredentialVerifier>(&mut self, verifier: Arc<V>) {
        self.parts.verifiers.push((self.plugin, verifier.method(), Arc::new(Erased(verifier))));
    }

    /// Verifies a method by which programs make calls without a session; see
    /// [`RequestContext::call`](crate::RequestContext::call).
    ///
    /// # Security
    ///
    /// Calls are not charged, so a response has to be too long to be guessed: at least 128 random bits.
    pub fn machine_verifier<V: CredentialVerifier>(&mut self, verifier: Arc<V>) {
        self.parts.machines.push((self.plugin, verifier.method(), Arc::new(Erased(verifier))));
    }

    /// Enrols a method.
    pub fn enroller<N: Enroller>(&mut self, enroller: Arc<N>) {
        self.parts.enrollers.push((self.plugin, enroller.ability().method, Arc::new(Erased(enroller))));
    }

    /// Takes over the credentials of a method from another system; there is one for each.
    pub fn importer<I: CredentialImporter>(&mut self, importer: Arc<I>) {
        self.parts.importers.push((self.plugin, importer.method(), Arc::new(Erased(importer))));
    }

    /// Looks on at every step.
    pub fn stage(&mut self, stage: Arc<dyn Stage>) {
        self.parts.stages.push((self.plugin, stage));
    }

    /// Adds an HTTP operation.
    pub fn operation(&mut self, operation: Operation) {
        self.parts.operations.push((self.plugin, operation));
    }

    /// Adds a command for operators.
    pub fn command(&mut self, command: Command) {
        self.parts.commands.push((self.plugin, command));
    }

    /// Adds work that is done every so often, by one node at a time.
    pub fn job(&mut self, id: &'static str, every: Duration, task: Arc<dyn Task>) {
        self.parts.jobs.push((self.plugin, Job { id, every, task }));
    }

    /// Receives the messages of one topic of the outbox.
    pub fn outbox(&mut self, topic: &'static str, receiver: Arc<dyn Deliver>) {
        self.parts.receivers.push((self.plugin, topic, receiver));
    }

    /// Says that the plugin sends messages to people, so that the application has to have a [`Notifier`](crate::Notifier).
    pub fn sends_notices(&mut self) {
        self.parts.notifying.push(self.plugin);
    }

    /// Is told of every record of an event after it was committed.
    ///
    /// # Examples
    ///
    /// Whoever changes the password is written to; see [`Subscriber`]:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use authkit_core::{LoginSuccess, Registrar, Subscriber};
    ///
    /// fn register(registrar: &mut Registrar<'_>, greeter: Arc<dyn Subscriber>) {
    ///     registrar.subscribe::<LoginSuccess>(greeter);
    /// }
    /// ```
    pub fn subscribe<E: AuditEvent>(&mut self, subscriber: Arc<dyn Subscriber>) {
        self.parts.subscribers.push((self.plugin, E::KIND, subscriber));
    }

    /// Adds a sink for all records.
    pub fn audit_logger(&mut self, logger: Arc<dyn AuditLogger>, role: LoggerRole) {
        self.parts.loggers.push((self.plugin, logger, role));
    }
}

impl fmt::Debug for Registrar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registrar({})", self.plugin)
    }
}

/// Lays a configuration section over the settings given in code; a key that is not among these is refused.
fn overlay(base: &mut JsonValue, over: &JsonValue, path: &str) -> Result<(), String> {
    match (base, over) {
        (JsonValue::Object(base), JsonValue::Object(over)) => {
            for (key, value) in over {
                let path = format!("{path}.{key}");
                let known: Vec<&str> = base.keys().map(String::as_str).collect();
                let known = known.join(", ");
                let slot = base.get_mut(key).ok_or_else(|| format!("unknown key {path}; there are {known}"))?;
                overlay(slot, value, &path)?;
            }
            Ok(())
        }
        (base, over) => {
            *base = over.clone();
            Ok(())
        }
    }
}

/// The setting that cannot be read even if it is the only one, and why.
fn culprit<T: DeserializeOwned>(
    given: &JsonValue,
    section: &JsonValue,
    path: &mut Vec<String>,
) -> Option<(String, serde_json::Error)> {
    if let JsonValue::Object(section) = section {
        return section.iter().find_map(|(key, value)| {
            path.push(key.clone());
            let found = culprit::<T>(given, value, path);
            path.pop();
            found
        });
    }
    let mut tree = given.clone();
    let place = format!("/{}", path.join("/"));
    *tree.pointer_mut(&place)? = section.clone();
    serde_json::from_value::<T>(tree).err().map(|error| (path.join("."), error))
}
