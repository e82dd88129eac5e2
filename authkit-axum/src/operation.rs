//! One request to one of our routes, from checks to response.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use authkit_core::{Access, AuthError, Call, Class, ErrorCode, Operation, codes};
use axum::{
    body::Body,
    extract::{FromRequestParts as _, RawPathParams, Request},
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header, request::Parts};

use crate::{
    input,
    layer::Carried,
    presented::{Presented, Transport},
    problem::{HttpError, harden},
    reply,
};

static METHOD_NOT_ALLOWED: ErrorCode =
    ErrorCode::new("axum.method_not_allowed", Class::Invalid, "This method cannot be used here.");

pub(crate) async fn serve(operation: Arc<Operation>, request: Request) -> Response {
    guarded(request, async |carried, mut parts, body| {
        let presented = Presented::read(&parts.headers, carried.edge.cookies);
        let session = carried.confirmed(&parts.headers).await?;
        let transport = match session {
            Some(_) => presented.transport(),
            None => presented.without_dead_cookie().transport(),
        };
        // Whoever may not call is not worth the reading of a body.
        operation.access.check(&carried.cx, session.as_deref())?;
        let path = path(&mut parts).await?;
        let input = input::read(operation.method, &parts.headers, &parts.uri, body).await.inspect_err(|_| {
            carried.cx.turned_away("axum.unreadable_input");
        })?;
        Presented::read(&parts.headers, carried.edge.cookies).check_refresh(&input)?;
        let session = session.map(Arc::unwrap_or_clone);
        let answer = operation.call(Call { cx: carried.own_context(transport), session, input, path }).await;
        let mut reply = match answer {
            Err(error) if error.code().class == Class::Rejected && takes_refresh(&operation) => {
                return refuse_refresh(&carried, &parts, error);
            }
            answer => answer?,
        };
        if operation.access != Access::Public || !operation.method.is_safe() {
            reply.fresh_for = None;
        }
        reply::render(reply, transport, &parts.headers, &carried)
    })
    .await
}

/// Whether the operation takes a refresh token, in its input or in the cookie.
pub(crate) fn takes_refresh(operation: &Operation) -> bool {
    operation.input.as_value().pointer("/properties/refresh_token").is_some()
}

/// Takes the refresh token that was refused out of the browser, which would show it again and again.
fn refuse_refresh(carried: &Carried, parts: &Parts, error: AuthError) -> Result<Response, AuthError> {
    let cookies = carried.edge.cookies;
    let mut response = carried.refuse(error);
    if Presented::read(&parts.headers, cookies).has_refresh_cookie() {
        response.headers_mut().append(header::SET_COOKIE, cookies.refresh.clear()?);
    }
    Ok(response)
}

pub(crate) async fn document(document: axum::body::Bytes, request: Request) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    guarded(request, async |_, _, _| Ok((json, document).into_response())).await
}

pub(crate) async fn not_found(request: Request) -> Response {
    guarded(request, async |_, _, _| Err(AuthError::new(&codes::NOT_FOUND))).await
}

pub(crate) async fn method_not_allowed(request: Request) -> Response {
    guarded(request, async |carried, _, _| {
        let problem = HttpError::of(&carried, &METHOD_NOT_ALLOWED);
        Ok(problem.status(StatusCode::METHOD_NOT_ALLOWED).into_response())
    })
    .await
}

/// Refuses what another site sent, survives a panic, and adds the headers that every response has.
async fn guarded<F>(request: Request, answer: F) -> Response
where
    F: AsyncFnOnce(Arc<Carried>, Parts, Body) -> Result<Response, AuthError>,
{
    let (parts, body) = request.into_parts();
    let Some(carried) = Carried::of(&parts).cloned() else {
        let missing = "a route was taken out of its router";
        return HttpError::from(AuthError::new(&codes::INTERNAL).because(missing)).into_response();
    };
    let own = carried.clone();
    let answer = async move {
        // A login needs no cookie to be forged, and sets one: ASVS 5.0 V3.5.1.
        own.refuse_cross_site(&parts, |presented| presented.transport() != Transport::Token)?;
        answer(own, parts, body).await
    };
    let answer = caught(answer).await.unwrap_or_else(|panic| {
        // Only a text that stands in the program: one that was put together may hold data of the request.
        let message = panic.downcast_ref::<&'static str>().copied().unwrap_or("a message with data");
        tracing::error!(message, "an operation panicked");
        Err(AuthError::new(&codes::INTERNAL).because("an operation panicked"))
    });
    let mut response = answer.unwrap_or_else(|error| carried.refuse(error));
    harden(response.headers_mut(), carried.request_id());
    response
}

async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

async fn path(parts: &mut Parts) -> Result<Vec<(String, String)>, AuthError> {
    let unreadable = |_error| AuthError::new(&codes::NOT_FOUND);
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(unreadable)?;
    Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
