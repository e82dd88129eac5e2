//! What the application is for: everybody's own notes, in a table beside those of authkit.

use authkit_axum::{ConfirmedSession, Session};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Deserialize;
use sqlx::SqlitePool;

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

pub(crate) async fn router(database: SqlitePool) -> Result<Router, sqlx::Error> {
    let table = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, text TEXT NOT NULL)";
    sqlx::query(table).execute(&database).await?;
    Ok(Router::new().route("/notes", get(list).post(add).delete(remove_all)).with_state(database))
}

/// `Session` believes an access token until it expires, and asks no store about it.
async fn list(session: Session, State(database): State<SqlitePool>) -> Result<Json<Vec<String>>, StatusCode> {
    let notes = sqlx::query_scalar("SELECT text FROM notes WHERE owner = ? ORDER BY id")
        .bind(session.principal.id.to_string())
        .fetch_all(&database);
    notes.await.map(Json).map_err(failed)
}

async fn add(
    session: Session,
    State(database): State<SqlitePool>,
    Json(note): Json<NewNote>,
) -> Result<StatusCode, StatusCode> {
    let added = sqlx::query("INSERT INTO notes (owner, text) VALUES (?, ?)")
        .bind(session.principal.id.to_string())
        .bind(note.text)
        .execute(&database);
    added.await.map(|_| StatusCode::CREATED).map_err(failed)
}

/// `ConfirmedSession` asks the store: where something is lost for good, a session that was ended counts at once.
async fn remove_all(session: ConfirmedSession, State(database): State<SqlitePool>) -> Result<StatusCode, StatusCode> {
    let removed =
        sqlx::query("DELETE FROM notes WHERE owner = ?").bind(session.principal.id.to_string()).execute(&database);
    removed.await.map(|_| StatusCode::NO_CONTENT).map_err(failed)
}

fn failed(error: sqlx::Error) -> StatusCode {
    tracing::error!(%error, "the notes cannot be reached");
    StatusCode::INTERNAL_SERVER_ERROR
}
