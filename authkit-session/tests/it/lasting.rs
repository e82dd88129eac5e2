//! Refresh tokens that do not follow each other: one text for as long as the session lives.

use std::time::Duration;

use authkit_core::{AuthManager, Rng as _, SignedIn, codes};
use authkit_session::JwtSessions;
use authkit_testkit::SeededRng;
use serde_json::json;

use crate::{
    acts::{disable, end_all, end_others, goes_on, is_refused, jwt, records, refresh, refresh_token, shown, signed_in},
    world::{World, bearer},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A token that was made so long ago is followed by another, where tokens follow each other.
const GRACE: Duration = Duration::from_secs(10);

fn lasting() -> JwtSessions {
    jwt().dangerously_without_rotation()
}

/// One node without rotation, and somebody who is signed in.
async fn installation() -> (World, AuthManager, SignedIn) {
    let world = World::new();
    let auth = world.node(lasting()).await;
    let signed_in = signed_in(&auth).await;
    (world, auth, signed_in)
}

/// Two nodes of one installation: with rotation and without.
async fn both() -> (World, AuthManager, AuthManager) {
    let world = World::new();
    let (on, off) = (world.node(jwt()).await, world.node(lasting()).await);
    (world, on, off)
}

#[tokio::test]
async fn one_token_works_until_the_session_is_too_old() {
    let (world, auth, first) = installation().await;
    let token = refresh_token(&first.tokens);
    let mut access = vec![first.tokens.access.expose().to_owned()];
    for _ in 0..4 {
        world.clock.advance(7 * DAY - Duration::from_secs(1));
        let next = bearer(&auth).refresh(token).await.unwrap();
        assert_eq!(refresh_token(&next.tokens), token);
        assert_eq!(shown(&auth, &next.tokens.access).await.unwrap().id, first.session.id);
        access.push(next.tokens.access.expose().to_owned());
    }
    access.sort();
    access.dedup();
    assert_eq!(access.len(), 5, "access tokens are made anew");
    world.clock.advance(2 * DAY + Duration::from_secs(4));
    assert!(is_refused(&auth, token).await);
}

#[tokio::test]
async fn it_is_refused_after_a_week_without_use() {
    let (world, auth, first) = installation().await;
    world.clock.advance(6 * DAY);
    assert!(refresh(&auth, refresh_token(&first.tokens)).await.is_ok());
    world.clock.advance(7 * DAY);
    assert!(!goes_on(&auth, refresh_token(&first.tokens)).await);
    assert!(is_refused(&auth, refresh_token(&first.tokens)).await);
}

#[tokio::test]
async fn it_is_dead_with_its_session_its_secret_and_its_owner() {
    let (_world, auth, first) = installation().await;
    let cx = bearer(&auth);
    let tokens = end_others(&auth, &first.session).await.unwrap();
    assert!(is_refused(&auth, refresh_token(&first.tokens)).await, "it was from before a change of password");
    assert_eq!(refresh(&auth, refresh_token(&tokens)).await.unwrap(), refresh_token(&tokens));
    end_all(&cx, first.session.principal.id).await;
    assert!(is_refused(&auth, refresh_token(&tokens)).await);

    let other = signed_in(&auth).await;
    disable(&cx, other.session.principal.id).await;
    assert!(is_refused(&auth, refresh_token(&other.tokens)).await);
    assert!(is_refused(&auth, "akr_made_up").await);
}

#[tokio::test]
async fn a_refresh_is_two_store_calls_and_recorded_as_the_first_time() {
    let (world, auth, first) = installation().await;
    for _ in 0..3 {
        let before = world.store.calls();
        refresh(&auth, refresh_token(&first.tokens)).await.unwrap();
        assert_eq!(world.store.calls() - before, 2);
    }
    let records = records(&auth, first.session.principal.id, "token_refreshed").await;
    assert_eq!(records.iter().map(|record| &record["data"]).collect::<Vec<_>>(), [&json!({ "again": false }); 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_refreshes_at_once_give_it_fifty_times() {
    let (_world, auth, first) = installation().await;
    let token = refresh_token(&first.tokens).to_owned();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (auth, token) = (auth.clone(), token.clone());
            tokio::spawn(async move { refresh(&auth, &token).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), token);
    }
}

#[tokio::test]
async fn it_is_given_out_three_hundred_times_a_minute() {
    let (world, auth, first) = installation().await;
    let token = refresh_token(&first.tokens);
    for _ in 0..300 {
        assert_eq!(refresh(&auth, token).await.unwrap(), token);
    }
    let refused = refresh(&auth, token).await.unwrap_err();
    assert_eq!(*refused.code(), codes::LIMITED);
    let other = signed_in(&auth).await;
    assert!(refresh(&auth, refresh_token(&other.tokens)).await.is_ok(), "others are not held up");
    world.clock.advance(refused.wait().unwrap());
    assert!(refresh(&auth, token).await.is_ok(), "and nobody was signed out");
}

/// What is lost.
#[tokio::test]
async fn a_thief_is_not_noticed() {
    let (world, auth, first) = installation().await;
    let (owner, thief) = (refresh_token(&first.tokens), refresh_token(&first.tokens));
    for _ in 0..20 {
        for token in [owner, thief] {
            world.clock.advance(DAY / 2);
            assert!(refresh(&auth, token).await.is_ok());
        }
    }
    assert!(records(&auth, first.session.principal.id, "refresh_token_reused").await.is_empty());
}

#[tokio::test]
async fn it_outlives_the_rotation_of_the_key_ring() {
    let (world, auth, first) = installation().await;
    let token = refresh_token(&first.tokens);
    let rotated = world.node_with(lasting(), &[2, 1], serde_json::Value::Null).await;
    let renewed = refresh(&rotated, token).await.unwrap();
    assert_ne!(renewed, token, "it is made under the new key");
    for token in [token, &renewed] {
        assert_eq!(refresh(&rotated, token).await.unwrap(), renewed);
    }
    assert!(is_refused(&auth, &renewed).await, "a node that does not have the new key");
    let dropped = world.node_with(lasting(), &[2], serde_json::Value::Null).await;
    assert!(is_refused(&dropped, token).await);
    assert_eq!(refresh(&dropped, &renewed).await.unwrap(), renewed);
}

#[tokio::test]
async fn rotation_that_is_switched_on_goes_on_from_the_token_that_there_is() {
    let (world, on, off) = both().await;
    let first = refresh_token(&signed_in(&off).await.tokens).to_owned();
    for _ in 0..3 {
        assert_eq!(refresh(&off, &first).await.unwrap(), first);
    }
    let second = refresh(&on, &first).await.unwrap();
    assert_ne!(second, first);
    // From here on everything is as if it had never been off.
    assert_eq!(refresh(&on, &first).await.unwrap(), second);
    world.clock.advance(GRACE);
    let third = refresh(&on, &second).await.unwrap();
    world.clock.advance(GRACE);
    assert!(is_refused(&on, &first).await);
    assert!(is_refused(&on, &third).await);
}

#[tokio::test]
async fn where_rotation_is_switched_off_the_newest_token_stays() {
    let (world, on, off) = both().await;
    let mut tokens = vec![refresh_token(&signed_in(&on).await.tokens).to_owned()];
    for step in 0..3 {
        world.clock.advance(GRACE);
        tokens.push(refresh(&on, &tokens[step]).await.unwrap());
    }
    let newest = &tokens[3];
    for _ in 0..4 {
        world.clock.advance(6 * DAY);
        assert_eq!(refresh(&off, newest).await.unwrap(), *newest);
    }
    assert_eq!(refresh(&off, &tokens[2]).await.unwrap(), *newest, "its answer may have been lost");
}

/// The newest token was used just now, which says nothing about when it was made.
#[tokio::test]
async fn where_rotation_is_switched_off_tokens_that_were_replaced_twice_still_end_the_session() {
    for old in [0, 1] {
        let (world, on, off) = both().await;
        let mut tokens = vec![refresh_token(&signed_in(&on).await.tokens).to_owned()];
        for step in 0..3 {
            world.clock.advance(GRACE);
            tokens.push(refresh(&on, &tokens[step]).await.unwrap());
        }
        world.clock.advance(GRACE);
        assert!(refresh(&off, &tokens[3]).await.is_ok());
        assert!(is_refused(&off, &tokens[old]).await, "{old}");
        assert!(is_refused(&off, &tokens[3]).await, "{old}");
    }
}

#[tokio::test]
async fn a_client_that_keeps_what_it_is_given_goes_on_while_nodes_differ() {
    let (world, on, off) = both().await;
    let rng = SeededRng::new(7);
    for history in 0..100 {
        let mut token = refresh_token(&signed_in(&on).await.tokens).to_owned();
        for step in 0..30 {
            let mut bytes = [0; 2];
            rng.fill(&mut bytes);
            world.clock.advance(Duration::from_millis(u64::from(bytes[0]) * 100));
            let node = if bytes[1] % 2 == 0 { &on } else { &off };
            token = refresh(node, &token).await.unwrap_or_else(|error| panic!("{history}, {step}: {error:?}"));
        }
    }
}
