//! The text of a commit.

use authkit_core::{Op, Store as _, StoreError};
use authkit_store_sqlx::SqlxStore;
use sqlx::mysql::MySqlPoolOptions;

use super::Database;
use crate::{
    hostile::survives_all,
    world::{COUNT, NOW, OWNERS, SCOPE, add, find, owner},
};

#[tokio::test]
async fn a_commit_of_thousands_of_ops_lands_or_leaves_nothing() {
    let database = Database::new().await;
    let store = database.peopled().await;
    let ops: Vec<Op> = (10..3000).map(|n| owner(n, &format!("{n} {}", "'x".repeat(100)))).collect();
    let failing: Vec<Op> = ops.iter().cloned().chain([owner(2000, "taken by an op before")]).collect();
    let refused = store.commit(&SCOPE, &failing, NOW).await;
    assert!(matches!(refused, Err(StoreError::Duplicate { op: 2990, index: 0 })), "{refused:?}");
    assert_eq!(database.number("SELECT COUNT(*) FROM it_owners").await, 4);
    assert_eq!(store.commit(&SCOPE, &ops, NOW).await.unwrap().len(), 2990);
}

#[tokio::test]
async fn a_key_that_looks_like_an_index_is_not_taken_for_one() {
    let database = Database::new().await;
    let store = database.peopled().await;
    let name = "x' for key 'PRIMARY'; 😀 for key 'it_owners.PRIMARY";
    store.commit(&SCOPE, &[owner(9, name)], NOW).await.unwrap();
    let long = "😀'".repeat(127);
    store.commit(&SCOPE, &[owner(10, &long)], NOW).await.unwrap();
    for name in [name, &long] {
        for ops in [vec![owner(11, name)], vec![add(1), owner(11, name)]] {
            let refused = store.commit(&SCOPE, &ops, NOW).await;
            let op = ops.len() - 1;
            assert!(matches!(refused, Err(StoreError::Duplicate { op: at, index: 1 }) if at == op), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn a_commit_that_is_larger_than_the_server_permits_is_refused_whole() {
    let database = Database::new().await;
    let store = database.peopled().await;
    let most = database.number("SELECT CAST(@@max_allowed_packet AS SIGNED)").await;
    let name = "x".repeat(usize::try_from(most).unwrap());
    for ops in [vec![owner(9, &name)], vec![add(1), owner(9, &name)]] {
        let refused = store.commit(&SCOPE, &ops, NOW).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_) | StoreError::Unknown)), "{refused:?}");
        assert_eq!(find(&store, &OWNERS, 1).await.unwrap().values[COUNT], authkit_core::Value::Int(0));
    }
    store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
}

#[tokio::test]
async fn no_value_is_taken_for_a_statement() {
    let database = Database::new().await;
    let store = database.peopled().await;
    survives_all(&store).await;
    assert!(find(&store, &OWNERS, 1).await.is_some(), "the table that was to be dropped is there");
}

#[tokio::test]
async fn no_value_is_taken_for_a_statement_on_a_pool() {
    let database = Database::new().await;
    database.peopled().await;
    let pool = MySqlPoolOptions::new().max_connections(2).connect(database.url()).await.unwrap();
    survives_all(&SqlxStore::from_pool(pool).await.unwrap()).await;
}
