//! Connections that are lost, and calls that are dropped.

use std::sync::Arc;

use authkit_core::{Store as _, StoreError, Value};
use authkit_testkit::drop_at_every_await;

use super::Database;
use crate::{
    dropped::leaves_no_connection_out_of_step,
    world::{COUNT, NOW, OWNERS, SCOPE, TICKETS, add, find, owner, ticket},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_read_outlives_the_loss_of_its_connection() {
    let database = Database::new().await;
    let store = database.peopled().await;
    for _ in 0..3 {
        assert!(find(&store, &OWNERS, 1).await.is_some());
        database.terminate().await;
    }
    assert!(find(&store, &OWNERS, 1).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_connection_is_killed_is_whole_or_absent_and_says_so() {
    let database = Database::new().await;
    let store = Arc::new(database.peopled().await);
    for ops in [vec![add(2)], vec![add(2), add(1), add(3)]] {
        let before = find(&*store, &OWNERS, 2).await.unwrap().values[COUNT].clone();
        let mut holder = database.connection().await;
        let hold = "START TRANSACTION; UPDATE it_owners SET `count` = `count` WHERE name IN ('a', 'b')";
        sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
        let committing = tokio::spawn({
            let (store, ops) = (store.clone(), ops.clone());
            async move { store.commit(&SCOPE, &ops, NOW).await }
        });
        let id = database.until("info LIKE '%UPDATE%' AND command <> 'Sleep'").await;
        database.run(format!("KILL CONNECTION {id}")).await;
        let killed = committing.await.unwrap();
        assert!(matches!(killed, Err(StoreError::Unknown)), "{killed:?}");

        sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
        assert_eq!(find(&*store, &OWNERS, 2).await.unwrap().values[COUNT], before);
        store.commit(&SCOPE, &ops, NOW).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_an_administrator_interrupts_is_busy_and_its_connection_clean() {
    let database = Database::new().await;
    let store = Arc::new(database.configured(|config| config.writers(1)).await);
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();
    let mut holder = database.connection().await;
    let hold = "START TRANSACTION; UPDATE it_owners SET `count` = `count` WHERE name = 'a'";
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    let committing = tokio::spawn({
        let store = store.clone();
        async move { store.commit(&SCOPE, &[add(2), add(1)], NOW).await }
    });
    let id = database.until("info LIKE '%UPDATE%' AND command <> 'Sleep'").await;
    database.run(format!("KILL QUERY {id}")).await;
    let killed = committing.await.unwrap();
    assert!(matches!(killed, Err(StoreError::Busy)), "{killed:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();

    // On the same connection, where nothing of the first commit is left.
    store.commit(&SCOPE, &[add(1), add(1)], NOW).await.unwrap();
    assert_eq!(find(&*store, &OWNERS, 2).await.unwrap().values[COUNT], Value::Int(0));
    assert_eq!(find(&*store, &OWNERS, 1).await.unwrap().values[COUNT], Value::Int(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_that_was_lost_is_noticed_before_the_commit() {
    let database = Database::new().await;
    let store = database.peopled().await;
    database.terminate().await;
    #[expect(clippy::disallowed_methods, reason = "longer than a connection is trusted")]
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    store.commit(&SCOPE, &[add(1), add(2)], NOW).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_dropped_anywhere_leave_no_connection_out_of_step() {
    let database = Database::new().await;
    leaves_no_connection_out_of_step(async || database.configured(|config| config.readers(1).writers(1)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_dropped_anywhere_is_whole_or_absent() {
    let database = Database::new().await;
    let store = database.configured(|config| config.writers(1)).await;
    let mut number = 0;
    drop_at_every_await(
        async || {
            number += 10;
            number
        },
        async |n: &u64| {
            let ops = [owner(*n, &format!("a {n}")), ticket(*n, *n), owner(*n + 1, &format!("b {n}"))];
            store.commit(&SCOPE, &ops, NOW).await.unwrap();
        },
        async |n: &u64, output| {
            // On the only connection that writes.
            store
                .commit(&SCOPE, &[owner(*n + 2, &format!("c {n}")), owner(*n + 3, &format!("d {n}"))], NOW)
                .await
                .unwrap();
            // A connection that was closed may still be worked for; waiting for its rows ends that.
            database.run("SELECT COUNT(*) FROM it_owners FOR UPDATE").await;
            let found = [
                find(&store, &OWNERS, *n).await.is_some(),
                find(&store, &TICKETS, *n).await.is_some(),
                find(&store, &OWNERS, *n + 1).await.is_some(),
            ];
            assert!(found == [true; 3] || found == [false; 3], "{found:?}");
            assert!(output.is_none() || found == [true; 3]);
        },
    )
    .await;
}
