//! How long sessions live, by who keeps their tokens.

use std::time::Duration;

use authkit_core::{AuthManager, BuildError, KeyRing, RequestContext};
use authkit_session::Sessions;
use authkit_store_memory::MemoryStore;
use serde_json::{Value as JsonValue, json};

use crate::{
    acts::{browser, goes_on, installation, is_refused, jwt, refresh, refresh_token},
    world::{ISSUER, World, add_principal, bearer, sign_in},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn a_browser_gets_an_opaque_token_and_no_refresh_token() {
    let (_world, auth, first) = installation().await;
    let cx = browser(&auth);
    let signed_in = sign_in(&cx, first.session.principal.id).await;
    assert!(signed_in.tokens.access.expose().starts_with("aks_"));
    assert!(signed_in.tokens.refresh.is_none());
    let session = cx.authenticate(signed_in.tokens.access.expose()).await.unwrap().unwrap();
    assert!(!session.is_claimed());
}

#[tokio::test]
async fn a_client_that_refreshes_within_a_week_goes_on_for_thirty_days() {
    let (world, auth, first) = installation().await;
    let mut token = refresh_token(&first.tokens).to_owned();
    for _ in 0..4 {
        world.clock.advance(7 * DAY - Duration::from_secs(1));
        token = refresh(&auth, &token).await.unwrap();
    }
    world.clock.advance(2 * DAY);
    token = refresh(&auth, &token).await.unwrap();
    world.clock.advance(4 * Duration::from_secs(1));
    assert!(!goes_on(&auth, &token).await);
    assert!(is_refused(&auth, &token).await);
}

#[tokio::test]
async fn a_client_that_does_not_refresh_for_a_week_is_signed_out() {
    let (world, auth, first) = installation().await;
    world.clock.advance(7 * DAY);
    assert!(is_refused(&auth, refresh_token(&first.tokens)).await);
}

#[tokio::test]
async fn a_client_is_told_the_whole_life_of_its_access_token() {
    let (world, auth, first) = installation().await;
    for _ in 0..3 {
        world.clock.advance(Duration::from_millis(15_333));
        let next = bearer(&auth).refresh(refresh_token(&first.tokens)).await.unwrap();
        assert_eq!(next.tokens.expires_at.since(authkit_core::Clock::now(&world.clock)).as_secs(), 900);
    }
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    let world = World::new();
    let auth = world.node(jwt().absolute(DAY).refresh_idle(DAY)).await;
    let cx = bearer(&auth);
    let principal = add_principal(&cx).await;
    let first = sign_in(&cx, principal.id).await;
    world.clock.advance(DAY - Duration::from_secs(300));
    let last = bearer(&auth).refresh(refresh_token(&first.tokens)).await.unwrap();
    assert_eq!(last.tokens.expires_at, last.session.ends_at);
}

/// Idle span of a new session, in days.
async fn idle_days(cx: &RequestContext) -> u64 {
    let principal = add_principal(cx).await;
    let session = sign_in(cx, principal.id).await.session;
    session.expires_at.since(session.last_seen_at).as_secs() / DAY.as_secs()
}

#[tokio::test]
async fn whoever_asks_is_remembered_only_if_that_is_permitted() {
    let world = World::new();
    let auth = world.node(jwt()).await;
    assert_eq!(idle_days(&browser(&auth).remembering()).await, 1);
    assert_eq!(idle_days(&bearer(&auth).remembering()).await, 7);

    let world = World::new();
    let auth = world.node(jwt().remember(30 * DAY)).await;
    assert_eq!(idle_days(&browser(&auth)).await, 1);
    assert_eq!(idle_days(&browser(&auth).remembering()).await, 30);
    assert_eq!(idle_days(&bearer(&auth).remembering()).await, 30);

    let world = World::new();
    let auth = world.node(Sessions::opaque().remember(14 * DAY)).await;
    assert_eq!(idle_days(&browser(&auth).remembering()).await, 14);
    assert_eq!(idle_days(&bearer(&auth)).await, 1);
}

#[tokio::test]
async fn use_keeps_the_span_that_a_session_was_issued_with() {
    let world = World::new();
    let auth = world.node(jwt().remember(10 * DAY)).await;
    let cx = browser(&auth).remembering();
    let principal = add_principal(&cx).await;
    let token = sign_in(&cx, principal.id).await.tokens.access;
    for _ in 0..2 {
        world.clock.advance(9 * DAY);
        assert!(browser(&auth).authenticate(token.expose()).await.unwrap().is_some());
    }
    world.clock.advance(10 * DAY);
    assert!(browser(&auth).authenticate(token.expose()).await.unwrap().is_none());
}

fn build(plugin: impl authkit_core::Plugin, section: JsonValue) -> Result<AuthManager, BuildError> {
    AuthManager::builder()
        .public_url(ISSUER)
        .keys(KeyRing::new([std::array::from_fn(|at| at as u8)]).unwrap())
        .store(MemoryStore::new())
        .config(json!({ "session": section }))
        .plugin(plugin)
        .build()
}

/// What is said about the section `session` of a configuration tree.
fn problems(plugin: impl authkit_core::Plugin, section: JsonValue) -> Vec<String> {
    let error = build(plugin, section).unwrap_err();
    error.problems.into_iter().filter(|problem| problem.plugin == "session").map(|problem| problem.text).collect()
}

#[test]
fn settings_of_a_configuration_tree_are_laid_over_those_in_code() {
    let good = json!({
        "idle": 3600, "absolute": 2_592_000, "remember": 604_800, "access": 300, "refresh_idle": 86_400, "skew": 30,
        "rotation": false, "reuse_ends": "account",
        "algorithm": "ES256", "issuer": "https://id.example", "audience": "api", "client_id": "app",
        "rotate_keys_every": 0,
    });
    assert_eq!(problems(jwt(), good), Vec::<String>::new());
}

#[test]
fn settings_that_are_unknown_or_unreadable_are_told_by_name() {
    let said = |section| problems(jwt(), section).join("\n");
    assert!(said(json!({ "acces": 300 })).contains("unknown key session.acces"));
    assert!(said(json!({ "access": "300" })).contains("session.access"));
    assert!(said(json!({ "algorithm": "HS256" })).contains("session.algorithm"));
    assert!(said(json!({ "algorithm": "none" })).contains("session.algorithm"));
    assert!(said(json!({ "reuse_ends": "nothing" })).contains("session.reuse_ends"));
    assert!(said(json!({ "rotation": "off" })).contains("session.rotation"));
    assert!(said(json!({ "access": 1 })).contains("access has to be 60 seconds"));
    assert!(said(json!({ "skew": 600 })).contains("skew has to be at most 5 minutes"));
    assert!(said(json!({ "remember": 60 })).contains("remember has to be"));
    assert!(problems(Sessions::opaque(), json!({ "access": 300 })).join("\n").contains("unknown key session.access"));
}
