//! What Redis answers, as [`StoreError`].

use authkit_core::{BoxError, StoreError};
use redis::{ErrorKind, RedisError};

/// The sources of this store's errors.
///
/// None holds a value of a row or a password: what the driver says of commands and URLs may, so it is not passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the URL cannot be read; it is redis://user:password@host:port/database, with rediss for TLS")]
    Url,
    #[cfg(not(feature = "tls"))]
    #[error("URLs that begin with rediss need the Cargo feature `tls` of authkit-session-redis")]
    NoTls,
    #[error("the prefix of the keys has to be 1 to 64 ASCII letters, digits, `-`, `_` or `.`")]
    Prefix,
    #[error("the connection to Redis failed; is it running at the host and port of the URL?")]
    Connection(#[source] BoxError),
    #[error("Redis did not answer in time")]
    Timeout,
    #[error("{what} (Redis says {code})")]
    Server { what: &'static str, code: String },
    #[error("the user of the URL may not use the commands or keys that the store needs; its README has the rights")]
    Rights,
    #[error("this Redis does not fit:{}", .0.iter().map(|problem| format!("\n- {problem}")).collect::<String>())]
    Unfit(Vec<String>),
    #[error("what Redis answered was not understood: {0}")]
    Answer(&'static str),
    #[error("there is no table {0}: run migrate first")]
    NoTable(String),
    #[error("there is no index {index} on table {table}")]
    NoIndex { table: &'static str, index: usize },
    #[error("table {0} holds rows of tenants and is not reached with the global scope")]
    NeedsTenant(&'static str),
    #[error("a value does not fit column {column} of table {table}")]
    Misfit { table: &'static str, column: String },
    #[error("a text with U+0000 is not stored")]
    NulInText,
    #[error("stored data cannot be used: {0}")]
    Stored(String),
    #[error("migration {number} of {plugin} was edited after it was applied")]
    Edited { plugin: &'static str, number: u32 },
    #[error("migration {number} of {plugin} cannot be applied to table {table}: {problem}")]
    Inapplicable { plugin: &'static str, number: u32, table: &'static str, problem: &'static str },
    #[error("rows of table {table} are equal in the columns of its new unique index {index}; nothing was changed")]
    Equal { table: String, index: String },
    #[error("table {table} is not as declared: {problem}")]
    Drift { table: &'static str, problem: String },
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoTable(_) => unavailable(fault),
            _ => Self::Corrupt(fault.into()),
        }
    }
}

/// Whether a call found no table where there should be one.
pub(crate) fn is_without_table(error: &StoreError) -> bool {
    let fault = match error {
        StoreError::Unavailable(source) => source.downcast_ref::<Fault>(),
        _ => None,
    };
    matches!(fault, Some(Fault::NoTable(_)))
}

/// The caller may try again, or has to change the setup.
pub(crate) fn unavailable(fault: Fault) -> StoreError {
    StoreError::Unavailable(fault.into())
}

/// What a call that writes nothing failed with.
pub(crate) fn read_failure(error: &RedisError) -> StoreError {
    match answered(error) {
        Some(failure) => failure,
        None if error.is_timeout() => unavailable(Fault::Timeout),
        None => unavailable(Fault::Connection(cause(error))),
    }
}

/// What a call that writes failed with: unless Redis refused it, or was never reached, it may have been carried out.
pub(crate) fn write_failure(error: &RedisError) -> StoreError {
    match answered(error) {
        Some(failure) => failure,
        None if error.is_connection_refusal() => unavailable(Fault::Connection(cause(error))),
        None => StoreError::Unknown,
    }
}

/// Whether the connection is gone, so that a new one may do.
pub(crate) fn is_lost(error: &RedisError) -> bool {
    answered(error).is_none() && !error.is_timeout() && !error.is_connection_refusal()
}

/// What an answer of Redis means. It refuses a script before it runs, so nothing was written.
fn answered(error: &RedisError) -> Option<StoreError> {
    let known = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed);
    let code = error.code().filter(|_| known);
    let code = code.or((error.kind() == ErrorKind::AuthenticationFailed).then_some("WRONGPASS"))?;
    if code == "BUSY" {
        return Some(StoreError::Busy);
    }
    let what = REFUSALS.iter().find(|(refusal, _)| *refusal == code).map(|(_, what)| *what);
    let fault = |what| Fault::Server { what, code: code.to_owned() };
    Some(match what {
        Some(what) => unavailable(fault(what)),
        None => fault("a script failed").into(),
    })
}

/// The operating system's words only: the driver's own may repeat a part of the URL.
fn cause(error: &RedisError) -> BoxError {
    match std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>()) {
        Some(source) => source.to_string().into(),
        None => format!("{:?}", error.kind()).into(),
    }
}

/// What keeps Redis from running a script, and what it means.
const REFUSALS: [(&str, &str); 11] = [
    ("CLUSTERDOWN", "Redis Cluster is not supported"),
    ("LOADING", "Redis is reading its data"),
    ("MASTERDOWN", "this Redis is a replica that lost its master"),
    ("MISCONF", "Redis cannot write to its disk"),
    ("MOVED", "Redis Cluster is not supported"),
    ("NOAUTH", "Redis wants a password, and the URL has none"),
    ("NOPERM", "the user of the URL may not use the commands or keys that the store needs"),
    ("NOREPLICAS", "Redis has fewer replicas than `min-replicas-to-write` asks for"),
    ("OOM", "Redis has reached its `maxmemory`"),
    ("READONLY", "this Redis is a replica, or was made one"),
    ("WRONGPASS", "Redis refuses the user or the password of the URL"),
];
