//! A process that writes until it is killed, and the look at what it left.
#![expect(clippy::expect_used, reason = "this is test code, and a test fails by panicking")]

use std::{convert::Infallible, sync::Arc};

use authkit_core::{Store, Value};

use crate::store_suite::world::{ACCOUNTS, ITEMS, World, account, id, item, query};

/// Commits batch after batch and reports the number of each once it is acknowledged; for a process that is killed.
///
/// A test starts this in a process of its own, on an empty store, reads the reported numbers, kills the process at any
/// moment with a signal that it cannot catch, and calls [`verify_after_kill`] with the last number it read.
///
/// # Panics
///
/// If a commit fails.
pub async fn commit_until_killed(store: Arc<dyn Store>, mut report: impl FnMut(u64)) -> Infallible {
    let world = World::new(store).await;
    for n in 1.. {
        world.write([account(n).insert(), item(2 * n, n, None, 0), item(2 * n + 1, n, None, 0)]).await;
        report(n);
    }
    unreachable!("numbers do not run out")
}

/// Checks that every acknowledged commit is there, and that every commit is there as a whole or not at all.
///
/// # Panics
///
/// If it is not so.
pub async fn verify_after_kill(store: Arc<dyn Store>, acknowledged: u64) {
    let world = World::new(store).await;
    let accounts = world.rows(query(&ACCOUNTS, 0, vec![])).await.len();
    let accounts = u64::try_from(accounts).expect("a count fits");
    assert!(
        accounts >= acknowledged.min(10_000),
        "clause 2: {acknowledged} commits were acknowledged, {accounts} are there"
    );
    for n in 1..=acknowledged + 2 {
        let items = world.ids(query(&ITEMS, item::BY_ACCOUNT, vec![Value::Id(id(n))])).await.len();
        let expected = if world.has(&ACCOUNTS, id(n)).await { 2 } else { 0 };
        assert_eq!(items, expected, "clause 2: commit {n} is there as a whole or not at all");
        assert!(expected == 2 || n > acknowledged, "clause 2: commit {n} was acknowledged");
    }
}
