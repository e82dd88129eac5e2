//! Tokens that are just good enough.

use std::time::Duration;

use authkit_core::{Aal, Clock as _};
use serde_json::{Value as JsonValue, json};

use super::{Bench, bearer};
use crate::jwt::Algorithm;

/// Whether the claims, changed like this, show the session.
async fn is_taken(bench: &Bench, changes: JsonValue) -> bool {
    let token = bench.signed(&bench.with(changes));
    bench.cx().authenticate(&token).await.unwrap().is_some()
}

#[tokio::test]
async fn skew_is_granted_to_the_second_and_no_further() {
    let bench = Bench::new(Algorithm::EdDsa).await;
    let now = bench.world.clock.now().millis() / 1000;
    assert!(is_taken(&bench, json!({ "iat": now - 900, "exp": now - 59 })).await);
    assert!(!is_taken(&bench, json!({ "iat": now - 900, "exp": now - 60 })).await);
    assert!(is_taken(&bench, json!({ "iat": now + 60 })).await);
    assert!(!is_taken(&bench, json!({ "iat": now + 61 })).await);
    assert!(is_taken(&bench, json!({ "nbf": now + 60 })).await);
    assert!(!is_taken(&bench, json!({ "nbf": now + 61 })).await);
    assert!(is_taken(&bench, json!({ "exp": now + 86_400 })).await);
    assert!(!is_taken(&bench, json!({ "exp": now + 86_401 })).await);
}

#[tokio::test]
async fn several_audiences_and_claims_of_others_are_no_harm() {
    let bench = Bench::new(Algorithm::EdDsa).await;
    let own = bench.claims()["aud"].clone();
    assert!(is_taken(&bench, json!({ "aud": ["https://other.example", own] })).await);
    assert!(is_taken(&bench, json!({ "roles": ["a", "b"], "x": { "y": [1, -2, 0.5, true] } })).await);
}

#[tokio::test]
async fn a_claimed_session_says_what_the_token_says() {
    let bench = Bench::new(Algorithm::EdDsa).await;
    let session = bench.cx().authenticate(&bench.token).await.unwrap().unwrap();
    let claims = bench.claims();
    assert_eq!(session.id, bench.session);
    assert_eq!(session.principal.id.to_string(), claims["sub"]);
    assert_eq!((session.aal, session.generation), (Aal::Aal2, 0));
    assert_eq!(session.expires_at.since(session.last_seen_at), Duration::from_secs(900));
    assert!(session.evidence.get().unwrap().is_empty());
    assert!(session.is_claimed());
}

#[tokio::test]
async fn a_token_works_for_its_time_and_the_skew() {
    let bench = Bench::new(Algorithm::EdDsa).await;
    bench.world.clock.advance(Duration::from_secs(959));
    assert!(bearer(&bench.auth).authenticate(&bench.token).await.unwrap().is_some());
    bench.world.clock.advance(Duration::from_secs(1));
    assert!(bearer(&bench.auth).authenticate(&bench.token).await.unwrap().is_none());
}
