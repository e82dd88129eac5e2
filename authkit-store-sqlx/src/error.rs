//! What databases answer, as [`StoreError`].

use std::io;

use authkit_core::{BoxError, StoreError};

use crate::driver::Failure;

/// The sources of this store's errors.
///
/// None holds a value of a row or a password: what a driver says of statements and URLs may, so it is not passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{what} (code {code})")]
    Database { what: &'static str, code: String },
    #[error("{0}")]
    Driver(&'static str),
    #[error("the connection to the database failed; is it running at the host and port of the URL?")]
    Connection(#[source] io::Error),
    #[error("no encrypted connection to the database was agreed on")]
    Encryption(#[source] BoxError),
    #[error("the URL begins with none of {0}; a SQLite file is sqlite://app.db")]
    UnknownUrl(String),
    #[error("URLs that begin with {begin} need the Cargo feature `{feature}` of authkit-store-sqlx")]
    NotCompiledIn { begin: &'static str, feature: &'static str },
    #[error("the pool's connections {0}")]
    Session(&'static str),
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

impl Fault {
    /// Refuses a connection of an application's pool.
    pub(crate) fn refusal(problem: &'static str) -> Failure {
        Failure::Final(StoreError::Unavailable(Self::Session(problem).into()))
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::Corrupt(fault.into())
    }
}

/// What an error means that is not the database's: of the driver, the connection, the pool.
pub(crate) fn driver_failure(error: sqlx::Error) -> Failure {
    let unavailable = |what| StoreError::Unavailable(Fault::Driver(what).into());
    match error {
        sqlx::Error::PoolTimedOut => Failure::Busy,
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::TypeNotFound { .. } => Failure::Final(UNREADABLE.into()),
        sqlx::Error::Encode(_) => Failure::Final(Fault::Driver("a value is not of the declared kind").into()),
        sqlx::Error::Configuration(_) => Failure::Final(unavailable(URL)),
        sqlx::Error::Tls(source) => Failure::Final(StoreError::Unavailable(Fault::Encryption(source).into())),
        sqlx::Error::PoolClosed => Failure::Final(unavailable("the pool is closed")),
        sqlx::Error::Io(source) => Failure::Lost(StoreError::Unavailable(Fault::Connection(source).into())),
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Failure::Lost(unavailable("the connection failed")),
        _ => Failure::Lost(unavailable("the driver failed")),
    }
}

/// A stored value is not what is declared.
pub(crate) fn unreadable(_error: sqlx::Error) -> StoreError {
    UNREADABLE.into()
}

/// What connections of a pool are refused for whose transaction nobody ended.
pub(crate) const LEFT_OPEN: &str = "are in a transaction that was left open; end each before its connection goes back";
const URL: &str = "the URL cannot be read; it is scheme://user:password@host:port/database?option=value, and what is no \
                   letter or digit in a user or password is percent-encoded";
const UNREADABLE: Fault = Fault::Driver("a stored value is not of the declared kind");
