//! What handlers of the application ask for.

use std::{ops::Deref, sync::Arc, time::Duration};

use authkit_core::{Access, AuthError, FRESH, Principal, RequestContext, codes};
use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    middleware::{FromExtractorLayer, from_extractor},
};
use http::request::Parts;

use crate::{layer::Carried, problem::HttpError};

/// The session of the request, as an extractor; also `Option<Session>`.
///
/// Without a session the answer is 401, as `application/problem+json`. The first handler or middleware of a request that
/// asks for the session pays for it: one store call with opaque tokens, none with signed ones.
///
/// # Security
///
/// A signed access token is believed until it expires, 15 minutes by default: a session that was ended, or a principal
/// that was disabled, gets in for that long at most. Where that is too long, ask for [`ConfirmedSession`].
///
/// # Errors
///
/// [`codes::UNAUTHENTICATED`]; [`codes::INVALID_INPUT`] if the request shows two sessions; 500 without
/// [`layer`](crate::layer()).
///
/// # Examples
///
/// A handler that only whoever has a session reaches:
///
/// ```
/// use authkit_axum::Session;
///
/// async fn me(session: Session) -> String {
///     format!("{} since {}", session.principal.id, session.created_at)
/// }
///
/// let app: axum::Router = axum::Router::new().route("/me", axum::routing::get(me));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Session {
    /// Whose it is.
    pub principal: Principal,
    found: Arc<authkit_core::Session>,
}

/// The session of the request, if there is one.
///
/// # Examples
///
/// A page that greets by name whoever is known:
///
/// ```
/// use authkit_axum::OptionalSession;
///
/// async fn home(session: OptionalSession) -> String {
///     session.map_or("Hello".to_owned(), |session| format!("Hello {}", session.principal.id))
/// }
/// ```
pub type OptionalSession = Option<Session>;

impl From<Arc<authkit_core::Session>> for Session {
    fn from(found: Arc<authkit_core::Session>) -> Self {
        Self { principal: found.principal.clone(), found }
    }
}

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
        Ok(session.map(Self::from))
    }
}

/// The session of the request, alive as its store says in this request; as an extractor.
///
/// One store call, whatever shows the session. Use it where the end of a session has to count at once.
///
/// # Errors
///
/// As with [`Session`].
///
/// # Examples
///
/// A session that was ended a second ago deletes nothing:
///
/// ```
/// use authkit_axum::ConfirmedSession;
/// use axum::{http::StatusCode, routing::delete};
///
/// async fn delete_notes(session: ConfirmedSession) -> StatusCode {
///     println!("the notes of {} are deleted", session.principal.id);
///     StatusCode::NO_CONTENT
/// }
///
/// let app: axum::Router = axum::Router::new().route("/notes", delete(delete_notes));
/// ```
#[derive(Clone, Debug)]
pub struct ConfirmedSession(Session);

impl Deref for ConfirmedSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ConfirmedSession {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpError> {
        let session = carried(parts)?.confirmed(&parts.headers).await.map_err(|error| refused(parts, error))?;
        let session = session.ok_or_else(|| refused(parts, AuthError::new(&codes::UNAUTHENTICATED)))?;
        Ok(Self(session.into()))
    }
}

/// A [`ConfirmedSession`] with a proof that is at most so many seconds old; as an extractor.
///
/// At least 300, which is [`FRESH`]: less does not compile. `POST /auth/step-up` asks for nothing while a proof is younger
/// than that, so users could not get in until theirs is older.
///
/// # Errors
///
/// As with [`Session`], and [`codes::STEP_UP_REQUIRED`] if every proof is older.
///
/// # Examples
///
/// Whoever deletes the shop signed in or stepped up within ten minutes:
///
/// ```
/// async fn delete_shop(session: authkit_axum::FreshSession<600>) -> String {
///     format!("{} deletes the shop", session.principal.id)
/// }
/// ```
///
/// Less than 300 seconds is refused by the compiler:
///
/// ```compile_fail
/// async fn delete_shop(_: authkit_axum::FreshSession<299>) {}
///
/// let app: axum::Router = axum::Router::new().route("/shop", axum::routing::delete(delete_shop));
/// ```
#[derive(Clone, Debug)]
pub struct FreshSession<const SECONDS: u64>(ConfirmedSession);

impl<const SECONDS: u64> Deref for FreshSession<SECONDS> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl<const SECONDS: u64, S: Send + Sync> FromRequestParts<S> for FreshSession<SECONDS> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        const {
            assert!(
                SECONDS >= FRESH.as_secs(),
                "FreshSession takes 300 seconds or more: a step-up asks for nothing before"
            );
        }
        let session = ConfirmedSession::from_request_parts(parts, state).await?;
        let access = Access::FreshSession(Duration::from_secs(SECONDS));
        access.check(&carried(parts)?.cx, Some(&session)).map_err(|error| refused(parts, error))?;
        Ok(Self(session))
    }
}

/// Lets requests through that have a [`Session`], and answers the others before any handler runs.
///
/// It has to be below [`layer`](crate::layer()), so add it before that. For the other extractors,
/// [`axum::middleware::from_extractor`] makes such a guard: `from_extractor::<FreshSession<600>>()`.
///
/// # Examples
///
/// A router that nobody enters without a session:
///
/// ```
/// # fn app(auth: &authkit_core::AuthManager, orders: axum::Router, about: axum::Router) -> axum::Router {
/// let orders = orders.route_layer(authkit_axum::require_session());
/// orders.merge(about).merge(authkit_axum::router(auth)).layer(authkit_axum::layer(auth))
/// # }
/// ```
pub fn require_session() -> FromExtractorLayer<Session, ()> {
    from_extractor()
}

/// The [`RequestContext`] of the request, as an extractor.
///
/// # Errors
///
/// 500 without [`layer`](crate::layer()).
///
/// # Examples
///
/// A handler that asks core something, under the request's own id, client and time:
///
/// ```
/// use authkit_axum::{Context, HttpError, Session};
/// use authkit_core::{Progress, codes, AuthError};
///
/// async fn transfer(cx: Context, session: Session) -> Result<&'static str, HttpError> {
///     match cx.step_up(&session, "bank.transfer").await? {
///         Progress::Granted(_) => Ok("confirmed"),
///         _ => Err(AuthError::new(&codes::STEP_UP_REQUIRED).into()),
///     }
/// }
/// ```
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

pub(crate) fn carried(parts: &Parts) -> Result<&Arc<Carried>, HttpError> {
    let missing = "the route is not below authkit_axum::layer(&auth); add it with .layer(…) after the route";
    Carried::of(parts).ok_or_else(|| AuthError::new(&codes::INTERNAL).because(missing).into())
}

pub(crate) fn refused(parts: &Parts, error: AuthError) -> HttpError {
    match Carried::of(parts) {
        Some(carried) => HttpError::of(carried, error),
        None => error.into(),
    }
}
