//! A pool of the application.

use std::sync::Arc;

use authkit_core::{Acknowledgement, Store as _, StoreError};
use authkit_store_sqlx::SqlxStore;
use sqlx::postgres::PgPoolOptions;

use super::Schema;
use crate::world::{NOW, OWNERS, SCOPE, add, defs, find, owner, steps, ticket};

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_the_application_serves() {
    let schema = Schema::new().await;
    let pool = PgPoolOptions::new().max_connections(4).connect(&schema.url()).await.unwrap();
    let store = Arc::new(SqlxStore::from_pool(pool.clone()).await.unwrap());
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a"), ticket(1, 1)], NOW).await.unwrap();
    let refused = store.commit(&SCOPE, &[owner(2, "b"), owner(3, "a")], NOW).await;
    assert!(matches!(refused, Err(StoreError::Duplicate { op: 1, index: 1 })), "{refused:?}");
    let refused = store.commit(&SCOPE, &[owner(2, "b"), add(3)], NOW).await;
    assert!(matches!(refused, Err(StoreError::Guard { op: 1 })), "{refused:?}");
    assert!(find(&*store, &OWNERS, 2).await.is_none());

    let tasks = (0..8).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 0..10_u64 {
                store
                    .commit(&SCOPE, &[add(1), owner(100 * (n + 1) + round, &format!("{n} {round}"))], NOW)
                    .await
                    .unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let query = "SELECT o.count FROM it_owners o JOIN it_tickets t ON t.owner_id = o.id";
    let count: i64 = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
    assert_eq!(count, 80);
}

#[tokio::test]
async fn what_a_crash_of_the_server_may_take_is_declared() {
    let schema = Schema::new().await;
    for (setting, expected) in [("on", Acknowledgement::Kept), ("off", Acknowledgement::MayBeLost)] {
        let url = format!("{}&options[synchronous_commit]={setting}", schema.url());
        let pool = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        assert_eq!(SqlxStore::from_pool(pool).await.unwrap().capabilities().durability, expected);
        // The store's own connections are set up as it was told to.
        assert_eq!(SqlxStore::connect(&url).await.unwrap().capabilities().durability, Acknowledgement::Kept);
    }
}
