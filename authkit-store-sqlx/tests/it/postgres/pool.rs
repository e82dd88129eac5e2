//! A pool of the application.

use std::sync::Arc;

use authkit_core::{Acknowledgement, Store as _, StoreError, Value};
use authkit_store_sqlx::SqlxStore;
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

use super::Schema;
use crate::world::{
    COUNT, LEFT_OPEN, NAME, NOW, OWNERS, SCOPE, TICKETS, add, assert_refused, defs, find, owner, steps, ticket, told,
};

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

/// A pool whose connections are set up with this statement.
async fn set_up(schema: &Schema, setting: &'static str) -> PgPool {
    let options = PgPoolOptions::new().after_connect(move |connection, _| {
        Box::pin(async move { sqlx::raw_sql(setting).execute(connection).await.map(|_done| ()) })
    });
    options.max_connections(4).connect(&schema.url()).await.unwrap()
}

/// What sessions are refused for.
const REFUSED: [(&str, &str); 6] = [
    ("SET client_encoding = 'LATIN1'", "do not speak UTF-8"),
    ("SET client_encoding = 'SQL_ASCII'", "do not speak UTF-8"),
    ("SET default_transaction_read_only = on", "only read"),
    ("SET session_replication_role = replica", "do not enforce foreign keys"),
    ("BEGIN", LEFT_OPEN),
    ("BEGIN; SELECT now()", LEFT_OPEN),
];

#[tokio::test]
async fn a_pool_that_would_lose_something_is_refused() {
    let schema = Schema::new().await;
    for (setting, problem) in REFUSED {
        let refused = SqlxStore::from_pool(set_up(&schema, setting).await).await.unwrap_err();
        assert_refused(&refused, setting, problem);
    }
}

#[tokio::test]
async fn a_connection_that_was_changed_meanwhile_commits_nothing_and_is_closed() {
    let schema = Schema::new().await;
    let pool = PgPoolOptions::new().max_connections(1).connect(&schema.url()).await.unwrap();
    let store = SqlxStore::from_pool(pool.clone()).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();
    for (setting, problem) in REFUSED {
        let mut connection = pool.acquire().await.unwrap();
        sqlx::raw_sql(setting).execute(&mut *connection).await.unwrap();
        drop(connection);
        let refused = store.commit(&SCOPE, &[add(1)], NOW).await.unwrap_err();
        assert_refused(&refused, setting, problem);
        store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
    }
    let count = find(&schema.store().await, &OWNERS, 1).await.unwrap().values[COUNT].clone();
    assert_eq!(count, Value::Int(REFUSED.len().try_into().unwrap()));
}

#[tokio::test]
async fn a_connection_whose_transaction_failed_commits_nothing_and_is_closed() {
    let schema = Schema::new().await;
    let (pool, store) = shared(&schema, PgPoolOptions::new()).await;
    sqlx::raw_sql("BEGIN").execute(&mut *pool.acquire().await.unwrap()).await.unwrap();
    sqlx::raw_sql("SELECT 1 / 0").execute(&mut *pool.acquire().await.unwrap()).await.unwrap_err();
    let refused = store.commit(&SCOPE, &[add(1)], NOW).await.unwrap_err();
    assert_refused(&refused, "BEGIN", LEFT_OPEN);
    store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
}

#[tokio::test]
async fn a_connection_with_another_schema_commits_nothing_and_is_closed() {
    let (schema, other) = (Schema::new().await, Schema::new().await);
    other.peopled().await;
    let (pool, store) = shared(&schema, PgPoolOptions::new()).await;
    for path in [other.name(), "pg_catalog", "absent"] {
        let text = format!("SET search_path = {path}");
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *pool.acquire().await.unwrap()).await.unwrap();
        let refused = store.commit(&SCOPE, &[add(1)], NOW).await.unwrap_err();
        assert_refused(&refused, path, "have another schema");
    }
    store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
    assert_eq!(find(&store, &OWNERS, 1).await.unwrap().values[COUNT], Value::Int(1));
    assert_eq!(find(&other.store().await, &OWNERS, 1).await.unwrap().values[COUNT], Value::Int(0));
}

/// The text that README recommends. `DISCARD ALL` would take the statements that the driver has prepared.
#[tokio::test]
async fn a_pool_that_resets_what_comes_back_reads_what_is_committed() {
    let (schema, other) = (Schema::new().await, Schema::new().await);
    other.peopled().await;
    let options = PgPoolOptions::new().after_release(|connection, _| {
        Box::pin(async move {
            let reset = "SET client_min_messages = error; ROLLBACK; RESET ALL";
            sqlx::raw_sql(reset).execute(connection).await.map(|_reset| true)
        })
    });
    let (pool, store) = shared(&schema, options).await;
    let leave = async |text: String| {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *pool.acquire().await.unwrap()).await.unwrap();
    };
    let backend = "SELECT pg_backend_pid()";
    let before: i32 = sqlx::query_scalar(backend).fetch_one(&pool).await.unwrap();
    for round in 1..=3 {
        leave(format!("SET search_path = {}", other.name())).await;
        assert_eq!(find(&store, &OWNERS, 1).await.unwrap().values[NAME], Value::Text("mine".to_owned()));
        leave("BEGIN; UPDATE it_owners SET count = 9".to_owned()).await;
        assert_eq!(find(&store, &OWNERS, 1).await.unwrap().values[COUNT], Value::Int(round - 1));
        store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
        store.commit(&SCOPE, &[ticket(round.unsigned_abs(), 1), add(2)], NOW).await.unwrap();
    }
    let after: i32 = sqlx::query_scalar(backend).fetch_one(&pool).await.unwrap();
    assert_eq!(before, after, "the connection was kept");
}

/// A pool of one connection, and a store on it with two rows.
async fn shared(schema: &Schema, options: PgPoolOptions) -> (PgPool, SqlxStore) {
    let pool = options.max_connections(1).connect(&schema.url()).await.unwrap();
    let store = SqlxStore::from_pool(pool.clone()).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "mine"), owner(2, "other")], NOW).await.unwrap();
    (pool, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_set_up_in_another_harmless_way_serves() {
    for setting in [
        "SET TimeZone = 'Australia/Eucla'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard'",
        "SET standard_conforming_strings = off; SET backslash_quote = on; SET escape_string_warning = off",
        "SET bytea_output = 'escape'; SET array_nulls = off; SET transform_null_equals = on",
        "SET default_transaction_isolation = 'repeatable read'",
        "SET default_transaction_isolation = 'serializable'; SET default_transaction_deferrable = on",
        "SET quote_all_identifiers = on; SET enable_indexscan = off",
    ] {
        let schema = Schema::new().await;
        let store = Arc::new(SqlxStore::from_pool(set_up(&schema, setting).await).await.unwrap());
        store.migrate(&steps(), &defs()).await.unwrap();
        store.migrate(&steps(), &defs()).await.unwrap();
        let name = format!("{setting} \\x41 ' \" 🦀");
        store.commit(&SCOPE, &[owner(1, &name)], NOW).await.unwrap();
        store.commit(&SCOPE, &[ticket(1, 1), add(1)], NOW).await.unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.commit(&SCOPE, &[add(1)], NOW).await })
            })
            .collect();
        let mut landed = 1;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => landed += 1,
                Err(StoreError::Busy) => {}
                Err(error) => panic!("{setting}: {}", told(&error)),
            }
        }
        assert!(landed > 1);
        // Another session sees the same.
        let other = schema.store().await;
        other.migrate(&steps(), &defs()).await.unwrap();
        let row = find(&other, &OWNERS, 1).await.unwrap();
        assert_eq!(row.values[NAME..], [Value::Text(name), Value::Int(landed)], "{setting}");
        assert_eq!(find(&other, &TICKETS, 1).await, find(&*store, &TICKETS, 1).await, "{setting}");
        assert!(find(&*store, &TICKETS, 1).await.is_some());
    }
}
