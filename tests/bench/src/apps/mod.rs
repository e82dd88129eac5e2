//! The applications that are measured.

pub(crate) mod authkit;
mod axum_login;
mod bare;
mod by_hand;
mod edge;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, header},
};
use serde_json::{Value as JsonValue, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::serve::Variant;

/// What is under an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Memory,
    Sqlite,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
        })
    }
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
    /// `Cookie` headers of people who have signed in.
    pub(crate) cookies: Vec<String>,
    /// Resident memory before anybody signed up.
    pub(crate) idle_kib: u64,
    /// Removed when dropped.
    #[expect(dead_code, reason = "it is held")]
    directory: Option<Arc<TempDir>>,
}

pub(crate) async fn build(variant: Variant) -> Result<Application> {
    match variant {
        Variant::Bare => bare::build(),
        Variant::ByHand(backend) => by_hand::build(backend).await,
        Variant::Authkit(backend) => authkit::build(backend).await,
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
    pub(crate) headers: HeaderMap,
}

/// Posts to an application in this process, from the `client`-th address of a large network.
pub(crate) async fn post(router: &Router, client: usize, path: &str, body: &JsonValue) -> Result<Answer> {
    let request = Request::post(path)
        .header(header::ORIGIN, "http://localhost:3000")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "bench")
        .body(Body::from(body.to_string()))?;
    send(router, client, request).await
}

/// Gets from an application in this process.
pub(crate) async fn get(router: &Router, path: &str, cookie: &str) -> Result<Answer> {
    send(router, 0, Request::get(path).header(header::COOKIE, cookie).body(Body::empty())?).await
}

async fn send(router: &Router, client: usize, mut request: Request<Body>) -> Result<Answer> {
    let [.., b, c, d] = client.to_be_bytes();
    let address = SocketAddr::from((IpAddr::from([10, b, c, d]), 4711));
    request.extensions_mut().insert(ConnectInfo(address));
    let response = router.clone().oneshot(request).await?;
    let (parts, body) = response.into_parts();
    axum::body::to_bytes(body, 1 << 20).await?;
    Ok(Answer { status: parts.status, headers: parts.headers })
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
}

/// Signs people up; returns the `Cookie` headers of the sessions they then get.
pub(crate) async fn populate(router: &Router, people: usize) -> Result<Vec<String>> {
    let mut cookies = Vec::with_capacity(people);
    for person in 0..people {
        let body = credentials(&identifier(person), PASSWORD);
        let made = post(router, person, "/v1/auth/signup", &body).await?;
        ensure!(made.status.is_success(), "a sign-up was answered {}", made.status);
        let signed_in = post(router, person, "/v1/auth/login", &body).await?;
        ensure!(signed_in.status.is_success(), "a sign-in was answered {}", signed_in.status);
        cookies.push(signed_in.cookie()?);
    }
    Ok(cookies)
}

/// The token of a session in a `Cookie` header of authkit, and the cookie's name.
pub(crate) fn session_cookie(header: &str) -> Result<(&str, &str)> {
    let mut pairs = header.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find(|(_, value)| value.starts_with("aks_")).context("no cookie of a session")
}
