//! Signing keys: many nodes, one set of keys, and nobody notices when they change.

use std::time::Duration;

use authkit_core::{AuthError, AuthManager, Client, SecretText, TenantId, base64url, codes};
use authkit_session::SigningKeys;
use authkit_testkit::{Counted, Fault};

use crate::{
    acts::{installation, jwt, refresh, refresh_token, shown, signed_in},
    world::{World, add_principal, bearer, sign_in},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Ids of the published keys, newest first.
async fn kids(auth: &AuthManager) -> Vec<String> {
    let keys = auth.capability::<SigningKeys>().unwrap();
    keys.published(&bearer(auth)).await.unwrap().keys.into_iter().map(|key| key.kid).collect()
}

/// Id of the key that signed a token.
fn kid_of(token: &SecretText) -> String {
    jsonwebtoken::decode_header(token.expose()).unwrap().kid.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_together_agree_on_the_first_key() {
    for _ in 0..20 {
        let world = World::new();
        let mut nodes = Vec::new();
        for _ in 0..8 {
            nodes.push(world.node(jwt()).await);
        }
        let tasks: Vec<_> = nodes
            .iter()
            .cloned()
            .map(|auth| tokio::spawn(async move { signed_in(&auth).await.tokens.access }))
            .collect();
        let mut tokens = Vec::new();
        for task in tasks {
            tokens.push(task.await.unwrap());
        }
        let first = kids(&nodes[0]).await;
        assert_eq!(first.len(), 1);
        for auth in &nodes {
            assert_eq!(kids(auth).await, first);
            for token in &tokens {
                assert!(shown(auth, token).await.is_some());
            }
        }
    }
}

#[tokio::test]
async fn the_first_key_is_published_before_anything_was_signed() {
    let world = World::new();
    let auth = world.node(jwt()).await;
    let published = kids(&auth).await;
    assert_eq!(published, [kid_of(&signed_in(&auth).await.tokens.access)]);
}

#[tokio::test]
async fn a_node_whose_clock_is_behind_makes_no_key_of_its_own() {
    let world = World::new();
    let ahead = world.node(jwt()).await;
    let first = kid_of(&signed_in(&ahead).await.tokens.access);
    let now = authkit_core::Clock::now(&world.clock);
    world.clock.set(now.minus(Duration::from_secs(20)));
    let behind = world.node(jwt()).await;
    assert_eq!(kid_of(&signed_in(&behind).await.tokens.access), first);
}

#[tokio::test]
async fn a_rotation_is_noticed_by_nobody() {
    let world = World::new();
    let rotating = || jwt().rotate_keys_every(DAY);
    let nodes = [world.node(rotating()).await, world.node(rotating()).await];
    let first = signed_in(&nodes[0]).await;
    let mut newest = refresh_token(&first.tokens).to_owned();
    let mut alive: Vec<(authkit_core::Timestamp, SecretText)> = Vec::new();
    let mut signers = Vec::new();
    let mut most_published = 0;
    let end = authkit_core::Clock::now(&world.clock).plus(3 * DAY);
    for step in 0.. {
        let now = authkit_core::Clock::now(&world.clock);
        if now >= end {
            break;
        }
        let (signing, verifying) = (&nodes[step % 2], &nodes[(step + 1) % 2]);
        signing.run_due_jobs().await;
        let next = bearer(signing).refresh(&newest).await.unwrap();
        newest = refresh_token(&next.tokens).to_owned();
        signers.push(kid_of(&next.tokens.access));
        // Published before it signs.
        assert!(kids(verifying).await.contains(signers.last().unwrap()));
        most_published = most_published.max(kids(verifying).await.len());
        alive.push((next.tokens.expires_at, next.tokens.access));
        alive.retain(|(expires_at, _)| *expires_at > now);
        for (_, token) in &alive {
            assert!(shown(verifying, token).await.is_some());
        }
        world.clock.advance(7 * MINUTE);
    }
    signers.dedup();
    assert_eq!((signers.len(), most_published), (3, 2), "{signers:?}");
}

#[tokio::test]
async fn a_new_key_is_published_for_an_hour_before_it_signs_and_the_old_one_leaves_with_its_last_token() {
    let (world, auth, first) = installation().await;
    let old = kid_of(&first.tokens.access);
    auth.capability::<SigningKeys>().unwrap().rotate(&bearer(&auth)).await.unwrap();
    let published = kids(&auth).await;
    assert_eq!((published.len(), published[1] == old), (2, true));
    world.clock.advance(HOUR - MINUTE);
    let last = signed_in(&auth).await.tokens.access;
    assert_eq!(kid_of(&last), old);
    world.clock.advance(MINUTE);
    assert_eq!(kid_of(&signed_in(&auth).await.tokens.access), published[0]);
    world.clock.advance(13 * MINUTE);
    assert!(shown(&auth, &last).await.is_some());
    world.clock.advance(4 * MINUTE);
    assert_eq!(kids(&auth).await, published[..1]);
}

#[tokio::test]
async fn another_algorithm_makes_a_key_of_its_own_at_the_next_turn() {
    let (world, auth, first) = installation().await;
    let changed = world.node(jwt().algorithm(authkit_session::Algorithm::Es256)).await;
    world.clock.advance(HOUR);
    changed.run_due_jobs().await;
    changed.run_due_jobs().await;
    assert_eq!(kids(&changed).await.len(), 2);
    world.clock.advance(HOUR);
    let next = signed_in(&changed).await.tokens.access;
    assert_eq!(jsonwebtoken::decode_header(next.expose()).unwrap().alg, jsonwebtoken::Algorithm::ES256);
    assert!(shown(&auth, &next).await.is_some());
    assert!(refresh(&changed, refresh_token(&first.tokens)).await.is_ok());
}

#[tokio::test]
async fn a_replaced_key_verifies_nothing_a_minute_later_and_nobody_is_signed_out() {
    let (world, auth, first) = installation().await;
    let other = world.node(jwt()).await;
    assert!(shown(&other, &first.tokens.access).await.is_some());
    auth.capability::<SigningKeys>().unwrap().replace(&bearer(&auth)).await.unwrap();
    assert!(shown(&auth, &first.tokens.access).await.is_none());
    world.clock.advance(MINUTE);
    assert!(shown(&other, &first.tokens.access).await.is_none());
    let next = bearer(&auth).refresh(refresh_token(&first.tokens)).await.unwrap();
    assert!(shown(&other, &next.tokens.access).await.is_some());
}

#[tokio::test]
async fn a_token_of_a_key_that_another_node_just_made_is_found() {
    let (world, auth, _) = installation().await;
    let other = world.node(jwt()).await;
    assert_eq!(kids(&other).await.len(), 1);
    auth.capability::<SigningKeys>().unwrap().replace(&bearer(&auth)).await.unwrap();
    let token = signed_in(&auth).await.tokens.access;
    world.clock.advance(Duration::from_secs(1));
    assert!(shown(&other, &token).await.is_some());
}

#[tokio::test]
async fn unknown_keys_buy_one_store_call_a_second_at_most() {
    let (world, auth, first) = installation().await;
    let token = first.tokens.access.expose();
    let (_, rest) = token.split_once('.').unwrap();
    let forged = |n: u8| {
        let kid = base64url(&[n; 32]);
        let header = base64url(format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#).as_bytes());
        SecretText::new(format!("{header}.{rest}"))
    };
    world.clock.advance(Duration::from_secs(5));
    let before = world.store.calls();
    for n in 0..100 {
        assert!(shown(&auth, &forged(n)).await.is_none());
    }
    assert_eq!(world.store.calls() - before, 1);
    world.clock.advance(Duration::from_secs(1));
    for n in 0..100 {
        assert!(shown(&auth, &forged(n)).await.is_none());
    }
    assert_eq!(world.store.calls() - before, 2);
}

#[tokio::test]
async fn a_signed_token_costs_no_store_call_but_one_in_half_a_minute() {
    let (world, auth, first) = installation().await;
    let before = world.store.calls();
    for second in 0..90 {
        assert!(shown(&auth, &first.tokens.access).await.is_some(), "{second}");
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(world.store.calls() - before, 2);
}

#[tokio::test]
async fn keys_that_cannot_be_read_again_go_on_for_a_minute() {
    let (world, auth, first) = installation().await;
    world.clock.advance(Duration::from_secs(59));
    world.store.inject(Counted::Calls, 1, Fault::Fails);
    assert!(shown(&auth, &first.tokens.access).await.is_some());
    world.clock.advance(Duration::from_secs(1));
    world.store.inject(Counted::Calls, 1, Fault::Fails);
    let error = bearer(&auth).authenticate(first.tokens.access.expose()).await.unwrap_err();
    assert_eq!(*error.code(), codes::UNAVAILABLE);
    assert!(shown(&auth, &first.tokens.access).await.is_some());
}

/// Shows a token so often at once; what each was told.
async fn shown_at_once(auth: &AuthManager, token: &SecretText, times: usize) -> Vec<Result<bool, AuthError>> {
    let ask = |_| {
        let (auth, token) = (auth.clone(), SecretText::new(token.expose().to_owned()));
        tokio::spawn(async move { bearer(&auth).authenticate(token.expose()).await.map(|shown| shown.is_some()) })
    };
    let tasks: Vec<_> = (0..times).map(ask).collect();
    let mut told = Vec::new();
    for task in tasks {
        told.push(task.await.unwrap());
    }
    told
}

#[tokio::test]
async fn all_who_wait_for_keys_take_what_one_store_call_reads() {
    let (world, auth, first) = installation().await;
    world.clock.advance(MINUTE);
    let before = world.store.calls();
    world.store.inject(Counted::Calls, 1, Fault::Delayed(10));
    let told = shown_at_once(&auth, &first.tokens.access, 50).await;
    assert!(told.into_iter().all(|shown| shown.unwrap()));
    assert_eq!(world.store.calls() - before, 1);
}

/// Each would wait as long as the store takes to fail, one after the other.
#[tokio::test]
async fn all_who_wait_for_keys_fail_with_the_one_store_call_that_fails() {
    let (world, auth, first) = installation().await;
    world.clock.advance(MINUTE);
    let before = world.store.calls();
    world.store.inject(Counted::Calls, 1, Fault::Delayed(10));
    world.store.inner().inject(Counted::Calls, 1, Fault::Fails);
    let told = shown_at_once(&auth, &first.tokens.access, 50).await;
    assert_eq!(told.len(), 50);
    for told in told {
        let error = told.unwrap_err();
        assert_eq!(*error.code(), codes::UNAVAILABLE);
        assert_eq!(error.wait(), Some(Duration::from_secs(1)));
    }
    assert_eq!(world.store.calls() - before, 1);
    assert!(shown(&auth, &first.tokens.access).await.is_some(), "the next one reads");
    assert_eq!(world.store.calls() - before, 2);
}

#[tokio::test]
async fn those_who_wait_go_on_where_the_one_who_reads_hangs_up() {
    let (world, auth, first) = installation().await;
    world.clock.advance(MINUTE);
    world.store.inject(Counted::Calls, 1, Fault::Delayed(usize::MAX));
    let reader = tokio::spawn({
        let (auth, token) = (auth.clone(), first.tokens.access.expose().to_owned());
        async move { bearer(&auth).authenticate(&token).await.is_ok() }
    });
    tokio::task::yield_now().await;
    let waiting = tokio::spawn({
        let (auth, token) = (auth.clone(), SecretText::new(first.tokens.access.expose().to_owned()));
        async move { shown_at_once(&auth, &token, 20).await }
    });
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    reader.abort();
    assert!(waiting.await.unwrap().into_iter().all(|shown| shown.unwrap()));
}

#[tokio::test]
async fn a_key_that_the_ring_cannot_open_any_more_is_followed_by_another() {
    let (world, auth, first) = installation().await;
    let other_ring = world.node_with(jwt(), &[2], serde_json::Value::Null).await;
    assert!(shown(&other_ring, &first.tokens.access).await.is_none());
    let token = signed_in(&other_ring).await.tokens.access;
    assert!(shown(&other_ring, &token).await.is_some());
    assert_ne!(kid_of(&token), kid_of(&first.tokens.access));
    // A row that was not sealed under this ring is no key, however it came into the table.
    world.clock.advance(MINUTE);
    assert!(shown(&auth, &token).await.is_none());
    assert!(shown(&auth, &first.tokens.access).await.is_some());
}

#[tokio::test]
async fn tenants_share_the_keys_and_nothing_else() {
    let world = World::new();
    let auth = world.node(jwt()).await;
    let tenant = |n| TenantId::from(authkit_core::Id::from_bytes([n; 16]));
    let cx = |n| auth.request_to(tenant(n), Client::default().bearer());
    let mut tokens = Vec::new();
    for n in [1, 2] {
        let principal = add_principal(&cx(n)).await;
        tokens.push(sign_in(&cx(n), principal.id).await.tokens.access);
    }
    assert_eq!(kids(&auth).await.len(), 1);
    assert!(cx(1).authenticate(tokens[0].expose()).await.unwrap().is_some());
    assert!(cx(2).authenticate(tokens[1].expose()).await.unwrap().is_some());
    assert!(cx(2).authenticate(tokens[0].expose()).await.unwrap().is_none());
    let fresh = world.node(jwt()).await;
    let other = fresh.request_to(tenant(2), Client::default().bearer());
    assert!(other.authenticate(tokens[1].expose()).await.unwrap().is_some());
}
