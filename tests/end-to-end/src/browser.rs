//! A client as a browser is one: it keeps cookies and says where requests come from.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, header},
};
use serde_json::{Value as JsonValue, json};
use tower::ServiceExt as _;

use crate::{World, world::credentials};

/// A browser with an address and cookies of its own.
pub struct Browser<'w> {
    world: &'w World,
    ip: IpAddr,
    /// Cookies by name; also to be planted or stolen.
    pub cookies: BTreeMap<String, String>,
}

/// An answer, read whole.
#[non_exhaustive]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> JsonValue {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The public error code.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl<'w> Browser<'w> {
    pub(crate) fn new(world: &'w World, ip: IpAddr) -> Self {
        Self { world, ip, cookies: BTreeMap::new() }
    }

    /// Comes from another address.
    #[must_use]
    pub fn at(mut self, ip: impl Into<IpAddr>) -> Self {
        self.ip = ip.into();
        self
    }

    /// Another tab of the same browser.
    #[must_use]
    pub fn tab(&self) -> Self {
        Self { world: self.world, ip: self.ip, cookies: self.cookies.clone() }
    }

    /// Signs in.
    pub async fn login(&mut self, identifier: &str, password: &str) -> Answer {
        self.post("/v1/auth/login", credentials(identifier, password)).await
    }

    /// Whether there is a living session.
    pub async fn is_signed_in(&mut self) -> bool {
        self.get("/v1/auth/me").await.status == 200
    }

    /// `GET`.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// `DELETE`.
    pub async fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&mut self, path: &str, body: JsonValue) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<JsonValue>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::USER_AGENT, "test browser");
        request = request.header(header::ORIGIN, "http://localhost:3000").header("sec-fetch-site", "same-origin");
        if !self.cookies.is_empty() {
            let all: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, all.join("; "));
        }
        let body = match body {
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        let answer = self.raw(request.body(body).expect("a request")).await;
        self.keep_cookies(&answer);
        answer
    }

    /// Sends a request as it is, with this browser's address; keeps nothing.
    ///
    /// # Panics
    ///
    /// If the body cannot be read.
    pub async fn raw(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((self.ip, 4711))));
        let response = self.world.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body").to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().expect("a cookie of plain text");
            let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
            let (name, value) = pair.split_once('=').expect("a name and a value");
            if attributes.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl fmt::Debug for Browser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Browser({}, {} cookies)", self.ip, self.cookies.len())
    }
}

/// The body of a change of password.
#[must_use]
pub fn change(current: &str, new: &str) -> JsonValue {
    json!({ "current_password": current, "new_password": new })
}
