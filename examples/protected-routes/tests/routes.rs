//! Who gets in where: without a session, with one, after its end, and when its proof has grown old.

#![expect(clippy::expect_used, reason = "a test ends where something is not as expected")]

use std::time::Duration;

use authkit_core::{AuthManager, KeyRing};
use authkit_store_memory::MemoryStore;
use authkit_testkit::TestClock;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value as JsonValue, json};
use tower::ServiceExt as _;

const GREETING: (Method, &str) = (Method::GET, "/greeting");
const PUBLIC: [(Method, &str); 2] = [(Method::GET, "/"), GREETING];
const SESSION: [(Method, &str); 3] =
    [(Method::GET, "/members/news"), (Method::GET, "/members/dates"), (Method::GET, "/me")];
const CONFIRMED: (Method, &str) = (Method::POST, "/orders");
const FRESH: (Method, &str) = (Method::DELETE, "/club");

#[tokio::test]
async fn without_a_session_only_public_routes_answer() {
    let site = Site::new().await;
    for route in PUBLIC {
        assert_eq!(site.status(&route, "").await, StatusCode::OK, "{route:?}");
    }
    for route in SESSION.iter().chain([&CONFIRMED, &FRESH]) {
        assert_eq!(site.status(route, "").await, StatusCode::UNAUTHORIZED, "{route:?}");
        assert_eq!(site.status(route, "no token").await, StatusCode::BAD_REQUEST, "{route:?}");
        assert_eq!(site.status(route, "forged").await, StatusCode::UNAUTHORIZED, "{route:?}");
    }
}

#[tokio::test]
async fn with_a_session_every_route_answers() {
    let site = Site::new().await;
    let signed_in = site.sign_in().await;
    let token = token(&signed_in);
    for route in PUBLIC.iter().chain(&SESSION).chain([&CONFIRMED, &FRESH]) {
        assert_eq!(site.status(route, token).await, StatusCode::OK, "{route:?}");
    }
    let me: JsonValue = serde_json::from_str(&site.call("GET", "/me", token, "").await.1).expect("the current user");
    assert_eq!(me, signed_in["principal"]);
    let (_, greeting) = site.call("GET", "/greeting", token, "").await;
    assert_eq!(greeting, format!("Welcome back, {}.\n", me["id"].as_str().expect("an id")));
}

#[tokio::test]
async fn a_signed_token_outlives_its_session_only_where_nobody_confirms_it() {
    let site = Site::new().await;
    let signed_in = site.sign_in().await;
    let token = token(&signed_in);
    assert_eq!(site.call("POST", "/v1/auth/logout", token, "{}").await.0, StatusCode::NO_CONTENT);
    for route in &SESSION {
        assert_eq!(site.status(route, token).await, StatusCode::OK, "{route:?}");
    }
    for route in [&CONFIRMED, &FRESH] {
        assert_eq!(site.status(route, token).await, StatusCode::UNAUTHORIZED, "{route:?}");
    }
    site.clock.advance(Duration::from_secs(17 * 60));
    for route in &SESSION {
        assert_eq!(site.status(route, token).await, StatusCode::UNAUTHORIZED, "{route:?}");
    }
}

#[tokio::test]
async fn an_old_proof_has_to_be_renewed() {
    let site = Site::new().await;
    let signed_in = site.sign_in().await;
    site.clock.advance(Duration::from_secs(11 * 60));
    let (status, problem) = site.call("DELETE", "/club", token(&signed_in), "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(problem.contains("core.step_up_required"), "{problem}");
    assert_eq!(site.status(&CONFIRMED, token(&signed_in)).await, StatusCode::OK);

    let asked = site.post("/v1/auth/step-up", token(&signed_in), &json!({})).await;
    let answer = json!({ "flow": asked["challenge"]["flow"], "method": "password", "password": PASSWORD });
    let raised = site.post("/v1/auth/challenges/answer", token(&signed_in), &answer).await;
    assert_eq!(site.status(&FRESH, token(&raised)).await, StatusCode::OK, "{raised}");
}

#[tokio::test]
async fn a_stranger_and_a_member_are_greeted_ten_times_a_minute_each() {
    let site = Site::new().await;
    let signed_in = site.sign_in().await;
    for token in ["", token(&signed_in)] {
        for _ in 0..10 {
            assert_eq!(site.status(&GREETING, token).await, StatusCode::OK);
        }
        let (status, problem) = site.call("GET", "/greeting", token, "").await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
        assert!(problem.contains("core.limited") && problem.contains("retry_after"), "{problem}");
        assert_eq!(site.status(&(Method::GET, "/"), token).await, StatusCode::OK, "no other route is limited");
    }
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(site.status(&GREETING, "").await, StatusCode::OK);
}

const PASSWORD: &str = "tangerine ferry 48 lamps";

/// The application, with a clock that the test moves.
struct Site {
    app: Router,
    clock: TestClock,
}

impl Site {
    async fn new() -> Self {
        let clock = TestClock::default();
        let secret = std::array::from_fn(|at| at as u8 + 1);
        let builder = AuthManager::builder()
            .public_url("https://club.example")
            .keys(KeyRing::new([secret]).expect("a good key"))
            .store(MemoryStore::new())
            .clock(clock.clone());
        let auth = protected_routes::auth(builder).expect("a complete setup");
        auth.migrate().await.expect("tables");
        Self { app: protected_routes::app(&auth), clock }
    }

    /// The answer to a login.
    async fn sign_in(&self) -> JsonValue {
        let credentials = json!({ "identifier": "ada@example.com", "password": PASSWORD });
        self.post("/v1/auth/signup", "", &credentials).await;
        self.post("/v1/auth/login", "", &credentials).await
    }

    async fn post(&self, path: &str, token: &str, body: &JsonValue) -> JsonValue {
        let (status, answer) = self.call("POST", path, token, &body.to_string()).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        serde_json::from_str(&answer).expect("an object")
    }

    async fn status(&self, (method, path): &(Method, &str), token: &str) -> StatusCode {
        self.call(method.as_str(), path, token, "").await.0
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: &str) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(path).header("authkit-delivery", "token");
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let answer = self.app.clone().oneshot(request).await.expect("a router never fails");
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }
}

fn token(answer: &JsonValue) -> &str {
    answer["access_token"].as_str().expect("an access token")
}
