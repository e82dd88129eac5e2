//! Replies of operations as responses; the only place where tokens leave.

use std::time::Duration;

use authkit_core::{AuthError, Mark, Reply, SessionChange, Tokens, codes};
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value as JsonValue, json};

use crate::{layer::Carried, presented::Transport};

/// Makes the response, with tokens in cookies or in the body.
///
/// # Errors
///
/// [`codes::INTERNAL`] if the reply has no form in HTTP.
pub(crate) fn render(reply: Reply, transport: Transport, carried: &Carried) -> Result<Response, AuthError> {
    let Reply { status, mut body, session, mark, .. } = reply;
    let mut status = StatusCode::from_u16(status).map_err(unfit)?;
    let mut headers = HeaderMap::new();
    match transport {
        Transport::Cookie => set_cookies(&mut headers, &session, mark.as_ref(), carried)?,
        Transport::Token => {
            let tokens = tokens(&session, mark.as_ref())?;
            if !tokens.is_empty() {
                let mut object = match body {
                    Some(JsonValue::Object(object)) => object,
                    _ => Map::new(),
                };
                object.extend(tokens);
                body = Some(JsonValue::Object(object));
                status = if status == StatusCode::NO_CONTENT { StatusCode::OK } else { status };
            }
        }
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

fn set_cookies(
    headers: &mut HeaderMap,
    session: &SessionChange,
    mark: Option<&Mark>,
    carried: &Carried,
) -> Result<(), AuthError> {
    let cookies = carried.edge.cookies;
    match session {
        SessionChange::End => {
            headers.append(header::SET_COOKIE, cookies.clear(cookies.session)?);
        }
        SessionChange::None => {}
        SessionChange::Start(tokens) => {
            let life = life(tokens, carried);
            headers.append(header::SET_COOKIE, cookies.set(cookies.session, tokens.access.expose(), life)?);
        }
    }
    if let Some(mark) = mark {
        headers.append(header::SET_COOKIE, cookies.set(cookies.device, mark.text.expose(), mark.life)?);
    }
    Ok(())
}

/// Use puts the end of the tokens off, and does not set the cookie again: it has to live longer than they do now.
fn life(tokens: &Tokens, carried: &Carried) -> Duration {
    tokens.expires_at.since(carried.cx.now()).max(carried.edge.cookie_life)
}

fn tokens(session: &SessionChange, mark: Option<&Mark>) -> Result<Map<String, JsonValue>, AuthError> {
    let mut fields = Map::new();
    if let SessionChange::Start(tokens) = session {
        fields.insert("access_token".to_owned(), json!(tokens.access.expose()));
        fields.insert("token_type".to_owned(), json!("Bearer"));
        fields.insert("expires_at".to_owned(), serde_json::to_value(tokens.expires_at).map_err(unfit)?);
    }
    if let Some(mark) = mark {
        fields.insert("device_mark".to_owned(), json!(mark.text.expose()));
    }
    Ok(fields)
}

fn unfit(error: impl std::error::Error + Send + Sync + 'static) -> AuthError {
    AuthError::new(&codes::INTERNAL).caused_by(error)
}
