//! What a statement brings about, and whether it is there already.
//!
//! The statements are written so that one may be run again, and a database that is told to make what is not there says
//! nothing of what is. So what is there is looked at: it may be a table of the application that has the name.

use crate::{
    catalogue::{Catalogue, Described, Index},
    ddl::drop_index,
    error::Fault,
    sql::Dialect,
};

/// What is there once a statement was run.
#[derive(Debug)]
pub(crate) enum Effect {
    Table { name: &'static str, made: Catalogue },
    Column { table: &'static str, made: Described },
    Index { table: &'static str, made: Index },
    NoIndex { table: &'static str, name: String },
}

/// What a database has by a name, of which tables, views and indexes share one space.
#[derive(Debug)]
pub(crate) struct Named {
    /// `table`, `view` or `index`.
    pub(crate) kind: String,
    /// Its own name, or that of the table which is indexed.
    pub(crate) table: String,
}

/// How far a statement is brought about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Left,
    Done,
    /// It was begun and has to be removed before it is begun again.
    Broken,
    /// Something else is there, which differs in this.
    Foreign(String),
}

impl Effect {
    /// The table that is made or changed.
    pub(crate) const fn table(&self) -> &'static str {
        match self {
            Self::Table { name: table, .. }
            | Self::Column { table, .. }
            | Self::Index { table, .. }
            | Self::NoIndex { table, .. } => table,
        }
    }

    /// The name that has to be free or taken by what is made.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Table { name: table, .. } | Self::Column { table, .. } => table,
            Self::Index { made, .. } => &made.name,
            Self::NoIndex { name, .. } => name,
        }
    }

    /// Compares with what has the name, and with how the database describes the table.
    pub(crate) fn standing(&self, named: Option<&Named>, found: &Catalogue) -> Standing {
        match (self, named) {
            (Self::Table { .. } | Self::Index { .. }, None) => Standing::Left,
            (Self::Table { made, .. }, Some(named)) => match named.kind.as_str() {
                "table" => made.difference(found).map_or(Standing::Done, Standing::Foreign),
                _ => Standing::Foreign(named.told()),
            },
            (Self::Column { made, .. }, _) => match found.column(&made.name) {
                None => Standing::Left,
                Some(there) => match made.difference(there) {
                    Some(differs) => Standing::Foreign(format!("it {differs}")),
                    None if there.default != made.default => Standing::Foreign("it has another default".to_owned()),
                    None => Standing::Done,
                },
            },
            (Self::Index { table, .. }, Some(named)) if !named.is_index_of(table) => Standing::Foreign(named.told()),
            (Self::Index { made, .. }, Some(_)) if found.indexes.contains(made) => Standing::Done,
            (Self::Index { made, .. }, Some(_)) if found.unfinished.contains(made) => Standing::Broken,
            (Self::Index { .. }, Some(_)) => Standing::Foreign("its columns or its uniqueness differ".to_owned()),
            (Self::NoIndex { table, .. }, Some(named)) if named.is_index_of(table) => Standing::Left,
            // It is dropped, and the name may be used by others.
            (Self::NoIndex { .. }, _) => Standing::Done,
        }
    }

    /// The statement that takes back what was begun.
    pub(crate) fn removal(&self, dialect: &'static Dialect) -> Option<String> {
        match self {
            Self::Index { table, made } => Some(drop_index(dialect, table, &made.name)),
            Self::Table { .. } | Self::Column { .. } | Self::NoIndex { .. } => None,
        }
    }

    /// Says what is in the way and what to do about it.
    pub(crate) fn in_the_way(&self, problem: String) -> Fault {
        let (what, cure) = match self {
            Self::Table { name, .. } => {
                (format!("table {name}"), "rename or move it: authkit keeps its rows in a table of this name")
            }
            Self::Column { table, made } => {
                (format!("column {} of table {table}", made.name), "rename it: authkit keeps a column of this name")
            }
            Self::Index { table, .. } | Self::NoIndex { table, .. } => (
                format!("index {} of table {table}", self.name()),
                "rename or drop it: authkit keeps an index of this name",
            ),
        };
        Fault::InTheWay { what, problem, cure }
    }
}

impl Named {
    fn is_index_of(&self, table: &str) -> bool {
        self.kind == "index" && self.table.eq_ignore_ascii_case(table)
    }

    fn told(&self) -> String {
        match self.kind.as_str() {
            "index" => format!("it is an index of table {}", self.table),
            kind => format!("it is a {kind}"),
        }
    }
}
