//! Servers that take no writes any more: nothing is written, not even a part, and what can be read is read.

use authkit_core::StoreError;
use authkit_session_redis::RedisStore;

use crate::{
    connect::{command, own_server, said},
    world::{World, bump, by_id, insert, note, text},
};

async fn check(refuse: &str, word: &str, allow: &str) {
    let server = own_server();
    let world = World::new(RedisStore::connect(&server.url()).await.unwrap()).await;
    world.commit(&[insert(note(1, "title"))]).await.unwrap();
    command(&server.url(), refuse).await;
    for _ in 0..2 {
        let error = world.commit(&[insert(note(2, "other")), bump(1, "title", 1)]).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)) && said(&error).contains(word), "{}", said(&error));
        assert_eq!(world.get(by_id(1)).await.unwrap().unwrap().values, note(1, "title"));
        assert_eq!(world.titles().await, [text("title")]);
    }
    command(&server.url(), allow).await;
    world.commit(&[insert(note(2, "other")), bump(1, "title", 1)]).await.unwrap();
}

#[tokio::test]
async fn a_server_without_memory_left() {
    needs_redis!();
    check("CONFIG SET maxmemory 1", "has reached its `maxmemory`", "CONFIG SET maxmemory 0").await;
}

#[tokio::test]
async fn a_server_with_too_few_replicas() {
    needs_redis!();
    let allow = "CONFIG SET min-replicas-to-write 0";
    check("CONFIG SET min-replicas-to-write 1", "fewer replicas", allow).await;
}

#[tokio::test]
async fn a_server_that_was_made_a_replica() {
    needs_redis!();
    check("REPLICAOF 127.0.0.1 1", "is a replica, or was made one", "REPLICAOF NO ONE").await;
}
