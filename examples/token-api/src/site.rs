//! The single-page application: three files of this program, under a strict content security policy.

use axum::{
    Router,
    http::{HeaderName, header},
    response::IntoResponse,
    routing::{MethodRouter, get},
};

/// Only this origin's own files and operations. A script of somebody else could use the access token.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn router() -> Router {
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("../web/spa.html")))
        .route("/spa.js", file("text/javascript; charset=utf-8", include_str!("../web/spa.js")))
        .route("/spa.css", file("text/css; charset=utf-8", include_str!("../web/spa.css")))
}

fn file(kind: &'static str, content: &'static str) -> MethodRouter {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    get(move || async move { ([(header::CONTENT_TYPE, kind)], HEADERS, content).into_response() })
}
