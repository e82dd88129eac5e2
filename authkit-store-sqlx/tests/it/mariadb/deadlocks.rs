//! Commits that are in each other's way.

use std::{sync::Arc, time::Duration};

use authkit_core::{Done, Lookup, Op, Store as _, StoreError, Value, Write};

use super::Database;
use crate::world::{BY_NAME, COUNT, NOW, OWNERS, SCOPE, add, find, owner, ticket};

#[tokio::test(flavor = "multi_thread")]
async fn commits_in_opposite_order_all_land() {
    let database = Database::new().await;
    let store = Arc::new(database.peopled().await);
    let tasks = (0..8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                let mut ops = vec![add(1), add(2), add(3), add(4)];
                if n % 2 == 0 {
                    ops.reverse();
                }
                // What is busy after many tries wrote nothing.
                while let Err(error) = store.commit(&SCOPE, &ops, NOW).await {
                    assert!(matches!(error, StoreError::Busy), "{error:?}");
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    for n in 1..=4 {
        assert_eq!(find(&*store, &OWNERS, n).await.unwrap().values[COUNT], Value::Int(160));
    }
    let deadlocks = "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.global_status \
                     WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'";
    assert!(database.number(deadlocks).await > 0, "no deadlock was there to be settled");
}

/// Of commits that take the same row and do more besides, which makes them texts.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_takers_wins_with_all_it_does_besides() {
    let database = Database::new().await;
    let store = Arc::new(database.peopled().await);
    for round in 0..5 {
        let name = format!("taken {round}");
        store.commit(&SCOPE, &[owner(100 + round, &name)], NOW).await.unwrap();
        let takers = (0..50).map(|n| {
            let (store, key) = (store.clone(), vec![Value::Text(name.clone())]);
            tokio::spawn(async move {
                let at = Lookup { index: BY_NAME, key };
                let take = Op { def: OWNERS.clone(), write: Write::Take { at, guards: vec![] } };
                store.commit(&SCOPE, &[add(1), take, ticket(round * 100 + n, 2)], NOW).await
            })
        });
        let mut won = 0;
        for taker in takers.collect::<Vec<_>>() {
            match taker.await.unwrap() {
                Ok(done) => {
                    assert!(matches!(&done[..], [Done::Written, Done::Taken(_), Done::Written]), "{done:?}");
                    won += 1;
                }
                Err(error) => assert!(matches!(error, StoreError::Guard { op: 1 } | StoreError::Busy), "{error:?}"),
            }
        }
        assert_eq!(won, 1);
        assert_eq!(database.number("SELECT COUNT(*) FROM it_tickets").await, i64::try_from(round).unwrap() + 1);
        assert_eq!(
            database.number("SELECT `count` FROM it_owners WHERE name = 'a'").await,
            i64::try_from(round).unwrap() + 1
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_others_hold_makes_a_commit_busy_and_nobody_else() {
    let database = Database::new().await;
    let store = Arc::new(database.configured(|config| config.writers(2).busy_timeout(Duration::from_secs(1))).await);
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();
    let mut holder = database.connection().await;
    sqlx::raw_sql("START TRANSACTION; SELECT * FROM it_owners WHERE name = 'a' FOR UPDATE")
        .execute(&mut holder)
        .await
        .unwrap();

    let waiting: Vec<_> = [vec![add(1)], vec![add(2), add(1)]]
        .into_iter()
        .map(|ops| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(&SCOPE, &ops, NOW).await })
        })
        .collect();
    assert!(find(&*store, &OWNERS, 1).await.is_some(), "reads do not wait for rows or writers");
    for commit in waiting {
        let busy = commit.await.unwrap();
        assert!(matches!(busy, Err(StoreError::Busy)), "{busy:?}");
    }
    assert_eq!(find(&*store, &OWNERS, 2).await.unwrap().values[COUNT], Value::Int(0), "what is busy wrote nothing");

    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    store.commit(&SCOPE, &[add(2), add(1)], NOW).await.unwrap();
}
