//! A pool of the application on SQLite.

use authkit_core::{Op, Store as _, StoreError, Value, Write};
use authkit_store_sqlx::SqlxStore;
use sqlx::{Connection as _, SqlitePool, sqlite::SqlitePoolOptions};

use crate::{
    dropped::leaves_no_connection_out_of_step,
    world::{
        COUNT, LEFT_OPEN, NOW, OWNERS, Place, SCOPE, TICKETS, add, assert_refused, by_id, defs, find, owner, steps,
        ticket, whole,
    },
};

/// A pool of one connection, and a store on it with one row.
async fn shared(place: &Place) -> (SqlitePool, SqlxStore) {
    drop(place.connection().await);
    let pool = SqlitePoolOptions::new().max_connections(1).connect(&place.url()).await.unwrap();
    let store = SqlxStore::from_pool(pool.clone()).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();
    (pool, store)
}

async fn run(pool: &SqlitePool, text: &'static str) {
    sqlx::raw_sql(text).execute(&mut *pool.acquire().await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn what_was_taken_does_not_come_back_with_a_transaction_of_the_application() {
    let place = Place::new();
    let (pool, store) = shared(&place).await;
    let take = [Op { def: OWNERS.clone(), write: Write::Take { at: by_id(1), guards: Vec::new() } }];
    run(&pool, "BEGIN").await;
    assert_refused(&store.commit(&SCOPE, &take, NOW).await.unwrap_err(), "BEGIN", LEFT_OPEN);
    store.commit(&SCOPE, &take, NOW).await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut *pool.acquire().await.unwrap()).await.unwrap_err();
    let again = store.commit(&SCOPE, &take, NOW).await;
    assert!(matches!(again, Err(StoreError::Guard { op: 0 })), "{again:?}");
}

#[tokio::test]
async fn a_connection_with_an_open_transaction_serves_no_call_and_is_closed() {
    let place = Place::new();
    let (pool, store) = shared(&place).await;
    for open in ["BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT s", "BEGIN; UPDATE it_owners SET count = 9", "BEGIN; SELECT 1"]
    {
        run(&pool, open).await;
        assert_refused(&store.get(&SCOPE, &whole(&OWNERS, 1)).await.unwrap_err(), open, LEFT_OPEN);
        run(&pool, open).await;
        assert_refused(&store.commit(&SCOPE, &[add(1)], NOW).await.unwrap_err(), open, LEFT_OPEN);
        run(&pool, open).await;
        assert_refused(&store.commit(&SCOPE, &[add(1), add(1)], NOW).await.unwrap_err(), open, LEFT_OPEN);
        run(&pool, open).await;
        assert_refused(&store.sweep(&TICKETS, NOW, 10).await.unwrap_err(), open, LEFT_OPEN);
        run(&pool, open).await;
        assert_refused(&store.migrate(&steps(), &defs()).await.unwrap_err(), open, LEFT_OPEN);
        run(&pool, open).await;
        assert_refused(&SqlxStore::from_pool(pool.clone()).await.unwrap_err(), open, LEFT_OPEN);
        assert_eq!(find(&store, &OWNERS, 1).await.unwrap().values[COUNT], Value::Int(0));
    }
    // One that the driver counts, and that nobody ended.
    std::mem::forget(pool.acquire().await.unwrap().begin().await.unwrap());
    assert_refused(&store.commit(&SCOPE, &[add(1)], NOW).await.unwrap_err(), "BEGIN", LEFT_OPEN);
    store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
}

#[tokio::test]
async fn a_transaction_of_the_driver_that_was_dropped_is_over() {
    let place = Place::new();
    let (pool, store) = shared(&place).await;
    let mut transaction = pool.begin().await.unwrap();
    sqlx::raw_sql("UPDATE it_owners SET count = 9").execute(&mut *transaction).await.unwrap();
    drop(transaction);
    assert_eq!(find(&store, &OWNERS, 1).await.unwrap().values[COUNT], Value::Int(0));
    store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
}

#[tokio::test]
async fn a_connection_without_foreign_keys_is_refused_once_and_closed() {
    let place = Place::new();
    let (pool, store) = shared(&place).await;
    run(&pool, "PRAGMA foreign_keys = OFF").await;
    assert_refused(
        &store.commit(&SCOPE, &[ticket(1, 7)], NOW).await.unwrap_err(),
        "PRAGMA foreign_keys = OFF",
        "do not enforce foreign keys",
    );
    let orphan = store.commit(&SCOPE, &[ticket(1, 7)], NOW).await;
    assert!(matches!(orphan, Err(StoreError::Guard { op: 0 })), "{orphan:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_dropped_leaves_no_transaction_open() {
    let place = Place::new();
    drop(place.connection().await);
    leaves_no_connection_out_of_step(async || {
        let pool = SqlitePoolOptions::new().max_connections(1).connect(&place.url()).await.unwrap();
        let store = SqlxStore::from_pool(pool).await.unwrap();
        store.migrate(&steps(), &defs()).await.unwrap();
        store
    })
    .await;
}
