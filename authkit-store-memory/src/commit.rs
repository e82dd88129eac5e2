//! Writing rows: all or nothing.

use authkit_core::{
    Def, Done, EntityDef, Guard, Id, Lookup, Op, Row, Scope, Set, StoreError, TenantId, Timestamp, Value, Write,
};

use crate::{
    fault::Fault,
    table::{RowKey, Span, Stored, Table, Tables, meets, owner, pick, referenced},
};

pub(crate) fn commit(tables: &mut Tables, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
    let mut commit = Commit { tables, undo: Vec::new(), now };
    let done = ops.iter().enumerate().map(|(number, op)| commit.apply(scope, number, op)).collect::<Result<_, _>>()?;
    commit.land();
    Ok(done)
}

pub(crate) fn sweep(tables: &mut Tables, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
    let expired: Vec<RowKey> = tables.get(def.table)?.expired(now).take(limit).collect();
    let mut commit = Commit { tables, undo: Vec::new(), now };
    let mut removed = 0;
    for key in expired {
        removed += u64::from(commit.tables.get(def.table)?.rows.contains_key(&key));
        commit.remove(def.table, key);
    }
    commit.land();
    Ok(removed)
}

/// Writes in progress. Unless it lands, dropping it puts everything back.
struct Commit<'a> {
    tables: &'a mut Tables,
    /// What stood where something was written, oldest first.
    undo: Vec<(&'static str, RowKey, Option<Stored>)>,
    now: Timestamp,
}

impl Drop for Commit<'_> {
    fn drop(&mut self) {
        while let Some((table, key, old)) = self.undo.pop() {
            if let Some(table) = self.tables.0.get_mut(table) {
                table.swap(key, old);
            }
        }
    }
}

impl Commit<'_> {
    fn land(mut self) {
        self.undo.clear();
    }

    fn apply(&mut self, scope: &Scope, op: usize, Op { def, write }: &Op) -> Result<Done, StoreError> {
        let tenant = owner(scope, def)?;
        match write {
            Write::Insert { values } => {
                self.insert(op, def, tenant, values.clone())?;
                Ok(Done::Written)
            }
            Write::Update { at, guards, set } => {
                self.update(op, def, tenant, at, guards, set)?;
                Ok(Done::Written)
            }
            Write::Take { at, guards } => {
                let (key, stored) = self.require(op, def, tenant, at, guards)?;
                let values = stored.iter().take(def.columns.len()).cloned().collect();
                let row = Row { tenant, values, joined: None };
                self.remove(def.table, key);
                Ok(Done::Taken(row))
            }
            Write::Purge { index, prefix, guards } => {
                Ok(Done::Purged(self.purge(def, tenant, *index, prefix, guards)?))
            }
            Write::Bump { index, values, column, by, floor, max } => {
                let sum = |old: i64| {
                    let sum = old.max(floor.unwrap_or(i64::MIN)).checked_add(*by);
                    sum.filter(|sum| max.is_none_or(|max| *sum <= max)).ok_or(StoreError::Guard { op })
                };
                self.bump(op, def, tenant, *index, values, *column, sum).map(Done::Bumped)
            }
            Write::Ensure { at, guards } => {
                self.require(op, def, tenant, at, guards)?;
                Ok(Done::Written)
            }
        }
    }

    /// The row, present and meeting the guards.
    fn require(
        &self,
        op: usize,
        def: &EntityDef,
        tenant: TenantId,
        at: &Lookup,
        guards: &[Guard],
    ) -> Result<(RowKey, &Stored), StoreError> {
        let found = self.tables.get(def.table)?.find(def, tenant, at, self.now)?;
        found.filter(|(_, stored)| meets(guards, stored)).ok_or(StoreError::Guard { op })
    }

    fn insert(&mut self, op: usize, def: &EntityDef, tenant: TenantId, values: Vec<Value>) -> Result<(), StoreError> {
        let table = self.tables.get(def.table)?;
        let values = table.complete(values)?;
        let Some(Value::Id(id)) = values.first() else {
            return Err(Fault::Misfit { table: def.table, column: "id".to_owned() }.into());
        };
        let key = (tenant, *id);
        self.make_way(op, def, None, &values, tenant)?;
        self.check_references(op, def.table, key, &values, None)?;
        self.put(def.table, key, Some(values));
        Ok(())
    }

    fn update(
        &mut self,
        op: usize,
        def: &EntityDef,
        tenant: TenantId,
        at: &Lookup,
        guards: &[Guard],
        set: &[Set],
    ) -> Result<(), StoreError> {
        let (key, old) = self.require(op, def, tenant, at, guards)?;
        let table = self.tables.get(def.table)?;
        let old = old.clone();
        let values = table.complete(changed(table, old.clone(), set)?)?;
        if values.first() != old.first() {
            return Err(Fault::FixedId(def.table).into());
        }
        self.make_way(op, def, Some(key), &values, tenant)?;
        self.check_references(op, def.table, key, &values, Some(&old))?;
        self.put(def.table, key, Some(values));
        Ok(())
    }

    fn purge(
        &mut self,
        def: &EntityDef,
        tenant: TenantId,
        index: usize,
        prefix: &[Value],
        guards: &[Guard],
    ) -> Result<Vec<Id>, StoreError> {
        let table = self.tables.get(def.table)?;
        let rows = table.along(table.index(def, index)?, Span::prefix(tenant, prefix));
        let goes = |key: &RowKey| {
            table.live(*key, self.now).is_some_and(|values| guards.iter().all(|guard| guard.holds(values)))
        };
        let gone: Vec<RowKey> = rows.filter(goes).collect();
        for key in &gone {
            self.remove(def.table, *key);
        }
        Ok(gone.into_iter().map(|(_, id)| id).collect())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the op, and whose it is")]
    fn bump(
        &mut self,
        op: usize,
        def: &EntityDef,
        tenant: TenantId,
        index: usize,
        values: &[Value],
        column: usize,
        sum: impl Fn(i64) -> Result<i64, StoreError>,
    ) -> Result<i64, StoreError> {
        let table = self.tables.get(def.table)?;
        let columns = def.indexes.get(index).map(|index| index.columns.as_slice()).unwrap_or_default();
        let at = Lookup { index, key: pick(columns, values) };
        let misfit = || Fault::Misfit { table: def.table, column: "of the counter".to_owned() };
        let Some((key, old)) = table.find(def, tenant, &at, self.now)? else {
            let first = sum(0)?;
            let mut values = values.to_vec();
            *values.get_mut(column).ok_or_else(misfit)? = Value::Int(first);
            self.insert(op, def, tenant, values)?;
            return Ok(first);
        };

        let Some(Value::Int(count)) = old.get(column) else {
            return Err(misfit().into());
        };
        let count = sum(*count)?;
        let mut new = old.clone();
        if let Some(counter) = new.get_mut(column) {
            *counter = Value::Int(count);
        }
        if let Some(at) = def.expiry
            && let (Some(own), Some(given)) = (new.get_mut(at), values.get(at))
        {
            *own = later(own, given);
        }
        self.put(def.table, key, Some(new));
        Ok(count)
    }

    /// Refuses values whose unique keys another row has; expired rows that have them are removed.
    fn make_way(
        &mut self,
        op: usize,
        def: &EntityDef,
        own: Option<RowKey>,
        values: &[Value],
        tenant: TenantId,
    ) -> Result<(), StoreError> {
        let table = self.tables.get(def.table)?;
        let mut expired = Vec::new();
        for (here, index) in table.def.indexes.iter().enumerate().filter(|(_, index)| index.unique) {
            let holder = table.holder(tenant, here, &pick(&index.columns, values));
            let Some(holder) = holder.filter(|holder| own != Some(*holder)) else {
                continue;
            };
            if table.live(holder, self.now).is_some() {
                let declared = def.indexes.iter().position(|declared| declared.name == index.name);
                return Err(StoreError::Duplicate { op, index: declared.unwrap_or(here) });
            }
            expired.push(holder);
        }
        for holder in expired {
            self.remove(def.table, holder);
        }
        Ok(())
    }

    /// Demands that the rows referred to are present, where the reference is new.
    fn check_references(
        &self,
        op: usize,
        table: &'static str,
        key: RowKey,
        values: &[Value],
        old: Option<&[Value]>,
    ) -> Result<(), StoreError> {
        for reference in &self.tables.get(table)?.def.references {
            let parent = referenced(key, reference.column, values);
            let Some(parent) =
                parent.filter(|_| old.is_none_or(|old| old.get(reference.column) != values.get(reference.column)))
            else {
                continue;
            };
            let is_itself = reference.table == table && parent == key;
            if !is_itself && self.tables.get(reference.table)?.live(parent, self.now).is_none() {
                return Err(StoreError::Guard { op });
            }
        }
        Ok(())
    }

    /// Removes a row and all that refer to it.
    fn remove(&mut self, table: &'static str, key: RowKey) {
        self.put(table, key, None);
        let mut gone = vec![(table, key)];
        while let Some((parent, key)) = gone.pop() {
            let tables = self.tables.0.iter();
            let children: Vec<_> =
                tables.flat_map(|(name, table)| table.children(parent, key).map(|child| (*name, child))).collect();
            for (table, child) in children {
                self.put(table, child, None);
                gone.push((table, child));
            }
        }
    }

    /// Every write goes through here, so that it can be undone.
    fn put(&mut self, name: &'static str, key: RowKey, new: Option<Stored>) {
        if let Some(table) = self.tables.0.get_mut(name) {
            let old = table.swap(key, new);
            self.undo.push((name, key, old));
        }
    }
}

fn changed(table: &Table, mut values: Vec<Value>, set: &[Set]) -> Result<Vec<Value>, Fault> {
    for set in set {
        let (Set::To(at, _) | Set::Add(at, _)) = set;
        let name = table.def.columns.get(*at).map_or("after the last", |column| column.name);
        let misfit = || Fault::Misfit { table: table.def.table, column: name.to_owned() };
        let value = values.get_mut(*at).ok_or_else(misfit)?;
        *value = match (set, &*value) {
            (Set::To(_, new), _) => new.clone(),
            (Set::Add(_, by), Value::Int(old)) => Value::Int(old.checked_add(*by).ok_or_else(misfit)?),
            (Set::Add(..), _) => return Err(misfit()),
        };
    }
    Ok(values)
}

/// The later of two expiries; none at all is the latest.
fn later(one: &Value, other: &Value) -> Value {
    match (one, other) {
        (Value::Time(one), Value::Time(other)) => Value::Time(*one.max(other)),
        _ => Value::Null,
    }
}
