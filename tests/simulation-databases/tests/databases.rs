//! The histories on each database, against those in memory.

#![expect(clippy::panic, reason = "a test ends where something is not as expected")]

use std::sync::Arc;

use servers::Database;
use simulation::{Coverage, Failure, Ground, Grounds, compare, families};
use simulation_databases::{Kind, Place};

/// What whoever runs the tests asks for.
#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests, not configuration")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// What each database gets through in some twenty seconds.
const USUAL: u64 = 200;
/// How many times as many histories a full run has.
const FULL: u64 = 20;

/// Runs histories of accounts on a database, and half as many of families.
fn histories_are_the_same(kind: Kind, server: &str) {
    let times = if asked("AUTHKIT_FULL") == Some(1) { FULL } else { 1 };
    let histories = asked("SIMULATION_ON_DATABASES").unwrap_or(USUAL * times);
    let first = asked("SIMULATION_FIRST").unwrap_or(1);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let place = || -> Arc<dyn Ground> { Arc::new(Place::new(kind, server)) };
    let run = |runs: fn(u64, u64, usize, Grounds<'_>) -> Result<Coverage, Failure>, histories| {
        let coverage = runs(first, histories, threads, &place).unwrap_or_else(|failure| panic!("{kind:?}: {failure}"));
        assert_eq!(coverage.histories, histories, "{kind:?}");
    };
    run(compare, histories);
    run(families::compare, histories.div_ceil(2));
}

#[test]
fn histories_are_the_same_on_postgresql() {
    let Some(url) = servers::test_url(Database::Postgres).expect("a server") else { return };
    histories_are_the_same(Kind::Postgres, &url);
}

#[test]
fn histories_are_the_same_on_mariadb() {
    let Some(url) = servers::test_url(Database::MariaDb).expect("a server") else { return };
    histories_are_the_same(Kind::MariaDb, &url);
}

#[test]
fn histories_are_the_same_on_sqlite() {
    histories_are_the_same(Kind::Sqlite, "");
}
