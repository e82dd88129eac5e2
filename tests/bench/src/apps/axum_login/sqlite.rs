//! Users and sessions in SQLite.

use anyhow::Result;
use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use time::OffsetDateTime;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store,
};
use uuid::Uuid;

use crate::apps::axum_login::{User, backend};

/// With the settings that authkit's store has, which are faster for reads than those of sqlx.
pub(super) async fn open(url: &str, people: &[User]) -> Result<SqlitePool> {
    let options: SqliteConnectOptions = url.parse()?;
    let options = options.journal_mode(SqliteJournalMode::Wal).statement_cache_capacity(256);
    let pool = SqlitePoolOptions::new().max_connections(4).test_before_acquire(false);
    let pool = pool.idle_timeout(None).max_lifetime(None).connect_with(options).await?;
    sqlx::query(
        "CREATE TABLE users (id TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, \
         auth_hash BLOB NOT NULL) STRICT, WITHOUT ROWID",
    )
    .execute(&pool)
    .await?;
    for user in people {
        sqlx::query("INSERT INTO users (id, kind, status, auth_hash) VALUES (?, ?, ?, ?)")
            .bind(user.id.to_string())
            .bind(&user.kind)
            .bind(&user.status)
            .bind(&user.auth_hash)
            .execute(&pool)
            .await?;
    }
    Ok(pool)
}

pub(super) async fn find(pool: &SqlitePool, id: &Uuid) -> Result<Option<User>, sqlx::Error> {
    let query = sqlx::query_as("SELECT kind, status, auth_hash FROM users WHERE id = ?").bind(id.to_string());
    let row: Option<(String, String, Vec<u8>)> = query.fetch_optional(pool).await?;
    Ok(row.map(|(kind, status, auth_hash)| User { id: *id, kind, status, auth_hash }))
}

/// Does what the SQLite store of tower-sessions-sqlx-store 0.15 does.
///
/// That crate is bound to sqlx 0.8, and one program cannot link the SQLite of two versions of sqlx. A record is
/// MessagePack in a column, and the statement's text is made for each call, as there.
#[derive(Clone, Debug)]
pub(super) struct SqliteSessions {
    pool: SqlitePool,
    table: &'static str,
}

impl SqliteSessions {
    pub(super) async fn new(pool: SqlitePool) -> Result<Self> {
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
