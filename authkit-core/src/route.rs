//! Entities that live in a second store: one commit becomes two, and the log says what became of the second.
//!
//! The main store decides. Its commit holds the record as pending and, in the outbox, the writes for the other store;
//! those are made next, once, and the record is settled. Whoever dies in between leaves the rest to the outbox.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Entity,
    audit::{Act, AuditEntry, Settlement},
    batch::{Entry, translate},
    context::RequestContext,
    entity::{Def, EntityDef},
    error::{AuthError, BoxError, ErrorCode, codes},
    id::AuditId,
    outbox::{Deliver, OutboxId, Parcel, Payload},
    schema::{Migration, Step},
    store::{Get, Lookup, Op, Shape, Store, StoreError, Write},
    timestamp::Timestamp,
    value::Value,
};

/// Topic of writes on their way to another store.
pub(crate) const TOPIC: &str = "core.route";

/// How long a store remembers what it was given; longer than the outbox tries.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The table of [`RoutedCommit`].
pub(crate) const MARKS: &str = "auth_routed_commits";

/// What became of a commit in another store: the first row of its writes, or the only one if they were refused.
///
/// It is there once, so nothing is made twice, and what was refused is not made by an attempt that comes late.
#[derive(Debug, Entity)]
#[entity(table = "auth_routed_commits", ephemeral, expires(expires_at))]
struct RoutedCommit {
    /// The first record of the commit.
    id: AuditId,
    /// The write that lost its guard; none if all were made.
    refused: Option<i64>,
    expires_at: Timestamp,
}

/// A second store, and the tables that live in it.
pub(crate) struct Route {
    pub(crate) store: Arc<dyn Store>,
    /// References to tables of other stores are left out.
    pub(crate) defs: Vec<Def>,
    pub(crate) steps: Vec<Migration>,
    marks: Def,
}

impl Route {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        tables: &BTreeSet<&'static str>,
        defs: &[Def],
        steps: &[Migration],
    ) -> Self {
        let alone = |def: &EntityDef| {
            let mut def = def.clone();
            def.references.retain(|reference| tables.contains(reference.table));
            def
        };
        let own = |migration: &&Migration| tables.contains(migration.step.table());
        let step = |migration: &Migration| {
            let step = match &migration.step {
                Step::Create(def) => Step::Create(alone(def)),
                step => step.clone(),
            };
            Migration::new(migration.plugin, migration.number, step)
        };
        let marks = Arc::new(RoutedCommit::def());
        let mut routed: Vec<Def> =
            defs.iter().filter(|def| tables.contains(def.table)).map(|def| Arc::new(alone(def))).collect();
        routed.push(marks.clone());
        let mut steps: Vec<Migration> = steps.iter().filter(own).map(step).collect();
        steps.push(Migration::new("authkit.route", 1, Step::Create(RoutedCommit::def())));
        Self { store, defs: routed, steps, marks }
    }

    fn def(&self, table: &str) -> Option<&Def> {
        self.defs.iter().find(|def| def.table == table)
    }

    fn mark(&self, cx: &RequestContext, id: AuditId, refused: Option<usize>) -> Op {
        let refused = refused.map(|op| i64::try_from(op).unwrap_or(i64::MAX));
        let mark = RoutedCommit { id, refused, expires_at: cx.now().plus(REMEMBERED) };
        Op { def: self.marks.clone(), write: Write::Insert { values: mark.into_values() } }
    }

    /// What became of a commit that somebody may have made.
    async fn recall(&self, cx: &RequestContext, id: AuditId) -> Result<(), StoreError> {
        let at = Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(id.into())] };
        let get = Get { shape: Arc::new(Shape::whole(&self.marks)), at, now: cx.now() };
        let row = self.store.get(&cx.scope(), &get).await?.ok_or(StoreError::Unknown)?;
        let mark = RoutedCommit::from_values(row.values.into_iter());
        match mark.map_err(|error| StoreError::Corrupt(error.into()))?.refused {
            None => Ok(()),
            Some(op) => Err(StoreError::Guard { op: usize::try_from(op).unwrap_or(usize::MAX) }),
        }
    }
}

/// All second stores of a setup.
#[derive(Default)]
pub(crate) struct Routes(pub(crate) Vec<Route>);

/// What a batch writes, by where it goes.
pub(crate) struct Split {
    pub(crate) main: Vec<Entry>,
    pub(crate) other: Option<(usize, Vec<Entry>)>,
}

impl Routes {
    pub(crate) fn of(&self, table: &str) -> Option<usize> {
        self.0.iter().position(|route| route.def(table).is_some())
    }

    /// Tells apart what goes to the main store and what to another one; a batch has room for one other.
    pub(crate) fn split(&self, entries: Vec<Entry>) -> Result<Split, AuthError> {
        let mut split = Split { main: Vec::with_capacity(entries.len()), other: None };
        for entry in entries {
            match (self.of(entry.op.def.table), &mut split.other) {
                (None, _) => split.main.push(entry),
                (Some(route), None) => split.other = Some((route, vec![entry])),
                (Some(route), Some((other, part))) if route == *other => part.push(entry),
                (Some(_), Some(_)) => {
                    return Err(AuthError::new(&codes::INTERNAL).because("a batch writes to two other stores"));
                }
            }
        }
        Ok(split)
    }
}

/// Writes for another store, as they wait in the outbox.
#[derive(Serialize, Deserialize)]
struct Errand {
    act: Act,
    /// What the commit recorded; the first one names it.
    entries: Vec<AuditEntry>,
    writes: Vec<(String, Write)>,
    /// What is sent once they are made; none if the main store wrote something beside, and sent it then.
    messages: Option<Vec<(String, Payload)>>,
}

/// An errand whose commit is about to be made, or was.
pub(crate) struct Pending {
    errand: Errand,
    row: OutboxId,
    lost: Vec<Option<&'static ErrorCode>>,
}

impl Pending {
    pub(crate) fn new(
        cx: &RequestContext,
        act: Act,
        entries: Vec<AuditEntry>,
        (ops, lost): (Vec<Op>, Vec<Option<&'static ErrorCode>>),
        messages: Option<Vec<(&'static str, Payload)>>,
    ) -> Self {
        let writes = ops.into_iter().map(|op| (op.def.table.to_owned(), op.write)).collect();
        let own = |(topic, payload): (&str, Payload)| (topic.to_owned(), payload);
        let messages = messages.map(|messages| messages.into_iter().map(own).collect());
        Self { errand: Errand { act, entries, writes, messages }, row: cx.new_id(), lost }
    }

    /// The row that goes on with it if this process does not.
    pub(crate) fn insertion(&self, cx: &RequestContext) -> Result<Op, AuthError> {
        let data =
            serde_json::to_value(&self.errand).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))?;
        cx.engine.outbox.reservation(cx, self.row, TOPIC, &Payload::new(data))
    }

    /// Makes the writes and settles the record. What the other store does not answer is left to the outbox.
    pub(crate) async fn finish(&self, cx: &RequestContext) -> Result<(), AuthError> {
        let made = self.errand.make(cx).await;
        if let Some(verdict) = self.errand.verdict(&made)
            && let Err(error) = self.errand.settle(cx, verdict, Some(self.row)).await
        {
            tracing::warn!(?error, "a record could not be settled; the outbox will do it");
        }
        made.map_err(|error| translate(error, &self.lost).landed())
    }
}

impl Errand {
    /// Makes the writes, unless that was done or refused before. Op numbers of errors are those of the writes.
    async fn make(&self, cx: &RequestContext) -> Result<(), StoreError> {
        let corrupt = |text: &str| StoreError::Corrupt(text.into());
        let table = self.writes.first().map_or("", |(table, _)| table.as_str());
        let route = cx.engine.routes.of(table).and_then(|at| cx.engine.routes.0.get(at));
        let route = route.ok_or_else(|| corrupt("an entity is not routed any more"))?;
        let id = self.entries.first().map(|entry| entry.id).ok_or_else(|| corrupt("a commit without a record"))?;
        let mut ops = vec![route.mark(cx, id, None)];
        for (table, write) in &self.writes {
            let def = route.def(table).ok_or_else(|| corrupt("an entity is not routed any more"))?;
            ops.push(Op { def: def.clone(), write: write.clone() });
        }
        let refused = match route.store.commit(&cx.scope(), &ops, cx.now()).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Duplicate { op: 0, .. } | StoreError::Unknown) => return route.recall(cx, id).await,
            Err(StoreError::Duplicate { op, .. } | StoreError::Guard { op }) => op.saturating_sub(1),
            Err(error) => return Err(error),
        };
        // An attempt that is still on its way may find the guard met. What is about to be told has to stay true.
        match route.store.commit(&cx.scope(), &[route.mark(cx, id, Some(refused))], cx.now()).await {
            Ok(_) => Err(StoreError::Guard { op: refused }),
            Err(StoreError::Duplicate { .. } | StoreError::Unknown) => route.recall(cx, id).await,
            Err(error) => Err(error),
        }
    }

    /// What the record is settled as; none while the other store has not answered.
    ///
    /// What was written in the main store stands. So a lost guard in the other store undoes the act only if that was all.
    fn verdict(&self, made: &Result<(), StoreError>) -> Option<Settlement> {
        match made {
            Ok(()) => Some(Settlement::Committed),
            Err(StoreError::Guard { .. }) if self.messages.is_some() => Some(Settlement::Aborted),
            Err(StoreError::Guard { .. }) => Some(Settlement::Committed),
            Err(_) => None,
        }
    }

    /// Settles the records, once, and takes the errand's row if nobody else is at it.
    async fn settle(&self, cx: &RequestContext, verdict: Settlement, row: Option<OutboxId>) -> Result<(), AuthError> {
        let engine = &cx.engine;
        let mut ops: Vec<Op> = self.entries.iter().map(|entry| engine.audit.settlement(entry.id, verdict)).collect();
        ops.extend(row.map(|row| engine.outbox.completion(row)));
        if verdict == Settlement::Committed {
            for (topic, payload) in self.messages.iter().flatten() {
                ops.push(engine.outbox.insertion(cx, topic, payload)?);
            }
            ops.extend(engine.audit.announcements(cx, &self.entries)?);
        }
        match engine.store.commit(&cx.scope(), &ops, cx.now()).await {
            Ok(_) if verdict == Settlement::Aborted => {
                engine.audit.aborted(self.act, &self.entries).await;
                Ok(())
            }
            // A lost guard: another node settled it, or has the row and will come to the same verdict.
            Ok(_) | Err(StoreError::Guard { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Goes on with errands whose process did not.
pub(crate) struct ErrandDelivery;

#[async_trait]
impl Deliver for ErrandDelivery {
    async fn deliver(&self, cx: &RequestContext, parcel: &Parcel) -> Result<(), BoxError> {
        let errand: Errand = serde_json::from_value(parcel.data.clone())?;
        let made = errand.make(cx).await;
        match errand.verdict(&made) {
            Some(verdict) => Ok(errand.settle(cx, verdict, None).await?),
            None => Ok(made?),
        }
    }
}
