//! Tokens that were made up: no store call, no change, and the same answer as to any other that shows nothing.

use authkit_core::{base64url, from_base64url};
use end_to_end::{Answer, on_each_store};

use crate::{
    client::{after_steps, get, log_out, next, refresh, sign_in},
    setup::{ADA, sessions, world},
};

/// The token with one bit of one byte changed.
fn flipped(token: &str, at: usize) -> String {
    let mut bytes = from_base64url(&token["akr_".len()..]).unwrap();
    bytes[at] ^= 1;
    format!("akr_{}", base64url(&bytes))
}

/// What of an answer an onlooker can compare: all but the request id.
fn shape(answer: &Answer) -> (u16, Vec<(String, usize)>, usize, serde_json::Value) {
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.len()));
    let mut body = answer.json();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    (answer.status, headers.collect(), answer.body.len(), body)
}

on_each_store! {
    async fn a_forged_token_costs_no_store_call_and_ends_nobodys_session(backend) {
        let world = world(backend).await;
        let tokens = sign_in(&world, ADA).await;
        let cookie = world.signed_in(ADA).await.cookies["authkit_session"].clone();
        let before = (sessions(&world).await, world.audit().await, world.store.calls());
        let mut forged: Vec<String> = (0..68).map(|at| flipped(&tokens.refresh, at)).collect();
        forged.extend(["", "akr_", "x", &tokens.access, &tokens.refresh["akr_".len()..], &cookie].map(str::to_owned));
        forged.push(format!("{}A", tokens.refresh));
        forged.push(tokens.refresh.replace("akr_", "AKR_"));
        forged.push(format!("akr_{}", "A".repeat(9_000)));
        for token in &forged {
            let answer = refresh(&world, token).await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "core.unauthenticated"), "{token}");
            let answer = log_out(&world, token).await;
            assert_eq!(answer.status, 204, "{token}");
        }
        let after = (sessions(&world).await, world.audit().await, world.store.calls());
        assert_eq!(before, after);
        next(&world, &tokens).await;
    }

    async fn a_forged_access_token_costs_no_store_call(backend) {
        let world = world(backend).await;
        let tokens = sign_in(&world, ADA).await;
        let calls = world.store.calls();
        let [header, claims, signature]: [&str; 3] =
            tokens.access.split('.').collect::<Vec<_>>().try_into().unwrap();
        let none = base64url(br#"{"alg":"none","typ":"at+jwt"}"#);
        for forged in [
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{header}.{claims}.{}", base64url(&[0; 64])),
            format!("{header}.{}.{signature}", base64url(b"{}")),
            format!("{header}.{claims}"),
            tokens.refresh.clone(),
        ] {
            for path in ["/app", "/app/confirmed", "/app/fresh", "/v1/auth/me", "/v1/sessions"] {
                let status = get(&world, path, &forged).await.status;
                assert!([400, 401].contains(&status), "{path} {forged}: {status}");
            }
        }
        assert_eq!(world.store.calls(), calls);
    }

    async fn refused_tokens_look_alike_whatever_they_are(backend) {
        let world = world(backend).await;
        let (ended, reused) = (sign_in(&world, ADA).await, sign_in(&world, ADA).await);
        log_out(&world, &ended.refresh).await;
        let last = after_steps(&world, &reused, 3).await;
        let forged = shape(&refresh(&world, &flipped(&ended.refresh, 60)).await);
        for (what, token) in [
            ("of an ended session", ended.refresh.as_str()),
            ("used again", &reused.refresh),
            ("of a session that ended by that", &last.refresh),
            ("an access token", &last.access),
            ("nonsense", "akr_x"),
        ] {
            assert_eq!(shape(&refresh(&world, token).await), forged, "{what}");
        }
    }
}
