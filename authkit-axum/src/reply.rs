//! Replies of operations as responses; the only place where tokens leave.

use std::time::Duration;

use authkit_core::{AuthError, Mark, Reply, SessionChange, Tokens, codes};
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value as JsonValue, json};

use crate::{
    layer::Carried,
    presented::{Presented, Transport},
};

/// Makes the response to a request with these headers: tokens go into cookies or into the body.
///
/// # Errors
///
/// [`codes::INTERNAL`] if the reply has no form in HTTP.
pub(crate) fn render(
    reply: Reply,
    transport: Transport,
    request: &HeaderMap,
    carried: &Carried,
) -> Result<Response, AuthError> {
    let Reply { status, mut body, session, mark, fresh_for, .. } = reply;
    let mut status = StatusCode::from_u16(status).map_err(unfit)?;
    let transport = match &session {
        // A browser may refresh without saying how; a session cookie holds only what the server can revoke at once.
        SessionChange::Start(tokens) if tokens.refresh.is_some() && transport == Transport::Cookie => Transport::Split,
        _ => transport,
    };
    let shown = Presented::read(request, carried.edge.cookies);
    let mut headers = cookies(&session, mark.as_ref(), transport, &shown, carried)?;
    if let (SessionChange::End, Some(forgotten)) = (&session, &carried.edge.forgotten) {
        headers.insert(HeaderName::from_static("clear-site-data"), forgotten.clone());
    }
    let tokens = fields(&session, mark.as_ref(), transport, carried)?;
    if !tokens.is_empty() {
        let mut object = match body {
            Some(JsonValue::Object(object)) => object,
            _ => Map::new(),
        };
        object.extend(tokens);
        body = Some(JsonValue::Object(object));
        status = if status == StatusCode::NO_CONTENT { StatusCode::OK } else { status };
    }
    // RFC 6749 §5.1: whatever holds a token is kept by nobody.
    if let (Some(span), SessionChange::None, None) = (fresh_for, &session, &mark) {
        let kept = HeaderValue::try_from(format!("public, max-age={}", span.as_secs())).map_err(unfit)?;
        headers.insert(header::CACHE_CONTROL, kept);
    }
    let body = match body {
        Some(body) => {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Body::from(serde_json::to_vec(&body).map_err(unfit)?)
        }
        None => Body::empty(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The cookies that change; those that the client needs no longer are removed.
fn cookies(
    session: &SessionChange,
    mark: Option<&Mark>,
    transport: Transport,
    shown: &Presented<'_>,
    carried: &Carried,
) -> Result<HeaderMap, AuthError> {
    let mut headers = HeaderMap::new();
    if transport == Transport::Token {
        return Ok(headers);
    }
    let cookies = carried.edge.cookies;
    let mut set = |cookie| headers.append(header::SET_COOKIE, cookie);
    match session {
        SessionChange::End => {
            set(cookies.session.clear()?);
            set(cookies.refresh.clear()?);
        }
        SessionChange::None => {}
        SessionChange::Start(tokens) if transport == Transport::Cookie => {
            set(cookies.session.set(tokens.access.expose(), life(tokens, carried))?);
            if shown.has_refresh_cookie() {
                set(cookies.refresh.clear()?);
            }
        }
        SessionChange::Start(tokens) => {
            if let Some(refresh) = &tokens.refresh {
                set(cookies.refresh.set(refresh.text.expose(), refresh.expires_at.since(carried.cx.now()))?);
            } else if shown.has_refresh_cookie() {
                set(cookies.refresh.clear()?);
            }
            if shown.has_session_cookie() {
                set(cookies.session.clear()?);
            }
        }
    }
    if let Some(mark) = mark {
        set(cookies.device.set(mark.text.expose(), mark.life)?);
    }
    Ok(headers)
}

/// Use puts the end of the tokens off, and does not set the cookie again: it has to live longer than they do now.
fn life(tokens: &Tokens, carried: &Carried) -> Duration {
    tokens.expires_at.since(carried.cx.now()).max(carried.edge.cookie_life)
}

/// What a script or program may read, by the names of RFC 6749 §5.1.
fn fields(
    session: &SessionChange,
    mark: Option<&Mark>,
    transport: Transport,
    carried: &Carried,
) -> Result<Map<String, JsonValue>, AuthError> {
    let mut fields = Map::new();
    if transport == Transport::Cookie {
        return Ok(fields);
    }
    if let SessionChange::Start(tokens) = session {
        fields.insert("access_token".into(), json!(tokens.access.expose()));
        fields.insert("token_type".into(), json!("Bearer"));
        fields.insert("expires_in".into(), json!(tokens.expires_at.since(carried.cx.now()).as_secs()));
        fields.insert("expires_at".into(), serde_json::to_value(tokens.expires_at).map_err(unfit)?);
        if let Some(refresh) = &tokens.refresh {
            fields.insert("refresh_expires_at".into(), serde_json::to_value(refresh.expires_at).map_err(unfit)?);
            if transport == Transport::Token {
                fields.insert("refresh_token".into(), json!(refresh.text.expose()));
            }
        }
    }
    if let Some(mark) = mark.filter(|_| transport == Transport::Token) {
        fields.insert("device_mark".into(), json!(mark.text.expose()));
    }
    Ok(fields)
}

fn unfit(error: impl std::error::Error + Send + Sync + 'static) -> AuthError {
    AuthError::new(&codes::INTERNAL).caused_by(error)
}
