//! The databases that tests meet, and what differs between them.

use std::ffi::OsString;
use std::path::Path;

use crate::{Durability, mariadb, postgres, redis};

/// A database that runs as a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Database {
    /// MariaDB, 10.11 or newer.
    MariaDb,
    /// PostgreSQL, 15 or newer.
    Postgres,
    /// Redis, 7 or newer.
    Redis,
}

/// The most connections that a server takes: several test programs at once, some ten for each test.
pub(crate) const MAX_CONNECTIONS: u32 = 400;

impl Database {
    /// Every database, in the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::MariaDb, Self::Redis];

    /// The name as its makers write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "MariaDB",
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
        }
    }

    /// The environment variable that tells tests where a server is.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Self::MariaDb => "AUTHKIT_TEST_MARIADB",
            Self::Postgres => "AUTHKIT_TEST_POSTGRES",
            Self::Redis => "AUTHKIT_TEST_REDIS",
        }
    }

    /// What the tests on it have in their names.
    #[must_use]
    pub const fn named_in_tests(self) -> &'static [&'static str] {
        match self {
            Self::MariaDb => &["mariadb", "mysql"],
            Self::Postgres => &["postgres"],
            Self::Redis => &["redis"],
        }
    }

    /// The package of Debian that brings the server.
    #[must_use]
    pub const fn debian_package(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb-server",
            Self::Postgres => "postgresql",
            Self::Redis => "redis-server",
        }
    }

    /// The program that is the server.
    #[must_use]
    pub const fn server_program(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadbd",
            Self::Postgres => "postgres",
            Self::Redis => "redis-server",
        }
    }

    /// The program that makes the folder of data, where one is needed.
    #[must_use]
    pub const fn setup_program(self) -> Option<&'static str> {
        match self {
            Self::MariaDb => Some("mariadb-install-db"),
            Self::Postgres => Some("initdb"),
            Self::Redis => None,
        }
    }

    /// Every program that has to be installed.
    pub fn programs(self) -> impl Iterator<Item = &'static str> {
        self.setup_program().into_iter().chain([self.server_program()])
    }

    /// The account that runs the server for root, made by Debian's package, where root may not run it.
    pub(crate) const fn account(self) -> Option<&'static str> {
        match self {
            Self::MariaDb => Some("mysql"),
            Self::Postgres => Some("postgres"),
            Self::Redis => None,
        }
    }

    pub(crate) fn setup_arguments(self, folder: &Path) -> Vec<OsString> {
        match self {
            Self::MariaDb => mariadb::setup_arguments(folder),
            Self::Postgres => postgres::setup_arguments(folder),
            Self::Redis => Vec::new(),
        }
    }

    pub(crate) fn server_arguments(self, folder: &Path, port: u16, durability: Durability) -> Vec<OsString> {
        match self {
            Self::MariaDb => mariadb::server_arguments(folder, port, durability),
            Self::Postgres => postgres::server_arguments(folder, port, durability),
            Self::Redis => redis::server_arguments(folder, port),
        }
    }

    /// What the server writes to its log once it can be used.
    pub(crate) const fn readiness(self) -> &'static str {
        match self {
            Self::MariaDb => "ready for connections",
            Self::Postgres => "ready to accept connections",
            Self::Redis => "Ready to accept connections",
        }
    }

    /// The signal that ends a server quickly, without care for its data.
    pub(crate) const fn stop_signal(self) -> &'static str {
        match self {
            Self::MariaDb | Self::Redis => "KILL",
            // Killed, it would leave shared memory behind.
            Self::Postgres => "QUIT",
        }
    }

    /// The address for a client: the role may do everything, and needs no password.
    pub(crate) fn url(self, port: u16) -> String {
        match self {
            Self::MariaDb => format!("mysql://root@127.0.0.1:{port}/mysql"),
            Self::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            Self::Redis => format!("redis://127.0.0.1:{port}/0"),
        }
    }
}
