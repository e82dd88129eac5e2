//! Errors as problem details (RFC 9457).

use std::time::Duration;

use authkit_core::{AuthError, Challenge, Class, FieldError, Offer, Timestamp, codes};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::layer::Carried;

const DATA_ONLY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";
const INVALID_TOKEN: &str = "Bearer realm=\"authkit\", error=\"invalid_token\"";

/// An [`AuthError`] as a response: `application/problem+json` (RFC 9457).
///
/// What is public of the error is sent; the rest goes to the log, at level error if it is a fault of the service. There
/// `internal` has the cause and what caused that, the innermost last, within the span of the request. There is no
/// backtrace: an error is made where it is understood, and a panic hook writes that of a panic.
///
/// # Examples
///
/// An error of the application that looks like those of authkit:
///
/// ```
/// use authkit_axum::HttpError;
/// use authkit_core::{AuthError, Class, ErrorCode};
///
/// static SOLD_OUT: ErrorCode = ErrorCode::new("shop.sold_out", Class::Conflict, "This is sold out.");
///
/// async fn buy() -> Result<&'static str, HttpError> {
///     Err(AuthError::new(&SOLD_OUT).into())
/// }
///
/// let app: axum::Router = axum::Router::new().route("/buy", axum::routing::post(buy));
/// ```
#[derive(Debug)]
pub struct HttpError {
    error: AuthError,
    status: Option<StatusCode>,
    request_id: Option<Box<str>>,
    has_bearer: bool,
}

impl HttpError {
    /// The answer to this request.
    pub(crate) fn of(carried: &Carried, error: impl Into<AuthError>) -> Self {
        let request_id = carried.request_id().map(Into::into);
        Self { error: error.into(), status: None, request_id, has_bearer: carried.has_bearer() }
    }

    /// Another status than that of the error's class.
    pub(crate) const fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }
}

impl From<AuthError> for HttpError {
    fn from(error: AuthError) -> Self {
        Self { error, status: None, request_id: None, has_bearer: false }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let class = self.error.code().class;
        let status = StatusCode::from_u16(class.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let status = self.status.unwrap_or(status);
        log(&self.error, status);
        let wait = self.error.wait().map(whole_seconds);
        // Only a time or a number could fail here, and neither does; an empty body still says the status.
        let body = serde_json::to_vec(&Problem::of(&self, status, wait)).unwrap_or_default();

        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        if class == Class::Rejected {
            // RFC 9110 §15.5.2 asks for it with every 401, and RFC 6750 §3.1 for the error where a token was no good.
            let no_good = self.has_bearer && *self.error.code() == codes::UNAUTHENTICATED;
            let asked = if no_good { INVALID_TOKEN } else { "Bearer realm=\"authkit\"" };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(asked));
        }
        harden(headers, self.request_id.as_deref());
        response
    }
}

/// Adds what every response of ours has: it is kept by nobody unless it says so, is what it says it is, is no page and
/// no part of one, and can be found in the log.
pub(crate) fn harden(headers: &mut HeaderMap, request_id: Option<&str>) {
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // ASVS 5.0 V3.2.1: opened as a page, it runs nothing and belongs to no origin.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DATA_ONLY));
    // ASVS 5.0 V3.5.8: no page of another origin can embed it. Requests by the CORS protocol are not judged by this.
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(Ok(id)) = request_id.map(HeaderValue::from_str) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

fn log(error: &AuthError, status: StatusCode) {
    let (code, internal) = (error.code().code, tracing::field::display(Internal(error)));
    if status.is_server_error() {
        tracing::error!(code, status = status.as_u16(), internal, "a request failed");
    } else {
        tracing::debug!(code, status = status.as_u16(), internal, "a request was refused");
    }
}

/// Puts the cause together only if somebody reads it.
struct Internal<'a>(&'a AuthError);

impl std::fmt::Display for Internal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.internal())
    }
}

/// Rounded up, so that nobody comes back too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<NextStep<'a>>,
}

/// The challenge with which the flow goes on.
#[derive(Serialize)]
struct NextStep<'a> {
    flow: &'a str,
    reason: &'a str,
    offers: &'a [Offer],
    expires_at: Timestamp,
}

impl<'a> Problem<'a> {
    fn of(http: &'a HttpError, status: StatusCode, retry_after: Option<u64>) -> Self {
        let code = http.error.code();
        Self {
            kind: format!("urn:authkit:error:{}", code.code),
            title: code.text,
            status: status.as_u16(),
            code: code.code,
            request_id: http.request_id.as_deref(),
            errors: http.error.fields(),
            retry_after,
            challenge: http.error.challenge().map(NextStep::from),
        }
    }
}

impl<'a> From<&'a Challenge> for NextStep<'a> {
    fn from(challenge: &'a Challenge) -> Self {
        Self {
            flow: challenge.flow.expose(),
            reason: &challenge.reason,
            offers: &challenge.offers,
            expires_at: challenge.expires_at,
        }
    }
}

#[cfg(test)]
mod tests;
