//! Which servers are accepted, and what is said of those that are not.

use std::error::Error;

use authkit_core::{Acknowledgement, Store as _, StoreError};
use authkit_session_redis::{RedisConfig, RedisStore};
use servers::{Database, Durability, Server};

use crate::{
    server::{own_prefix, place, url},
    world::{NOTES, NOW, World, bump},
};

/// Everything that an error says, to those who read it and to those who debug.
pub(crate) fn said(error: &StoreError) -> String {
    let mut text = format!("{error:?} / {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" / {error}"));
        source = error.source();
    }
    text
}

async fn refusal(config: RedisConfig) -> String {
    let error = RedisStore::connect_with(config).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    said(&error)
}

/// Carries out a command as an administrator does.
pub(crate) async fn command(url: &str, words: &str) {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::Cmd::new();
    for word in words.split(' ') {
        command.arg(word);
    }
    let _: redis::Value = command.query_async(&mut connection).await.unwrap();
}

pub(crate) fn own_server() -> Server {
    Server::start(Database::Redis, Durability::Durable).unwrap()
}

#[tokio::test]
async fn a_server_that_keeps_what_it_acknowledges_is_taken_at_its_word() {
    needs_redis!();
    let store = RedisStore::connect_with(place()).await.unwrap();
    assert_eq!(store.capabilities().durability, Acknowledgement::Kept);
}

#[tokio::test]
async fn each_setting_that_loses_writes_is_named() {
    needs_redis!();
    let server = own_server();
    for (setting, good, bad) in
        [("appendonly", "yes", "no"), ("appendfsync", "always", "everysec"), ("no-appendfsync-on-rewrite", "no", "yes")]
    {
        command(&server.url(), &format!("CONFIG SET {setting} {bad}")).await;
        let said = refusal(RedisConfig::new(server.url())).await;
        assert!(said.contains(&format!("set `{setting} {good}` in redis.conf (it is {bad})")), "{said}");
        let store = RedisStore::connect_with(RedisConfig::new(server.url()).may_lose_writes()).await.unwrap();
        assert_eq!(store.capabilities().durability, Acknowledgement::MayBeLost);
        command(&server.url(), &format!("CONFIG SET {setting} {good}")).await;
    }
    RedisStore::connect(&server.url()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_evicts_rows_is_refused_whatever_is_vouched_for() {
    needs_redis!();
    let server = own_server();
    command(&server.url(), "CONFIG SET maxmemory-policy allkeys-lru").await;
    let config = || RedisConfig::new(server.url());
    for config in [config(), config().may_lose_writes(), config().dangerously_vouch_for_durability()] {
        let said = refusal(config).await;
        assert!(said.contains("set `maxmemory-policy noeviction` in redis.conf (it is allkeys-lru)"), "{said}");
    }
}

#[tokio::test]
async fn a_replica_is_refused_and_a_master_with_replicas_may_lose_writes() {
    needs_redis!();
    let (master, replica) = (own_server(), own_server());
    let port = master.url().trim_end_matches("/0").rsplit(':').next().unwrap().to_owned();
    command(&replica.url(), &format!("REPLICAOF 127.0.0.1 {port}")).await;
    let said = refusal(RedisConfig::new(replica.url()).may_lose_writes()).await;
    assert!(said.contains("use the URL of its master"), "{said}");

    let mut said = RedisStore::connect(&master.url()).await.map(drop);
    while said.is_ok() {
        said = RedisStore::connect(&master.url()).await.map(drop);
    }
    let said = self::said(&said.unwrap_err());
    assert!(said.contains("it has replicas"), "{said}");
    let vouched = RedisConfig::new(master.url()).dangerously_vouch_for_durability();
    let store = RedisStore::connect_with(vouched).await.unwrap();
    assert_eq!(store.capabilities().durability, Acknowledgement::Kept);
}

#[tokio::test]
async fn a_server_that_hides_its_settings_needs_somebody_to_vouch_for_it() {
    needs_redis!();
    let server = own_server();
    command(&server.url(), "ACL SETUSER auth on >secret ~authkit:* +@all -config").await;
    let url = server.url().replace("redis://", "redis://auth:secret@");
    let said = refusal(RedisConfig::new(&url)).await;
    assert!(said.contains("dangerously_vouch_for_durability") && !said.contains("secret"), "{said}");
    let store = RedisStore::connect_with(RedisConfig::new(&url).dangerously_vouch_for_durability()).await.unwrap();
    assert_eq!(store.capabilities().durability, Acknowledgement::Kept);
}

#[tokio::test]
async fn a_user_needs_the_rights_of_the_readme_and_no_more() {
    needs_redis!();
    let server = own_server();
    let rights = "~authkit:* +@read +@write +@scripting +info +config|get";
    assert!(include_str!("../../README.md").contains(rights));
    command(&server.url(), &format!("ACL SETUSER auth on >secret resetkeys -@all {rights}")).await;
    let url = server.url().replace("redis://", "redis://auth:secret@");
    let world = World::new(RedisStore::connect(&url).await.unwrap()).await;
    world.commit(&[bump(1, "counter", 1)]).await.unwrap();
    assert_eq!(world.titles().await.len(), 1);
    world.store.sweep(&NOTES, NOW, 10).await.unwrap();

    let said = refusal(RedisConfig::new(&url).prefix("other")).await;
    assert!(said.contains("may not use the commands or keys"), "{said}");
    for less in ["-zadd", "-hset", "-evalsha", "-hgetall", "-zrem", "-del"] {
        command(&server.url(), &format!("ACL SETUSER auth {less}")).await;
        let said = refusal(RedisConfig::new(&url)).await;
        assert!(said.contains("may not use the commands or keys"), "{less}: {said}");
        command(&server.url(), &format!("ACL SETUSER auth +{}", &less[1..])).await;
    }
}

#[tokio::test]
async fn no_error_repeats_the_url() {
    needs_redis!();
    let server = own_server();
    command(&server.url(), "CONFIG SET requirepass geheim").await;
    let secret = "5ecretPassw0rd";
    let place = server.url().replace("redis://", "");
    for (url, word) in [
        (format!("redis://:{secret}@{place}"), "refuses the user or the password"),
        (format!("redis://user:{secret}@{place}"), "refuses the user or the password"),
        (format!("redis://{place}"), "the URL has none"),
        (format!("redis://:{secret}@127.0.0.1:1/0"), "is it running at the host and port"),
        (format!("redis://:{secret}@[::/0"), "the URL cannot be read"),
        (format!("redis://:{secret}@127.0.0.1:1/{secret}"), "the URL cannot be read"),
        (format!("{secret}://127.0.0.1"), "the URL cannot be read"),
    ] {
        let config = RedisConfig::new(&url);
        assert!(!format!("{config:?}").contains(secret), "{config:?}");
        let said = refusal(config).await;
        assert!(said.contains(word), "{word}: {said}");
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn a_prefix_holds_no_separator() {
    needs_redis!();
    for prefix in ["", "a:b", "a b", "ä", "a\0", "{a}", "a*", &"a".repeat(65)] {
        let said = refusal(RedisConfig::new(url()).prefix(prefix)).await;
        assert!(said.contains("the prefix of the keys"), "{said}");
    }
}

#[tokio::test]
async fn a_client_of_the_application_serves_as_well() {
    needs_redis!();
    let client = redis::Client::open(url()).unwrap();
    let config = RedisConfig::from_client(client).prefix(own_prefix());
    let world = World::new(RedisStore::connect_with(config).await.unwrap()).await;
    world.commit(&[bump(1, "counter", 1)]).await.unwrap();
}
