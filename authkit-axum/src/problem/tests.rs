use authkit_core::{AuthError, codes};
use axum::body::to_bytes;
use serde_json::{Value as JsonValue, json};

use super::*;

async fn rendered(error: HttpError) -> (StatusCode, HeaderMap, JsonValue) {
    let (parts, body) = error.into_response().into_parts();
    let body = to_bytes(body, 1 << 16).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_problem_tells_what_is_public() {
    let error = AuthError::new(&codes::INVALID_INPUT).because("SECRET").field("password", "Give more.");
    let (status, headers, body) = rendered(HttpError { request_id: Some("r-1".into()), ..error.into() }).await;
    assert_eq!(status, 400);
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["content-security-policy"], DATA_ONLY);
    assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
    assert_eq!(headers["x-request-id"], "r-1");
    let expected = json!({
        "type": "urn:authkit:error:core.invalid_input",
        "title": "The request cannot be read.",
        "status": 400,
        "code": "core.invalid_input",
        "request_id": "r-1",
        "errors": [{ "field": "password", "message": "Give more." }],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn internals_are_never_sent() {
    let error = AuthError::new(&codes::INTERNAL).caused_by(std::io::Error::other("SECRET"));
    let (status, headers, body) = rendered(error.into()).await;
    assert_eq!(status, 500);
    assert!(!format!("{headers:?}{body}").contains("SECRET"));
}

#[tokio::test]
async fn retry_after_is_rounded_up() {
    for (millis, seconds) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (59_900, 60)] {
        let error = AuthError::new(&codes::LIMITED).retry_after(Duration::from_millis(millis));
        let (status, headers, body) = rendered(error.into()).await;
        assert_eq!(status, 429);
        assert_eq!(headers["retry-after"], seconds.to_string());
        assert_eq!(body["retry_after"], seconds);
    }
}

#[tokio::test]
async fn a_token_that_was_shown_and_is_no_good_is_said_to_be_so() {
    let (plain, invalid) = ("Bearer realm=\"authkit\"", INVALID_TOKEN);
    for (code, has_bearer, expected) in [
        (&codes::UNAUTHENTICATED, false, plain),
        (&codes::UNAUTHENTICATED, true, invalid),
        (&codes::REJECTED, true, plain),
    ] {
        let (_, headers, _) = rendered(HttpError { has_bearer, ..AuthError::new(code).into() }).await;
        assert_eq!(headers["www-authenticate"], expected, "{code:?}");
    }
}

#[tokio::test]
async fn only_401_asks_to_authenticate() {
    for (code, asks) in [(&codes::REJECTED, true), (&codes::UNAUTHENTICATED, true), (&codes::CROSS_SITE, false)] {
        let (_, headers, body) = rendered(AuthError::new(code).into()).await;
        assert_eq!(headers.contains_key("www-authenticate"), asks, "{code:?}");
        assert!(body.get("retry_after").is_none() && body.get("errors").is_none() && body.get("challenge").is_none());
    }
}
