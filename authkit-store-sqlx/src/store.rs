//! The public store: picks the database and hands every call on.

use std::{fmt, future::Future, pin::Pin};

use async_trait::async_trait;
use authkit_core::{Capabilities, Def, Done, Get, Migration, Op, Query, Row, Scope, Store, StoreError, Timestamp};

use crate::{config::SqlxConfig, error::Fault};

/// Keeps rows in the tables of a SQL database.
pub struct SqlxStore {
    database: Box<dyn Store>,
}

/// A connection pool that an application already has.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum SqlxPool {
    /// A pool of connections to a MySQL or MariaDB server.
    #[cfg(feature = "mysql")]
    MySql(sqlx::MySqlPool),
    /// A pool of connections to a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
    /// A pool of connections to one SQLite database.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqlitePool),
}

impl SqlxStore {
    /// Connects with the defaults of [`SqlxConfig`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no database answers at the URL, or its kind is not compiled in.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with(SqlxConfig::new(url)).await
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no database answers at the URL, or its kind is not compiled in.
    pub async fn connect_with(config: SqlxConfig) -> Result<Self, StoreError> {
        let open = opener(&config.url).map_err(|fault| StoreError::Unavailable(fault.into()))?;
        Ok(Self { database: open(config).await? })
    }

    /// Uses a pool of the application, with the application's settings.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the database does not answer, or if the pool's sessions are set up so that rows or
    /// references could be lost.
    pub async fn from_pool(pool: impl Into<SqlxPool>) -> Result<Self, StoreError> {
        Ok(Self { database: adopt(pool.into()).await? })
    }
}

type Opener = fn(SqlxConfig) -> Opening;
type Opening = Pin<Box<dyn Future<Output = Result<Box<dyn Store>, StoreError>> + Send>>;

fn opener(url: &str) -> Result<Opener, Fault> {
    if let Some((_, open)) = DATABASES.iter().find(|(scheme, _)| url.starts_with(scheme)) {
        return Ok(*open);
    }
    match SCHEMES.iter().find(|(scheme, _)| url.starts_with(scheme)) {
        Some((scheme, feature)) => Err(Fault::NotCompiledIn { scheme, feature }),
        None => Err(Fault::UnknownUrl(SCHEMES.map(|(scheme, _)| scheme).join(", "))),
    }
}

/// Every scheme, and the Cargo feature that adds its database.
const SCHEMES: [(&str, &str); 5] = [
    ("mariadb:", "mysql"),
    ("mysql:", "mysql"),
    ("postgres:", "postgres"),
    ("postgresql:", "postgres"),
    ("sqlite:", "sqlite"),
];

/// What opens the databases that are compiled in.
static DATABASES: &[(&str, Opener)] = &[
    #[cfg(feature = "mysql")]
    ("mariadb:", |config| Box::pin(crate::mysql::open(config))),
    #[cfg(feature = "mysql")]
    ("mysql:", |config| Box::pin(crate::mysql::open(config))),
    #[cfg(feature = "postgres")]
    ("postgres:", |config| Box::pin(crate::postgres::open(config))),
    #[cfg(feature = "postgres")]
    ("postgresql:", |config| Box::pin(crate::postgres::open(config))),
    #[cfg(feature = "sqlite")]
    ("sqlite:", |config| Box::pin(crate::sqlite::open(config))),
];

async fn adopt(pool: SqlxPool) -> Result<Box<dyn Store>, StoreError> {
    match pool {
        #[cfg(feature = "mysql")]
        SqlxPool::MySql(pool) => crate::mysql::adopt(pool).await,
        #[cfg(feature = "postgres")]
        SqlxPool::Postgres(pool) => crate::postgres::adopt(pool).await,
        #[cfg(feature = "sqlite")]
        SqlxPool::Sqlite(pool) => crate::sqlite::adopt(pool).await,
    }
}

impl fmt::Debug for SqlxStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqlxStore(..)")
    }
}

#[async_trait]
impl Store for SqlxStore {
    fn capabilities(&self) -> Capabilities {
        self.database.capabilities()
    }

    fn statements(&self, steps: &[Migration]) -> Vec<String> {
        self.database.statements(steps)
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        self.database.migrate(steps, defs).await
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        self.database.get(scope, get).await
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        self.database.query(scope, query).await
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        self.database.commit(scope, ops, now).await
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.database.sweep(def, now, limit).await
    }
}
