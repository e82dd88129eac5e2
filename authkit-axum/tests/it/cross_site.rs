use http::HeaderValue;

use crate::app::{App, ORIGIN, SESSION, bare, request};

fn cookie() -> String {
    format!("{SESSION}=alive")
}

#[tokio::test]
async fn an_operation_refuses_what_another_site_may_have_sent() {
    let app = App::new();
    let cookie = cookie();
    let refused: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", "https://example.com.evil.example")],
        &[("origin", ORIGIN), ("sec-fetch-site", "cross-site")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        &[("origin", "https://evil.example"), ("host", "evil.example"), ("x-forwarded-host", "evil.example")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-site")],
        &[("cookie", &cookie)],
        &[("cookie", &cookie), ("authkit-delivery", "token")],
        &[("cookie", &cookie), ("authorization", "Bearer alive")],
        &[("authorization", "Basic alive")],
    ];
    for headers in refused {
        // The handler would answer 500.
        let answer = app.send(bare("POST", "/v1/tiny/fail", "{}", headers)).await;
        assert_eq!(answer.problem(), (403, "core.cross_site".into()), "{headers:?}");
    }
    let passes: &[&[(&str, &str)]] = &[
        &[("origin", ORIGIN)],
        &[("sec-fetch-site", "same-origin")],
        &[("origin", ORIGIN), ("sec-fetch-site", "same-origin"), ("cookie", &cookie)],
        &[("authkit-delivery", "token")],
        &[("authorization", "Bearer alive")],
    ];
    for headers in passes {
        assert_eq!(app.send(bare("POST", "/v1/tiny/echo", "{}", headers)).await.status, 200, "{headers:?}");
    }
    assert_eq!(app.send(bare("GET", "/v1/tiny/echo", "", &[("origin", "https://evil.example")])).await.status, 200);
}

#[tokio::test]
async fn a_route_of_the_application_is_guarded_while_it_carries_the_session_cookie() {
    let app = App::new();
    let (cookie, doubled) = (cookie(), format!("{SESSION}=a; {SESSION}=b"));
    let evil = ("origin", "https://evil.example");
    for carried in [&cookie, &doubled] {
        for path in ["/maybe", "/nothing-is-here"] {
            let answer = app.send(bare("POST", path, "", &[("cookie", carried), evil])).await;
            assert_eq!(answer.problem(), (403, "core.cross_site".into()), "{path}");
        }
    }
    assert_eq!(app.lookups(), 0, "refused before anything is looked for");
    assert_eq!(app.send(request("POST", "/maybe", "", &[("cookie", &cookie)])).await.text(), "true");
    assert_eq!(app.send(bare("POST", "/maybe", "", &[evil])).await.text(), "false");
    assert_eq!(app.send(bare("GET", "/maybe", "", &[("cookie", &cookie), evil])).await.text(), "true");
    let socket = bare("GET", "/maybe", "", &[("cookie", &cookie), evil, ("upgrade", "websocket")]);
    assert_eq!(app.send(socket).await.status, 403);
}

#[tokio::test]
async fn nothing_that_a_form_can_send_is_input() {
    let app = App::new();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let answer = app.send(request("POST", "/v1/tiny/echo", "{}", &[("content-type", kind)])).await;
        assert_eq!(answer.problem(), (400, "core.invalid_input".into()), "{kind}");
    }
}

#[tokio::test]
async fn two_origins_are_none() {
    let app = App::new();
    let mut twice = request("POST", "/v1/tiny/echo", "{}", &[]);
    twice.headers_mut().append("origin", HeaderValue::from_static("https://evil.example"));
    assert_eq!(app.send(twice).await.status, 403);
}
