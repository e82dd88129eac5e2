//! Applying migrations, inside one transaction of redb: a step that is interrupted never happened.
//!
//! No step changes a row: one with too few columns is filled up when it is read. But the index entries of a table are
//! made anew where its indexes have changed, by a step or because the version before ran for a while.

use crate::key;
use crate::rows::{ROWS, Rows};
use crate::space::{Catalogue, Space, start};
use crate::{Result, corrupt, failed};
use authkit_core::{Def, EntityDef, Migration, Step, StoreError, Timestamp, Uniqueness, Value};
use redb::{TableDefinition, WriteTransaction};

/// The checksum of each step that was applied, by plugin and number.
const HISTORY: TableDefinition<'_, (&str, u32), &str> = TableDefinition::new("history");
/// The indexes that the entries of each table were made for.
const INDEXED: TableDefinition<'_, &str, &str> = TableDefinition::new("indexed");

/// Applies the steps that were not applied yet, and brings what is known up to date.
pub(crate) fn migrate(txn: &WriteTransaction, known: &mut Catalogue, steps: &[Migration], defs: &[Def]) -> Result<()> {
    let mut changed = Vec::new();
    let mut history = txn.open_table(HISTORY).map_err(failed)?;
    for migration in steps {
        let (step, checksum) = ((migration.plugin, migration.number), migration.checksum());
        match history.insert(step, checksum.as_str()).map_err(failed)? {
            None => changed.push(migration.step.table()),
            Some(applied) if applied.value() == checksum => {}
            Some(_) => return Err(corrupt(format!("step {step:?} was edited after it was applied"))),
        }
    }
    let mut tables = sum(steps)?;
    if let Some(def) = defs.iter().find(|def| tables.get(def.table) != Some(def)) {
        return Err(corrupt(format!("the steps of {} do not add up to its declaration", def.table)));
    }
    // What this process knows already is as new or newer, unless a step was applied just now.
    tables.retain(|table, _| changed.contains(table) || !known.contains_key(table));
    known.extend(tables.into_iter().map(|(table, def)| (table, with_reference_indexes(def))));
    make_entries(txn, known)
}

fn sum(steps: &[Migration]) -> Result<Catalogue> {
    let mut tables = Catalogue::new();
    for Migration { step, .. } in steps {
        match (step, tables.get_mut(step.table())) {
            (Step::Create(def), None) => drop(tables.insert(def.table, def.clone())),
            (Step::AddColumn { column, .. }, Some(def)) => def.columns.push(column.clone()),
            (Step::AddIndex { index, .. }, Some(def)) => def.indexes.push(index.clone()),
            (Step::DropIndex { index, .. }, Some(def)) => def.indexes.retain(|kept| kept.name != *index),
            _ => return Err(corrupt("a step that does not follow from those before, or of an unknown kind")),
        }
    }
    Ok(tables)
}

/// Adds what removals find the referring rows by, named like the column, as no declared index is.
fn with_reference_indexes(mut def: EntityDef) -> EntityDef {
    for column in def.references.clone().into_iter().map(|reference| reference.column) {
        if !def.indexes.iter().any(|index| index.columns.first() == Some(&column)) {
            let name = def.columns.get(column).map_or("", |column| column.name);
            def = def.index(name, &[column], Uniqueness::Shared);
        }
    }
    def
}

/// Makes the entries of each table whose indexes are not those that they were made for.
fn make_entries(txn: &WriteTransaction, catalogue: &Catalogue) -> Result<()> {
    let mut indexed = txn.open_table(INDEXED).map_err(failed)?;
    indexed.retain(|table, _| catalogue.contains_key(table)).map_err(failed)?;
    // At the beginning of time nothing has expired: a migration is not told what time it is.
    let mut rows = Rows { entries: txn.open_table(ROWS).map_err(failed)?, catalogue, now: Timestamp::MIN };
    for def in catalogue.values() {
        let indexes = format!("{:?}", (&def.indexes, &def.references, def.expiry));
        let made_for = indexed.insert(def.table, indexes.as_str()).map_err(failed)?;
        if made_for.is_some_and(|made_for| made_for.value() == indexes) {
            continue;
        }
        let table = key::with(Vec::new(), [&Value::Text(def.table.into())]);
        let keys = rows.keys(table.clone()..key::past(table))?.collect::<Result<Vec<_>>>()?;
        let primary = start(def, def.indexes.first().map_or("", |index| index.name));
        for entry in keys.iter().filter(|key| !key.starts_with(&primary)) {
            rows.entries.remove(entry.as_slice()).map_err(failed)?;
        }
        for key in keys.iter().filter(|key| key.starts_with(&primary)) {
            let space = Space { def, declared: def, tenant: key::id_from_end(key, 2)?.into(), op: 0 };
            let row = rows.row(space, key)?;
            match rows.put(space, row.get(..1).unwrap_or_default(), &row) {
                // The row that it refers to went while a version ran that did not know of the reference.
                Err(StoreError::Guard { .. }) => rows.remove(space, row)?,
                Err(StoreError::Duplicate { .. }) => return Err(corrupt("rows agree in a new unique index")),
                put => put?,
            }
        }
    }
    Ok(())
}
