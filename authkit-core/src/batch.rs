//! Writes to be made, and the proof that they were made.

use std::{fmt, marker::PhantomData};

use serde_json::Value as JsonValue;
use zeroize::Zeroizing;

use crate::{
    audit::{AuditEntry, AuditEvent, Draft, Settlement},
    collection::{At, Collection},
    context::RequestContext,
    entity::{Change, Column, Entity, EntityDef, Ephemeral, Index, Key, PrefixOf, Recorded, Unique, Volatile, When},
    error::{AuthError, ErrorCode, codes},
    id::{AuditId, Id},
    outbox::Payload,
    route::{Pending, Split},
    secret::{Secret, SecretText, TokenKind},
    session::{Issue, Rotation, Session, Tokens},
    store::{Done, Op, Set, StoreError, Write},
    value::Value,
};

/// Writes that land together with their audit record, or not at all.
///
/// A batch belongs to the request that made it. Order matters only between a row and the rows that refer to it.
pub struct Batch {
    id: Id,
    entries: Vec<Entry>,
    secrets: Vec<Zeroizing<[u8; 32]>>,
    messages: Vec<(&'static str, Payload)>,
    records: Vec<Draft>,
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
        Self { id: cx.new_id(), entries: Vec::new(), secrets: Vec::new(), messages: Vec::new(), records: Vec::new() }
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

    /// Removes every row under an index prefix but one; removing none is no error.
    pub fn purge<E: Entity, K, U>(
        &mut self,
        from: &Collection<E>,
        index: Index<E, K, U>,
        prefix: impl PrefixOf<K>,
        except: Option<E::Id>,
    ) {
        let (index, prefix) = (index.position(), prefix.into_values());
        self.push(from, Write::Purge { index, prefix, except: except.map(Into::into) });
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

    /// Adds a further record to the same commit.
    pub fn record<E: AuditEvent>(&mut self, event: &E) {
        self.records.push(Draft::of(event));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds what another batch of the same request was to write, with its secrets left out.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.messages.extend(other.messages);
        self.records.extend(other.records);
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
    pub async fn commit<E: AuditEvent>(&self, event: E, batch: Batch) -> Result<Receipt<E>, AuthError> {
        let (audit, outbox) = (&self.engine.audit, &self.engine.outbox);
        let Split { main, other } = self.engine.routes.split(batch.entries)?;
        let settlement = if other.is_some() { Settlement::Pending } else { Settlement::Committed };
        let mut records = vec![Draft::of(&event).record(self, settlement)?];
        for draft in batch.records {
            records.push(draft.record(self, settlement)?);
        }
        let audit_id = records.first().map_or_else(|| self.new_id(), |record| record.id);
        let entries: Vec<AuditEntry> = records.iter().map(Into::into).collect();
        audit.prepare(E::ACT, &entries).await?;

        let whole = main.is_empty();
        let (mut ops, lost) = checked(main)?;
        for (topic, payload) in &batch.messages {
            ops.push(outbox.insertion(self, topic, payload)?);
        }
        let pending = match other {
            None => None,
            Some((_, part)) => Some(Pending::new(self, E::ACT, entries.clone(), checked(part)?, whole)),
        };
        match &pending {
            None => ops.extend(audit.announcements(self, &entries)?),
            Some(pending) => ops.push(pending.insertion(self)?),
        }
        ops.extend(records.into_iter().map(|record| audit.insertion(record)));

        let written = self.engine.store.commit(&self.scope(), &ops, self.now()).await;
        let written = match written {
            Err(StoreError::Unknown) if audit.exists(self, audit_id).await? => Ok(Vec::new()),
            written => written,
        };
        if let Err(error) = written {
            audit.aborted(E::ACT, &entries).await;
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
        let new = self.engine.sessions.rotate(self, session.id, renewed, &mut batch).await?;
        let receipt: Receipt<Issue> = self.commit(event, batch).await?.retype();
        self.engine.tokens.mint(&new, &receipt)
    }

    /// Writes a batch that needs no record, all or nothing; returns what each op did.
    ///
    /// # Errors
    ///
    /// As [`RequestContext::commit`], without the loggers.
    pub async fn commit_ephemeral(&self, batch: EphemeralBatch) -> Result<Vec<Done>, AuthError> {
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
