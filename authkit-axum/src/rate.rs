//! Limits for routes of the application.

use std::time::Duration;

use authkit_core::{AuthError, Charge, Id, Session};
use axum::{
    extract::FromRequestParts,
    middleware::{FromExtractorLayer, from_extractor_with_state},
};
use http::request::Parts;

use crate::{
    extract::{carried, refused},
    layer::Carried,
    problem::HttpError,
};

/// Lets `most` requests of one caller through in any span of this length.
///
/// All of them may come at once. Whoever shows a session that is alive, as [`ConfirmedSession`](crate::ConfirmedSession)
/// finds it, is limited as its principal, from wherever he comes; whoever shows none, with all others at his address: the
/// whole IPv4 address, or the first 64 bits of the IPv6 address. All whose address is not known share one budget. Routes of
/// one `name` share theirs; it is also the reason in the records of what was turned away, so write it as `shop.search`.
///
/// A request is counted in the store, in one commit, before the handler runs, and whatever comes of it; a session that a
/// signed token claims is read before. So the limit holds over all nodes and restarts, and however many requests come at
/// once. Without an answer of the store nobody gets in. A span of less than a millisecond is one. Clocks of nodes may
/// differ by less than the span: see [`Charge::window`].
///
/// It has to be below [`layer`](crate::layer()), so add it before that. Add [`require_session`](crate::require_session())
/// after it, if both are to guard a route: then whoever has no session is refused before anything is counted.
///
/// # Errors
///
/// [`codes::LIMITED`](authkit_core::codes::LIMITED) (429) with `Retry-After`;
/// [`codes::UNAVAILABLE`](authkit_core::codes::UNAVAILABLE) (503) if the store does not answer;
/// [`codes::INVALID_INPUT`](authkit_core::codes::INVALID_INPUT) (400) if the request shows two sessions; 500 without
/// [`layer`](crate::layer()).
///
/// # Security
///
/// The signed token of a session that ended uses up nothing of its owner, although [`Session`](crate::Session) believes it
/// until it expires: it counts by address. Whoever has a session can leave it out, and has the budget of his address
/// besides. Whoever has many accounts or many addresses has as many budgets.
///
/// # Examples
///
/// Thirty searches a minute:
///
/// ```
/// use std::time::Duration;
///
/// use axum::{Router, routing::get};
///
/// fn app(auth: &authkit_core::AuthManager) -> Router {
///     Router::new()
///         .route("/search", get(|| async { "found" }))
///         .route_layer(authkit_axum::rate_limit("shop.search", 30, Duration::from_secs(60)))
///         .layer(authkit_axum::layer(auth))
/// }
/// ```
pub fn rate_limit(name: &'static str, most: u32, within: Duration) -> FromExtractorLayer<WithinLimit, RateLimit> {
    from_extractor_with_state(RateLimit { name, most, within })
}

/// A limit of [`rate_limit`].
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    name: &'static str,
    most: u32,
    within: Duration,
}

/// Says that a request was counted and is within its [`RateLimit`].
#[derive(Clone, Copy, Debug)]
pub struct WithinLimit(());

impl FromRequestParts<RateLimit> for WithinLimit {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, limit: &RateLimit) -> Result<Self, HttpError> {
        limit.count(carried(parts)?, parts).await.map_err(|error| refused(parts, error))
    }
}

impl RateLimit {
    async fn count(&self, carried: &Carried, parts: &Parts) -> Result<WithinLimit, AuthError> {
        let (cx, session) = (&carried.cx, carried.confirmed(&parts.headers).await?);
        let key = match session.as_deref().map(principal) {
            Some(principal) => cx.counter_key(&[OWNER, self.name.as_bytes(), b"principal", principal.as_bytes()]),
            None => {
                let client = cx.client().prefix().map(|prefix| prefix.to_string()).unwrap_or_default();
                cx.counter_key(&[OWNER, self.name.as_bytes(), b"client", client.as_bytes()])
            }
        };
        cx.charge(&Charge::window(self.name, key, cx.now(), self.most, self.within)).await?;
        Ok(WithinLimit(()))
    }
}

fn principal(session: &Session) -> Id {
    session.principal.id.into()
}

/// Keeps these counters apart from those that an application names itself.
const OWNER: &[u8] = b"authkit-axum";
