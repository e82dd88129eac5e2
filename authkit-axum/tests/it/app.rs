//! The application: every token is a text that stands here, and operations answer what they were given.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use authkit_axum::{Context, Edge, OptionalSession, Session};
use authkit_core::{
    Access, AuthError, AuthManager, Batch, Call, Cursor, Ending, ErrorCode, Grant, HttpMethod, Identifier, Issue, Json,
    KeyRing, Manifest, Mark, NewSession, Operation, Page, Plugin, Principal, PrincipalKind, Problem, Receipt,
    Registrar, Reply, RequestContext, SecretText, SessionStore, SessionSummary, SessionTimes, TokenClaim,
    TokenStrategy, Tokens, UserStore, codes,
};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{TestClock, TestSignIn};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    routing::{any, get},
};
use http::{HeaderMap, Request, header};
use serde_json::Value as JsonValue;
use tower::ServiceExt as _;

pub(crate) const ORIGIN: &str = "https://example.com";
pub(crate) const SESSION: &str = "__Host-authkit_session";

pub(crate) struct App {
    pub(crate) router: Router,
    /// How often a session was looked for.
    pub(crate) lookups: Arc<AtomicUsize>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(|edge| edge)
    }

    pub(crate) fn with(change: impl FnOnce(Edge) -> Edge) -> Self {
        let (auth, lookups) = build();
        let edge = change(Edge::new(&auth));
        let own = Router::new()
            .route("/me", get(|session: Session| async move { axum::Json(session.principal) }))
            .route(
                "/twice",
                get(|_: Session, session: Session, _: OptionalSession| async move { session.id.to_string() }),
            )
            .route("/maybe", any(|session: OptionalSession| async move { session.is_some().to_string() }))
            .route("/ip", get(|cx: Context| async move { format!("{:?}", cx.client().ip) }))
            .fallback(|| async { "the application's own" });
        Self { router: own.merge(edge.router()).layer(edge.layer()), lookups }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(self.router.clone(), request).await
    }

    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::Relaxed)
    }
}

pub(crate) async fn send(router: Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.oneshot(request).await.expect("a router never fails").into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body").to_vec();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

impl Answer {
    pub(crate) fn json(&self) -> JsonValue {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{self:?}");
        assert_eq!(self.headers[header::CACHE_CONTROL], "no-store");
        let body = self.json();
        assert_eq!(body["status"], self.status);
        (self.status, body["code"].as_str().expect("a code").to_owned())
    }

    pub(crate) fn cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().expect("text")).collect()
    }
}

/// A request of the page itself, with JSON if it has a body.
pub(crate) fn request(method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = bare(method, path, body, headers);
    request.headers_mut().insert(header::ORIGIN, ORIGIN.parse().expect("a value"));
    request
}

/// A request that does not say where it comes from.
pub(crate) fn bare(method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}

pub(crate) fn from(mut request: Request<Body>, ip: impl Into<IpAddr>) -> Request<Body> {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((ip.into(), 4711))));
    request
}

pub(crate) fn build() -> (AuthManager, Arc<AtomicUsize>) {
    let lookups = Arc::new(AtomicUsize::new(0));
    let secret = std::array::from_fn(|at| (at as u8).wrapping_mul(29).wrapping_add(7));
    let auth = AuthManager::builder()
        .public_url(ORIGIN)
        .keys(KeyRing::new([secret]).expect("a good key"))
        .store(MemoryStore::new())
        .clock(TestClock::default())
        .plugin(TestSignIn::default())
        .plugin(Tiny(lookups.clone()))
        .build();
    (auth.expect("a complete setup"), lookups)
}

struct Tiny(Arc<AtomicUsize>);

static FAILED: ErrorCode = ErrorCode::new("tiny.failed", authkit_core::Class::Internal, "It failed.");

impl Plugin for Tiny {
    fn manifest(&self) -> Manifest {
        Manifest::new("tiny", "0.0.0").error(&FAILED)
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.user_store(Arc::new(Nobody));
        registrar.session_store(Arc::new(Nobody));
        registrar.token_strategy(Arc::new(Fixed(self.0.clone())));
        for operation in operations() {
            registrar.operation(operation);
        }
        Ok(())
    }
}

fn operations() -> [Operation; 8] {
    use HttpMethod::{Delete, Get, Post, Put};
    let fresh = Access::FreshSession(Duration::from_secs(60));
    [
        Operation::new(Post, "/tiny/echo", Access::Public, "Answers its input.", async |_, input: JsonValue| {
            Ok(Reply::ok(input))
        }),
        Operation::new(Put, "/tiny/echo", fresh, "Answers its input.", async |_, input: JsonValue| {
            Ok(Reply::ok(input))
        }),
        Operation::new(Get, "/tiny/echo", Access::Public, "Answers its query.", async |_, input: JsonValue| {
            Ok(Reply::ok(input))
        }),
        Operation::new(Get, "/tiny/parts/{id}", Access::Session, "Answers its part.", part),
        Operation::new(Post, "/tiny/start", Access::Public, "Starts a session.", async |call: Call, _: Input| {
            let tokens = Tokens::new(SecretText::new("aks_new".into()), call.cx.now().plus(Duration::from_secs(60)));
            let mark = Mark::new(SecretText::new("akd_new".into()), Duration::from_secs(3600));
            Ok(Reply::ok(BTreeMap::from([("state", "signed_in")])).start(tokens).mark(Some(mark)))
        }),
        Operation::new(Delete, "/tiny/end", Access::Session, "Ends the session.", async |_, _: Input| {
            Ok(Reply::<()>::no_content().end())
        }),
        Operation::new(Post, "/tiny/fail", Access::Public, "Fails.", async |_, _: Input| {
            let error = AuthError::new(&FAILED).caused_by(std::io::Error::other("SECRET"));
            Err::<Reply<()>, _>(error.retry_after(Duration::from_millis(1500)))
        }),
        Operation::new(Post, "/tiny/panic", Access::Public, "Panics.", async |_, input: BTreeMap<String, String>| {
            if !input.is_empty() {
                panic!("SECRET {input:?}");
            }
            Ok(Reply::<()>::no_content())
        }),
    ]
}

type Input = BTreeMap<String, String>;

async fn part(call: Call, _: Input) -> Result<Reply<String>, AuthError> {
    Ok(Reply::ok(call.part("id")?))
}

struct Fixed(Arc<AtomicUsize>);

#[async_trait]
impl TokenStrategy for Fixed {
    fn mint(&self, _: &NewSession, _: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        Err(unused())
    }

    async fn authenticate(
        &self,
        cx: &RequestContext,
        token: &str,
    ) -> Result<Option<authkit_core::StoredSession>, AuthError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let age = match token {
            "alive" => 0,
            "stale" => 61,
            _ => return Ok(None),
        };
        let principal = Principal::new(cx, PrincipalKind::Human);
        let created_at = cx.now().minus(Duration::from_secs(age));
        let expires_at = created_at.plus(Duration::from_secs(3600));
        let times = SessionTimes { created_at, last_seen_at: created_at, expires_at };
        let (id, evidence) = (cx.new_id(), Json::new(&Vec::new())?);
        Ok(Some(authkit_core::StoredSession::new(
            id,
            principal,
            authkit_core::Aal::Aal1,
            String::new(),
            evidence,
            0,
            times,
        )))
    }
}

/// Nothing is issued here, so most of the contracts is never called.
fn unused() -> AuthError {
    AuthError::new(&codes::INTERNAL).because("this setup issues nothing")
}

struct Nobody;

#[async_trait]
impl SessionStore for Nobody {
    fn insert(&self, _: &RequestContext, _: &Grant, _: &mut Batch) -> Result<NewSession, AuthError> {
        Err(unused())
    }

    async fn find(
        &self,
        _: &RequestContext,
        _: authkit_core::SessionId,
        _: &TokenClaim,
    ) -> Result<Option<authkit_core::StoredSession>, AuthError> {
        Err(unused())
    }

    async fn list(
        &self,
        _: &RequestContext,
        _: authkit_core::PrincipalId,
        _: Option<Cursor>,
    ) -> Result<Page<SessionSummary>, AuthError> {
        Err(unused())
    }

    fn end(&self, _: &RequestContext, _: authkit_core::PrincipalId, _: Ending, _: &mut Batch) {}

    async fn rotate(
        &self,
        _: &RequestContext,
        _: authkit_core::SessionId,
        _: i64,
        _: authkit_core::Rotation<'_>,
        _: &mut Batch,
    ) -> Result<NewSession, AuthError> {
        Err(unused())
    }

    async fn touch(&self, _: &RequestContext, _: &authkit_core::Session) -> Result<(), AuthError> {
        Ok(())
    }
}

#[async_trait]
impl UserStore for Nobody {
    async fn find(&self, _: &RequestContext, _: &Identifier) -> Result<Option<Principal>, AuthError> {
        Ok(None)
    }

    fn insert(&self, _: &RequestContext, _: &Principal, _: &[Identifier], _: &mut Batch) -> Result<(), AuthError> {
        Ok(())
    }
}
