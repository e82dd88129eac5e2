//! A program that keeps its tokens itself.

use std::time::Duration;

use axum::{body::Body, http::Request};
use end_to_end::{Answer, PASSWORD, World};
use serde_json::{Value as JsonValue, json};

/// The tokens of one session, as a client was given them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    /// Those of a response.
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
        let body = answer.json();
        assert_eq!(body["token_type"], "Bearer");
        let text = |name: &str| body[name].as_str().expect("a token").to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

/// Sends a request that says how tokens are to be delivered, and where it comes from only if it is told to.
pub(crate) async fn send(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<JsonValue>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    world.browser().raw(request.body(body).expect("a request")).await
}

const TOKEN: (&str, &str) = ("authkit-delivery", "token");

/// Signs in with [`PASSWORD`].
pub(crate) async fn sign_in(world: &World, identifier: &str) -> Tokens {
    Tokens::of(&sign_in_with(world, json!({ "identifier": identifier, "password": PASSWORD })).await)
}

pub(crate) async fn sign_in_with(world: &World, body: JsonValue) -> Answer {
    send(world, "POST", "/v1/auth/login", &[TOKEN], Some(body)).await
}

pub(crate) async fn refresh(world: &World, token: &str) -> Answer {
    send(world, "POST", "/v1/auth/refresh", &[TOKEN], Some(json!({ "refresh_token": token }))).await
}

/// The next tokens.
pub(crate) async fn next(world: &World, tokens: &Tokens) -> Tokens {
    Tokens::of(&refresh(world, &tokens.refresh).await)
}

/// For how long after a refresh its token is given out again.
const REST: Duration = Duration::from_secs(10);

/// The tokens of so many further steps, each as soon as a token is followed by another.
pub(crate) async fn after_steps(world: &World, tokens: &Tokens, count: usize) -> Tokens {
    let mut last = tokens.clone();
    for _ in 0..count {
        world.clock.advance(REST);
        let following = next(world, &last).await;
        assert_ne!(following.refresh, last.refresh);
        last = following;
    }
    last
}

/// Ends a session by its refresh token.
pub(crate) async fn log_out(world: &World, refresh: &str) -> Answer {
    send(world, "POST", "/v1/auth/logout", &[TOKEN], Some(json!({ "refresh_token": refresh }))).await
}

pub(crate) async fn get(world: &World, path: &str, access: &str) -> Answer {
    send(world, "GET", path, &[("authorization", &bearer(access))], None).await
}

pub(crate) async fn post(world: &World, path: &str, access: &str, body: JsonValue) -> Answer {
    send(world, "POST", path, &[("authorization", &bearer(access))], Some(body)).await
}

pub(crate) async fn delete(world: &World, path: &str, access: &str) -> Answer {
    send(world, "DELETE", path, &[("authorization", &bearer(access))], None).await
}

fn bearer(access: &str) -> String {
    format!("Bearer {access}")
}

/// What the application's plain route says, and an operation of authkit.
pub(crate) async fn opened(world: &World, access: &str) -> [u16; 2] {
    [get(world, "/app", access).await.status, get(world, "/v1/auth/me", access).await.status]
}

/// The tokens are of a living session, and can be refreshed.
#[track_caller]
pub(crate) fn assert_alive(opened: [u16; 2]) {
    assert_eq!(opened, [200, 200]);
}

/// The header and the claims of an access token, unread by whoever checks signatures.
pub(crate) fn parts(access: &str) -> [JsonValue; 2] {
    let mut parts = access.split('.').map(|part| authkit_core::from_base64url(part).expect("base64url"));
    [(); 2].map(|()| serde_json::from_slice(&parts.next().expect("a part")).expect("JSON"))
}
