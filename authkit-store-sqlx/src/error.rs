//! What databases answer, as [`StoreError`].

use authkit_core::{BoxError, StoreError};
use sqlx::error::DatabaseError;

/// The sources of this store's errors. None holds a value of a row: what a driver says may, so it is not passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{what} (code {code})")]
    Database { what: &'static str, code: i32 },
    #[error("{0}")]
    Driver(&'static str),
    #[error("no database is compiled in for the scheme of the URL")]
    UnknownUrl,
    #[error("the pool's connections do not enforce foreign keys")]
    NoForeignKeys,
    #[error("table {0} holds rows of tenants and is not reached with the global scope")]
    NeedsTenant(&'static str),
    #[error("the id of a row of table {0} cannot change")]
    FixedId(&'static str),
    #[error("migration {number} of {plugin} was edited after it was applied")]
    Edited { plugin: &'static str, number: u32 },
    #[error("migration {number} of {plugin} cannot be applied: {problem}")]
    Inapplicable { plugin: &'static str, number: u32, problem: &'static str },
    #[error("migration {number} of {plugin}, which is about table {table}, was refused")]
    Refused { plugin: &'static str, number: u32, table: &'static str, source: BoxError },
    #[error("{what} is there already, but not as authkit makes it: {problem}; {cure}")]
    InTheWay { what: String, problem: String, cure: &'static str },
    #[error("table {table} is not as declared: {problem}")]
    Drift { table: &'static str, problem: String },
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::Corrupt(fault.into())
    }
}

/// What an error means that no op of a commit is to blame for.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    let unavailable = |what| StoreError::Unavailable(Fault::Driver(what).into());
    match error {
        sqlx::Error::Database(error) => answer(error.as_ref()),
        sqlx::Error::PoolTimedOut => StoreError::Busy,
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::TypeNotFound { .. } => Fault::Driver("a stored value is not of the declared kind").into(),
        sqlx::Error::Configuration(_) => unavailable("the connection settings are not valid"),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => unavailable("the connection failed"),
        sqlx::Error::PoolClosed => unavailable("the pool is closed"),
        _ => unavailable("the driver failed"),
    }
}

/// What a failed commit means: where the database cannot say what became of it, nobody knows.
pub(crate) fn commit_error(error: sqlx::Error) -> StoreError {
    match store_error(error) {
        StoreError::Unavailable(_) => StoreError::Unknown,
        known => known,
    }
}

/// The result codes of SQLite, <https://sqlite.org/rescode.html>.
fn answer(error: &dyn DatabaseError) -> StoreError {
    let code = code(error);
    let unavailable = |what| StoreError::Unavailable(Fault::Database { what, code }.into());
    let corrupt = |what| StoreError::from(Fault::Database { what, code });
    match code & 0xff {
        1 => corrupt("a statement does not fit the tables; are the migrations applied?"),
        5 | 6 => StoreError::Busy,
        8 => unavailable("the database is read-only"),
        10 => unavailable("disk I/O error"),
        11 | 26 => corrupt("the database file is damaged"),
        13 => unavailable("the disk is full"),
        14 => unavailable("the database file cannot be opened"),
        19 => corrupt("a row breaks a constraint of its table"),
        _ => unavailable("the database failed"),
    }
}

/// The extended result code; 0 if there is none.
pub(crate) fn code(error: &dyn DatabaseError) -> i32 {
    error.code().and_then(|code| code.parse().ok()).unwrap_or(0)
}
