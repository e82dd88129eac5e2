//! Writes to be made, and the proof that they were made.

use std::{fmt, marker::PhantomData};

use serde_json::Value as JsonValue;
use zeroize::Zeroizing;

use crate::{
    audit::{AuditEntry, AuditEvent, Draft, Settlement},
    charge::Charge,
    collection::{At, Collection},
    context::RequestContext,
    entity::{
        Change, Column, Durability, Entity, EntityDef, Ephemeral, Index, Key, PrefixOf, Recorded, Unique, Volatile,
        When,
    },
    error::{AuthError, Class, ErrorCode, codes},
    id::{AuditId, Id, TenantId},
    outbox::{NOTICES, Payload},
    route::{Pending, Split},
    secret::{Secret, SecretText, TokenKind},
    session::{Issue, Rotation, Session, Tokens},
    slot::Notice,
    store::{Done, Op, Set, StoreError, Write},
    value::Value,
};

/// Writes that land together with their audit record, or not at all.
///
/// A batch belongs to the request that made it. Order matters only between a row and the rows that refer to it.
///
/// # Examples
///
/// A voucher is redeemed once, however many try, together with its record:
///
/// ```
/// use authkit_core::{At, AuditEvent, AuthError, Batch, Collection, Entity, Id, RequestContext, codes};
/// # use authkit_core::{About, Act, Outcome};
///
/// #[derive(Entity)]
/// #[entity(table = "shop_vouchers", durable)]
/// struct Voucher { id: Id, used: bool }
///
/// #[derive(serde::Serialize)]
/// struct VoucherUsed { voucher: Id }
///
/// # impl AuditEvent for VoucherUsed {
/// #     const KIND: &'static str = "voucher_used";
/// #     const ACT: Act = Act::Grants;
/// #     fn about(&self) -> About { About::new(Outcome::Success) }
/// # }
///
/// async fn redeem(cx: &RequestContext, vouchers: &Collection<Voucher>, id: Id) -> Result<(), AuthError> {
///     let mut batch = Batch::new(cx);
///     batch.update(vouchers, At::id(id), [Voucher::used.eq(false)], [Voucher::used.set(true)]).or(&codes::CONFLICT);
///     cx.commit(VoucherUsed { voucher: id }, batch).await.map(drop)
/// }
/// ```
pub struct Batch {
    id: Id,
    /// None if it holds what was begun for several.
    tenant: Option<TenantId>,
    entries: Vec<Entry>,
    secrets: Vec<Zeroizing<[u8; 32]>>,
    messages: Vec<(&'static str, Payload)>,
    records: Vec<Draft>,
    /// Given back if the commit fails, but not for a lost guard.
    pub(crate) refunds: Vec<Charge>,
}

pub(crate) struct Entry {
    pub(crate) op: Op,
    pub(crate) lost: Option<&'static ErrorCode>,
}

/// How a counter grows; see [`Write::Bump`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is what the op says")]
pub struct Bump {
    /// What is added; may be negative.
    pub by: i64,
    /// The least value to add to.
    pub floor: Option<i64>,
    /// The greatest value that may result.
    pub max: Option<i64>,
}

impl Batch {
    /// Starts a batch for this request.
    #[must_use]
    pub fn new(cx: &RequestContext) -> Self {
        let (id, tenant) = (cx.new_id(), Some(cx.tenant()));
        Self {
            id,
            tenant,
            entries: Vec::new(),
            secrets: Vec::new(),
            messages: Vec::new(),
            records: Vec::new(),
            refunds: Vec::new(),
        }
    }

    /// Adds a row; a taken key is a conflict.
    pub fn insert<E: Entity>(&mut self, into: &Collection<E>, row: E) -> Written<'_> {
        self.push(into, Write::Insert { values: row.into_values() })
    }

    /// Changes a row that is present and meets the guards.
    pub fn update<E: Entity>(
        &mut self,
        of: &Collection<E>,
        at: At<E>,
        guards: impl IntoIterator<Item = When<E>>,
        changes: impl IntoIterator<Item = Change<E, Recorded>>,
    ) -> Written<'_> {
        let guards = guards.into_iter().map(|when| when.guard).collect();
        let set = changes.into_iter().map(|change| change.set).collect();
        self.push(of, Write::Update { at: at.lookup, guards, set })
    }

    /// Removes a row that is present and meets the guards.
    pub fn take<E: Entity>(
        &mut self,
        from: &Collection<E>,
        at: At<E>,
        guards: impl IntoIterator<Item = When<E>>,
    ) -> Written<'_> {
        let guards = guards.into_iter().map(|when| when.guard).collect();
        self.push(from, Write::Take { at: at.lookup, guards })
    }

    /// Removes every row under an index prefix that meets the guards; removing none is no error.
    pub fn purge<E: Entity, K, U>(
        &mut self,
        from: &Collection<E>,
        index: Index<E, K, U>,
        prefix: impl PrefixOf<K>,
        guards: impl IntoIterator<Item = When<E>>,
    ) {
        let (index, prefix) = (index.position(), prefix.into_values());
        let guards = guards.into_iter().map(|when| when.guard).collect();
        self.push(from, Write::Purge { index, prefix, guards });
    }

    /// Adds to a counter, making its row as given if it is absent.
    pub fn bump<E: Entity, K: Key, W>(
        &mut self,
        of: &Collection<E>,
        index: Index<E, K, Unique>,
        row: E,
        column: Column<E, i64, W>,
        bump: Bump,
    ) -> Written<'_> {
        let Bump { by, floor, max } = bump;
        let (index, column) = (index.position(), column.position());
        self.push(of, Write::Bump { index, values: row.into_values(), column, by, floor, max })
    }

    /// Demands that a row is present and meets the guards when the batch lands.
    pub fn ensure<E: Entity>(
        &mut self,
        of: &Collection<E>,
        at: At<E>,
        guards: impl IntoIterator<Item = When<E>>,
    ) -> Written<'_> {
        let guards = guards.into_iter().map(|when| when.guard).collect();
        self.push(of, Write::Ensure { at: at.lookup, guards })
    }

    /// Draws a secret. Store its hash in this batch; the receipt of this batch gives out its text.
    ///
    /// # Examples
    ///
    /// A token for a link: its hash is stored, and its text exists only once the row does:
    ///
    /// ```
    /// use authkit_core::{AuditEvent, AuthError, Batch, Collection, Entity, Id, RequestContext, SecretText, TokenKind};
    ///
    /// #[derive(Entity)]
    /// #[entity(table = "shop_links", durable)]
    /// struct Link { id: Id, secret_hash: [u8; 32] }
    ///
    /// async fn link(
    ///     cx: &RequestContext, links: &Collection<Link>, kind: &TokenKind, made: impl AuditEvent,
    /// ) -> Result<SecretText, AuthError> {
    ///     let mut batch = Batch::new(cx);
    ///     let (id, secret) = (cx.new_id::<Id>(), batch.secret(cx));
    ///     batch.insert(links, Link { id, secret_hash: secret.hash() });
    ///     cx.commit(made, batch).await?.token(kind, id, &secret)
    /// }
    /// ```
    pub fn secret(&mut self, cx: &RequestContext) -> Secret {
        let bytes = Zeroizing::new(cx.random::<32>());
        let secret = Secret::of(self.id, self.secrets.len(), &bytes);
        self.secrets.push(bytes);
        secret
    }

    /// Sends a message once the batch has landed, at least once; see [`Registrar::outbox`](crate::Registrar::outbox).
    pub fn send(&mut self, topic: &'static str, data: JsonValue) {
        self.messages.push((topic, Payload::new(data)));
    }

    /// Sends a message that carries a token of this batch. Nobody sees the token before delivery.
    ///
    /// # Errors
    ///
    /// [`codes::INTERNAL`] if the secret belongs to another batch.
    pub fn send_token(
        &mut self,
        topic: &'static str,
        data: JsonValue,
        kind: &TokenKind,
        id: impl Into<Id>,
        secret: &Secret,
    ) -> Result<(), AuthError> {
        let token = reveal(self.id, &self.secrets, kind, id.into(), secret)?;
        self.messages.push((topic, Payload::new(data).token(&token)));
        Ok(())
    }

    /// Sends a message to a person once the batch has landed, at least once. The plugin says so with
    /// [`Registrar::sends_notices`](crate::Registrar::sends_notices).
    ///
    /// # Errors
    ///
    /// [`codes::INTERNAL`] if the notice has no JSON form.
    pub fn notify(&mut self, notice: &Notice) -> Result<(), AuthError> {
        self.send(NOTICES, notice_data(notice)?);
        Ok(())
    }

    /// Sends a message to a person that carries a token of this batch, as `token` in its data.
    ///
    /// # Errors
    ///
    /// [`codes::INTERNAL`] if the secret belongs to another batch, or the notice has no JSON form.
    pub fn notify_token(
        &mut self,
        notice: &Notice,
        kind: &TokenKind,
        id: impl Into<Id>,
        secret: &Secret,
    ) -> Result<(), AuthError> {
        self.send_token(NOTICES, notice_data(notice)?, kind, id, secret)
    }

    /// Adds a further record to the same commit.
    pub fn record<E: AuditEvent>(&mut self, event: &E) {
        self.records.push(Draft::of(event));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.messages.is_empty() && self.records.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds what another batch of the same request was to write, with its secrets left out.
    ///
    /// A batch of another tenant makes the whole fail when it is committed.
    pub fn absorb(&mut self, other: Self) {
        if other.tenant != self.tenant {
            // Refused when it is committed.
            self.tenant = None;
        }
        self.entries.extend(other.entries);
        self.messages.extend(other.messages);
        self.records.extend(other.records);
        self.refunds.extend(other.refunds);
    }

    fn push<E: Entity>(&mut self, of: &Collection<E>, write: Write) -> Written<'_> {
        let op = Op { def: of.table.def.clone(), write };
        let entries = &mut self.entries;
        let at = entries.len();
        entries.push(Entry { op, lost: None });
        Written { entry: entries.get_mut(at) }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} ops)", self.entries.len())
    }
}

/// The op just added to a [`Batch`].
pub struct Written<'b> {
    entry: Option<&'b mut Entry>,
}

impl Written<'_> {
    /// Says which public error it becomes if the guard is lost or the key is taken.
    pub fn or(self, code: &'static ErrorCode) {
        if let Some(entry) = self.entry {
            entry.lost = Some(code);
        }
    }
}

impl fmt::Debug for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written")
    }
}

/// Writes that need no record: ephemeral entities, and volatile columns of durable ones.
///
/// # Examples
///
/// Rows that are worth no record, such as visits:
///
/// ```
/// use authkit_core::{AuthError, Collection, Entity, EphemeralBatch, Id, RequestContext, Timestamp};
///
/// #[derive(Entity)]
/// #[entity(table = "shop_visits", ephemeral, expires(expires_at))]
/// struct Visit { id: Id, expires_at: Timestamp }
///
/// async fn visit(cx: &RequestContext, visits: &Collection<Visit>) -> Result<(), AuthError> {
///     let expires_at = cx.now().plus(std::time::Duration::from_secs(3600));
///     let mut batch = EphemeralBatch::new(cx);
///     batch.insert(visits, Visit { id: cx.new_id(), expires_at });
///     cx.commit_ephemeral(batch).await.map(drop)
/// }
/// ```
pub struct EphemeralBatch(Batch);

impl EphemeralBatch {
    /// Starts a batch for this request.
    #[must_use]
    pub fn new(cx: &RequestContext) -> Self {
        Self(Batch::new(cx))
    }

    /// Adds a row; a taken key is a conflict.
    pub fn insert<E: Entity<Durability = Ephemeral>>(&mut self, into: &Collection<E>, row: E) -> Written<'_> {
        self.0.insert(into, row)
    }

    /// Changes a row that is present and meets the guards.
    pub fn update<E: Entity<Durability = Ephemeral>>(
        &mut self,
        of: &Collection<E>,
        at: At<E>,
        guards: impl IntoIterator<Item = When<E>>,
        changes: impl IntoIterator<Item = Change<E, Recorded>>,
    ) -> Written<'_> {
        self.0.update(of, at, guards, changes)
    }

    /// Removes a row that is present and meets the guards.
    pub fn take<E: Entity<Durability = Ephemeral>>(
        &mut self,
        from: &Collection<E>,
        at: At<E>,
        guards: impl IntoIterator<Item = When<E>>,
    ) -> Written<'_> {
        self.0.take(from, at, guards)
    }

    /// Adds to a counter, making its row as given if it is absent.
    pub fn bump<E: Entity<Durability = Ephemeral>, K: Key, W>(
        &mut self,
        of: &Collection<E>,
        index: Index<E, K, Unique>,
        row: E,
        column: Column<E, i64, W>,
        bump: Bump,
    ) -> Written<'_> {
        self.0.bump(of, index, row, column, bump)
    }

    /// Writes volatile columns of a row of any entity.
    pub fn touch<E: Entity>(
        &mut self,
        of: &Collection<E>,
        at: At<E>,
        guards: impl IntoIterator<Item = When<E>>,
        changes: impl IntoIterator<Item = Change<E, Volatile>>,
    ) -> Written<'_> {
        self.0.update(of, at, guards, changes.into_iter().map(Change::from))
    }
}

impl fmt::Debug for EphemeralBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Proof that a batch landed together with the record of `E`. Made by [`RequestContext::commit`] only.
///
/// ```compile_fail
/// fn forged<E>(id: authkit_core::AuditId) -> authkit_core::Receipt<E> {
///     authkit_core::Receipt { audit_id: id, ..todo!() }
/// }
/// ```
pub struct Receipt<E> {
    batch: Id,
    audit_id: AuditId,
    secrets: Vec<Zeroizing<[u8; 32]>>,
    of: PhantomData<fn() -> E>,
}

impl<E> Receipt<E> {
    /// The record of the commit.
    #[must_use]
    pub const fn audit_id(&self) -> AuditId {
        self.audit_id
    }

    /// Gives out a token whose secret was drawn from the batch of this receipt.
    ///
    /// # Errors
    ///
    /// [`codes::INTERNAL`] if the secret belongs to another batch.
    pub fn token(&self, kind: &TokenKind, id: impl Into<Id>, secret: &Secret) -> Result<SecretText, AuthError> {
        reveal(self.batch, &self.secrets, kind, id.into(), secret)
    }

    pub(crate) fn retype<F>(self) -> Receipt<F> {
        Receipt { batch: self.batch, audit_id: self.audit_id, secrets: self.secrets, of: PhantomData }
    }
}

impl<E> fmt::Debug for Receipt<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({})", self.audit_id)
    }
}

fn notice_data(notice: &Notice) -> Result<JsonValue, AuthError> {
    serde_json::to_value(notice).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))
}

fn reveal(
    batch: Id,
    secrets: &[Zeroizing<[u8; 32]>],
    kind: &TokenKind,
    id: Id,
    secret: &Secret,
) -> Result<SecretText, AuthError> {
    match secrets.get(secret.position) {
        Some(bytes) if secret.batch == batch => Ok(kind.encode(id, bytes)),
        _ => Err(AuthError::new(&codes::INTERNAL).because("a secret belongs to another batch")),
    }
}

impl RequestContext {
    /// Writes the batch and the record of the event, all or nothing. The only way to write durable entities.
    ///
    /// # Errors
    ///
    /// The code given with [`Written::or`] for a lost guard or a taken key, else [`codes::CONFLICT`];
    /// [`codes::AUDIT_UNAVAILABLE`] if a required logger refuses; [`codes::INVALID_INPUT`] for text that no store can
    /// hold; [`codes::UNAVAILABLE`] if the store fails.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any point, either everything is written or nothing.
    pub async fn commit<E: AuditEvent>(&self, event: E, mut batch: Batch) -> Result<Receipt<E>, AuthError> {
        let refunds = std::mem::take(&mut batch.refunds);
        let committed = self.land(event, batch).await;
        if let Err(error) = &committed
            && !matches!(error.code().class, Class::Conflict | Class::Rejected)
            && !error.has_landed()
            && !refunds.is_empty()
        {
            self.refund(&refunds).await;
        }
        committed
    }

    async fn land<E: AuditEvent>(&self, event: E, batch: Batch) -> Result<Receipt<E>, AuthError> {
        let (audit, outbox) = (&self.engine.audit, &self.engine.outbox);
        self.own(&batch)?;
        // What grants has to wait, even beside what withdraws: it comes first in the order.
        let act = batch.records.iter().map(|draft| draft.act).chain([E::ACT]).min().unwrap_or(E::ACT);
        let Split { main, other } = self.engine.routes.split(batch.entries)?;
        let settlement = if other.is_some() { Settlement::Pending } else { Settlement::Committed };
        let mut records = vec![Draft::of(&event).record(self, settlement)?];
        for draft in batch.records {
            records.push(draft.record(self, settlement)?);
        }
        let audit_id = records.first().map_or_else(|| self.new_id(), |record| record.id);
        let entries: Vec<AuditEntry> = records.iter().map(|record| AuditEntry::of(record, self.tenant())).collect();

        for (topic, _) in &batch.messages {
            if topic.starts_with("core.") && *topic != NOTICES {
                return Err(AuthError::new(&codes::INTERNAL).because("a message was sent to a topic of core"));
            }
            if !outbox.receivers.contains_key(topic) {
                let reason = "a message was sent to a topic without a receiver";
                return Err(AuthError::new(&codes::INTERNAL).because(reason));
            }
        }
        let aside = |entry: &Entry| matches!(entry.op.write, Write::Ensure { .. }) || needs_no_record(entry);
        let (whole, mut messages) = (main.iter().all(aside), batch.messages);
        let (mut ops, lost) = checked(main)?;
        let pending = match other {
            None => None,
            // Where nothing that counts is written beside, the other store decides, and messages wait for it.
            Some((_, part)) => {
                let kept = whole.then(|| std::mem::take(&mut messages));
                Some(Pending::new(self, act, entries.clone(), checked(part)?, kept))
            }
        };
        for (topic, payload) in &messages {
            ops.push(outbox.insertion(self, topic, payload)?);
        }
        match &pending {
            None => ops.extend(audit.announcements(self, &entries)?),
            Some(pending) => ops.push(pending.insertion(self)?),
        }
        ops.extend(records.into_iter().map(|record| audit.insertion(record)));

        audit.prepare(act, &entries).await?;
        let written = self.engine.store.commit(&self.scope(), &ops, self.now()).await;
        let written = match written {
            // The answer of a commit may be lost, and that of its repetition come in its place.
            Err(StoreError::Unknown | StoreError::Duplicate { .. } | StoreError::Guard { .. })
                if audit.exists(self, audit_id).await? =>
            {
                Ok(Vec::new())
            }
            written => written,
        };
        if let Err(error) = written {
            audit.aborted(act, &entries).await;
            return Err(translate(error, &lost));
        }
        if let Some(pending) = pending {
            pending.finish(self).await?;
        }
        Ok(Receipt { batch: batch.id, audit_id, secrets: batch.secrets, of: PhantomData })
    }

    /// Writes the batch and the record, and gives the session that acts a new token: a copy of the one before is dead.
    ///
    /// For acts after which only whoever acted is to go on (ASVS 5.0 V7.2.4).
    ///
    /// # Errors
    ///
    /// As [`RequestContext::commit`].
    pub async fn commit_and_rotate<E: AuditEvent>(
        &self,
        event: E,
        mut batch: Batch,
        session: &Session,
    ) -> Result<Tokens, AuthError> {
        let renewed = Rotation::Renewed(&session.principal);
        let rotated = self.engine.sessions.rotate(self, session.id, session.generation, renewed, &mut batch).await;
        let new = match rotated {
            Ok(new) => new,
            Err(error) => {
                self.refund(&batch.refunds).await;
                return Err(error);
            }
        };
        let receipt: Receipt<Issue> = self.commit(event, batch).await?.retype();
        self.engine.tokens.mint(self, &new, &receipt).await
    }

    /// A batch belongs to the tenant for which it was begun.
    fn own(&self, batch: &Batch) -> Result<(), AuthError> {
        if batch.tenant == Some(self.tenant()) {
            return Ok(());
        }
        Err(AuthError::new(&codes::INTERNAL).because("a batch of another tenant"))
    }

    /// Writes a batch that needs no record, all or nothing; returns what each op did.
    ///
    /// # Errors
    ///
    /// As [`RequestContext::commit`], without the loggers.
    pub async fn commit_ephemeral(&self, batch: EphemeralBatch) -> Result<Vec<Done>, AuthError> {
        self.own(&batch.0)?;
        if !batch.0.entries.iter().all(needs_no_record) {
            return Err(AuthError::new(&codes::INTERNAL).because("a recorded column was written without a record"));
        }
        let Split { main, other } = self.engine.routes.split(batch.0.entries)?;
        let (store, entries) = match other {
            None => (&self.engine.store, main),
            Some((at, part)) if main.is_empty() => match self.engine.routes.0.get(at) {
                Some(route) => (&route.store, part),
                None => return Err(AuthError::new(&codes::INTERNAL).because("a batch for a store that is not there")),
            },
            Some(_) => {
                return Err(AuthError::new(&codes::INTERNAL).because("a batch without a record writes to two stores"));
            }
        };
        let (ops, lost) = checked(entries)?;
        store.commit(&self.scope(), &ops, self.now()).await.map_err(|error| translate(error, &lost))
    }
}

/// What a batch without a record may do, whatever types were used to fill it.
fn needs_no_record(entry: &Entry) -> bool {
    let Op { def, write } = &entry.op;
    let volatile = |at: usize| def.columns.get(at).is_some_and(|column| column.volatile);
    def.durability == Durability::Ephemeral
        || matches!(write, Write::Update { set, .. } if set.iter().all(|set| match set {
            Set::To(at, _) | Set::Add(at, _) => volatile(*at),
        }))
}

/// The ops of some entries, and what it means if they are lost.
fn checked(entries: Vec<Entry>) -> Result<(Vec<Op>, Vec<Option<&'static ErrorCode>>), AuthError> {
    entries.iter().try_for_each(|entry| check_text(&entry.op))?;
    Ok(entries.into_iter().map(|entry| (entry.op, entry.lost)).unzip())
}

pub(crate) fn translate(error: StoreError, lost: &[Option<&'static ErrorCode>]) -> AuthError {
    let op = match error {
        StoreError::Duplicate { op, .. } | StoreError::Guard { op } => Some(op),
        _ => None,
    };
    match op.and_then(|op| lost.get(op).copied().flatten()) {
        Some(code) => AuthError::new(code).caused_by(error),
        None => error.into(),
    }
}

/// Longest text of an indexed column, in characters.
const INDEXED_TEXT: usize = 255;

/// Refuses text that some store cannot hold, on all of them.
fn check_text(op: &Op) -> Result<(), AuthError> {
    let Op { def, write } = op;
    match write {
        Write::Insert { values } | Write::Bump { values, .. } => {
            values.iter().enumerate().try_for_each(|(at, value)| holdable(value, Place::of(def, at)))
        }
        Write::Update { set, .. } => set.iter().try_for_each(|set| match set {
            Set::To(at, value) => holdable(value, Place::of(def, *at)),
            Set::Add(..) => Ok(()),
        }),
        Write::Take { .. } | Write::Purge { .. } | Write::Ensure { .. } => Ok(()),
    }
}

fn holdable(value: &Value, place: Place) -> Result<(), AuthError> {
    match (value, place) {
        (Value::Text(text) | Value::Json(text), _) if text.contains('\0') => {
            Err(AuthError::new(&codes::INVALID_INPUT).because("text with U+0000"))
        }
        (Value::Text(text), Place::Indexed) if text.chars().nth(INDEXED_TEXT).is_some() => {
            Err(AuthError::new(&codes::INVALID_INPUT).because("indexed text of more than 255 characters"))
        }
        _ => Ok(()),
    }
}

/// Whether a column takes part in an index.
#[derive(Clone, Copy)]
enum Place {
    Indexed,
    Plain,
}

impl Place {
    fn of(def: &EntityDef, column: usize) -> Self {
        let indexed = def.indexes.iter().any(|index| index.columns.contains(&column));
        if indexed { Self::Indexed } else { Self::Plain }
    }
}
