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
        let kind = DATABASES.iter().find(|(scheme, _)| config.url.starts_with(scheme));
        let (_, open) = kind.ok_or_else(|| StoreError::Unavailable(Fault::UnknownUrl.into()))?;
        Ok(Self { database: open(config).await? })
    }

    /// Uses a pool of the application, with the application's settings.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the database does not answer or does not enforce foreign keys.
    pub async fn from_pool(pool: impl Into<SqlxPool>) -> Result<Self, StoreError> {
        Ok(Self { database: adopt(pool.into()).await? })
    }
}

type Opener = fn(SqlxConfig) -> Opening;
type Opening = Pin<Box<dyn Future<Output = Result<Box<dyn Store>, StoreError>> + Send>>;

/// URL schemes and what opens them.
static DATABASES: &[(&str, Opener)] = &[
    #[cfg(feature = "sqlite")]
    ("sqlite:", |config| Box::pin(crate::sqlite::open(config))),
];

async fn adopt(pool: SqlxPool) -> Result<Box<dyn Store>, StoreError> {
    match pool {
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
