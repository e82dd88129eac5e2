use authkit_axum::Edge;
use authkit_core::PublicUrl;
use http::header;

use crate::app::{Answer, App, ORIGIN, REFRESH, SESSION, bare, build, origin, send};

const SPA: &str = "https://app.example.com";

fn spa(edge: Edge) -> Edge {
    edge.cors([origin(SPA), origin("http://localhost:5173")])
}

fn spa_with_cookies(edge: Edge) -> Edge {
    spa(edge).cors_with_cookies()
}

async fn preflight(app: &App, path: &str, origin: &str, method: &str) -> Answer {
    let headers = [("origin", origin), ("access-control-request-method", method)];
    app.send(bare("OPTIONS", path, "", &headers)).await
}

#[tokio::test]
async fn an_origin_is_let_in_only_if_it_is_named_whole_and_exactly() {
    let strangers = [
        "null",
        "*",
        "",
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://evil-app.example.com",
        "https://evil.app.example.com",
        "https://example.com",
        "https://app.example.co",
        "https://app.example.comm",
        "http://app.example.com",
        "https://app.example.com:443",
        "https://app.example.com:8443",
        "https://app.example.com/",
        "https://app.example.com.",
        "https://APP.example.com",
        "HTTPS://app.example.com",
        "https://app.example.com https://evil.example",
        "https://app.example.com, https://evil.example",
        "https://user@app.example.com",
        "http://localhost",
        "http://localhost:51730",
        "http://127.0.0.1:5173",
        "https://localhost:5173",
    ];
    for app in [App::with(spa), App::with(spa_with_cookies)] {
        for stranger in strangers {
            let asked = preflight(&app, "/v1/auth/login", stranger, "POST").await;
            assert_eq!(asked.header("access-control-allow-origin"), "", "{stranger}");
            let read = app.send(bare("GET", "/v1/tiny/echo", "", &[("origin", stranger)])).await;
            assert_eq!(read.header("access-control-allow-origin"), "", "{stranger}");
        }
        for known in [SPA, "http://localhost:5173"] {
            let asked = preflight(&app, "/v1/auth/login", known, "POST").await;
            assert_eq!((asked.status, asked.header("access-control-allow-origin")), (200, known));
            let read = app.send(bare("GET", "/v1/tiny/echo", "", &[("origin", known)])).await;
            assert_eq!((read.status, read.header("access-control-allow-origin")), (200, known));
        }
    }
    for refused in ["null", "*", "https://app.example.com/path", "app.example.com", "file://", ""] {
        assert!(PublicUrl::parse(refused).is_err(), "{refused}");
    }
}

#[tokio::test]
async fn a_preflight_tells_what_is_registered_and_no_more() {
    let app = App::with(spa);
    for (path, methods) in [("/v1/tiny/echo", "GET,POST,PUT"), ("/v1/tiny/end", "DELETE"), ("/v1/auth/login", "POST")] {
        for asked in ["DELETE", "TRACE", "X"] {
            let answer = preflight(&app, path, SPA, asked).await;
            let mut allowed: Vec<_> = answer.header("access-control-allow-methods").split(',').collect();
            allowed.sort_unstable();
            assert_eq!(allowed.join(","), methods, "{path}");
        }
    }
    let headers = [
        ("origin", SPA),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-evil, cookie, authorization"),
    ];
    let answer = app.send(bare("OPTIONS", "/v1/auth/login", "", &headers)).await;
    let allowed = "authorization,content-type,authkit-delivery,authkit-device,x-request-id";
    assert_eq!(answer.header("access-control-allow-headers"), allowed);
    assert_eq!(answer.header("access-control-max-age"), "7200");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert_eq!(preflight(&app, "/v1/auth/nothing", SPA, "POST").await.header("access-control-allow-methods"), "");
}

#[tokio::test]
async fn responses_vary_with_the_origin_and_show_two_headers() {
    let app = App::with(spa);
    for origin in [SPA, "https://evil.example"] {
        for answer in [
            app.send(bare("GET", "/v1/tiny/echo", "", &[("origin", origin)])).await,
            app.send(bare("GET", "/.well-known/tiny.json", "", &[("origin", origin)])).await,
            app.send(bare("GET", "/v1/tiny/parts/0", "", &[("origin", origin)])).await,
            preflight(&app, "/v1/auth/login", origin, "POST").await,
        ] {
            assert!(answer.header("vary").starts_with("origin"), "{answer:?}");
        }
    }
    let refused = app.send(bare("GET", "/v1/tiny/parts/0", "", &[("origin", SPA)])).await;
    assert_eq!(refused.problem().0, 401);
    assert_eq!(refused.header("access-control-expose-headers"), "retry-after,x-request-id");
    assert_eq!(refused.header("access-control-allow-origin"), SPA);
}

#[tokio::test]
async fn without_named_origins_nothing_is_allowed_and_nothing_answers_preflights() {
    let app = App::new();
    let asked = preflight(&app, "/v1/auth/login", ORIGIN, "POST").await;
    assert_eq!(asked.problem(), (405, "axum.method_not_allowed".into()));
    let read = app.send(bare("GET", "/v1/tiny/echo", "", &[("origin", ORIGIN)])).await;
    assert!(!read.headers.contains_key("access-control-allow-origin") && !read.headers.contains_key("vary"));
}

#[tokio::test]
async fn a_page_of_another_origin_signs_in_and_calls_with_tokens() {
    let app = App::with(spa);
    let (from, token) = (("origin", SPA), ("authkit-delivery", "token"));
    for site in ["same-site", "cross-site"] {
        let headers = [from, token, ("sec-fetch-site", site)];
        let answer = app.send(bare("POST", "/v1/tiny/start", "{}", &headers)).await;
        assert_eq!(answer.json()["access_token"], "ey_new", "{site}");
        assert_eq!(answer.header("access-control-allow-origin"), SPA);
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn cookies_of_other_origins_are_refused_unless_they_were_asked_for() {
    let (refresh, session) = (format!("{REFRESH}=akr_alive"), format!("{SESSION}=alive"));
    let split = ("authkit-delivery", "split");
    let shows: [&[(&str, &str)]; 4] = [&[("cookie", &refresh), split], &[("cookie", &session)], &[split], &[]];
    let cases = [
        (SPA, "same-site", true),
        (SPA, "", true),
        (SPA, "cross-site", false),
        (SPA, "same-origin", false),
        (SPA, "none", false),
        ("https://app.example.com.evil.example", "same-site", false),
        ("http://app.example.com", "same-site", false),
        ("null", "same-site", false),
    ];
    let (plain, with_cookies) = (App::with(spa), App::with(spa_with_cookies));
    for (origin, site, passes) in cases {
        for shown in shows {
            let mut headers = [&[("origin", origin)], shown].concat();
            if !site.is_empty() {
                headers.push(("sec-fetch-site", site));
            }
            let send = || bare("POST", "/v1/tiny/echo", "{}", &headers);
            assert_eq!(plain.send(send()).await.problem(), (403, "core.cross_site".into()), "{headers:?}");
            let answer = with_cookies.send(send()).await;
            assert_eq!(answer.status, if passes { 200 } else { 403 }, "{headers:?}");
            if passes {
                assert_eq!(answer.header("access-control-allow-credentials"), "true");
                assert_eq!(answer.header("access-control-allow-origin"), SPA);
            }
        }
    }
    let preflight = preflight(&with_cookies, "/v1/tiny/refresh", SPA, "POST").await;
    assert_eq!(preflight.header("access-control-allow-credentials"), "true");
}

#[tokio::test]
async fn cookies_without_named_origins_allow_nothing() {
    let app = App::with(Edge::cors_with_cookies);
    for origin in [SPA, "null"] {
        let answer = app.send(bare("POST", "/v1/tiny/echo", "{}", &[("origin", origin)])).await;
        assert_eq!(answer.problem(), (403, "core.cross_site".into()));
    }
}

#[tokio::test]
async fn the_applications_own_routes_can_have_the_same() {
    let (auth, _) = build();
    let edge = spa_with_cookies(Edge::new(&auth));
    let own = axum::Router::new().route("/own", axum::routing::any(async || "own"));
    let app = own.merge(edge.router()).layer(edge.layer()).layer(edge.cors_layer());
    let headers = [("origin", SPA), ("access-control-request-method", "PUT")];
    for path in ["/own", "/v1/auth/login"] {
        let asked = send(app.clone(), bare("OPTIONS", path, "", &headers)).await;
        assert_eq!(asked.header("access-control-allow-origin"), SPA);
        assert_eq!(asked.header("access-control-allow-methods"), "DELETE,GET,PATCH,POST,PUT");
    }
    for path in ["/own", "/v1/tiny/echo"] {
        let read = send(app.clone(), bare("GET", path, "", &[("origin", SPA)])).await;
        assert_eq!((read.status, read.header("access-control-allow-origin")), (200, SPA));
        assert_eq!(read.header("access-control-allow-credentials"), "true");
    }
    let session = format!("{SESSION}=alive");
    let evil = [("origin", "https://evil.example"), ("cookie", session.as_str())];
    let refused = send(app, bare("POST", "/own", "", &evil)).await;
    assert_eq!(refused.problem(), (403, "core.cross_site".into()));
    assert_eq!(refused.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN), None);
}
