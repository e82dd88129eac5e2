//! What handlers of the application ask for.

use std::{ops::Deref, sync::Arc};

use authkit_core::{AuthError, Principal, RequestContext, codes};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::{layer::Carried, problem::HttpError};

/// The session of the request, as an extractor; also `Option<Session>`.
///
/// Without a living session the answer is 401, as `application/problem+json`. The store is asked when the first handler
/// or middleware of a request asks for the session, and once.
///
/// # Errors
///
/// [`codes::UNAUTHENTICATED`]; [`codes::INVALID_INPUT`] if the request shows two sessions; 500 without
/// [`layer`](crate::layer()).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Session {
    /// Whose it is.
    pub principal: Principal,
    found: Arc<authkit_core::Session>,
}

/// The session of the request, if there is one.
pub type OptionalSession = Option<Session>;

impl Deref for Session {
    type Target = authkit_core::Session;

    fn deref(&self) -> &Self::Target {
        &self.found
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        let session = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        session.ok_or_else(|| refused(parts, AuthError::new(&codes::UNAUTHENTICATED)))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, HttpError> {
        let session = carried(parts)?.session(&parts.headers).await;
        let session = session.map_err(|error| refused(parts, error))?;
        Ok(session.map(|found| Self { principal: found.principal.clone(), found }))
    }
}

/// The [`RequestContext`] of the request, as an extractor.
///
/// # Errors
///
/// 500 without [`layer`](crate::layer()).
#[derive(Clone, Debug)]
pub struct Context(Arc<Carried>);

impl Deref for Context {
    type Target = RequestContext;

    fn deref(&self) -> &RequestContext {
        &self.0.cx
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Context {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpError> {
        carried(parts).cloned().map(Self)
    }
}

fn carried(parts: &Parts) -> Result<&Arc<Carried>, HttpError> {
    let missing = "the route is not below authkit_axum::layer(&auth); add it with .layer(…) after the route";
    Carried::of(parts).ok_or_else(|| AuthError::new(&codes::INTERNAL).because(missing).into())
}

fn refused(parts: &Parts, error: AuthError) -> HttpError {
    HttpError::new(error, Carried::of(parts).and_then(|carried| carried.request_id()))
}
