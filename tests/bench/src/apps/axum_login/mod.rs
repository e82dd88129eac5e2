//! The application with axum-login and tower-sessions, as their documentation sets it up.

mod postgres;
mod sqlite;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Result, bail, ensure};
use axum::{
    Json, Router,
    extract::Query,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgPool, SqlitePool};
use time::Duration;
use tower_sessions::{Expiry, MemoryStore, SessionManagerLayer, SessionStore, session_store};
use uuid::Uuid;

use crate::{
    apps::{
        self, Application, PEOPLE,
        axum_login::{postgres::PostgresSessions, sqlite::SqliteSessions},
    },
    backend::{Backend, Scratch},
    machine,
};

#[derive(Clone, Debug, Serialize)]
struct User {
    id: Uuid,
    kind: String,
    status: String,
    #[serde(skip)]
    auth_hash: Vec<u8>,
}

impl AuthUser for User {
    type Id = Uuid;

    fn id(&self) -> Uuid {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.auth_hash
    }
}

/// Where users are.
#[derive(Clone, Debug)]
enum Users {
    Memory(Arc<RwLock<HashMap<Uuid, User>>>),
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl AuthnBackend for Users {
    type User = User;
    type Credentials = Uuid;
    type Error = StoreError;

    async fn authenticate(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        self.get_user(&id).await
    }

    async fn get_user(&self, id: &Uuid) -> Result<Option<User>, StoreError> {
        match self {
            Self::Memory(users) => Ok(users.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()),
            Self::Sqlite(pool) => Ok(sqlite::find(pool, id).await?),
            Self::Postgres(pool) => Ok(postgres::find(pool, id).await?),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct StoreError(#[from] sqlx::Error);

pub(super) async fn build(backend: Backend) -> Result<Application> {
    let idle_kib = machine::resident_kib(std::process::id())?;
    let people: Vec<User> = (0..PEOPLE).map(|_| person()).collect();
    let (router, scratch) = match backend {
        Backend::Memory => {
            let users = people.iter().map(|user| (user.id, user.clone())).collect();
            (router(MemoryStore::default(), Users::Memory(Arc::new(RwLock::new(users)))), None)
        }
        Backend::Sqlite => {
            let scratch = Scratch::new(backend).await?;
            let pool = sqlite::open(&scratch.url, &people).await?;
            (router(SqliteSessions::new(pool.clone()).await?, Users::Sqlite(pool)), Some(Arc::new(scratch)))
        }
        Backend::Postgres => {
            let scratch = Scratch::new(backend).await?;
            let pool = postgres::open(&scratch.url, &people).await?;
            (router(PostgresSessions::new(pool.clone()).await?, Users::Postgres(pool)), Some(Arc::new(scratch)))
        }
        Backend::MariaDb => bail!("axum-login is not measured on {backend}"),
    };
    let mut cookies = Vec::with_capacity(people.len());
    for user in &people {
        let signed_in = apps::post(&router, 0, &format!("/login?user={}", user.id), &json!({})).await?;
        ensure!(signed_in.status.is_success(), "a sign-in was answered {}", signed_in.status);
        cookies.push(signed_in.cookie()?);
    }
    Ok(Application::new(router, cookies, idle_kib, scratch))
}

fn person() -> User {
    User { id: Uuid::now_v7(), kind: "human".to_owned(), status: "active".to_owned(), auth_hash: vec![7; 32] }
}

fn router<S: SessionStore + Clone>(sessions: S, users: Users) -> Router {
    let sessions = SessionManagerLayer::new(sessions).with_expiry(Expiry::OnInactivity(Duration::days(1)));
    Router::new()
        .route("/me", get(me))
        .route("/login", post(login))
        .layer(AuthManagerLayerBuilder::new(users, sessions).build())
}

async fn me(caller: AuthSession<Users>) -> Result<Json<User>, StatusCode> {
    caller.user.map(Json).ok_or(StatusCode::UNAUTHORIZED)
}

#[derive(Deserialize)]
struct Login {
    user: Uuid,
}

async fn login(mut caller: AuthSession<Users>, Query(login): Query<Login>) -> Result<impl IntoResponse, StatusCode> {
    let failed = |_error| StatusCode::INTERNAL_SERVER_ERROR;
    let user = caller.authenticate(login.user).await.map_err(failed)?.ok_or(StatusCode::UNAUTHORIZED)?;
    caller.login(&user).await.map_err(failed)
}

fn backend(error: sqlx::Error) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}
