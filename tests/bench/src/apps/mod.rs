//! The applications that are measured.

pub(crate) mod authkit;
mod axum_login;
mod bare;
pub(crate) mod by_hand;
mod edge;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
};
use serde_json::{Value as JsonValue, json};
use tower::ServiceExt as _;

use crate::{backend::Scratch, serve::Variant};

/// How a hand-written application keeps its connections to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// In the driver's pool.
    Driver,
    /// By itself, without a question to the server when one is taken or given back.
    Own,
}

/// How a hand-written application keeps hashing off its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hashing {
    /// A blocking task for each.
    Unbounded,
    /// The same, two at a time.
    Semaphore,
}

/// A running application with people in it.
pub(crate) struct Application {
    pub(crate) router: Router,
    /// Headers by which people who have signed in are known.
    pub(crate) credentials: Vec<String>,
    /// Resident memory before anybody signed up.
    pub(crate) idle_kib: u64,
    /// Removed when dropped.
    #[expect(dead_code, reason = "it is held")]
    scratch: Option<Arc<Scratch>>,
}

impl Application {
    /// Of people who are known by cookies.
    fn new(router: Router, cookies: Vec<String>, idle_kib: u64, scratch: Option<Arc<Scratch>>) -> Self {
        let credentials = cookies.into_iter().map(|cookie| format!("cookie: {cookie}")).collect();
        Self { router, credentials, idle_kib, scratch }
    }
}

pub(crate) async fn build(variant: Variant) -> Result<Application> {
    match variant {
        Variant::Bare => bare::build(),
        Variant::ByHand(backend, pooling) => by_hand::build(backend, pooling).await,
        Variant::Authkit(backend) => authkit::build(backend).await,
        Variant::AuthkitJwt => authkit::build_with_jwt().await,
        Variant::AxumLogin(backend) => axum_login::build(backend).await,
        Variant::Storm(backend) => authkit::build_for_storm(backend).await,
        Variant::StormByHand(hashing) => by_hand::build_for_storm(hashing).await,
    }
}

/// How many people have an account and a session.
pub(crate) const PEOPLE: usize = 200;
/// How many of them sign in without pause in a storm.
pub(crate) const STORMING: usize = 32;
pub(crate) const PASSWORD: &str = "tangerine ferry 48 lamps";

pub(crate) fn identifier(person: usize) -> String {
    format!("person{person:05}@example.com")
}

pub(crate) fn credentials(identifier: &str, password: &str) -> JsonValue {
    json!({ "identifier": identifier, "password": password })
}

/// An answer that came without a network.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Posts to an application in this process, from the `client`-th address of a large network.
pub(crate) async fn post(router: &Router, client: usize, path: &str, body: &JsonValue) -> Result<Answer> {
    send(router, client, posting(path, body)?).await
}

/// The same from a client that keeps its tokens itself.
pub(crate) async fn post_for_tokens(router: &Router, client: usize, path: &str, body: &JsonValue) -> Result<Answer> {
    let mut request = posting(path, body)?;
    request.headers_mut().insert("authkit-delivery", HeaderValue::from_static("token"));
    send(router, client, request).await
}

fn posting(path: &str, body: &JsonValue) -> Result<Request<Body>> {
    let request = Request::post(path)
        .header(header::ORIGIN, "http://localhost:3000")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "bench");
    Ok(request.body(Body::from(body.to_string()))?)
}

/// Gets from an application in this process, with a header by which somebody is known.
pub(crate) async fn get(router: &Router, path: &str, credential: &str) -> Result<Answer> {
    let (name, value) = credential.split_once(": ").context("a header")?;
    send(router, 0, Request::get(path).header(name, value).body(Body::empty())?).await
}

async fn send(router: &Router, client: usize, mut request: Request<Body>) -> Result<Answer> {
    let [.., b, c, d] = client.to_be_bytes();
    let address = SocketAddr::from((IpAddr::from([10, b, c, d]), 4711));
    request.extensions_mut().insert(ConnectInfo(address));
    let response = router.clone().oneshot(request).await?;
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await?;
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

impl Answer {
    /// The `Cookie` header with which a browser goes on.
    pub(crate) fn cookie(&self) -> Result<String> {
        let set = self.headers.get_all(header::SET_COOKIE).iter();
        let pairs = set.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        let cookie = pairs.collect::<Vec<_>>().join("; ");
        ensure!(!cookie.is_empty(), "no cookie was set");
        Ok(cookie)
    }

    /// A text in the object that is the body.
    pub(crate) fn text(&self, field: &str) -> Result<String> {
        let body: JsonValue = serde_json::from_slice(&self.body)?;
        Ok(body.get(field).and_then(JsonValue::as_str).with_context(|| format!("no {field}"))?.to_owned())
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Signs people up; returns the `Cookie` headers of the sessions they then get.
pub(crate) async fn populate(router: &Router, people: usize) -> Result<Vec<String>> {
    let mut cookies = Vec::with_capacity(people);
    for person in 0..people {
        let body = sign_up(router, person).await?;
        let signed_in = post(router, person, LOGIN, &body).await?;
        ensure!(signed_in.status.is_success(), "a sign-in was answered {}", signed_in.status);
        cookies.push(signed_in.cookie()?);
    }
    Ok(cookies)
}

/// What a client keeps that has no cookies.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Signs people up; returns the tokens of the sessions they then get.
pub(crate) async fn populate_with_tokens(router: &Router, people: usize) -> Result<Vec<Tokens>> {
    let mut tokens = Vec::with_capacity(people);
    for person in 0..people {
        let body = sign_up(router, person).await?;
        let signed_in = post_for_tokens(router, person, LOGIN, &body).await?;
        ensure!(signed_in.status.is_success(), "a sign-in was answered {}", signed_in.status);
        tokens.push(Tokens { access: signed_in.text("access_token")?, refresh: signed_in.text("refresh_token")? });
    }
    Ok(tokens)
}

async fn sign_up(router: &Router, person: usize) -> Result<JsonValue> {
    let body = credentials(&identifier(person), PASSWORD);
    let made = post(router, person, "/v1/auth/signup", &body).await?;
    ensure!(made.status.is_success(), "a sign-up was answered {}", made.status);
    Ok(body)
}

/// Exchanges a refresh token for the next one.
pub(crate) async fn refresh(router: &Router, client: usize, token: &str) -> Result<String> {
    let refreshed = post_for_tokens(router, client, "/v1/auth/refresh", &json!({ "refresh_token": token })).await?;
    ensure!(refreshed.status.is_success(), "a refresh was answered {}", refreshed.status);
    refreshed.text("refresh_token")
}

pub(crate) const LOGIN: &str = "/v1/auth/login";

/// The token of a session in a `Cookie` header of authkit, and the cookie's name.
pub(crate) fn session_cookie(header: &str) -> Result<(&str, &str)> {
    let mut pairs = header.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find(|(_, value)| value.starts_with("aks_")).context("no cookie of a session")
}
