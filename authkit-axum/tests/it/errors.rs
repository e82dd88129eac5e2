use serde_json::json;

use crate::app::{App, bare, request};

#[tokio::test]
async fn internals_stay_inside() {
    let answer = App::new().send(request("POST", "/v1/tiny/fail", "{}", &[("x-request-id", "r-1")])).await;
    assert_eq!(answer.problem(), (500, "tiny.failed".into()));
    assert_eq!(answer.headers["retry-after"], "2");
    let expected = json!({
        "type": "urn:authkit:error:tiny.failed", "title": "It failed.", "status": 500, "code": "tiny.failed",
        "request_id": "r-1", "retry_after": 2,
    });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_panic_is_an_error_like_any_other() {
    let app = App::new();
    let answer = app.send(request("POST", "/v1/tiny/panic", "{\"a\":\"SECRET\"}", &[])).await;
    assert_eq!(answer.problem(), (500, "core.internal".into()));
    assert!(!answer.text().contains("SECRET"));
    assert_eq!(app.send(request("POST", "/v1/tiny/panic", "{}", &[])).await.status, 204, "and the next one is served");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_and_the_application_keeps_its_fallback() {
    let app = App::new();
    for path in ["/v1/auth/nothing", "/v1/auth/login/", "/v1/auth/login/x", "/v1/auth//login"] {
        assert_eq!(
            app.send(request("POST", path, "{}", &[])).await.problem(),
            (404, "core.not_found".into()),
            "{path}"
        );
    }
    let wrong = app.send(request("DELETE", "/v1/tiny/echo", "", &[])).await;
    assert_eq!(wrong.problem(), (405, "axum.method_not_allowed".into()));
    let mut allowed: Vec<&str> = wrong.headers["allow"].to_str().unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST", "PUT"]);
    for path in ["/v1/tiny/nothing", "/elsewhere", "/v1/tiny/echo/"] {
        assert_eq!(app.send(bare("GET", path, "", &[])).await.text(), "the application's own", "{path}");
    }
}

#[tokio::test]
async fn input_is_small_and_unambiguous() {
    let app = App::new();
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(64 * 1024));
    let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(64 * 1024 - 8));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(32), "]".repeat(32));
    let query = format!("/v1/tiny/echo?a={}", "x".repeat(8 * 1024));
    let cases: [(&str, &str, &str, u16); 10] = [
        ("POST", "/v1/tiny/echo", &large, 413),
        ("POST", "/v1/tiny/echo", &fits, 200),
        ("POST", "/v1/tiny/echo", &deep, 400),
        ("POST", "/v1/tiny/echo", "{\"a\":1,\"a\":2}", 400),
        ("POST", "/v1/tiny/echo", "[]", 400),
        ("POST", "/v1/tiny/echo", "", 200),
        ("POST", "/v1/tiny/echo?a=1&a=2", "{}", 200),
        ("GET", "/v1/tiny/echo?a=1&a=2", "", 400),
        ("GET", &query, "", 413),
        ("GET", "/v1/tiny/echo?a=1", "not read", 200),
    ];
    for (method, path, body, status) in cases {
        let answer = app.send(request(method, path, body, &[])).await;
        assert_eq!(answer.status, status, "{method} {} {}", &path[..path.len().min(40)], &body[..body.len().min(40)]);
    }
    let stated = request("POST", "/v1/tiny/echo", "{}", &[("content-length", "70000")]);
    assert_eq!(app.send(stated).await.problem(), (413, "core.too_large".into()));
    let read = app.send(request("POST", "/v1/tiny/echo?b=2", "{\"a\":[1,null]}", &[])).await;
    assert_eq!(read.json(), json!({ "a": [1, null] }));
    assert_eq!(app.send(request("GET", "/v1/tiny/echo?a=1&b=", "", &[])).await.json(), json!({ "a": "1", "b": "" }));
}

#[tokio::test]
async fn whoever_sends_another_content_type_is_told_which_to_send() {
    let app = App::new();
    for content_type in ["application/x-www-form-urlencoded", "text/plain", ""] {
        let body = r#"{"password":"SECRET"}"#;
        let answer = app.send(request("POST", "/v1/tiny/echo", body, &[("content-type", content_type)])).await;
        assert_eq!(answer.problem(), (400, "core.invalid_input".into()), "{content_type}");
        let told = json!([{ "field": "content-type", "message": "Send JSON, with Content-Type: application/json." }]);
        assert_eq!(answer.json()["errors"], told, "{content_type}");
    }
}

#[tokio::test]
async fn every_response_of_the_operations_is_hardened() {
    let app = App::new();
    for (method, path) in [
        ("GET", "/openapi.json"),
        ("GET", "/v1/tiny/echo"),
        ("GET", "/.well-known/tiny.json"),
        ("POST", "/v1/tiny/panic"),
        ("PUT", "/v1/tiny/end"),
        ("GET", "/v1/auth/x"),
    ] {
        let headers = app.send(request(method, path, "", &[])).await.headers;
        let kept = if path.starts_with("/.well-known/") { "public, max-age=600" } else { "no-store" };
        assert_eq!(headers["cache-control"], kept, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'; sandbox", "{path}");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin", "{path}");
        assert!(!headers.contains_key("clear-site-data"), "{path}");
        assert_eq!(headers["x-request-id"].len(), 36, "{path}");
    }
    for (given, kept) in [("abc-1.2_Z", true), ("a b", false), ("a\"b", false), (&"x".repeat(65), false)] {
        let answer = app.send(request("GET", "/v1/tiny/echo", "", &[("x-request-id", given)])).await;
        assert_eq!(answer.headers["x-request-id"] == given, kept, "{given}");
    }
}

#[tokio::test]
async fn access_is_checked_before_the_body_is_read_and_for_head_too() {
    let app = App::new();
    let bearer = |token: &'static str| [("authorization", token)];
    let refused = app.send(request("PUT", "/v1/tiny/echo", "not json", &[])).await;
    assert_eq!(refused.problem(), (401, "core.unauthenticated".into()));
    assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"authkit\"");
    let stale = app.send(bare("PUT", "/v1/tiny/echo", "not json", &bearer("Bearer stale"))).await;
    assert_eq!(stale.problem(), (403, "core.step_up_required".into()));
    assert_eq!(app.send(bare("PUT", "/v1/tiny/echo", "not json", &bearer("Bearer alive"))).await.status, 400);
    for method in ["GET", "HEAD"] {
        assert_eq!(app.send(bare(method, "/v1/tiny/parts/x", "", &[])).await.status, 401, "{method}");
    }
    let part = app.send(bare("GET", "/v1/tiny/parts/a%2Fb", "", &bearer("Bearer alive"))).await;
    assert_eq!(part.json(), "a/b");
    assert_eq!(app.send(bare("GET", "/v1/tiny/parts/%ff", "", &bearer("Bearer alive"))).await.status, 404);
}
