//! Connections that are lost, commits that are dropped, rows that others hold.

use std::{sync::Arc, time::Duration};

use authkit_core::{Done, Op, Store as _, StoreError, Value, Write};
use authkit_store_sqlx::SqlxStore;
use authkit_testkit::drop_at_every_await;

use super::Schema;
use crate::{
    dropped::leaves_no_connection_out_of_step,
    world::{COUNT, NOW, OWNERS, SCOPE, add, by_id, defs, find, id, owner, steps, ticket},
};

#[tokio::test]
async fn a_read_on_a_lost_connection_is_made_again() {
    let schema = Schema::new().await;
    let store = schema.peopled().await;
    for _ in 0..3 {
        assert!(find(&store, &OWNERS, 1).await.is_some());
        schema.terminate().await;
    }
    assert!(find(&store, &OWNERS, 1).await.is_some());
}

#[tokio::test]
async fn a_commit_on_a_connection_that_was_just_lost_is_unknown_and_the_next_one_lands() {
    let schema = Schema::new().await;
    let store = schema.peopled().await;
    for ops in [vec![add(1)], vec![add(1), add(2)]] {
        schema.terminate().await;
        let unknown = store.commit(&SCOPE, &ops, NOW).await;
        assert!(matches!(unknown, Err(StoreError::Unknown)), "{unknown:?}");
        store.commit(&SCOPE, &ops, NOW).await.unwrap();
    }
    assert_eq!(schema.number("SELECT sum(count)::int8 FROM it_owners").await, 3);
}

#[tokio::test]
async fn a_commit_on_a_connection_that_was_idle_and_lost_is_made_on_another() {
    let schema = Schema::new().await;
    let store = schema.peopled().await;
    for ops in [vec![add(1)], vec![add(1), add(2)]] {
        schema.terminate().await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(2)).await;
        tokio::time::resume();
        store.commit(&SCOPE, &ops, NOW).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_connection_is_lost_in_the_middle_leaves_nothing_half() {
    let schema = Schema::new().await;
    let store = Arc::new(schema.peopled().await);
    for ops in [vec![add(3)], vec![add(2), add(3), owner(9, "i")]] {
        let mut other = schema.connection().await;
        sqlx::raw_sql("BEGIN; SELECT 1 FROM it_owners WHERE name = 'c' FOR UPDATE").execute(&mut other).await.unwrap();
        let committing = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.commit(&SCOPE, &ops, NOW).await }
        });
        schema.until("wait_event_type = 'Lock'", 1).await;
        schema.terminate().await;
        let unknown = committing.await.unwrap();
        assert!(matches!(unknown, Err(StoreError::Unknown)), "{unknown:?}");
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        assert_eq!(schema.number("SELECT count(*) + sum(count)::int8 FROM it_owners").await, 4);
    }
    store.commit(&SCOPE, &[add(2), add(3)], NOW).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_dropped_anywhere_is_whole_or_absent_and_the_next_one_lands() {
    let schema = Schema::new().await;
    let store = schema.migrated().await;
    let mut used = 0;
    // On a busy machine an answer is often there before it is waited for, and the commit has fewer places to be dropped.
    for _ in 0..50 {
        let polls = drop_at_every_await(
            async || {
                used += 10;
                used
            },
            async |n: &u64| {
                let ops = [owner(*n, &format!("a{n}")), ticket(*n, *n), owner(n + 1, &format!("b{n}"))];
                store.commit(&SCOPE, &ops, NOW).await.unwrap();
            },
            async |n: &u64, output| {
                store
                    .commit(&SCOPE, &[owner(n + 2, &format!("c{n}")), owner(n + 3, &format!("d{n}"))], NOW)
                    .await
                    .unwrap();
                let ids = format!("'{}', '{}'", id(*n), id(n + 1));
                let text = format!(
                    "SELECT (SELECT count(*) FROM it_owners WHERE id IN ({ids})) + \
                     (SELECT count(*) FROM it_tickets WHERE id IN ({ids}))"
                );
                let found = schema.number(text).await;
                assert!(found == 3 || found == 0 && output.is_none(), "{found}");
            },
        )
        .await;
        if polls > 1 {
            return;
        }
    }
    panic!("the commit never waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_dropped_anywhere_leave_no_connection_out_of_step() {
    let schema = Schema::new().await;
    leaves_no_connection_out_of_step(async || schema.configured(|config| config.readers(1).writers(1)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_dropped_while_it_waits_for_a_row_gives_its_place_free() {
    let schema = Schema::new().await;
    let store = Arc::new(schema.configured(|config| config.writers(1)).await);
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();
    let mut other = schema.connection().await;
    sqlx::raw_sql("BEGIN; UPDATE it_owners SET count = 5 WHERE name = 'a'").execute(&mut other).await.unwrap();
    let committing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(&SCOPE, &[add(1), add(2)], NOW).await }
    });
    schema.until("wait_event_type = 'Lock'", 1).await;
    committing.abort();
    committing.await.unwrap_err();
    // The dropped commit still waits on the server, but not before this one.
    store.commit(&SCOPE, &[owner(3, "c"), owner(4, "d")], NOW).await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    schema.until("wait_event_type = 'Lock'", 0).await;
    let counts = schema.number("SELECT sum(count)::int8 FROM it_owners").await;
    assert!([0, 2].contains(&counts), "{counts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_stays_locked_is_busy_and_keeps_nobody_from_reading() {
    let schema = Schema::new().await;
    let store = Arc::new(schema.configured(|config| config.writers(2).busy_timeout(Duration::from_millis(300))).await);
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();
    let mut other = schema.connection().await;
    sqlx::raw_sql("BEGIN; SELECT 1 FROM it_owners WHERE name = 'a' FOR UPDATE").execute(&mut other).await.unwrap();
    let committing: Vec<_> = (0..20)
        .map(|n| {
            let store = Arc::clone(&store);
            let ops = if n % 2 == 0 { vec![add(1)] } else { vec![add(2), add(1)] };
            tokio::spawn(async move { store.commit(&SCOPE, &ops, NOW).await })
        })
        .collect();
    for _ in 0..50 {
        assert!(find(&*store, &OWNERS, 1).await.is_some());
    }
    for commit in committing {
        let busy = commit.await.unwrap();
        assert!(matches!(busy, Err(StoreError::Busy)), "{busy:?}");
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(find(&*store, &OWNERS, 1).await.unwrap().values[COUNT], Value::Int(0));
    store.commit(&SCOPE, &[add(1), add(2)], NOW).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_in_opposite_order_all_land() {
    let schema = Schema::new().await;
    // The server looks for deadlocks after this time, a second unless told.
    let url = format!("{}&options[deadlock_timeout]=20ms", schema.url());
    let store = Arc::new(SqlxStore::connect(&url).await.unwrap());
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b"), owner(3, "c")], NOW).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..10 {
                    let ops = if n % 2 == 0 { [add(1), add(2), add(3)] } else { [add(3), add(2), add(1)] };
                    // What is busy after many tries wrote nothing.
                    while let Err(error) = store.commit(&SCOPE, &ops, NOW).await {
                        assert!(matches!(error, StoreError::Busy), "{error:?}");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(schema.number("SELECT sum(count)::int8 FROM it_owners").await, 240);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    // A process of the server tells what it counted when it ends, or a while later.
    drop(store);
    let told = async { while schema.number(deadlocks).await == 0 {} };
    let told = tokio::time::timeout(Duration::from_secs(20), told).await;
    assert!(told.is_ok(), "the order was opposite for nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_takers_over_two_nodes_wins() {
    let schema = Schema::new().await;
    let nodes = [Arc::new(schema.peopled().await), Arc::new(schema.store().await)];
    for n in 1..=4 {
        let takers: Vec<_> = (0..50)
            .map(|taker| {
                let store = Arc::clone(&nodes[taker % 2]);
                let take = Op { def: OWNERS.clone(), write: Write::Take { at: by_id(n), guards: vec![] } };
                let beside = owner(n * 1000 + taker as u64, &format!("{n} {taker}"));
                tokio::spawn(async move { store.commit(&SCOPE, &[take, beside], NOW).await })
            })
            .collect();
        let mut won = 0;
        for taker in takers {
            match taker.await.unwrap() {
                Ok(done) => won += usize::from(matches!(done[..], [Done::Taken(_), Done::Written])),
                Err(lost) => assert!(matches!(lost, StoreError::Guard { op: 0 }), "{lost:?}"),
            }
        }
        assert_eq!(won, 1);
    }
    assert_eq!(schema.number("SELECT count(*) FROM it_owners").await, 4);
}
