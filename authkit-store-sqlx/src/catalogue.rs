//! Tables as data: what a declaration asks for, and what the database describes.

use authkit_core::{ColumnDef, EntityDef, Id, StoreError};

use crate::{
    error::Fault,
    names::{expiry_index_name, index_name, indexed, owner_of},
    sql::{Dialect, Indexing},
};

/// A table.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    pub(crate) columns: Vec<Described>,
    pub(crate) key: Vec<String>,
    pub(crate) indexes: Vec<Index>,
    /// Indexes that were begun and never finished.
    pub(crate) unfinished: Vec<Index>,
    pub(crate) references: Vec<Reference>,
}

#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) column_type: String,
    pub(crate) nullable: bool,
    /// What stands in the column if an insert says nothing of it, as the database writes it.
    pub(crate) default: Option<String>,
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
    match Catalogue::declared(dialect, def).lacking(found) {
        Some(problem) => Err(Fault::Drift { table: def.table, problem }.into()),
        None => Ok(()),
    }
}

impl Catalogue {
    /// What the store relies on in the table of this declaration.
    pub(crate) fn declared(dialect: &Dialect, def: &EntityDef) -> Self {
        let owner = owner_of(def).iter().map(|name| ColumnDef::new::<Id>(name));
        let columns = owner.chain(def.columns.iter().cloned());
        let named = |columns: Vec<&'static str>| columns.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let expiry = def.expiry.and_then(|at| def.columns.get(at));
        let expiry = expiry.map(|column| (expiry_index_name(def.table), vec![column.name], false));
        let indexes = def.indexes.iter().skip(1);
        let indexes = indexes.map(|index| (index_name(def.table, index.name), indexed(def, index), index.unique));
        let indexes = indexes.chain(expiry);
        let references = def.references.iter().map(|reference| {
            let column = def.columns.get(reference.column).map(|column| column.name);
            let columns = named(owner_of(def).iter().copied().chain(column).collect());
            Reference { table: reference.table.to_owned(), columns, cascades: true }
        });
        Self {
            columns: columns.map(|column| Described::declared(dialect, &column)).collect(),
            key: def.indexes.first().map(|primary| named(indexed(def, primary))).unwrap_or_default(),
            indexes: indexes.map(|(name, columns, unique)| Index { name, unique, columns: named(columns) }).collect(),
            references: references.collect(),
            unfinished: Vec::new(),
        }
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Described> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// What keeps the store from working with the table that was found.
    fn lacking(&self, found: &Self) -> Option<String> {
        if found.columns.is_empty() {
            return Some("there is no such table".to_owned());
        }
        let extra = || {
            let must_be_given = |column: &&Described| !column.nullable && column.default.is_none();
            let required = self.undeclared(found).find(must_be_given)?;
            Some(format!("column {} is not declared and has to be given", required.name))
        };
        let index = || {
            let lost = self.indexes.iter().find(|index| !found.indexes.contains(index))?;
            Some(format!("index {} is missing or another", lost.name))
        };
        self.column_problem(found)
            .or_else(extra)
            .or_else(|| self.key_problem(found))
            .or_else(index)
            .or_else(|| self.reference_problem(found))
    }

    /// What shows that the table that was found is not this one. Of indexes it may have more or fewer.
    pub(crate) fn difference(&self, found: &Self) -> Option<String> {
        let another_default =
            |column: &&Described| found.column(&column.name).is_some_and(|c| c.default != column.default);
        let default = || self.columns.iter().find(another_default);
        let reference = || found.references.iter().find(|reference| !self.references.contains(reference));
        self.column_problem(found)
            .or_else(|| self.undeclared(found).next().map(|column| format!("column {} is not declared", column.name)))
            .or_else(|| default().map(|column| format!("column {} has another default", column.name)))
            .or_else(|| self.key_problem(found))
            .or_else(|| self.reference_problem(found))
            .or_else(|| reference().map(|reference| format!("the foreign key to {} is not declared", reference.table)))
    }

    fn undeclared<'a>(&self, found: &'a Self) -> impl Iterator<Item = &'a Described> {
        found.columns.iter().filter(|column| self.column(&column.name).is_none())
    }

    fn column_problem(&self, found: &Self) -> Option<String> {
        self.columns.iter().find_map(|column| match found.column(&column.name) {
            Some(there) => Some(format!("column {} {}", column.name, column.difference(there)?)),
            None => Some(format!("column {} is missing", column.name)),
        })
    }

    fn key_problem(&self, found: &Self) -> Option<String> {
        (found.key != self.key).then(|| format!("the primary key is ({})", found.key.join(", ")))
    }

    fn reference_problem(&self, found: &Self) -> Option<String> {
        let lost = self.references.iter().find(|reference| !found.references.contains(reference))?;
        Some(format!("the foreign key to {} is missing or another", lost.table))
    }
}

impl Described {
    /// The type is that of a column in no index: a newer version may have made an index of it, or dropped one.
    pub(crate) fn declared(dialect: &Dialect, column: &ColumnDef) -> Self {
        Self {
            name: column.name.to_owned(),
            column_type: (dialect.column_type)(column.kind, Indexing::Plain).to_owned(),
            nullable: column.nullable,
            default: column.default.as_ref().and_then(dialect.default),
        }
    }

    /// A column of this type without a default that is never NULL.
    pub(crate) fn required(name: &str, column_type: &str) -> Self {
        Self { name: name.to_owned(), column_type: column_type.to_owned(), nullable: false, default: None }
    }

    /// What differs in what the column can hold; its default aside.
    pub(crate) fn difference(&self, found: &Self) -> Option<String> {
        if !found.column_type.eq_ignore_ascii_case(&self.column_type) {
            return Some(format!("is of type {}", found.column_type));
        }
        match (self.nullable, found.nullable) {
            (true, false) => Some("does not permit NULL".to_owned()),
            (false, true) => Some("permits NULL".to_owned()),
            _ => None,
        }
    }
}

/// Whether a column stands in an index of its table.
pub(crate) fn indexing(def: &EntityDef, column: &ColumnDef) -> Indexing {
    let at = def.position(column.name);
    let indexed = def.indexes.iter().flat_map(|index| &index.columns).any(|position| Some(*position) == at);
    if indexed || at.is_none() { Indexing::Indexed } else { Indexing::Plain }
}
