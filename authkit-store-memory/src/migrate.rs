//! Bringing the tables to what is declared.

use std::sync::Arc;

use authkit_core::{Def, EntityDef, Migration, Step, StoreError, Value};

use crate::{
    fault::Fault,
    table::{State, Table},
};

/// Works on a copy, so that a refused migration changes nothing.
pub(crate) fn migrate(state: &mut State, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
    let mut next = state.clone();
    for migration in steps {
        let (plugin, number) = (migration.plugin, migration.number);
        let checksum = migration.checksum();
        match next.history.get(&(plugin, number)) {
            Some(applied) if *applied == checksum => {}
            Some(_) => return Err(Fault::Edited { plugin, number }.into()),
            None => {
                apply(&mut next, migration)?;
                next.history.insert((plugin, number), checksum);
            }
        }
    }
    for def in defs {
        let table = next.tables.0.get(def.table);
        if !table.is_some_and(|table| serves(&table.def, def)) {
            return Err(Fault::Drift(def.table).into());
        }
    }
    *state = next;
    Ok(())
}

/// Whether a table has all that is declared. It may have more: the version before runs on it as well.
fn serves(table: &EntityDef, declared: &EntityDef) -> bool {
    table.columns.starts_with(&declared.columns)
        && declared.indexes.iter().all(|index| table.indexes.contains(index))
        && table.references == declared.references
        && (table.reach, table.durability, table.expiry) == (declared.reach, declared.durability, declared.expiry)
}

fn apply(state: &mut State, migration: &Migration) -> Result<(), Fault> {
    let (plugin, number, name) = (migration.plugin, migration.number, migration.step.table());
    let refused = |problem| Fault::Inapplicable { plugin, number, table: name, problem };
    if let Step::Create(def) = &migration.step {
        let made = state.tables.0.insert(name, Table::new(Arc::new(def.clone())));
        return if made.is_some() { Err(refused("it exists already")) } else { Ok(()) };
    }

    let mut table = state.tables.0.remove(name).ok_or_else(|| refused("it does not exist"))?;
    let def = Arc::make_mut(&mut table.def);
    match &migration.step {
        Step::AddColumn { column, .. } => {
            if def.position(column.name).is_some() {
                return Err(refused("the column exists already"));
            }
            let old_rows = match (&column.default, column.nullable) {
                (Some(value), _) => value.clone(),
                (None, true) => Value::Null,
                (None, false) => return Err(refused("the column needs a default or has to be nullable")),
            };
            def.columns.push(column.clone());
            for stored in table.rows.values_mut() {
                stored.push(old_rows.clone());
            }
        }
        Step::AddIndex { index, .. } => {
            if def.indexes.iter().any(|existing| existing.name == index.name) {
                return Err(refused("the index exists already"));
            }
            def.indexes.push(index.clone());
            if index.unique && table.has_equals(&index.columns) {
                return Err(refused("rows are equal in the columns of the unique index"));
            }
        }
        Step::DropIndex { index, .. } => {
            let before = def.indexes.len();
            def.indexes.retain(|existing| existing.name != *index);
            if def.indexes.len() == before {
                return Err(refused("the index does not exist"));
            }
        }
        _ => return Err(refused("this version of the store does not know the step")),
    }
    state.tables.0.insert(name, table.reindexed());
    Ok(())
}
