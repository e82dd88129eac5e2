//! The application with axum-login and tower-sessions, as their documentation sets it up.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Result, ensure};
use async_trait::async_trait;
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
use sqlx::{
    AssertSqlSafe, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    Expiry, MemoryStore, SessionManagerLayer, SessionStore,
    session::{Id, Record},
    session_store,
};
use uuid::Uuid;

use crate::{
    apps::{self, Application, Backend, PEOPLE, authkit::database_url},
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
            Self::Sqlite(pool) => {
                let row: Option<(String, String, Vec<u8>)> =
                    sqlx::query_as("SELECT kind, status, auth_hash FROM users WHERE id = ?")
                        .bind(id.to_string())
                        .fetch_optional(pool)
                        .await?;
                Ok(row.map(|(kind, status, auth_hash)| User { id: *id, kind, status, auth_hash }))
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct StoreError(#[from] sqlx::Error);

pub(super) async fn build(backend: Backend) -> Result<Application> {
    let idle_kib = machine::resident_kib(std::process::id())?;
    let people: Vec<User> = (0..PEOPLE).map(|_| person()).collect();
    let (router, directory) = match backend {
        Backend::Memory => {
            let users = people.iter().map(|user| (user.id, user.clone())).collect();
            (router(MemoryStore::default(), Users::Memory(Arc::new(RwLock::new(users)))), None)
        }
        Backend::Sqlite => {
            let directory = Arc::new(tempfile::tempdir()?);
            let pool = pool(&database_url(&directory)).await?;
            let sessions = SqliteSessions::new(pool.clone()).await?;
            insert(&pool, &people).await?;
            (router(sessions, Users::Sqlite(pool)), Some(directory))
        }
    };
    let mut cookies = Vec::with_capacity(people.len());
    for user in &people {
        let signed_in = apps::post(&router, 0, &format!("/login?user={}", user.id), &json!({})).await?;
        ensure!(signed_in.status.is_success(), "a sign-in was answered {}", signed_in.status);
        cookies.push(signed_in.cookie()?);
    }
    Ok(Application { router, cookies, idle_kib, directory })
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

/// With the settings that authkit's store has, which are faster for reads than those of sqlx.
async fn pool(url: &str) -> Result<SqlitePool> {
    let options: SqliteConnectOptions = url.parse()?;
    let options = options.journal_mode(SqliteJournalMode::Wal).statement_cache_capacity(256);
    let pool = SqlitePoolOptions::new().max_connections(4).test_before_acquire(false);
    Ok(pool.idle_timeout(None).max_lifetime(None).connect_with(options).await?)
}

async fn insert(pool: &SqlitePool, people: &[User]) -> Result<()> {
    sqlx::query(
        "CREATE TABLE users (id TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, \
         auth_hash BLOB NOT NULL) STRICT, WITHOUT ROWID",
    )
    .execute(pool)
    .await?;
    for user in people {
        sqlx::query("INSERT INTO users (id, kind, status, auth_hash) VALUES (?, ?, ?, ?)")
            .bind(user.id.to_string())
            .bind(&user.kind)
            .bind(&user.status)
            .bind(&user.auth_hash)
            .execute(pool)
            .await?;
    }
    Ok(())
}

/// Does what the SQLite store of tower-sessions-sqlx-store 0.15 does.
///
/// That crate is bound to sqlx 0.8, and one program cannot link the SQLite of two versions of sqlx. A record is
/// MessagePack in a column, and the statement's text is made for each call, as there.
#[derive(Clone, Debug)]
struct SqliteSessions {
    pool: SqlitePool,
    table: &'static str,
}

impl SqliteSessions {
    async fn new(pool: SqlitePool) -> Result<Self> {
        sqlx::query("CREATE TABLE tower_sessions (id text primary key not null, data blob not null, expiry_date integer not null)")
            .execute(&pool)
            .await?;
        Ok(Self { pool, table: "tower_sessions" })
    }
}

#[async_trait]
impl SessionStore for SqliteSessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        self.save(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let data = rmp_serde::to_vec(record).map_err(|error| session_store::Error::Encode(error.to_string()))?;
        let text = format!(
            "insert into {} (id, data, expiry_date) values (?, ?, ?) \
             on conflict(id) do update set data = excluded.data, expiry_date = excluded.expiry_date",
            self.table
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(record.id.to_string()).bind(data);
        query.bind(record.expiry_date.unix_timestamp()).execute(&self.pool).await.map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let text = format!("select data from {} where id = ? and expiry_date > ?", self.table);
        let data: Option<(Vec<u8>,)> = sqlx::query_as(AssertSqlSafe(text))
            .bind(id.to_string())
            .bind(OffsetDateTime::now_utc().unix_timestamp())
            .fetch_optional(&self.pool)
            .await
            .map_err(backend)?;
        let record = data.map(|(data,)| rmp_serde::from_slice(&data)).transpose();
        record.map_err(|error| session_store::Error::Decode(error.to_string()))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let text = format!("delete from {} where id = ?", self.table);
        sqlx::query(AssertSqlSafe(text)).bind(id.to_string()).execute(&self.pool).await.map_err(backend)?;
        Ok(())
    }
}

fn backend(error: sqlx::Error) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}
