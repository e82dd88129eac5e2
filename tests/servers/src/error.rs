//! What can go wrong with a server.

use std::error::Error as _;
use std::{fmt, io};

use crate::Database;

/// Why there is no server.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server's programs may not run as root, and nobody else can be found.
    #[error("there is no account `{0}` to run a server of root's as")]
    Account(&'static str),
    /// The operating system refused something.
    #[error("{attempt}")]
    Io {
        /// What was attempted.
        attempt: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The program is not installed.
    #[error("{program} is missing; on Debian: apt-get install --no-install-recommends {}", database.debian_package())]
    Missing {
        /// The database that needs it.
        database: Database,
        /// The name of the program.
        program: &'static str,
    },
    /// The program ended, or took too long, before the server could be used.
    #[error("{program} failed; it wrote:\n{log}")]
    Start {
        /// The name of the program.
        program: &'static str,
        /// Everything that it wrote.
        log: String,
    },
    /// Nobody says where the tests' server is.
    #[error("{} is not set, run `cargo xtask test` or do what `cargo xtask services` says", .0.variable())]
    Unset(Database),
}

impl Error {
    pub(crate) fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        |source| Self::Io { attempt, source }
    }
}

/// What a test prints that expected a server, so it is the text for people.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.source().map_or(Ok(()), |source| write!(f, ": {source}"))
    }
}
