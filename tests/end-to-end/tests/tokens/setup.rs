//! The application: routes of its own beside those of authkit, signed tokens for whoever keeps them.

use authkit_axum::{ConfirmedSession, FreshSession, Session};
use authkit_session::{JwtSessions, Sessions};
use axum::{Router, routing::get};
use end_to_end::{Backend, World, WorldBuilder};
use serde_json::Value as JsonValue;

pub(crate) const ADA: &str = "ada@example.com";
pub(crate) const BOB: &str = "bob@example.com";
/// Issuer and audience of the tokens: the address of the application.
pub(crate) const ORIGIN: &str = "http://localhost:3000";

/// The application with these sessions.
pub(crate) fn with(backend: Backend, sessions: JwtSessions) -> WorldBuilder {
    World::builder(backend).sessions(sessions.issuer(ORIGIN)).routes(routes())
}

pub(crate) fn builder(backend: Backend) -> WorldBuilder {
    with(backend, Sessions::jwt())
}

/// The usual application, and ada in it.
pub(crate) async fn world(backend: Backend) -> World {
    with_ada(builder(backend)).await
}

pub(crate) async fn with_ada(builder: WorldBuilder) -> World {
    let world = builder.build().await;
    world.sign_up(ADA).await;
    world
}

/// Three routes of the application's own, which ask for a session in three ways.
fn routes() -> Router {
    Router::new()
        .route("/app", get(|session: Session| async move { session.principal.id.to_string() }))
        .route("/app/confirmed", get(|session: ConfirmedSession| async move { session.principal.id.to_string() }))
        .route("/app/fresh", get(|session: FreshSession<300>| async move { session.principal.id.to_string() }))
}

/// The rows of all sessions.
pub(crate) async fn sessions(world: &World) -> Vec<JsonValue> {
    world.rows("auth_sessions", "by_principal").await
}

/// How many records there are of a kind.
pub(crate) async fn recorded(world: &World, kind: &str) -> usize {
    world.audit().await.iter().filter(|event| event["kind"] == kind).count()
}
