//! What has to happen after a commit: a row in that commit, delivered by a job on any node.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;

use crate::{
    Entity,
    audit::{LOGGERS, SUBSCRIBERS},
    batch::EphemeralBatch,
    collection::{At, Collection, Scan},
    context::RequestContext,
    error::{AuthError, BoxError, codes},
    id::{Id, TenantId},
    id_type,
    job::{LONGEST, within},
    keys::Sealed,
    secret::SecretText,
    slot::{Notice, Notifier},
    store::{Op, Write},
    timestamp::Timestamp,
};

id_type! {
    /// One message of the outbox.
    pub(crate) struct OutboxId;
}

/// A message on its way. A row that can be read was committed.
#[derive(Debug, Entity)]
#[entity(table = "auth_outbox", ephemeral, global, index(by_due: due_at))]
pub(crate) struct OutboxRow {
    id: OutboxId,
    /// Whose message it is; the table itself belongs to nobody, so that one job delivers for all.
    tenant: TenantId,
    topic: String,
    payload: Sealed<Payload>,
    /// When it is tried next. Moved forward while somebody is at it, so that others leave it alone.
    due_at: Timestamp,
    attempts: i64,
    created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    data: JsonValue,
    token: Option<String>,
}

impl Payload {
    pub(crate) fn new(data: JsonValue) -> Self {
        Self { data, token: None }
    }

    pub(crate) fn token(mut self, token: &SecretText) -> Self {
        self.token = Some(token.expose().to_owned());
        self
    }
}

/// A message as its receiver gets it.
#[non_exhaustive]
pub struct Parcel {
    /// The same for every attempt; receivers drop what they have seen.
    pub id: Id,
    /// What kind of message it is.
    pub topic: String,
    /// What was sent.
    pub data: JsonValue,
    /// The token that was sent with it.
    pub token: Option<SecretText>,
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parcel({} {})", self.topic, self.id)
    }
}

/// Receives the messages of one topic, at least once each.
///
/// # Examples
///
/// A search index learns of what was committed; the batch has said `batch.send("shop.index", data)`:
///
/// ```
/// use async_trait::async_trait;
/// use authkit_core::{BoxError, Deliver, Parcel, RequestContext};
///
/// struct SearchIndex;
///
/// #[async_trait]
/// impl Deliver for SearchIndex {
///     async fn deliver(&self, _: &RequestContext, parcel: &Parcel) -> Result<(), BoxError> {
///         let order = parcel.data.get("order").and_then(|id| id.as_str()).ok_or("no order")?;
///         println!("{order} is indexed, once or twice: {}", parcel.id);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait Deliver: Send + Sync + 'static {
    /// Takes a message; the context is of the tenant that sent it.
    ///
    /// # Errors
    ///
    /// Any error makes the outbox try again, later and later, for about two days.
    async fn deliver(&self, cx: &RequestContext, parcel: &Parcel) -> Result<(), BoxError>;
}

const _: fn(&dyn Deliver) = |_| ();

/// The outbox: rows, and who receives what.
pub(crate) struct Outbox {
    pub(crate) rows: Collection<OutboxRow>,
    pub(crate) receivers: HashMap<&'static str, Arc<dyn Deliver>>,
}

/// Whom a message is for: its topic, and which of several loggers or subscribers.
type Addressee = (String, Option<JsonValue>);

/// How a delivery went.
#[derive(Clone, Copy, PartialEq)]
enum Attempt {
    /// The receiver took it or refused it.
    Answered,
    /// The receiver did not come back in time.
    Late,
}

/// The wait after the first failure; doubled after each, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(4 * 60 * 60);
/// After so many attempts, about two days, a message is left in the table for a person to look at.
const ATTEMPTS: i64 = 24;

impl Outbox {
    pub(crate) fn insertion(&self, cx: &RequestContext, topic: &str, payload: &Payload) -> Result<Op, AuthError> {
        self.row(cx, cx.new_id(), topic, payload, cx.now())
    }

    /// A message that whoever sends it delivers himself, unless he dies.
    pub(crate) fn reservation(
        &self,
        cx: &RequestContext,
        id: OutboxId,
        topic: &str,
        payload: &Payload,
    ) -> Result<Op, AuthError> {
        self.row(cx, id, topic, payload, cx.now().plus(LONGEST))
    }

    /// Takes a reserved message that nobody else is at.
    pub(crate) fn completion(&self, id: OutboxId) -> Op {
        let guards = vec![OutboxRow::attempts.eq(0).guard];
        Op { def: self.rows.table.def.clone(), write: Write::Take { at: At::<OutboxRow>::id(id).lookup, guards } }
    }

    fn row(
        &self,
        cx: &RequestContext,
        id: OutboxId,
        topic: &str,
        payload: &Payload,
        due_at: Timestamp,
    ) -> Result<Op, AuthError> {
        let row = OutboxRow {
            id,
            tenant: cx.tenant(),
            topic: topic.to_owned(),
            payload: self.rows.seal(cx, OutboxRow::payload, id, payload)?,
            due_at,
            attempts: 0,
            created_at: cx.now(),
        };
        Ok(Op { def: self.rows.table.def.clone(), write: Write::Insert { values: row.into_values() } })
    }

    /// Delivers what is due.
    ///
    /// Whoever does not come back in time is left alone for the rest of this turn, and does not hold up the others.
    pub(crate) async fn deliver<L: Fn() -> F, F: Future<Output = ()>>(
        cx: &RequestContext,
        limit: &L,
    ) -> Result<(), AuthError> {
        let outbox = &cx.engine.outbox;
        let due = Scan::of(OutboxRow::by_due, ()).below(cx.now().plus(Duration::from_millis(1))).limit(100);
        let mut late: Vec<Addressee> = Vec::new();
        for row in outbox.rows.query(cx, due).await?.items {
            // Those before may have taken their time: a lease runs from when the message is taken up.
            let cx = &cx.engine.context(TenantId::DEFAULT);
            let addressee = outbox.addressee(cx, &row);
            if late.contains(&addressee) || !outbox.lease(cx, &row).await? {
                continue;
            }
            if outbox.attempt(cx, row, limit()).await? == Attempt::Late {
                late.push(addressee);
            }
        }
        Ok(())
    }

    fn addressee(&self, cx: &RequestContext, row: &OutboxRow) -> Addressee {
        if ![LOGGERS, SUBSCRIBERS].contains(&row.topic.as_str()) {
            return (row.topic.clone(), None);
        }
        let payload = self.rows.open(&cx.engine.context(row.tenant), OutboxRow::payload, row.id, &row.payload);
        let to = payload.ok().and_then(|payload| payload.data.get("to").cloned());
        (row.topic.clone(), to)
    }

    async fn lease(&self, cx: &RequestContext, row: &OutboxRow) -> Result<bool, AuthError> {
        let mut batch = EphemeralBatch::new(cx);
        batch
            .update(
                &self.rows,
                At::id(row.id),
                [OutboxRow::due_at.eq(row.due_at), OutboxRow::attempts.eq(row.attempts)],
                [OutboxRow::due_at.set(cx.now().plus(LONGEST)), OutboxRow::attempts.plus(1)],
            )
            .or(&codes::CONFLICT);
        match cx.commit_ephemeral(batch).await {
            Ok(_) => Ok(true),
            Err(error) if *error.code() == codes::CONFLICT => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn attempt(
        &self,
        cx: &RequestContext,
        row: OutboxRow,
        limit: impl Future<Output = ()>,
    ) -> Result<Attempt, AuthError> {
        let (id, attempts) = (row.id, row.attempts.saturating_add(1));
        let topic = row.topic.clone();
        let handed = within(self.hand_over(cx, row), limit).await;
        let attempt = if handed.is_some() { Attempt::Answered } else { Attempt::Late };
        let outcome = handed.unwrap_or_else(|| Err("the receiver did not come back in time".into()));
        let mut batch = EphemeralBatch::new(cx);
        let at = At::id(id);
        let mine = [OutboxRow::attempts.eq(attempts)];
        match &outcome {
            Ok(()) => batch.take(&self.rows, at, mine).or(&codes::CONFLICT),
            Err(error) => {
                let wait = FIRST_WAIT.saturating_mul(1 << attempts.clamp(1, 16).saturating_sub(1)).min(LONGEST_WAIT);
                let given_up = attempts >= ATTEMPTS;
                let next = if given_up { Timestamp::MAX } else { cx.now().plus(wait) };
                tracing::warn!(%id, topic, attempts, given_up, error, "a message was not delivered");
                batch.update(&self.rows, at, mine, [OutboxRow::due_at.set(next)]).or(&codes::CONFLICT);
            }
        }
        match cx.commit_ephemeral(batch).await {
            Ok(_) => Ok(attempt),
            // The lease ran out, and another node is at it.
            Err(error) if *error.code() == codes::CONFLICT => Ok(attempt),
            Err(error) => Err(error),
        }
    }

    async fn hand_over(&self, cx: &RequestContext, row: OutboxRow) -> Result<(), BoxError> {
        let receiver = self.receivers.get(row.topic.as_str()).ok_or("no plugin receives this topic any more")?;
        let cx = cx.engine.context(row.tenant);
        let payload = self.rows.open(&cx, OutboxRow::payload, row.id, &row.payload)?;
        let token = payload.token.map(SecretText::new);
        let parcel = Parcel { id: row.id.into(), topic: row.topic, data: payload.data, token };
        receiver.deliver(&cx, &parcel).await
    }
}

/// Topic of [`Notice`]s to people.
pub(crate) const NOTICES: &str = "core.notice";

/// Hands notices to the application's [`Notifier`].
pub(crate) struct NoticeDelivery(pub(crate) Arc<dyn Notifier>);

#[async_trait]
impl Deliver for NoticeDelivery {
    async fn deliver(&self, cx: &RequestContext, parcel: &Parcel) -> Result<(), BoxError> {
        let mut notice: Notice = serde_json::from_value(parcel.data.clone())?;
        if notice.to.is_empty() {
            return Ok(());
        }
        notice.id = parcel.id.to_string();
        notice.tenant = cx.tenant();
        if let Some(token) = &parcel.token {
            if notice.data.is_null() {
                notice.data = JsonValue::Object(serde_json::Map::new());
            }
            let data = notice.data.as_object_mut().ok_or("the data of a notice is no object")?;
            data.insert("token".to_owned(), token.expose().into());
        }
        self.0.notify(&notice).await
    }
}
