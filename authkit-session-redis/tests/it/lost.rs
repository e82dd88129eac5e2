//! Lost connections: a commit lands once or not at all, and what is not known is said to be unknown.

use std::time::{Duration, Instant};

use authkit_core::{StoreError, Value};
use authkit_session_redis::{RedisConfig, RedisStore};
use servers::{Database, Durability, Server};

use crate::{
    proxy::{Proxy, Wire},
    server::{own_prefix, url},
    world::{COUNT, World, bump, by_id, insert, note},
};

/// The same place, reached through a wire and directly.
async fn wired() -> (Proxy, World, World) {
    let (proxy, prefix) = (Proxy::before(&url()).await, own_prefix());
    let config = |url: &str| RedisConfig::new(url).prefix(prefix.clone()).timeout(Duration::from_millis(400));
    let wired = World::new(RedisStore::connect_with(config(&proxy.url)).await.unwrap()).await;
    let direct = World::new(RedisStore::connect_with(config(&url())).await.unwrap()).await;
    wired.commit(&[bump(1, "counter", 0)]).await.unwrap();
    (proxy, wired, direct)
}

async fn count(world: &World) -> i64 {
    let Some(Value::Int(count)) = world.value(1, COUNT).await else { panic!("a count") };
    count
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_unknown_and_landed_once() {
    needs_redis!();
    let (proxy, wired, direct) = wired().await;
    for round in 1..=30 {
        proxy.set(Wire::CutAnswer);
        let result = wired.commit(&[bump(1, "counter", 1)]).await;
        assert!(matches!(result, Err(StoreError::Unknown)), "{result:?}");
        assert_eq!(count(&wired).await, 2 * round - 1, "it landed, and was not sent again");
        wired.commit(&[bump(1, "counter", 1)]).await.unwrap();
        assert_eq!(count(&direct).await, 2 * round, "the next one finds a new connection");
    }
}

#[tokio::test]
async fn a_commit_that_does_not_arrive_is_unknown_and_not_sent_again() {
    needs_redis!();
    let (proxy, wired, direct) = wired().await;
    for round in 0..30 {
        proxy.set(Wire::CutQuestion);
        let result = wired.commit(&[bump(1, "counter", 1)]).await;
        assert!(matches!(result, Err(StoreError::Unknown)), "{result:?}");
        assert_eq!(count(&direct).await, round, "it did not land");
        wired.commit(&[bump(1, "counter", 1)]).await.unwrap();
        assert_eq!(count(&direct).await, round + 1);
    }
}

#[tokio::test]
async fn all_commits_of_a_cut_connection_land_once_or_not_at_all() {
    needs_redis!();
    let (proxy, wired, direct) = wired().await;
    for round in 0..20_u64 {
        let cut = if round % 2 == 0 { Wire::CutAnswer } else { Wire::CutQuestion };
        let commits: Vec<_> = (0..40)
            .map(|n| {
                let (wired, proxy) = (wired.clone(), proxy.clone());
                tokio::spawn(async move {
                    if n == 20 {
                        proxy.set(cut);
                    }
                    let name = 1000 * (round + 1) + n;
                    (name, wired.commit(&[insert(note(name, &format!("note {name}"))), bump(1, "counter", 1)]).await)
                })
            })
            .collect();
        let before = count(&direct).await;
        let mut answered = 0;
        for commit in commits {
            let (name, result) = commit.await.unwrap();
            let landed = direct.get(by_id(name)).await.unwrap().is_some();
            match result {
                Ok(_) => assert!(landed, "what was acknowledged is there"),
                Err(StoreError::Unknown) => {}
                Err(StoreError::Unavailable(_)) => assert!(!landed, "what was not sent is not there"),
                other => panic!("{other:?}"),
            }
            answered += i64::from(landed);
        }
        proxy.set(Wire::Whole);
        // Of what was on its way some may have landed before `before` was read.
        assert!(count(&direct).await - before <= answered, "none landed twice");
    }
    let notes = direct.titles().await.len() - 1;
    assert_eq!(i64::try_from(notes).unwrap(), count(&direct).await, "each commit landed whole and once");
}

#[tokio::test]
async fn a_read_on_a_lost_connection_is_made_again() {
    needs_redis!();
    let (proxy, wired, _) = wired().await;
    for cut in [Wire::CutAnswer, Wire::CutQuestion] {
        for _ in 0..10 {
            proxy.set(cut);
            assert_eq!(count(&wired).await, 0);
        }
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it is about how long a call takes")]
async fn a_silent_server_is_not_waited_for() {
    needs_redis!();
    let (proxy, wired, _) = wired().await;
    proxy.set(Wire::Silent);
    let began = Instant::now();
    let read = wired.get(by_id(1)).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    let written = wired.commit(&[bump(1, "counter", 1)]).await;
    assert!(matches!(written, Err(StoreError::Unknown)), "{written:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    proxy.set(Wire::Whole);
    assert_eq!(count(&wired).await, 1, "answers that come late are nobody else's");
}

#[tokio::test]
async fn a_server_that_is_away_wrote_nothing_and_is_found_again() {
    needs_redis!();
    let mut server = Server::start(Database::Redis, Durability::Durable).unwrap();
    let world = World::new(RedisStore::connect(&server.url()).await.unwrap()).await;
    world.commit(&[bump(1, "counter", 1)]).await.unwrap();
    for round in 1..=3 {
        server.kill().unwrap();
        // The first one may have been sent before the end of the connection was seen.
        let result = world.commit(&[bump(1, "counter", 0)]).await;
        assert!(matches!(result, Err(StoreError::Unknown | StoreError::Unavailable(_))), "{result:?}");
        let read = world.get(by_id(1)).await;
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        let written = world.commit(&[bump(1, "counter", 1)]).await;
        assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
        server.restart().unwrap();
        let mut count = world.get(by_id(1)).await;
        while let Err(StoreError::Unavailable(_)) = count {
            count = world.get(by_id(1)).await;
        }
        assert_eq!(count.unwrap().unwrap().values[COUNT], Value::Int(round));
        world.commit(&[bump(1, "counter", 1)]).await.unwrap();
    }
}
