//! Several stores on one file.

use std::sync::Arc;

use authkit_core::{Acknowledgement, Done, Op, Store, StoreError, Value, Write};
use authkit_store_sqlx::{SqlxConfig, SqlxStore};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::world::{BY_NAME, COUNT, NOW, OWNERS, Place, SCOPE, add, defs, find, id, owner, steps, ticket, told};

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_lose_no_update() {
    let place = Place::new();
    let nodes = [Arc::new(place.migrated().await), Arc::new(place.store().await)];
    nodes[0].commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();

    let bump = |n: u64| Op {
        def: OWNERS.clone(),
        write: Write::Bump {
            index: BY_NAME,
            values: vec![Value::Id(id(n)), Value::Text("counter".to_owned()), Value::Int(0)],
            column: COUNT,
            by: 1,
            floor: None,
            max: None,
        },
    };
    let mut tasks = Vec::new();
    for n in 0..8 {
        let node = nodes[n % 2].clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..20 {
                node.commit(&SCOPE, &[add(1), add(2)], NOW).await.unwrap();
                node.commit(&SCOPE, &[bump(1000 + n as u64 * 100 + round)], NOW).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for n in [1, 2] {
        assert_eq!(find(&*nodes[1], &OWNERS, n).await.unwrap().values[COUNT], Value::Int(160));
    }
    let done = nodes[0].commit(&SCOPE, &[bump(9)], NOW).await.unwrap();
    assert_eq!(done, [Done::Bumped(161)]);
}

#[tokio::test]
async fn a_commit_gives_up_on_a_database_that_stays_locked() {
    let place = Place::new();
    place.migrated().await;
    let config = SqlxConfig::new(place.url()).busy_timeout(std::time::Duration::from_millis(20));
    let store = SqlxStore::connect_with(config).await.unwrap();
    let mut other = place.connection().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    for ops in [vec![owner(1, "a")], vec![owner(1, "a"), ticket(1, 1)]] {
        let busy = store.commit(&SCOPE, &ops, NOW).await.unwrap_err();
        assert!(matches!(busy, StoreError::Busy), "{}", told(&busy));
    }
    assert!(find(&store, &OWNERS, 1).await.is_none());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a"), ticket(1, 1)], NOW).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_the_application_serves() {
    let place = Place::new();
    let options: SqliteConnectOptions = place.url().parse().unwrap();
    let pool = SqlitePoolOptions::new().max_connections(3).connect_with(options.create_if_missing(true)).await.unwrap();
    let store = SqlxStore::from_pool(pool.clone()).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a"), ticket(1, 1)], NOW).await.unwrap();
    let query = "SELECT o.name FROM it_owners o JOIN it_tickets t ON t.owner_id = o.id \
                 WHERE o.id = '00000000-0000-0000-0000-000000000001'";
    let name: String = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
    assert_eq!(name, "a");
    assert_eq!(store.capabilities().durability, Acknowledgement::Kept);
}

#[tokio::test]
async fn a_pool_without_foreign_keys_is_refused() {
    let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(false);
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    let refused = SqlxStore::from_pool(pool).await.unwrap_err();
    assert!(told(&refused).contains("foreign keys"), "{}", told(&refused));
}

#[tokio::test]
async fn what_a_power_failure_may_take_is_declared() {
    let place = Place::new();
    let config = SqlxConfig::new(place.url());
    let kept = SqlxStore::connect_with(config.clone()).await.unwrap();
    assert_eq!(kept.capabilities().durability, Acknowledgement::Kept);
    let lossy = SqlxStore::connect_with(config.dangerously_lose_commits_on_power_failure()).await.unwrap();
    assert_eq!(lossy.capabilities().durability, Acknowledgement::MayBeLost);
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_harms_no_later_commit() {
    let place = Place::new();
    let options: SqliteConnectOptions = place.url().parse().unwrap();
    let options = options.create_if_missing(true).pragma("max_page_count", "24");
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let store = SqlxStore::from_pool(pool).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    for _ in 0..3 {
        let full = store.commit(&SCOPE, &[owner(1, "a"), owner(2, &"b".repeat(200_000))], NOW).await.unwrap_err();
        assert!(told(&full).contains("disk is full"), "{}", told(&full));
        assert!(find(&store, &OWNERS, 1).await.is_none());
    }
    store.commit(&SCOPE, &[owner(1, "a"), ticket(1, 1)], NOW).await.unwrap();
}
