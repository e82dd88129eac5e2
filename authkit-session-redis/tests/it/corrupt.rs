//! What another program wrote among our keys is an error, never a panic and never a wrong row.

use authkit_core::{Store as _, StoreError};
use authkit_session_redis::{RedisConfig, RedisStore};
use redis::AsyncCommands as _;

use crate::{
    server,
    world::{NOTES, World, bump, by_id, by_title, insert, note, steps, text},
};

async fn vandalized(act: impl AsyncFn(&mut redis::aio::MultiplexedConnection, &str)) -> World {
    let prefix = server::own_prefix();
    let config = RedisConfig::new(server::url()).prefix(&prefix);
    let world = World::new(RedisStore::connect_with(config).await.unwrap()).await;
    world.commit(&[insert(note(1, "title"))]).await.unwrap();
    let client = redis::Client::open(server::url()).unwrap();
    act(&mut client.get_multiplexed_async_connection().await.unwrap(), &prefix).await;
    world
}

/// Tenant and id of the first note, as they stand in keys.
fn place() -> String {
    format!("{}u{:032x}", "61".repeat(16), 1)
}

#[tokio::test]
async fn junk_in_a_column_cannot_be_read() {
    needs_redis!();
    for junk in ["", "?", "i", "ixyz", "stext without an end", "-junk", "t0000000000000000", "u1"] {
        let world = vandalized(async |redis, prefix| {
            let _: () = redis.hset(format!("{prefix}:test_notes:row:{}", place()), "3", junk).await.unwrap();
        })
        .await;
        assert!(matches!(world.get(by_id(1)).await, Err(StoreError::Corrupt(_))), "{junk:?}");
        assert!(matches!(world.query(0, vec![], vec![]).await, Err(StoreError::Corrupt(_))), "{junk:?}");
        let result = world.commit(&[bump(1, "title", 1)]).await;
        assert!(result.is_err(), "{junk:?}: {result:?}");
    }
}

#[tokio::test]
async fn a_key_of_another_type_is_an_error_and_nothing_is_written() {
    needs_redis!();
    for key in ["row:", "index:id", "index:by_title"] {
        let world = vandalized(async |redis, prefix| {
            let end = if key == "row:" { place() } else { String::new() };
            let key = format!("{prefix}:test_notes:{key}{end}");
            let _: () = redis.del(&key).await.unwrap();
            let _: () = redis.set(&key, "vandal").await.unwrap();
        })
        .await;
        let result = world.commit(&[insert(note(2, "title")), insert(note(1, "other"))]).await;
        assert!(result.is_err(), "{key}: {result:?}");
        assert_eq!(world.get(by_id(2)).await.unwrap(), None, "{key}: nothing of it was written");
        let reads =
            (world.get(by_id(1)).await, world.get(by_title("title")).await, world.query(0, vec![], vec![]).await);
        assert!(reads.0.is_err() || reads.1.is_err() || reads.2.is_err(), "{key}: {reads:?}");
    }
}

#[tokio::test]
async fn entries_without_a_row_are_not_rows() {
    needs_redis!();
    let world = vandalized(async |redis, prefix| {
        let _: () = redis.del(format!("{prefix}:test_notes:row:{}", place())).await.unwrap();
    })
    .await;
    assert_eq!(world.get(by_title("title")).await.unwrap(), None);
    assert!(world.query(0, vec![], vec![]).await.unwrap().is_empty());
    world.commit(&[insert(note(2, "title"))]).await.unwrap();
    assert_eq!(world.titles().await, [text("title")]);
}

#[tokio::test]
async fn a_schema_that_cannot_be_read_is_an_error() {
    needs_redis!();
    for (field, value) in [("table:test_notes", "{"), ("table:test_notes", "[]"), ("version", "x")] {
        let world = vandalized(async |redis, prefix| {
            let _: () = redis.hset(format!("{prefix}:schema"), field, value).await.unwrap();
        })
        .await;
        let result = world.store.migrate(&steps(), std::slice::from_ref(&NOTES)).await;
        assert!(matches!(result, Err(StoreError::Corrupt(_))), "{field} {value}: {result:?}");
        if field != "version" {
            assert!(world.commit(&[bump(1, "title", 1)]).await.is_err(), "{value}");
            assert!(world.get(by_id(1)).await.is_err(), "{value}");
        }
    }
}

#[tokio::test]
async fn a_server_that_may_forget_gets_its_tables_again() {
    needs_redis!();
    let config = server::place().may_lose_writes();
    let prefix = format!("{config:?}").split('"').nth(1).unwrap().to_owned();
    let world = World::new(RedisStore::connect_with(config).await.unwrap()).await;
    let client = redis::Client::open(server::url()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    for _ in 0..2 {
        world.commit(&[bump(1, "counter", 1)]).await.unwrap();
        for key in redis.keys::<_, Vec<String>>(format!("{prefix}:*")).await.unwrap() {
            let _: () = redis.del(key).await.unwrap();
        }
        assert_eq!(world.get(by_id(1)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_server_that_lost_everything_says_that_it_has_no_tables() {
    needs_redis!();
    let world = vandalized(async |redis, prefix| {
        let _: () = redis.del(format!("{prefix}:schema")).await.unwrap();
    })
    .await;
    assert!(matches!(world.get(by_id(1)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(world.commit(&[bump(1, "title", 1)]).await, Err(StoreError::Unavailable(_))));
}
