//! Writing, inside the one write transaction that redb allows at a time.

use crate::key;
use crate::rows::{Writer, complete};
use crate::space::{Space, by_expiry, pick};
use crate::{Result, corrupt, failed};
use authkit_core::{Done, EntityDef, Guard, Lookup, Op, Row, Scope, Set, StoreError, Value, Write};
use std::slice::from_ref;

impl Writer<'_, '_> {
    pub(crate) fn commit(&mut self, scope: Scope, ops: &[Op]) -> Result<Vec<Done>> {
        ops.iter().enumerate().map(|(number, op)| self.carry_out(scope, number, op)).collect()
    }

    fn carry_out(&mut self, scope: Scope, number: usize, op: &Op) -> Result<Done> {
        let space = Space { op: number, ..Space::new(self.catalogue, scope, &op.def)? };
        match &op.write {
            Write::Insert { values } => self.put(space, &[], &complete(space, values.clone()))?,
            Write::Update { at, guards, set } => {
                let old = self.guarded(space, at, guards)?;
                let mut new = old.clone();
                set.iter().try_for_each(|set| match set {
                    Set::To(column, value) => slot(&mut new, *column).map(|slot| slot.clone_from(value)),
                    Set::Add(column, by) => add(&mut new, *column, *by),
                })?;
                self.put(space, &old, &new)?;
            }
            Write::Take { at, guards } => {
                let row = self.guarded(space, at, guards)?;
                let values = row.iter().take(op.def.columns.len()).cloned().collect();
                self.remove(space, row)?;
                return Ok(Done::Taken(Row { tenant: space.tenant, values, joined: None }));
            }
            Write::Purge { index, prefix, guards } => {
                let mut rows = self.under(space, space.index(*index)?, prefix)?;
                rows.retain(|row| !space.def.is_expired(row, self.now) && guards.iter().all(|guard| guard.holds(row)));
                let id = |row: &Vec<Value>| if let Some(Value::Id(id)) = row.first() { Some(*id) } else { None };
                let ids = rows.iter().filter_map(id).collect();
                rows.into_iter().try_for_each(|row| self.remove(space, row))?;
                return Ok(Done::Purged(ids));
            }
            Write::Bump { index, values, column, by, floor, max } => {
                let given = complete(space, values.clone());
                let old = self.find(space, *index, &pick(&given, &space.index(*index)?.columns))?.unwrap_or_default();
                let mut new = if old.is_empty() { given.clone() } else { old.clone() };
                if let Some(expiry) = space.def.expiry {
                    *slot(&mut new, expiry)? = match (new.get(expiry), given.get(expiry)) {
                        (Some(Value::Time(own)), Some(Value::Time(given))) => Value::Time(*own.max(given)),
                        _ => Value::Null,
                    };
                }
                let before = if let Some(Value::Int(count)) = old.get(*column) { *count } else { 0 };
                let sum = floor.map_or(before, |floor| before.max(floor)).checked_add(*by);
                let count = sum.filter(|sum| max.is_none_or(|max| *sum <= max));
                let count = count.ok_or(StoreError::Guard { op: number })?;
                *slot(&mut new, *column)? = Value::Int(count);
                self.put(space, &old, &new)?;
                return Ok(Done::Bumped(count));
            }
            // Nobody else writes before this transaction ends: what holds now holds when the commit lands.
            Write::Ensure { at, guards } => drop(self.guarded(space, at, guards)?),
        }
        Ok(Done::Written)
    }

    pub(crate) fn sweep(&mut self, table: &str, limit: usize) -> Result<u64> {
        let def = self.catalogue.get(table).ok_or_else(|| corrupt("no migration made this table"))?;
        let end = key::past(key::with(by_expiry(def), [&Value::Time(self.now)]));
        let mut expired = Vec::new();
        for key in self.keys(by_expiry(def)..end)?.take(limit) {
            let key = key?;
            let space = Space { def, declared: def, tenant: key::id_from_end(&key, 1)?.into(), op: 0 };
            expired.push((space, self.row(space, &key)?));
        }
        let count = expired.len() as u64;
        expired.into_iter().try_for_each(|(space, row)| self.remove(space, row)).map(|()| count)
    }

    fn guarded(&self, space: Space<'_>, at: &Lookup, guards: &[Guard]) -> Result<Vec<Value>> {
        let row = self.find(space, at.index, &at.key)?;
        row.filter(|row| guards.iter().all(|guard| guard.holds(row))).ok_or(StoreError::Guard { op: space.op })
    }

    /// Writes a row with all its entries, in place of the old one; that is empty where there is none.
    pub(crate) fn put(&mut self, space: Space<'_>, old: &[Value], new: &[Value]) -> Result<()> {
        for index in space.def.indexes.iter().filter(|index| index.unique) {
            let key = pick(new, &index.columns);
            let same = if key.contains(&Value::Null) { Vec::new() } else { self.under(space, index, &key)? };
            for row in same.into_iter().filter(|row| row.first() != old.first()) {
                if !space.def.is_expired(&row, self.now) {
                    let index = space.declared.indexes.iter().position(|declared| declared.name == index.name);
                    let index = index.unwrap_or(space.declared.indexes.len());
                    return Err(StoreError::Duplicate { op: space.op, index });
                }
                self.remove(space, row)?;
            }
        }
        let entries = space.entries(new);
        let gone = if old.is_empty() { Vec::new() } else { space.entries(old) };
        for gone in gone.iter().filter(|entry| !entries.contains(entry)) {
            self.entries.remove(gone.as_slice()).map_err(failed)?;
        }
        let mut row = serde_json::to_vec(new).map_err(corrupt)?;
        for entry in entries {
            self.entries.insert(entry.as_slice(), std::mem::take(&mut row).as_slice()).map_err(failed)?;
        }
        for reference in &space.def.references {
            // A table that the application keeps in another store is not here, and its references are not kept.
            if let Some(def) = self.catalogue.get(reference.table)
                && let Some(id @ Value::Id(_)) = new.get(reference.column)
                && old.get(reference.column) != Some(id)
                && self.find(Space { def, declared: def, ..space }, EntityDef::PRIMARY_KEY, from_ref(id))?.is_none()
            {
                return Err(StoreError::Guard { op: space.op });
            }
        }
        Ok(())
    }

    /// Removes a row, the rows that refer to it, those that refer to these, and so on.
    pub(crate) fn remove(&mut self, space: Space<'_>, row: Vec<Value>) -> Result<()> {
        let mut doomed = vec![(space, row)];
        while let Some((space, row)) = doomed.pop() {
            for entry in space.entries(&row) {
                self.entries.remove(entry.as_slice()).map_err(failed)?;
            }
            for def in self.catalogue.values() {
                for reference in def.references.iter().filter(|reference| reference.table == space.def.table) {
                    let index = def.indexes.iter().find(|index| index.columns.first() == Some(&reference.column));
                    let index = index.ok_or_else(|| corrupt("a reference without an index"))?;
                    let space = Space { def, declared: def, ..space };
                    let referring = self.under(space, index, row.get(..1).unwrap_or_default())?;
                    doomed.extend(referring.into_iter().map(|row| (space, row)));
                }
            }
        }
        Ok(())
    }
}

fn slot(row: &mut [Value], column: usize) -> Result<&mut Value> {
    row.get_mut(column).ok_or_else(|| corrupt("no migration made this column"))
}

fn add(row: &mut [Value], column: usize, by: i64) -> Result<()> {
    let Value::Int(count) = slot(row, column)? else { return Err(corrupt("a number is missing")) };
    *count = count.checked_add(by).ok_or_else(|| corrupt("a number leaves 64 bits"))?;
    Ok(())
}
