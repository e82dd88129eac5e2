//! What this store objects to, as sources of [`StoreError`].

use authkit_core::StoreError;

/// A call or a migration that does not fit the tables.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("there is no table {0}: run migrate first")]
    NoTable(&'static str),
    #[error("there is no index {index} on table {table}")]
    NoIndex { table: &'static str, index: String },
    #[error("table {0} holds rows of tenants and is not reached with the global scope")]
    NeedsTenant(&'static str),
    #[error("a value does not fit column {column} of table {table}")]
    Misfit { table: &'static str, column: String },
    #[error("the id of a row of table {0} cannot change")]
    FixedId(&'static str),
    #[error("migration {number} of {plugin} was applied with other content")]
    Edited { plugin: &'static str, number: u32 },
    #[error("migration {number} of {plugin} cannot be applied to table {table}: {problem}")]
    Inapplicable { plugin: &'static str, number: u32, table: &'static str, problem: &'static str },
    #[error("table {0} is not as declared")]
    Drift(&'static str),
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoTable(_) => Self::Unavailable(fault.into()),
            _ => Self::Corrupt(fault.into()),
        }
    }
}
