//! Users and sessions in PostgreSQL.

use anyhow::Result;
use async_trait::async_trait;
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};
use time::OffsetDateTime;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store,
};
use uuid::Uuid;

use crate::apps::axum_login::{User, backend};

/// With as many connections as authkit's store has, and nothing asked of them before they are used.
pub(super) async fn open(url: &str, people: &[User]) -> Result<PgPool> {
    let pool = PgPoolOptions::new().max_connections(10).test_before_acquire(false);
    let pool = pool.idle_timeout(None).max_lifetime(None).connect(url).await?;
    sqlx::query(
        "CREATE TABLE users (id uuid PRIMARY KEY, kind text NOT NULL, status text NOT NULL, auth_hash bytea NOT NULL)",
    )
    .execute(&pool)
    .await?;
    for user in people {
        sqlx::query("INSERT INTO users (id, kind, status, auth_hash) VALUES ($1, $2, $3, $4)")
            .bind(user.id)
            .bind(&user.kind)
            .bind(&user.status)
            .bind(&user.auth_hash)
            .execute(&pool)
            .await?;
    }
    Ok(pool)
}

pub(super) async fn find(pool: &PgPool, id: &Uuid) -> Result<Option<User>, sqlx::Error> {
    let query = sqlx::query_as("SELECT kind, status, auth_hash FROM users WHERE id = $1").bind(id);
    let row: Option<(String, String, Vec<u8>)> = query.fetch_optional(pool).await?;
    Ok(row.map(|(kind, status, auth_hash)| User { id: *id, kind, status, auth_hash }))
}

/// Does what the PostgreSQL store of tower-sessions-sqlx-store 0.15 does for a session that is there.
///
/// That crate is bound to sqlx 0.8. A record is MessagePack in a column, and the statement's text is made for each call,
/// as there.
#[derive(Clone, Debug)]
pub(super) struct PostgresSessions {
    pool: PgPool,
    schema: &'static str,
    table: &'static str,
}

impl PostgresSessions {
    pub(super) async fn new(pool: PgPool) -> Result<Self> {
        let tables = "CREATE SCHEMA tower_sessions; CREATE TABLE tower_sessions.session \
                      (id text PRIMARY KEY, data bytea NOT NULL, expiry_date timestamptz NOT NULL)";
        sqlx::raw_sql(tables).execute(&pool).await?;
        Ok(Self { pool, schema: "tower_sessions", table: "session" })
    }

    fn table(&self) -> String {
        format!(r#""{}"."{}""#, self.schema, self.table)
    }
}

#[async_trait]
impl SessionStore for PostgresSessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        self.save(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let data = rmp_serde::to_vec(record).map_err(|error| session_store::Error::Encode(error.to_string()))?;
        let text = format!(
            "INSERT INTO {} (id, data, expiry_date) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET data = excluded.data, expiry_date = excluded.expiry_date",
            self.table()
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(record.id.to_string()).bind(data).bind(record.expiry_date);
        query.execute(&self.pool).await.map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let text = format!("SELECT data FROM {} WHERE id = $1 AND expiry_date > $2", self.table());
        let query = sqlx::query_as(AssertSqlSafe(text)).bind(id.to_string()).bind(OffsetDateTime::now_utc());
        let data: Option<(Vec<u8>,)> = query.fetch_optional(&self.pool).await.map_err(backend)?;
        let record = data.map(|(data,)| rmp_serde::from_slice(&data)).transpose();
        record.map_err(|error| session_store::Error::Decode(error.to_string()))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let text = format!("DELETE FROM {} WHERE id = $1", self.table());
        sqlx::query(AssertSqlSafe(text)).bind(id.to_string()).execute(&self.pool).await.map_err(backend)?;
        Ok(())
    }
}
