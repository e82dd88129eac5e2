//! The published keys, as another service reads them: over HTTP, with another implementation.

use std::time::Duration;

use authkit_session::{Algorithm, Sessions, SigningKeys};
use end_to_end::{Backend, World, on_each_store};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::Value as JsonValue;

use crate::{
    client::{Tokens, next, opened, send, sign_in},
    setup::{ADA, ORIGIN, recorded, with, with_ada, world},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The key set that the application publishes now.
pub(crate) async fn published(world: &World) -> JwkSet {
    let answer = send(world, "GET", "/.well-known/jwks.json", &[], None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "public, max-age=900");
    let body = answer.json();
    for key in body["keys"].as_array().unwrap() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private} is private");
        }
    }
    serde_json::from_value(body).unwrap()
}

pub(crate) fn kid(access: &str) -> String {
    decode_header(access).unwrap().kid.unwrap()
}

/// The claims of a token, if a service that knows these keys takes it.
pub(crate) fn verified(keys: &JwkSet, access: &str) -> Option<JsonValue> {
    let header = decode_header(access).unwrap();
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap())?).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[ORIGIN]);
    validation.set_issuer(&[ORIGIN]);
    // The time of these tests is not that of this machine.
    validation.validate_exp = false;
    Some(decode(access, &key, &validation).unwrap().claims)
}

async fn rotate(world: &World) {
    world.auth.capability::<SigningKeys>().unwrap().rotate(&world.cx()).await.unwrap();
}

async fn with_algorithm(backend: Backend, algorithm: Algorithm) -> World {
    with_ada(with(backend, Sessions::jwt().algorithm(algorithm))).await
}

on_each_store! {
    async fn another_service_verifies_tokens_by_the_published_keys(backend) {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let world = with_algorithm(backend, algorithm).await;
            let tokens = sign_in(&world, ADA).await;
            let keys = published(&world).await;
            assert_eq!(keys.keys.len(), 1);
            let claims = verified(&keys, &tokens.access).expect("the key");
            let own = &world.rows("auth_sessions", "by_principal").await[0];
            assert_eq!((&claims["sid"], &claims["sub"]), (&own["id"], &own["principal_id"]));
            assert_eq!(recorded(&world, "signing_key_created").await, 1);
        }
    }

    async fn nobody_notices_that_keys_change(backend) {
        let world = world(backend).await;
        let mut tokens = sign_in(&world, ADA).await;
        let first = kid(&tokens.access);
        rotate(&world).await;
        let second = published(&world).await.keys[0].common.key_id.clone().unwrap();
        assert_ne!(first, second);

        // Published an hour before it signs, so that whoever caches the keys knows it by then.
        let cached = published(&world).await;
        assert_eq!(cached.keys.len(), 2);
        let mut before = None;
        for _ in 0..11 {
            tokens = next(&world, &tokens).await;
            assert_eq!(kid(&tokens.access), first);
            before = Some(tokens.clone());
            world.clock.advance(5 * MINUTE);
        }
        world.clock.advance(5 * MINUTE);
        let Tokens { access: old, .. } = before.unwrap();
        let new = next(&world, &tokens).await;
        assert_eq!(kid(&new.access), second);
        for access in [&old, &new.access] {
            assert_eq!(opened(&world, access).await, [200, 200]);
            assert!(verified(&cached, access).is_some());
            assert!(verified(&published(&world).await, access).is_some());
        }

        // When every token that it signed is past, the old key is gone.
        world.clock.advance(HOUR);
        let keys = published(&world).await;
        assert_eq!(keys.keys.len(), 1);
        assert!(verified(&keys, &old).is_none());
        assert_eq!(recorded(&world, "signing_key_created").await, 2);
    }

    async fn a_key_that_was_copied_is_replaced_and_nobody_is_signed_out(backend) {
        let world = world(backend).await;
        let before = sign_in(&world, ADA).await;
        world.auth.capability::<SigningKeys>().unwrap().replace(&world.cx()).await.unwrap();
        assert_eq!(opened(&world, &before.access).await, [401, 401]);
        assert!(verified(&published(&world).await, &before.access).is_none());
        let after = next(&world, &before).await;
        assert_eq!(opened(&world, &after.access).await, [200, 200]);
    }

    async fn keys_follow_each_other_by_themselves_after_ninety_days(backend) {
        let world = world(backend).await;
        let first = kid(&sign_in(&world, ADA).await.access);
        world.clock.advance(91 * 24 * HOUR);
        world.auth.run_due_jobs().await;
        assert_eq!(recorded(&world, "signing_key_created").await, 2);
        assert_eq!(kid(&sign_in(&world, ADA).await.access), first);
        world.clock.advance(HOUR);
        assert_ne!(kid(&sign_in(&world, ADA).await.access), first);
    }
}
