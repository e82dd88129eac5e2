use crate::app::{App, REFRESH, SESSION, request};

#[tokio::test]
async fn a_response_with_tokens_is_kept_by_nobody() {
    let app = App::new();
    let (session, refresh) = (format!("{SESSION}=alive"), format!("{REFRESH}=akr_alive"));
    let ways: [&[(&str, &str)]; 5] = [
        &[],
        &[("authkit-delivery", "token")],
        &[("authkit-delivery", "split")],
        &[("cookie", &session)],
        &[("cookie", &refresh)],
    ];
    for headers in ways {
        for (method, path) in [
            ("POST", "/v1/tiny/start"),
            ("POST", "/v1/tiny/refresh"),
            ("POST", "/v1/tiny/inject"),
            ("GET", "/v1/tiny/leak"),
            ("DELETE", "/v1/tiny/end"),
        ] {
            let body = if method == "POST" { "{}" } else { "" };
            let answer = app.send(request(method, path, body, headers)).await;
            assert_eq!(answer.headers["cache-control"], "no-store", "{path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn only_what_anybody_may_read_is_kept_by_anybody() {
    let app = App::new();
    let bearer = ("authorization", "Bearer alive");
    for (method, path, expected) in [
        ("GET", "/.well-known/tiny.json", "public, max-age=600"),
        ("HEAD", "/.well-known/tiny.json", "public, max-age=600"),
        ("POST", "/.well-known/tiny.json", "no-store"),
        ("GET", "/v1/tiny/own", "no-store"),
        ("POST", "/v1/tiny/done", "no-store"),
    ] {
        let answer = app.send(request(method, path, "", &[bearer])).await;
        assert_eq!(answer.headers["cache-control"], expected, "{method} {path}");
    }
    assert_eq!(app.send(request("GET", "/v1/.well-known/tiny.json", "", &[])).await.text(), "the application's own");
}
