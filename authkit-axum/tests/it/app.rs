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
use authkit_axum::{ConfirmedSession, Context, Edge, FreshSession, OptionalSession, Session, require_session};
use authkit_core::{
    Aal, Access, AuthError, AuthManager, Batch, Call, Cursor, Ending, ErrorCode, FRESH, Grant, HttpMethod, Id,
    Identifier, Issue, Json, Kept, KeyRing, Manifest, Mark, NewSession, Operation, Page, Plugin, Principal,
    PrincipalId, PrincipalKind, Problem, PublicUrl, Receipt, RefreshState, Registrar, Renewal, Reply, RequestContext,
    Rotation, SecretText, SessionId, SessionStore, SessionSummary, SessionTimes, Shown, Store, StoredSession,
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
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as JsonValue;
use tower::ServiceExt as _;

pub(crate) const ORIGIN: &str = "https://example.com";
pub(crate) const SESSION: &str = "__Host-authkit_session";
pub(crate) const REFRESH: &str = "__Host-authkit_refresh";

pub(crate) struct App {
    pub(crate) router: Router,
    asked: Arc<Asked>,
}

/// How often a token was looked at, and a session looked for that a signed one claims.
#[derive(Default)]
pub(crate) struct Asked {
    lookups: AtomicUsize,
    confirmations: AtomicUsize,
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
        let (auth, asked) = build();
        let edge = change(Edge::new(&auth));
        let own = Router::new()
            .route("/me", get(|session: Session| async move { axum::Json(session.principal) }))
            .route(
                "/twice",
                get(|_: Session, session: Session, _: OptionalSession| async move { session.id.to_string() }),
            )
            .route("/confirmed", get(|session: ConfirmedSession| async move { session.principal.id.to_string() }))
            .route("/fresh", get(|session: FreshSession<300>| async move { session.principal.id.to_string() }))
            .merge(Router::new().route("/guarded", get(|| async { "inside" })).route_layer(require_session()))
            .route("/maybe", any(|session: OptionalSession| async move { session.is_some().to_string() }))
            .route("/ip", get(|cx: Context| async move { format!("{:?}", cx.client().ip) }))
            .fallback(|| async { "the application's own" });
        Self { router: own.merge(edge.router()).layer(edge.layer()), asked }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(self.router.clone(), request).await
    }

    pub(crate) fn lookups(&self) -> usize {
        self.asked.lookups.load(Ordering::Relaxed)
    }

    pub(crate) fn confirmations(&self) -> usize {
        self.asked.confirmations.load(Ordering::Relaxed)
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

    /// The only header of this name; empty without one.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map_or("", |value| value.to_str().expect("text"));
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        value
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

pub(crate) fn origin(text: &str) -> PublicUrl {
    PublicUrl::parse(text).expect("an origin")
}

pub(crate) fn build() -> (AuthManager, Arc<Asked>) {
    build_on(Arc::new(MemoryStore::new()), TestClock::default())
}

/// A node on a store that others may use, too.
pub(crate) fn build_on(store: Arc<dyn Store>, clock: TestClock) -> (AuthManager, Arc<Asked>) {
    let asked = Arc::<Asked>::default();
    let secret = std::array::from_fn(|at| (at as u8).wrapping_mul(29).wrapping_add(7));
    let auth = AuthManager::builder()
        .public_url(ORIGIN)
        .keys(KeyRing::new([secret]).expect("a good key"))
        .shared_store(store)
        .clock(clock)
        .plugin(TestSignIn::default())
        .plugin(Tiny(asked.clone()))
        .build();
    (auth.expect("a complete setup"), asked)
}

struct Tiny(Arc<Asked>);

static FAILED: ErrorCode = ErrorCode::new("tiny.failed", authkit_core::Class::Internal, "It failed.");

impl Plugin for Tiny {
    fn manifest(&self) -> Manifest {
        Manifest::new("tiny", "0.0.0").error(&FAILED)
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.user_store(Arc::new(Nobody));
        registrar.session_store(Arc::new(Known(self.0.clone())));
        registrar.token_strategy(Arc::new(Fixed(self.0.clone())));
        for operation in operations().into_iter().chain(kept_operations()) {
            registrar.operation(operation);
        }
        Ok(())
    }
}

fn operations() -> [Operation; 10] {
    use HttpMethod::{Delete, Get, Post, Put};
    let fresh = Access::FreshSession(FRESH);
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
        Operation::new(Post, "/tiny/start", Access::Public, "Starts a session.", start).starts_session(),
        Operation::new(Post, "/tiny/refresh", Access::Public, "Refreshes a session.", refresh).starts_session(),
        Operation::new(Post, "/tiny/inject", Access::Public, "Starts a session.", async |call: Call, input: Input| {
            let text = |name: &str| SecretText::new(input.get(name).cloned().unwrap_or_default());
            let at = call.cx.now().plus(Duration::from_secs(60));
            Ok(Reply::<()>::no_content().start(Tokens::new(text("access"), at).refreshed_by(text("refresh"), at)))
        })
        .starts_session(),
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

/// Operations whose answers say that anybody may keep them; not all of them are believed.
fn kept_operations() -> [Operation; 4] {
    use HttpMethod::{Get, Post};
    async fn keep(_: Call, _: Input) -> Result<Reply<String>, AuthError> {
        Ok(Reply::ok("kept".to_owned()).fresh_for(Duration::from_secs(600)))
    }
    async fn leak(call: Call, input: Input) -> Result<Reply<BTreeMap<&'static str, &'static str>>, AuthError> {
        Ok(start(call, input).await?.fresh_for(Duration::from_secs(600)))
    }
    [
        Operation::new(Get, "/.well-known/tiny.json", Access::Public, "Answers.", keep),
        Operation::new(Get, "/tiny/leak", Access::Public, "Starts a session.", leak).starts_session(),
        Operation::new(Get, "/tiny/own", Access::Session, "Answers.", keep),
        Operation::new(Post, "/tiny/done", Access::Public, "Answers.", keep),
    ]
}

async fn start(call: Call, _: Input) -> Result<Reply<BTreeMap<&'static str, &'static str>>, AuthError> {
    let mark = Mark::new(SecretText::new("akd_new".into()), Duration::from_secs(3600));
    Ok(Reply::ok(BTreeMap::from([("state", "signed_in")])).start(tokens(&call.cx, "new")).mark(Some(mark)))
}

#[derive(Deserialize, JsonSchema)]
struct RefreshInput {
    refresh_token: Option<SecretText>,
}

async fn refresh(call: Call, input: RefreshInput) -> Result<Reply<()>, AuthError> {
    let token = input.refresh_token.as_ref().or(call.cx.client().refresh.as_ref());
    if token.is_none_or(|token| token.expose() != "akr_alive") {
        return Err(AuthError::new(&codes::UNAUTHENTICATED));
    }
    let at = call.cx.now().plus(Duration::from_secs(3600));
    let tokens = Tokens::new(SecretText::new("ey_next".into()), call.cx.now().plus(Duration::from_secs(60)));
    Ok(Reply::no_content().start(tokens.refreshed_by(SecretText::new("akr_next".into()), at)))
}

/// As the real strategies do it: a refresh token for whoever keeps tokens itself.
fn tokens(cx: &RequestContext, name: &str) -> Tokens {
    let text = |prefix: &str| SecretText::new(format!("{prefix}_{name}"));
    let at = |seconds| cx.now().plus(Duration::from_secs(seconds));
    match cx.client().bearer {
        true => Tokens::new(text("ey"), at(60)).refreshed_by(text("akr"), at(3600)),
        false => Tokens::new(text("aks"), at(60)),
    }
}

type Input = BTreeMap<String, String>;

async fn part(call: Call, _: Input) -> Result<Reply<String>, AuthError> {
    Ok(Reply::ok(call.part("id")?))
}

/// Seconds since the session began.
fn session(cx: &RequestContext, number: u8, generation: i64, age: u64) -> Result<StoredSession, AuthError> {
    let id = PrincipalId::from(Id::from_bytes([if number == GRACE { 8 } else { 9 }; 16]));
    let principal = Principal::read(id, PrincipalKind::Human, authkit_core::Status::Active, 0);
    let created_at = cx.now().minus(Duration::from_secs(age));
    let expires_at = created_at.plus(Duration::from_secs(3600));
    let times = SessionTimes { created_at, last_seen_at: created_at, expires_at, ends_at: expires_at };
    let id = SessionId::from(Id::from_bytes([number; 16]));
    Ok(StoredSession::new(id, principal, Aal::Aal1, String::new(), Json::new(&Vec::new())?, generation, times))
}

const ALIVE: u8 = 1;
const STALE: u8 = 2;
const ENDED: u8 = 3;
/// Of another principal than the others.
const GRACE: u8 = 4;

struct Fixed(Arc<Asked>);

#[async_trait]
impl TokenStrategy for Fixed {
    async fn mint(&self, _: &RequestContext, _: &NewSession, _: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        Err(unused())
    }

    async fn mint_again(&self, _: &RequestContext, _: &Kept, _: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        Err(unused())
    }

    async fn authenticate(&self, cx: &RequestContext, token: &str) -> Result<Option<Shown>, AuthError> {
        self.0.lookups.fetch_add(1, Ordering::Relaxed);
        Ok(Some(match token {
            "alive" => Shown::Stored(session(cx, ALIVE, 0, 0)?),
            "stale" => Shown::Stored(session(cx, STALE, 0, 301)?),
            "grace" => Shown::Stored(session(cx, GRACE, 0, 0)?),
            "ey_alive" => Shown::Claimed(session(cx, ALIVE, 0, 0)?),
            "ey_raised" => Shown::Claimed(session(cx, ALIVE, 1, 0)?),
            "ey_stale" => Shown::Claimed(session(cx, STALE, 0, 0)?),
            "ey_ended" => Shown::Claimed(session(cx, ENDED, 0, 0)?),
            _ => return Ok(None),
        }))
    }

    async fn inspect_refresh(&self, _: &RequestContext, _: &str) -> Result<RefreshState, AuthError> {
        Ok(RefreshState::Dead)
    }
}

/// Nothing is issued here, so most of the contracts is never called.
fn unused() -> AuthError {
    AuthError::new(&codes::INTERNAL).because("this setup issues nothing")
}

struct Known(Arc<Asked>);

#[async_trait]
impl SessionStore for Known {
    fn insert(&self, _: &RequestContext, _: &Grant, _: &mut Batch) -> Result<NewSession, AuthError> {
        Err(unused())
    }

    async fn find(&self, cx: &RequestContext, id: SessionId) -> Result<Option<Kept>, AuthError> {
        self.0.confirmations.fetch_add(1, Ordering::Relaxed);
        let kept =
            |number, age| Ok(Some(Kept { session: session(cx, number, 0, age)?, secret_hash: [0; 32], refreshes: 0 }));
        match Id::from(id).as_bytes()[0] {
            ALIVE => kept(ALIVE, 0),
            STALE => kept(STALE, 301),
            _ => Ok(None),
        }
    }

    async fn list(
        &self,
        _: &RequestContext,
        _: PrincipalId,
        _: Option<Cursor>,
    ) -> Result<Page<SessionSummary>, AuthError> {
        Err(unused())
    }

    fn end(&self, _: &RequestContext, _: PrincipalId, _: Ending, _: &mut Batch) {}

    async fn rotate(
        &self,
        _: &RequestContext,
        _: SessionId,
        _: i64,
        _: Rotation<'_>,
        _: &mut Batch,
    ) -> Result<NewSession, AuthError> {
        Err(unused())
    }

    fn renew(&self, _: &RequestContext, kept: &Kept, _: Renewal, _: &mut Batch) -> Kept {
        kept.clone()
    }

    async fn touch(&self, _: &RequestContext, _: &authkit_core::Session) -> Result<(), AuthError> {
        Ok(())
    }
}

struct Nobody;

#[async_trait]
impl UserStore for Nobody {
    async fn find(&self, _: &RequestContext, _: &Identifier) -> Result<Option<Principal>, AuthError> {
        Ok(None)
    }

    fn insert(&self, _: &RequestContext, _: &Principal, _: &[Identifier], _: &mut Batch) -> Result<(), AuthError> {
        Ok(())
    }
}
