//! The audit log: what is recorded, and who else is told.

use std::{
    any::TypeId,
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;

use crate::{
    Entity,
    batch::Batch,
    collection::{At, Collection},
    context::RequestContext,
    error::{AuthError, BoxError, codes},
    id::{AuditId, FlowId, PrincipalId, SessionId, TenantId},
    outbox::{Deliver, Parcel, Payload},
    store::{Op, Write},
    text_enum,
    timestamp::Timestamp,
    value::Json,
};

/// A typed fact. What is recorded is what applications subscribe to; there is no other event system.
///
/// The event is stored as its JSON form, so it holds no secret and nothing that a stranger typed where a password may
/// have been meant.
///
/// # Examples
///
/// An event of a plugin; whom it is about is a column, so it is left out of the data:
///
/// ```
/// use authkit_core::{About, Act, AuditEvent, Outcome, PrincipalId};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct OrderPlaced {
///     #[serde(skip)]
///     by: PrincipalId,
///     total: i64,
/// }
///
/// impl AuditEvent for OrderPlaced {
///     const KIND: &'static str = "order_placed";
///     const ACT: Act = Act::Grants;
///     fn about(&self) -> About { About::new(Outcome::Success).principal(self.by) }
/// }
/// ```
pub trait AuditEvent: Serialize + Send + Sync + 'static {
    /// Stable name in snake case, unique among all plugins: `password_changed`.
    const KIND: &'static str;
    /// Whether it has to wait for required loggers.
    const ACT: Act;

    /// Whom and what the record is about.
    fn about(&self) -> About;
}

/// Whether an act waits for required loggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Act {
    /// Gives or changes something: waits, and fails closed.
    Grants,
    /// Refuses or takes something away: never waits.
    Withdraws,
}

/// A kind of event that a plugin declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventKind {
    /// The plugin, or `authkit` for core.
    pub plugin: &'static str,
    /// Name of the event: [`AuditEvent::KIND`].
    pub kind: &'static str,
    /// Whether it has to wait for required loggers: [`AuditEvent::ACT`].
    pub act: Act,
    /// The type: nobody else records the kind.
    pub(crate) event: TypeId,
}

impl EventKind {
    pub(crate) fn of<E: AuditEvent>(plugin: &'static str) -> Self {
        Self { plugin, kind: E::KIND, act: E::ACT, event: TypeId::of::<E>() }
    }
}

text_enum! {
    /// How an act ended.
    pub enum Outcome {
        /// More has to be proved.
        Challenge = "challenge",
        /// It was refused.
        Failure = "failure",
        /// It was done.
        Success = "success",
    }
}

/// Whom and what a record is about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct About {
    /// How the act ended.
    pub outcome: Outcome,
    /// Which principal it concerns.
    pub principal: Option<PrincipalId>,
    /// The session in which it happened.
    pub session: Option<SessionId>,
    /// The flow to which it belongs.
    pub flow: Option<FlowId>,
    /// The method that was used.
    pub method: Option<String>,
}

impl About {
    /// Starts with how the act ended.
    #[must_use]
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, principal: None, session: None, flow: None, method: None }
    }

    /// Says which principal it concerns.
    #[must_use]
    pub fn principal(mut self, id: impl Into<Option<PrincipalId>>) -> Self {
        self.principal = id.into();
        self
    }

    /// Says in which session it happened.
    #[must_use]
    pub fn session(mut self, id: impl Into<Option<SessionId>>) -> Self {
        self.session = id.into();
        self
    }

    /// Says to which flow it belongs.
    #[must_use]
    pub fn flow(mut self, id: impl Into<Option<FlowId>>) -> Self {
        self.flow = id.into();
        self
    }

    /// Says which method was used.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }
}

/// One row of the audit log.
#[derive(Clone, Debug, Entity)]
#[entity(
    table = "auth_audit_log",
    durable,
    index(by_time: created_at),
    index(by_principal: principal_id, created_at),
    index(by_kind: kind, created_at)
)]
#[expect(clippy::exhaustive_structs, reason = "its entity is as declared; a new column is a breaking change")]
pub struct AuditRecord {
    /// Made before the commit; resolves commits of unknown outcome.
    pub id: AuditId,
    /// Name of the event.
    pub kind: String,
    /// How the act ended.
    pub outcome: Outcome,
    /// Whether it landed; pending only while a part of it is on its way to another store.
    pub settlement: Settlement,
    /// Which principal it concerns.
    pub principal_id: Option<PrincipalId>,
    /// Who did it, where that is another one; see [`RequestContext::acting`].
    pub actor_id: Option<PrincipalId>,
    /// The session in which it happened.
    pub session_id: Option<SessionId>,
    /// The flow to which it belongs.
    pub flow_id: Option<FlowId>,
    /// The method that was used.
    pub method: Option<String>,
    /// Address of the client.
    pub ip: Option<String>,
    /// What the client said it is.
    pub user_agent: Option<String>,
    /// The request, as in the logs.
    pub request_id: Option<String>,
    /// Version of the form of `data`.
    pub schema_version: i64,
    /// The event.
    pub data: Json<JsonValue>,
    /// When the request began.
    pub created_at: Timestamp,
}

/// A record as loggers, subscribers and clients see it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Unique.
    pub id: AuditId,
    /// Where it happened.
    pub tenant: TenantId,
    /// When the request began.
    pub at: Timestamp,
    /// Name of the event.
    pub kind: String,
    /// How the act ended.
    pub outcome: Outcome,
    /// Whether it landed, when this was read. Who is asked or told about the act learns that by other means.
    pub settlement: Settlement,
    /// Which principal it concerns.
    pub principal_id: Option<PrincipalId>,
    /// Who did it, where that is another one; see [`RequestContext::acting`].
    pub actor_id: Option<PrincipalId>,
    /// The session in which it happened.
    pub session_id: Option<SessionId>,
    /// The flow to which it belongs.
    pub flow_id: Option<FlowId>,
    /// The method that was used.
    pub method: Option<String>,
    /// Address of the client.
    pub ip: Option<String>,
    /// What the client said it is.
    pub user_agent: Option<String>,
    /// The request, as in the logs.
    pub request_id: Option<String>,
    /// The event.
    pub data: JsonValue,
}

impl AuditEntry {
    pub(crate) fn of(record: &AuditRecord, tenant: TenantId) -> Self {
        Self {
            id: record.id,
            tenant,
            at: record.created_at,
            kind: record.kind.clone(),
            outcome: record.outcome,
            settlement: record.settlement,
            principal_id: record.principal_id,
            actor_id: record.actor_id,
            session_id: record.session_id,
            flow_id: record.flow_id,
            method: record.method.clone(),
            ip: record.ip.clone(),
            user_agent: record.user_agent.clone(),
            request_id: record.request_id.clone(),
            data: record.data.get().unwrap_or_default(),
        }
    }
}

/// An additional sink for records: a SIEM, a WORM store. The store's own log is always there.
///
/// # Contract
///
/// 1. A *required* logger is asked with `prepare` before an act that grants; if it refuses, nothing is granted.
/// 2. `settled` follows at least once for every act that landed, through the outbox, on any node and possibly twice.
/// 3. An act that did not land is reported as aborted if the process lives; a record that is never settled did not land
///    or has not been told yet, and the store's log decides.
/// 4. A logger that is not required gets `settled` only, and cannot hold anything up.
///
/// # Examples
///
/// A sink on a disk of its own; see [`Registrar::audit_logger`](crate::Registrar::audit_logger):
///
/// ```
/// use async_trait::async_trait;
/// use authkit_core::{AuditEntry, AuditLogger, BoxError, Settlement};
///
/// struct Journal;
///
/// #[async_trait]
/// impl AuditLogger for Journal {
///     fn id(&self) -> &'static str { "journal" }
///     async fn prepare(&self, _: &AuditEntry) -> Result<(), BoxError> { Ok(()) }
///     async fn settled(&self, entry: &AuditEntry, how: Settlement) -> Result<(), BoxError> {
///         println!("{how:?} {}", serde_json::to_string(entry)?);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait AuditLogger: Send + Sync + 'static {
    /// Stable name, unique among loggers.
    fn id(&self) -> &'static str;

    /// Says whether the record could be kept.
    ///
    /// # Errors
    ///
    /// Any error refuses the act.
    async fn prepare(&self, entry: &AuditEntry) -> Result<(), BoxError>;

    /// Tells what became of the act.
    ///
    /// # Errors
    ///
    /// Any error makes the outbox try again.
    async fn settled(&self, entry: &AuditEntry, settlement: Settlement) -> Result<(), BoxError>;
}

text_enum! {
    /// What became of an act.
    pub enum Settlement {
        /// It did not land.
        Aborted = "aborted",
        /// It landed together with its record.
        Committed = "committed",
        /// A part of it is on its way to another store; see [`Builder::route`](crate::Builder::route). Loggers are told
        /// when it is known.
        Pending = "pending",
    }
}

/// Whether a logger may hold an act up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum LoggerRole {
    /// Is told afterwards.
    Additional,
    /// Is asked first; if it refuses, nothing is granted.
    Required,
}

/// Is told of records of one kind after they were committed, at least once each, through the outbox.
///
/// # Examples
///
/// A letter to whoever's account was locked:
///
/// ```
/// use async_trait::async_trait;
/// use authkit_core::{AuditEntry, BoxError, RequestContext, Subscriber};
///
/// struct Letters;
///
/// #[async_trait]
/// impl Subscriber for Letters {
///     async fn notice(&self, cx: &RequestContext, entry: &AuditEntry) -> Result<(), BoxError> {
///         let Some(owner) = entry.principal_id else { return Ok(()) };
///         println!("{}: {} happened to {owner} at {}", cx.tenant(), entry.kind, entry.at);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait Subscriber: Send + Sync + 'static {
    /// Takes note of a record; may see it twice.
    ///
    /// # Errors
    ///
    /// Any error makes the outbox try again.
    async fn notice(&self, cx: &RequestContext, entry: &AuditEntry) -> Result<(), BoxError>;
}

const _: fn(&dyn AuditLogger, &dyn Subscriber) = |_, _| ();

/// An event on its way into a record.
pub(crate) struct Draft {
    pub(crate) act: Act,
    event: TypeId,
    kind: &'static str,
    about: About,
    data: Result<Json<JsonValue>, crate::value::DecodeError>,
}

impl Draft {
    pub(crate) fn of<E: AuditEvent>(event: &E) -> Self {
        let data = serde_json::to_value(event)
            .map_err(|_error| crate::value::DecodeError::new("JSON event"))
            .and_then(|value| Json::new(&value));
        Self { act: E::ACT, event: TypeId::of::<E>(), kind: E::KIND, about: event.about(), data }
    }

    pub(crate) fn record(self, cx: &RequestContext, settlement: Settlement) -> Result<AuditRecord, AuthError> {
        if cx.engine.audit.kinds.get(self.kind) != Some(&self.event) {
            return Err(AuthError::new(&codes::INTERNAL).because("an event that no plugin declares"));
        }
        let About { outcome, principal, session, flow, method } = self.about;
        Ok(AuditRecord {
            id: cx.new_id(),
            kind: self.kind.to_owned(),
            outcome,
            settlement,
            principal_id: principal,
            actor_id: cx.actor(),
            session_id: session,
            flow_id: flow,
            method,
            ip: cx.client().ip.map(|ip| ip.to_canonical().to_string()),
            user_agent: cx.client().user_agent.clone(),
            request_id: cx.client().request_id.clone(),
            schema_version: 1,
            data: self.data?,
            created_at: cx.now(),
        })
    }
}

/// Topic of messages to loggers; followed by the logger's id.
pub(crate) const LOGGERS: &str = "core.audit_logger";
/// Topic of messages to subscribers; followed by the kind of event.
pub(crate) const SUBSCRIBERS: &str = "core.subscriber";

/// Who is told, by kind of event: the plugins that asked for it.
pub(crate) type Subscribers = HashMap<&'static str, Vec<(&'static str, Arc<dyn Subscriber>)>>;

/// The log, and whoever else is told.
pub(crate) struct AuditLog {
    pub(crate) records: Collection<AuditRecord>,
    pub(crate) loggers: Vec<(Arc<dyn AuditLogger>, LoggerRole)>,
    pub(crate) subscribers: Subscribers,
    /// The declared kinds of event, each with its type.
    pub(crate) kinds: HashMap<&'static str, TypeId>,
    pub(crate) turned_away: TurnedAway,
}

impl AuditLog {
    pub(crate) async fn prepare(&self, act: Act, entries: &[AuditEntry]) -> Result<(), AuthError> {
        if act == Act::Withdraws {
            return Ok(());
        }
        for (logger, role) in &self.loggers {
            if *role == LoggerRole::Additional {
                continue;
            }
            for entry in entries {
                if let Err(source) = logger.prepare(entry).await {
                    self.aborted(act, entries).await;
                    return Err(AuthError::new(&codes::AUDIT_UNAVAILABLE).caused_by(source));
                }
            }
        }
        Ok(())
    }

    /// Tells those who were asked that nothing landed.
    pub(crate) async fn aborted(&self, act: Act, entries: &[AuditEntry]) {
        if act == Act::Withdraws {
            return;
        }
        for (logger, _) in self.loggers.iter().filter(|(_, role)| *role == LoggerRole::Required) {
            for entry in entries {
                if let Err(error) = logger.settled(entry, Settlement::Aborted).await {
                    tracing::warn!(logger = logger.id(), error, "an audit logger was not told of an aborted act");
                }
            }
        }
    }

    /// Tells loggers and subscribers, through the outbox.
    pub(crate) fn announcements(&self, cx: &RequestContext, entries: &[AuditEntry]) -> Result<Vec<Op>, AuthError> {
        let messages = self.messages(entries)?;
        messages.iter().map(|(topic, payload)| cx.engine.outbox.insertion(cx, topic, payload)).collect()
    }

    fn messages(&self, entries: &[AuditEntry]) -> Result<Vec<(&'static str, Payload)>, AuthError> {
        let mut messages = Vec::new();
        for entry in entries {
            let subscribers = self.subscribers.get(entry.kind.as_str()).map(Vec::as_slice).unwrap_or_default();
            if self.loggers.is_empty() && subscribers.is_empty() {
                continue;
            }
            let data =
                serde_json::to_value(entry).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))?;
            let told = |name: &str| Payload::new(serde_json::json!({ "to": name, "entry": data }));
            messages.extend(self.loggers.iter().map(|(logger, _)| (LOGGERS, told(logger.id()))));
            messages.extend(subscribers.iter().map(|(plugin, _)| (SUBSCRIBERS, told(plugin))));
        }
        Ok(messages)
    }

    pub(crate) fn insertion(&self, record: AuditRecord) -> Op {
        Op { def: self.records.table.def.clone(), write: Write::Insert { values: record.into_values() } }
    }

    /// Settles a record that is pending.
    pub(crate) fn settlement(&self, id: AuditId, settlement: Settlement) -> Op {
        let guards = vec![AuditRecord::settlement.eq(Settlement::Pending).guard];
        let (at, set) = (At::<AuditRecord>::id(id).lookup, vec![AuditRecord::settlement.set(settlement).set]);
        Op { def: self.records.table.def.clone(), write: Write::Update { at, guards, set } }
    }

    /// Whether a commit whose outcome is unknown has landed.
    pub(crate) async fn exists(&self, cx: &RequestContext, id: AuditId) -> Result<bool, AuthError> {
        Ok(self.records.get(cx, At::id(id)).await?.is_some())
    }
}

/// Delivers what [`AuditLog::messages`] put into the outbox.
pub(crate) struct AuditDelivery;

#[derive(Deserialize)]
struct Told {
    /// The logger, or the plugin that subscribed: other nodes may have others besides.
    to: String,
    entry: AuditEntry,
}

#[async_trait]
impl Deliver for AuditDelivery {
    async fn deliver(&self, cx: &RequestContext, parcel: &Parcel) -> Result<(), BoxError> {
        let audit = &cx.engine.audit;
        let told: Told = serde_json::from_value(parcel.data.clone())?;
        if parcel.topic == LOGGERS {
            let Some((logger, _)) = audit.loggers.iter().find(|(logger, _)| logger.id() == told.to) else {
                return Err("no such audit logger is registered on this node".into());
            };
            return logger.settled(&told.entry, Settlement::Committed).await;
        }
        let subscribers = audit.subscribers.get(told.entry.kind.as_str()).map(Vec::as_slice).unwrap_or_default();
        for (_, subscriber) in subscribers.iter().filter(|(plugin, _)| *plugin == told.to) {
            subscriber.notice(cx, &told.entry).await?;
        }
        Ok(())
    }
}

pub(crate) fn deliveries() -> [(&'static str, Arc<dyn Deliver>); 2] {
    [(LOGGERS, Arc::new(AuditDelivery)), (SUBSCRIBERS, Arc::new(AuditDelivery))]
}

/// Counts of what was turned away before anything was judged, until a job writes them down.
///
/// An attacker cannot buy a write per request: one record per reason and client prefix and second, at most
/// [`TurnedAway::RECORDS_PER_FLUSH`] of them.
#[derive(Default)]
pub(crate) struct TurnedAway {
    counts: Mutex<HashMap<TurnedAwayKey, u64>>,
}

/// Whose, why, and from which client prefix.
type TurnedAwayKey = (TenantId, &'static str, Option<IpAddr>);

/// Requests that were turned away before anything was judged, counted together.
#[derive(Debug, Serialize)]
pub(crate) struct RateLimited {
    reason: &'static str,
    client_prefix: Option<IpAddr>,
    count: u64,
}

impl AuditEvent for RateLimited {
    const KIND: &'static str = "rate_limited";
    const ACT: Act = Act::Withdraws;

    fn about(&self) -> About {
        About::new(Outcome::Failure)
    }
}

impl TurnedAway {
    /// How many clients are told apart between two flushes; the others are counted together.
    const CLIENTS: usize = 4096;
    /// How many records one flush writes; the others wait.
    pub(crate) const RECORDS_PER_FLUSH: usize = 10;

    pub(crate) fn count(&self, cx: &RequestContext, reason: &'static str) {
        let mut key = (cx.tenant(), reason, cx.client().prefix());
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= Self::CLIENTS && !counts.contains_key(&key) {
            key.2 = None;
        }
        *counts.entry(key).or_default() += 1;
    }

    fn some(&self) -> Vec<(TurnedAwayKey, u64)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().take(Self::RECORDS_PER_FLUSH).map(|(key, count)| (*key, *count)).collect()
    }

    fn subtract(&self, key: &TurnedAwayKey, recorded: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(key) {
            *count = count.saturating_sub(recorded);
            if *count == 0 {
                counts.remove(key);
            }
        }
    }

    /// Writes one record per reason and client prefix. What is not written stays counted, dropped or failed.
    pub(crate) async fn flush(cx: &RequestContext) -> Result<(), AuthError> {
        let turned_away = &cx.engine.audit.turned_away;
        let mut outcome = Ok(());
        for (key, count) in turned_away.some() {
            let (tenant, reason, client_prefix) = key;
            let own = cx.engine.context(tenant);
            match own.commit(RateLimited { reason, client_prefix, count }, Batch::new(&own)).await {
                Ok(_) => turned_away.subtract(&key, count),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditLog")
    }
}
