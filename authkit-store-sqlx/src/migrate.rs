//! What was applied, what is left to do, and whether the tables are as declared.

use authkit_core::{ColumnKind, EntityDef, Reach, StoreError};

use crate::{
    ddl::{Planned, expiry_index_name, index_name, indexed},
    error::Fault,
    sql::Dialect,
};

/// A row of `authkit_migrations`.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) plugin: String,
    pub(crate) number: i64,
    pub(crate) checksum: String,
    /// `started` or `applied`.
    pub(crate) state: String,
    /// How many of the statements were run.
    pub(crate) position: i64,
}

/// The first statement of a migration that is left to run; none if all were.
pub(crate) fn next(planned: &Planned, history: &[Record]) -> Result<Option<usize>, StoreError> {
    let (plugin, number) = (planned.plugin, planned.number);
    let is_it = |record: &&Record| record.plugin == plugin && record.number == i64::from(number);
    let Some(record) = history.iter().find(is_it) else {
        return Ok(Some(0));
    };
    if record.checksum != planned.checksum {
        return Err(Fault::Edited { plugin, number }.into());
    }
    match record.state.as_str() {
        "applied" => Ok(None),
        _ => Ok(Some(usize::try_from(record.position).unwrap_or(0))),
    }
}

/// A table as the database describes it.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    pub(crate) columns: Vec<Described>,
    pub(crate) key: Vec<String>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) references: Vec<Reference>,
}

#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) column_type: String,
    pub(crate) content: Content,
}

/// What stands in a column of which an insert says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Nullable,
    /// Not NULL.
    Default,
    /// Not NULL, so the insert fails.
    Required,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) unique: bool,
    pub(crate) columns: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    pub(crate) cascades: bool,
}

/// Compares a table with its declaration. It may have more: columns and indexes of the application or of a newer version.
pub(crate) fn verify(dialect: &Dialect, def: &EntityDef, found: &Catalogue) -> Result<(), StoreError> {
    match problem(dialect, def, found) {
        Some(problem) => Err(Fault::Drift { table: def.table, problem }.into()),
        None => Ok(()),
    }
}

fn problem(dialect: &Dialect, def: &EntityDef, found: &Catalogue) -> Option<String> {
    if found.columns.is_empty() {
        return Some("there is no such table".to_owned());
    }
    let owner = (def.reach == Reach::Tenant).then_some(("tenant_id", ColumnKind::Id, false));
    let declared = def.columns.iter().map(|column| (column.name, column.kind, column.nullable));
    let declared: Vec<_> = owner.into_iter().chain(declared).collect();
    let columns = declared.iter().find_map(|(name, kind, nullable)| {
        let Some(column) = found.columns.iter().find(|column| column.name == *name) else {
            return Some(format!("column {name} is missing"));
        };
        if !column.column_type.eq_ignore_ascii_case((dialect.column_type)(*kind)) {
            return Some(format!("column {name} is of type {}", column.column_type));
        }
        match (nullable, column.content == Content::Nullable) {
            (true, false) => Some(format!("column {name} does not permit NULL")),
            (false, true) => Some(format!("column {name} permits NULL")),
            _ => None,
        }
    });
    let is_declared = |column: &&Described| declared.iter().any(|(name, ..)| *name == column.name);
    let extra = || {
        let mut extra = found.columns.iter().filter(|column| !is_declared(column));
        let required = extra.find(|column| column.content == Content::Required)?;
        Some(format!("column {} is not declared and has to be given", required.name))
    };
    columns.or_else(extra).or_else(|| key_problem(def, found)).or_else(|| index_problem(def, found))
}

fn key_problem(def: &EntityDef, found: &Catalogue) -> Option<String> {
    let primary = def.indexes.first()?;
    (found.key != indexed(def, primary)).then(|| format!("the primary key is ({})", found.key.join(", ")))
}

fn index_problem(def: &EntityDef, found: &Catalogue) -> Option<String> {
    let expiry = def.expiry.and_then(|at| def.columns.get(at));
    let expiry = expiry.map(|column| (expiry_index_name(def.table), vec![column.name], false));
    let declared = def.indexes.iter().skip(1);
    let declared = declared.map(|index| (index_name(def.table, index.name), indexed(def, index), index.unique));
    let lost = declared.chain(expiry).find(|(name, columns, unique)| {
        !found.indexes.iter().any(|index| index.name == *name && index.columns == *columns && index.unique == *unique)
    });
    if let Some((name, ..)) = lost {
        return Some(format!("index {name} is missing or another"));
    }
    let lost = def.references.iter().find(|reference| {
        let columns = def.columns.get(reference.column).map(|column| column.name);
        let owner = (def.reach == Reach::Tenant).then_some("tenant_id");
        let columns: Vec<&str> = owner.into_iter().chain(columns).collect();
        !found
            .references
            .iter()
            .any(|there| there.table == reference.table && there.columns == columns && there.cascades)
    });
    lost.map(|reference| format!("the foreign key to {} is missing or another", reference.table))
}
