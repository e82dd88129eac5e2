//! What other services are told about a token.

use std::time::Duration;

use authkit_core::AuthManager;
use authkit_session::{Introspection, Sessions};
use serde_json::{Value as JsonValue, json};

use crate::{
    acts::{browser, end_all, installation, refresh, refresh_token},
    world::{World, add_principal, bearer, sign_in},
};

async fn introspect(auth: &AuthManager, token: &str) -> JsonValue {
    let introspection = auth.capability::<Introspection>().unwrap();
    serde_json::to_value(introspection.introspect(&bearer(auth), token).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_signed_token_is_active_until_its_session_ends() {
    let (_world, auth, first) = installation().await;
    let said = introspect(&auth, first.tokens.access.expose()).await;
    assert_eq!(said["active"], true);
    assert_eq!(said["token_use"], "access");
    assert_eq!(said["sub"], json!(first.session.principal.id));
    assert_eq!(said["sid"], json!(first.session.id));
    assert_eq!(said["exp"], json!(first.tokens.expires_at.millis() / 1000));
    end_all(&bearer(&auth), first.session.principal.id).await;
    assert_eq!(introspect(&auth, first.tokens.access.expose()).await, json!({ "active": false }));
}

#[tokio::test]
async fn a_refresh_token_says_that_it_is_one() {
    let (_world, auth, first) = installation().await;
    let said = introspect(&auth, refresh_token(&first.tokens)).await;
    assert_eq!((&said["active"], &said["token_use"]), (&json!(true), &json!("refresh")));
}

#[tokio::test]
async fn asking_about_a_token_that_was_used_again_ends_nothing() {
    let (world, auth, first) = installation().await;
    let mut newest = refresh_token(&first.tokens).to_owned();
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(10));
        newest = refresh(&auth, &newest).await.unwrap();
    }
    assert_eq!(introspect(&auth, refresh_token(&first.tokens)).await, json!({ "active": false }));
    assert_eq!(introspect(&auth, &newest).await["active"], true);
}

#[tokio::test]
async fn an_opaque_token_is_told_with_either_plugin() {
    let world = World::new();
    let auth = world.node(Sessions::opaque()).await;
    let cx = browser(&auth);
    let principal = add_principal(&cx).await;
    let token = sign_in(&cx, principal.id).await.tokens.access;
    assert_eq!(introspect(&auth, token.expose()).await["token_use"], "access");
    for nothing in ["", "x", "aks_", "akr_", "a.b.c"] {
        assert_eq!(introspect(&auth, nothing).await, json!({ "active": false }));
    }
}
