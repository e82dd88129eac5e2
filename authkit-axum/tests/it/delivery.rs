use std::time::Duration;

use authkit_axum::Edge;
use serde_json::json;

use crate::app::{App, REFRESH, SESSION, bare, request};

#[tokio::test]
async fn a_browser_gets_cookies_and_no_token() {
    let answer = App::new().send(request("POST", "/v1/tiny/start", "{}", &[])).await;
    assert_eq!(answer.json(), json!({ "state": "signed_in" }));
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Lax";
    let expected = [
        format!("{SESSION}=aks_new; Max-Age=2592000; {attributes}"),
        format!("__Host-authkit_device=akd_new; Max-Age=3600; {attributes}"),
    ];
    assert_eq!(answer.cookies(), expected);
}

#[tokio::test]
async fn a_client_that_asks_gets_tokens_and_no_cookie() {
    let app = App::new();
    for header in [("authkit-delivery", "token"), ("authorization", "Bearer alive")] {
        let answer = app.send(bare("POST", "/v1/tiny/start", "{}", &[header])).await;
        let expected = json!({
            "state": "signed_in",
            "access_token": "ey_new",
            "token_type": "Bearer",
            "expires_in": 60,
            "expires_at": "2027-01-15T08:01:00Z",
            "refresh_token": "akr_new",
            "refresh_expires_at": "2027-01-15T09:00:00Z",
            "device_mark": "akd_new",
        });
        assert_eq!(answer.json(), expected, "{header:?}");
        assert!(answer.cookies().is_empty());
    }
}

#[tokio::test]
async fn a_split_client_reads_its_access_token_and_no_more() {
    let split = ("authkit-delivery", "split");
    for headers in [&[split][..], &[split, ("authorization", "Bearer alive")]] {
        let answer = App::new().send(request("POST", "/v1/tiny/start", "{}", headers)).await;
        let expected = json!({
            "state": "signed_in",
            "access_token": "ey_new",
            "token_type": "Bearer",
            "expires_in": 60,
            "expires_at": "2027-01-15T08:01:00Z",
            "refresh_expires_at": "2027-01-15T09:00:00Z",
        });
        assert_eq!(answer.json(), expected, "{headers:?}");
        let expected = [
            format!("{REFRESH}=akr_new; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Strict"),
            "__Host-authkit_device=akd_new; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax".to_owned(),
        ];
        assert_eq!(answer.cookies(), expected, "{headers:?}");
    }
}

#[tokio::test]
async fn whoever_shows_a_refresh_cookie_gets_no_refresh_token_to_read() {
    let (one, two) = (format!("{REFRESH}=akr_alive"), format!("{REFRESH}=a; {REFRESH}=b"));
    let asks: [&[(&str, &str)]; 4] = [
        &[("authkit-delivery", "token")],
        &[("authkit-delivery", "split")],
        &[("authorization", "Bearer alive")],
        &[("authkit-delivery", "token"), ("authorization", "Bearer alive")],
    ];
    for cookie in [&one, &two] {
        for asked in asks {
            let headers = [&[("cookie", cookie.as_str())], asked].concat();
            let answer = App::new().send(request("POST", "/v1/tiny/start", "{}", &headers)).await;
            assert_eq!(answer.json()["access_token"], "ey_new", "{headers:?}");
            assert!(!answer.text().contains("akr_"), "{answer:?}");
            assert!(answer.cookies()[0].starts_with(&format!("{REFRESH}=akr_new;")), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_sign_in_clears_the_cookie_that_is_of_no_use_any_more() {
    let cookie = format!("{REFRESH}=akr_alive");
    let answer = App::new().send(request("POST", "/v1/tiny/start", "{}", &[("cookie", &cookie)])).await;
    assert_eq!(answer.json(), json!({ "state": "signed_in" }));
    let cookies = answer.cookies();
    assert!(cookies[0].starts_with(&format!("{SESSION}=aks_new;")), "{cookies:?}");
    assert!(cookies[1].starts_with(&format!("{REFRESH}=; Max-Age=0;")), "{cookies:?}");
}

#[tokio::test]
async fn tokens_cannot_bring_headers_or_cookies_of_their_own() {
    let app = App::new();
    for evil in ["a\r\nSet-Cookie: b=c", "a; Domain=evil.example", "a,b", "é", "a\0"] {
        let split = json!({ "access": "ey", "refresh": evil }).to_string();
        let split = app.send(request("POST", "/v1/tiny/inject", &split, &[("authkit-delivery", "split")])).await;
        assert_eq!(split.problem(), (500, "core.internal".into()), "{evil:?}");
        assert!(split.cookies().is_empty());
        let token = json!({ "access": evil, "refresh": evil }).to_string();
        let token = app.send(bare("POST", "/v1/tiny/inject", &token, &[("authkit-delivery", "token")])).await;
        assert_eq!(token.json()["access_token"], evil);
        assert!(token.cookies().is_empty());
    }
}

#[tokio::test]
async fn whoever_shows_a_cookie_gets_no_token() {
    let cookie = format!("{SESSION}=alive");
    for other in [("authkit-delivery", "token"), ("authorization", "Bearer alive")] {
        let answer = App::new().send(request("POST", "/v1/tiny/start", "{}", &[("cookie", &cookie), other])).await;
        assert_eq!(answer.json(), json!({ "state": "signed_in" }), "{other:?}");
        assert_eq!(answer.cookies().len(), 2);
    }
}

#[tokio::test]
async fn the_end_of_a_session_clears_its_cookies() {
    let app = App::new();
    let cookie = format!("{SESSION}=alive");
    let ended = app.send(request("DELETE", "/v1/tiny/end", "", &[("cookie", &cookie)])).await;
    assert_eq!((ended.status, ended.body.len()), (204, 0));
    let cleared = [
        format!("{SESSION}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"),
        format!("{REFRESH}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"),
    ];
    assert_eq!(ended.cookies(), cleared);
    let refresh = format!("{REFRESH}=akr_alive");
    for headers in [
        &[("cookie", refresh.as_str()), ("authorization", "Bearer alive")][..],
        &[("authkit-delivery", "split"), ("authorization", "Bearer alive")],
    ] {
        let ended = app.send(request("DELETE", "/v1/tiny/end", "", headers)).await;
        assert_eq!((ended.status, ended.cookies()), (204, cleared.iter().map(String::as_str).collect()));
    }
    let ended = app.send(bare("DELETE", "/v1/tiny/end", "", &[("authorization", "Bearer alive")])).await;
    assert_eq!(ended.status, 204);
    assert!(ended.cookies().is_empty() && ended.body.is_empty());
}

#[tokio::test]
async fn a_browser_is_asked_to_forget_at_sign_out_only_if_the_application_says_so() {
    let app = App::with(Edge::clear_site_data);
    let cookie = format!("{SESSION}=alive");
    for headers in [&[("cookie", cookie.as_str())][..], &[("authorization", "Bearer alive")]] {
        let ended = app.send(request("DELETE", "/v1/tiny/end", "", headers)).await;
        assert_eq!((ended.status, ended.header("clear-site-data")), (204, "\"cache\", \"storage\""));
    }
    for (method, path) in
        [("POST", "/v1/tiny/start"), ("GET", "/v1/tiny/echo"), ("DELETE", "/v1/tiny/end"), ("GET", "/")]
    {
        let body = if method == "POST" { "{}" } else { "" };
        assert_eq!(app.send(request(method, path, body, &[])).await.header("clear-site-data"), "", "{method} {path}");
    }
    let ended = App::new().send(request("DELETE", "/v1/tiny/end", "", &[("cookie", &cookie)])).await;
    assert_eq!((ended.status, ended.header("clear-site-data")), (204, ""));
}

#[tokio::test]
async fn a_token_counts_only_where_it_belongs() {
    let app = App::new();
    let (huge, refresh) = (format!("Bearer {}", "a".repeat(8 * 1024)), format!("{REFRESH}=alive"));
    let (alive, two) = (format!("{SESSION}=alive"), format!("{SESSION}=alive; {SESSION}=alive"));
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[], 401),
        (&[("cookie", &alive)], 200),
        (&[("cookie", "authkit_session=alive")], 401),
        (&[("cookie", &two)], 401),
        (&[("authorization", "bearer alive")], 200),
        (&[("authorization", "Bearer dead")], 401),
        (&[("authorization", "Bearer")], 401),
        (&[("authorization", "alive")], 401),
        (&[("cookie", &alive), ("authorization", "Bearer alive")], 200),
        (&[("cookie", &alive), ("authorization", "Bearer dead")], 400),
        (&[("cookie", &two), ("authorization", "Bearer alive")], 400),
        (&[("authorization", "Bearer alive"), ("authorization", "Bearer alive")], 400),
        (&[("authorization", "Bearer alive"), ("authorization", "Basic alive")], 400),
        (&[("authorization", "Bearer Bearer alive")], 400),
        (&[("authorization", "Bearer alive, Bearer alive")], 400),
        (&[("authorization", &huge)], 400),
        (&[("authorization", "Bearer akr_alive")], 401),
        (&[("cookie", &refresh)], 401),
        (&[("cookie", &refresh), ("authorization", "Bearer ey_alive")], 200),
    ];
    for (headers, status) in cases {
        for path in ["/me", "/v1/tiny/parts/0"] {
            assert_eq!(app.send(bare("GET", path, "", headers)).await.status, *status, "{path} {headers:?}");
        }
    }
    let before = app.lookups();
    app.send(bare("GET", "/me", "", &[("authorization", &huge)])).await;
    assert_eq!(app.lookups(), before, "nobody looks at what is too large");
    for path in ["/me?access_token=alive", "/v1/tiny/parts/0?access_token=alive&token=alive"] {
        assert_eq!(app.send(bare("GET", path, "", &[])).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn the_life_of_the_session_cookie_can_be_chosen_but_covers_the_token() {
    for (chosen, expected) in [(86_400, "Max-Age=86400"), (1, "Max-Age=60")] {
        let app = App::with(|edge| edge.session_cookie_life(Duration::from_secs(chosen)));
        let answer = app.send(request("POST", "/v1/tiny/start", "{}", &[])).await;
        assert!(answer.cookies()[0].contains(expected), "{answer:?}");
    }
}

#[tokio::test]
async fn a_session_cookie_of_a_session_that_ended_does_not_decide_how_tokens_travel() {
    let dead = format!("{SESSION}=ended");
    let headers = [("cookie", dead.as_str()), ("authkit-delivery", "split")];
    let answer = App::new().send(request("POST", "/v1/tiny/start", "{}", &headers)).await;
    assert_eq!(answer.json()["access_token"], "ey_new");
    let cookies = answer.cookies();
    assert!(cookies.iter().any(|cookie| cookie.starts_with(&format!("{REFRESH}=akr_new;"))), "{cookies:?}");
    assert!(cookies.iter().any(|cookie| cookie.starts_with(&format!("{SESSION}=; Max-Age=0;"))), "{cookies:?}");

    let alive = format!("{SESSION}=alive");
    let headers = [("cookie", alive.as_str()), ("authkit-delivery", "split")];
    let answer = App::new().send(request("POST", "/v1/tiny/start", "{}", &headers)).await;
    assert!(answer.json().get("access_token").is_none(), "{answer:?}");
}
