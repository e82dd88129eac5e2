use std::net::Ipv4Addr;

use authkit_axum::{Context, Session};
use axum::{Router, routing::get};

use crate::app::{App, bare, build, from, request, send};

#[tokio::test]
async fn a_handler_gets_the_session_or_the_client_gets_401() {
    let app = App::new();
    let me = app.send(bare("GET", "/me", "", &[("authorization", "Bearer alive")])).await;
    assert_eq!(me.json()["kind"], "human");
    assert_eq!(app.send(bare("GET", "/me", "", &[])).await.problem(), (401, "core.unauthenticated".into()));
    assert_eq!(app.send(bare("GET", "/maybe", "", &[])).await.text(), "false");
}

#[tokio::test]
async fn a_signed_token_is_believed_where_the_application_does_not_ask_further() {
    let app = App::new();
    for (token, believed, confirmed, fresh) in [
        ("alive", 200, 200, 200),
        ("stale", 200, 200, 403),
        ("ey_alive", 200, 200, 200),
        ("ey_stale", 200, 200, 403),
        ("ey_ended", 200, 401, 401),
        ("ey_raised", 200, 401, 401),
        ("dead", 401, 401, 401),
    ] {
        let bearer = format!("Bearer {token}");
        let ask = |path| bare("GET", path, "", &[("authorization", bearer.as_str())]);
        let cases = [("/me", believed), ("/guarded", believed), ("/confirmed", confirmed), ("/fresh", fresh)];
        for (path, status) in cases {
            assert_eq!(app.send(ask(path)).await.status, status, "{path} {token}");
        }
        assert_eq!(
            app.send(ask("/v1/tiny/parts/0")).await.status,
            confirmed,
            "an operation believes no claim: {token}"
        );
    }
}

#[tokio::test]
async fn a_session_is_confirmed_only_where_that_is_asked_for_and_only_if_it_is_claimed() {
    let app = App::new();
    for (path, token, lookups, confirmations) in [
        ("/me", "ey_alive", 1, 0),
        ("/guarded", "ey_alive", 2, 0),
        ("/confirmed", "ey_alive", 3, 1),
        ("/fresh", "alive", 4, 1),
        ("/v1/tiny/parts/0", "ey_alive", 5, 2),
        ("/v1/tiny/parts/0", "alive", 6, 2),
    ] {
        app.send(bare("GET", path, "", &[("authorization", &format!("Bearer {token}"))])).await;
        assert_eq!((app.lookups(), app.confirmations()), (lookups, confirmations), "{path} {token}");
    }
}

#[tokio::test]
async fn a_guarded_router_is_closed_without_a_session() {
    let app = App::new();
    assert_eq!(app.send(bare("GET", "/guarded", "", &[])).await.problem(), (401, "core.unauthenticated".into()));
    let inside = app.send(bare("GET", "/guarded", "", &[("authorization", "Bearer alive")])).await;
    assert_eq!(inside.text(), "inside");
}

#[tokio::test]
async fn a_token_that_is_no_good_is_called_so_and_nobody_says_why() {
    let app = App::new();
    let session = format!("{}=dead", crate::app::SESSION);
    let (plain, invalid) = ("Bearer realm=\"authkit\"", "Bearer realm=\"authkit\", error=\"invalid_token\"");
    for (header, expected) in [
        (("authorization", "Bearer dead"), invalid),
        (("authorization", "Bearer ey_ended"), invalid),
        (("authorization", "Basic dead"), plain),
        (("cookie", session.as_str()), plain),
        (("x-nothing", ""), plain),
    ] {
        for path in ["/confirmed", "/v1/tiny/parts/0"] {
            let answer = app.send(bare("GET", path, "", &[header])).await;
            assert_eq!(answer.problem(), (401, "core.unauthenticated".into()));
            assert_eq!(answer.headers["www-authenticate"], expected, "{path} {header:?}");
        }
    }
}

#[tokio::test]
async fn a_session_is_looked_for_once_and_only_when_asked_for() {
    let app = App::new();
    let bearer = [("authorization", "Bearer alive")];
    app.send(bare("GET", "/ip", "", &bearer)).await;
    assert_eq!(app.lookups(), 0);
    assert_eq!(app.send(bare("GET", "/twice", "", &bearer)).await.status, 200);
    assert_eq!(app.lookups(), 1);
    app.send(bare("GET", "/me", "", &[])).await;
    assert_eq!(app.lookups(), 1, "nothing is shown, nothing is looked for");
    app.send(bare("POST", "/v1/tiny/echo", "{}", &bearer)).await;
    assert_eq!(app.lookups(), 2);
}

#[tokio::test]
async fn without_the_layer_the_log_says_what_is_missing_and_the_client_does_not() {
    for (path, app) in [
        ("/session", Router::new().route("/session", get(|_: Session| async {}))),
        ("/context", Router::new().route("/context", get(|_: Context| async {}))),
    ] {
        let answer = send(app, bare("GET", path, "", &[])).await;
        assert_eq!(answer.problem(), (500, "core.internal".into()));
        assert!(!answer.text().contains("layer"));
    }
}

#[tokio::test]
async fn the_router_is_complete_without_the_layer() {
    let (auth, _) = build();
    let router = authkit_axum::router(&auth);
    let echo = send(router.clone(), request("POST", "/v1/tiny/echo", "{\"a\":1}", &[])).await;
    assert_eq!(echo.json()["a"], 1);
    assert_eq!(send(router, bare("POST", "/v1/tiny/echo", "{}", &[])).await.status, 403);
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_the_client_is() {
    let forwarded = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=192.0.2.1"), ("x-real-ip", "192.0.2.2")];
    let proxy = Ipv4Addr::new(10, 0, 0, 1);
    let plain = App::new();
    let trusting = App::with(|edge| edge.trusted_proxies(["10.0.0.0/8".parse().unwrap()]));
    let ask = || bare("GET", "/ip", "", &forwarded);
    assert_eq!(plain.send(from(ask(), proxy)).await.text(), "Some(10.0.0.1)");
    assert_eq!(trusting.send(from(ask(), proxy)).await.text(), "Some(203.0.113.7)");
    assert_eq!(trusting.send(from(ask(), Ipv4Addr::new(11, 0, 0, 1))).await.text(), "Some(11.0.0.1)");
    assert_eq!(trusting.send(ask()).await.text(), "None");
}
