//! Where a hand-written application finds sessions.

use std::sync::{PoisonError, RwLock};

use anyhow::Result;
use sqlx::{
    MySql, Postgres, Sqlite,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use time::{OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;

use crate::{
    apps::{
        Pooling,
        authkit::Population,
        by_hand::{
            connections::Connections,
            tables::{Caller, PrincipalRow, SessionRow, Tables},
        },
    },
    backend::Backend,
};

pub(crate) enum Rows {
    Memory(RwLock<Tables>),
    Sqlite(Connections<Sqlite>),
    Postgres(Connections<Postgres>),
    MariaDb(Connections<MySql>),
}

impl Rows {
    /// Those of people whom authkit has signed in, so that both read the same.
    ///
    /// Connections are set up as authkit sets up its own: as many, and with statements kept prepared.
    pub(crate) async fn of(population: &Population, backend: Backend, pooling: Pooling) -> Result<Self> {
        let url = population.scratch.as_ref().map_or("", |scratch| &scratch.url);
        Ok(match (backend, pooling) {
            (Backend::Memory, _) => Self::Memory(RwLock::new(Tables::of(population).await?)),
            (Backend::Sqlite, pooling) => {
                let options: SqliteConnectOptions = url.parse()?;
                let options = options.foreign_keys(true).statement_cache_capacity(256).pragma("query_only", "ON");
                Self::Sqlite(match pooling {
                    Pooling::Driver => {
                        Connections::Pool(lean(SqlitePoolOptions::new()).max_connections(4).connect_lazy_with(options))
                    }
                    Pooling::Own => Connections::own(&options, 4).await?,
                })
            }
            (Backend::Postgres, pooling) => {
                let options: PgConnectOptions = url.parse()?;
                Self::Postgres(match pooling {
                    Pooling::Driver => {
                        Connections::Pool(lean(PgPoolOptions::new()).max_connections(10).connect_lazy_with(options))
                    }
                    Pooling::Own => Connections::own(&options, 10).await?,
                })
            }
            (Backend::MariaDb, pooling) => {
                let options: MySqlConnectOptions = url.parse()?;
                Self::MariaDb(match pooling {
                    Pooling::Driver => {
                        Connections::Pool(lean(MySqlPoolOptions::new()).max_connections(10).connect_lazy_with(options))
                    }
                    Pooling::Own => Connections::own(&options, 10).await?,
                })
            }
        })
    }

    /// The session of this id with its principal, unless it is over.
    pub(crate) async fn find(&self, id: Uuid, now: i64) -> Result<Option<Caller>, sqlx::Error> {
        match self {
            Self::Memory(tables) => Ok(tables.read().unwrap_or_else(PoisonError::into_inner).find(id, now)),
            Self::Sqlite(connections) => {
                let query = sqlx::query_as(SQLITE);
                let query = query.bind(Uuid::nil().to_string()).bind(id.to_string()).bind(now);
                let row = query.fetch_optional(&mut *connections.lease().await?).await?;
                Ok(row.and_then(|row| caller(row, |id: String| id.parse().ok(), |at: i64| at)))
            }
            Self::Postgres(connections) => {
                let query = sqlx::query_as(POSTGRES).bind(Uuid::nil()).bind(id).bind(time(now));
                let row = query.fetch_optional(&mut *connections.lease().await?).await?;
                Ok(row.and_then(|row| caller(row, Some, millis)))
            }
            Self::MariaDb(connections) => {
                let query = sqlx::query_as(MARIADB).bind(Uuid::nil()).bind(id).bind(without_zone(time(now)));
                let row = query.fetch_optional(&mut *connections.lease().await?).await?;
                Ok(row.and_then(|row| caller(row, Some, |at: PrimitiveDateTime| millis(at.assume_utc()))))
            }
        }
    }

    /// The same statement, of which the row is left as it came; says whether there was one.
    pub(crate) async fn ask(&self, id: Uuid, now: i64) -> Result<bool, sqlx::Error> {
        match self {
            Self::Memory(_) => Ok(self.find(id, now).await?.is_some()),
            Self::Sqlite(connections) => {
                let query = sqlx::query(SQLITE);
                let query = query.bind(Uuid::nil().to_string()).bind(id.to_string()).bind(now);
                Ok(query.fetch_optional(&mut *connections.lease().await?).await?.is_some())
            }
            Self::Postgres(connections) => {
                let query = sqlx::query(POSTGRES).bind(Uuid::nil()).bind(id).bind(time(now));
                Ok(query.fetch_optional(&mut *connections.lease().await?).await?.is_some())
            }
            Self::MariaDb(connections) => {
                let query = sqlx::query(MARIADB).bind(Uuid::nil()).bind(id).bind(without_zone(time(now)));
                Ok(query.fetch_optional(&mut *connections.lease().await?).await?.is_some())
            }
        }
    }
}

/// Without what costs a request and can be left out.
fn lean<D: sqlx::Database>(options: PoolOptions<D>) -> PoolOptions<D> {
    options.test_before_acquire(false).idle_timeout(None).max_lifetime(None)
}

macro_rules! select {
    ($evidence:literal, $tenant:literal, $id:literal, $now:literal) => {
        concat!(
            "SELECT s.secret_hash, s.principal_id, s.epoch, s.aal, s.amr, ",
            $evidence,
            ", s.generation, s.refreshes, s.created_at, s.ends_at, s.last_seen_at, s.expires_at, ",
            "p.kind, p.status, p.epoch, p.sessions_from FROM auth_sessions AS s ",
            "JOIN auth_principals AS p ON p.tenant_id = s.tenant_id AND p.id = s.principal_id ",
            "WHERE s.tenant_id = ",
            $tenant,
            " AND s.id = ",
            $id,
            " AND s.expires_at > ",
            $now
        )
    };
}

const SQLITE: &str = select!("s.evidence", "?", "?", "?");
/// The driver reads JSON as a text only if the server says that it is one.
const POSTGRES: &str = select!("s.evidence::text", "$1", "$2", "$3");
const MARIADB: &str = select!("s.evidence", "?", "?", "?");

/// What is read, with ids and times as a database has them.
type Columns<I, T> = (Vec<u8>, I, i64, String, String, String, i64, i64, T, T, T, T, String, String, i64, i64);

fn caller<I, T>(row: Columns<I, T>, id: impl Fn(I) -> Option<Uuid>, at: impl Fn(T) -> i64) -> Option<Caller> {
    let session = SessionRow {
        secret_hash: row.0.try_into().ok()?,
        principal_id: id(row.1)?,
        epoch: row.2,
        aal: row.3,
        amr: row.4,
        evidence: row.5,
        generation: row.6,
        refreshes: row.7,
        created_at: at(row.8),
        ends_at: at(row.9),
        last_seen_at: at(row.10),
        expires_at: at(row.11),
    };
    let principal = PrincipalRow { kind: row.12, status: row.13, epoch: row.14, sessions_from: row.15 };
    Some(Caller { session, principal })
}

fn time(millis: i64) -> OffsetDateTime {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

/// MariaDB's `datetime` knows no zone.
fn without_zone(at: OffsetDateTime) -> PrimitiveDateTime {
    PrimitiveDateTime::new(at.date(), at.time())
}
