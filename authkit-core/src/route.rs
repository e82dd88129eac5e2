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

/// "The writes of this commit are here": the first row of every commit that another store is given.
#[derive(Debug, Entity)]
#[entity(table = "auth_routed_commits", ephemeral, expires(expires_at))]
struct RoutedCommit {
    /// The first record of the commit.
    id: AuditId,
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
    /// Whether these writes are all that was to be done.
    whole: bool,
    writes: Vec<(String, Write)>,
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
        whole: bool,
    ) -> Self {
        let writes = ops.into_iter().map(|op| (op.def.table.to_owned(), op.write)).collect();
        Self { errand: Errand { act, entries, whole, writes }, row: cx.new_id(), lost }
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
        made.map_err(|error| translate(error, &self.lost))
    }
}

impl Errand {
    /// Makes the writes, unless they were made. Op numbers of errors are those of the writes.
    async fn make(&self, cx: &RequestContext) -> Result<(), StoreError> {
        let corrupt = |text: &str| StoreError::Corrupt(text.into());
        let table = self.writes.first().map_or("", |(table, _)| table.as_str());
        let route = cx.engine.routes.of(table).and_then(|at| cx.engine.routes.0.get(at));
        let route = route.ok_or_else(|| corrupt("an entity is not routed any more"))?;
        let id = self.entries.first().map(|entry| entry.id).ok_or_else(|| corrupt("a commit without a record"))?;
        let mark = RoutedCommit { id, expires_at: cx.now().plus(REMEMBERED) };
        let mut ops = vec![Op { def: route.marks.clone(), write: Write::Insert { values: mark.into_values() } }];
        for (table, write) in &self.writes {
            let def = route.def(table).ok_or_else(|| corrupt("an entity is not routed any more"))?;
            ops.push(Op { def: def.clone(), write: write.clone() });
        }
        let one_less = |op: usize| op.saturating_sub(1);
        match route.store.commit(&cx.scope(), &ops, cx.now()).await {
            Ok(_) | Err(StoreError::Duplicate { op: 0, .. }) => Ok(()),
            Err(StoreError::Duplicate { op, index }) => Err(StoreError::Duplicate { op: one_less(op), index }),
            Err(StoreError::Guard { op }) => Err(StoreError::Guard { op: one_less(op) }),
            Err(StoreError::Unknown) => {
                let at = Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(id.into())] };
                let get = Get { shape: Arc::new(Shape::whole(&route.marks)), at, now: cx.now() };
                let landed = route.store.get(&cx.scope(), &get).await?.is_some();
                if landed { Ok(()) } else { Err(StoreError::Unknown) }
            }
            Err(error) => Err(error),
        }
    }

    /// What the record is settled as; none while the other store has not answered.
    ///
    /// What was written in the main store stands. So a lost guard in the other store undoes the act only if that was all.
    fn verdict(&self, made: &Result<(), StoreError>) -> Option<Settlement> {
        match made {
            Ok(()) => Some(Settlement::Committed),
            Err(StoreError::Duplicate { .. } | StoreError::Guard { .. }) if self.whole => Some(Settlement::Aborted),
            Err(StoreError::Duplicate { .. } | StoreError::Guard { .. }) => Some(Settlement::Committed),
            Err(_) => None,
        }
    }

    /// Settles the records, once, and takes the errand's row if nobody else is at it.
    async fn settle(&self, cx: &RequestContext, verdict: Settlement, row: Option<OutboxId>) -> Result<(), AuthError> {
        let engine = &cx.engine;
        let mut ops: Vec<Op> = self.entries.iter().map(|entry| engine.audit.settlement(entry.id, verdict)).collect();
        ops.extend(row.map(|row| engine.outbox.completion(row)));
        if verdict == Settlement::Committed {
            ops.extend(engine.audit.announcements(cx, &self.entries)?);
        }
        match engine.store.commit(&cx.scope(), &ops, cx.now()).await {
            Ok(_) if verdict == Settlement::Aborted => {
                engine.audit.aborted(self.act, &self.entries).await;
                Ok(())
            }
            // A lost guard: another node settled it.
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
