//! PostgreSQL, MariaDB and Redis servers for tests: on a free loopback port, with data of their own, gone when dropped.
//!
//! A server ends with the process that started it, however that one ends: by Ctrl-C, by a panic, or killed. Nothing is
//! shared with a server that the machine runs anyway.
//!
//! `cargo xtask test` starts one of each and hands their addresses to the tests, which ask [`test_url`] for them. A test
//! that has to kill a server starts one for itself.
#![expect(
    clippy::disallowed_methods,
    reason = "a server takes its time to start, and is found by means of the environment"
)]

mod account;
mod certificates;
mod database;
mod error;
mod mariadb;
mod postgres;
mod program;
mod redis;
mod server;
mod test_url;
mod watcher;

pub use crate::certificates::MAKE_CERTIFICATES;
pub use crate::database::Database;
pub use crate::error::Error;
pub use crate::program::find as find_program;
pub use crate::server::{Durability, Server};
pub use crate::test_url::{LEFT_OUT, test_url};
