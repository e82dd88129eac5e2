//! Routes for everybody, routes that nobody enters without a session, and what a handler may ask of one.

use std::time::Duration;

use authkit_account::Accounts;
use authkit_axum::{ConfirmedSession, FreshSession, OptionalSession, Session, rate_limit, require_session};
use authkit_core::{AuthManager, BuildError, Builder, Principal};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use axum::{
    Json, Router,
    routing::{delete, get, post},
};

/// Adds what the application consists of; where it is and what it keeps its rows in is the caller's choice.
///
/// # Errors
///
/// Every problem of the setup.
pub fn auth(builder: Builder) -> Result<AuthManager, BuildError> {
    builder
        .plugin(Accounts::default())
        .plugin(Sessions::jwt())
        .plugin(Passwords::default().service_name("Club"))
        .plugin(Throttle::default())
        .build()
}

/// All routes: the application's own, and those of authkit.
pub fn app(auth: &AuthManager) -> Router {
    Router::new()
        .merge(public())
        .merge(members().route_layer(require_session()))
        .merge(personal())
        .merge(authkit_axum::router(auth))
        // Last, so that it is around all of them: it finds the session that they ask for.
        .layer(authkit_axum::layer(auth))
}

/// Everybody gets in; to be greeted, ten times a minute. A handler may look whether somebody is signed in.
fn public() -> Router {
    Router::new()
        .route("/greeting", get(greeting))
        // Only what was added before is limited.
        .route_layer(rate_limit("club.greeting", 10, Duration::from_secs(60)))
        .route("/", get(|| async { "Everybody may read this.\n" }))
}

/// Nobody gets in without a session; a handler cannot forget to ask.
fn members() -> Router {
    Router::new()
        .route("/members/news", get(|| async { "The club has a new boat.\n" }))
        .route("/members/dates", get(|| async { "We meet on Friday.\n" }))
}

/// Each handler says by its argument what it asks for.
fn personal() -> Router {
    Router::new().route("/me", get(me)).route("/orders", post(order)).route("/club", delete(close_club))
}

async fn greeting(session: OptionalSession) -> String {
    match session {
        Some(session) => format!("Welcome back, {}.\n", session.principal.id),
        None => "Welcome, stranger.\n".to_owned(),
    }
}

/// The current user. Rows of the application are found by its id.
async fn me(session: Session) -> Json<Principal> {
    Json(session.principal)
}

/// A session that was ended a moment ago orders nothing any more, whatever its token says.
async fn order(session: ConfirmedSession) -> String {
    format!("A cap for {}.\n", session.principal.id)
}

/// Whoever does this has shown within ten minutes who he is.
async fn close_club(session: FreshSession<600>) -> String {
    format!("{} has closed the club.\n", session.principal.id)
}
