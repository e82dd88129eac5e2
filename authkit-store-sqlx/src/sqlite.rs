//! SQLite: one connection that writes, several that read.

mod connections;
mod reads;
mod schema;
#[cfg(test)]
mod tests;
mod value;
mod writes;

use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use authkit_core::{
    Acknowledgement, Capabilities, ColumnKind, Def, Done, Get, Migration, Op, Query, Row, Scope, Store, StoreError,
    Timestamp,
};
use sqlx::{
    AssertSqlSafe, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    config::SqlxConfig,
    ddl,
    error::{Fault, commit_error, store_error},
    sql::{self, Dialect},
    sqlite::{connections::Connections, reads::Reads, value::arguments},
    store::SqlxPool,
};

pub(crate) static DIALECT: Dialect = Dialect {
    // SQLite takes a name in double quotes that no column has for a text; in backticks it never does.
    quote: '`',
    column_type: |kind| match kind {
        ColumnKind::Bool | ColumnKind::Int | ColumnKind::Time => "INTEGER",
        ColumnKind::Id | ColumnKind::Text | ColumnKind::Json => "TEXT",
        ColumnKind::Bytes => "BLOB",
    },
    // Rows lie in the order of the primary key: a read by id descends one tree instead of two.
    table_options: " STRICT, WITHOUT ROWID",
    placeholder: |text, _number| text.push('?'),
    same: " IS ",
    differs: " IS NOT ",
    greater: "max",
    aside: "+",
    literal: value::literal,
};

/// A SQLite database.
pub(crate) struct Sqlite {
    readers: Arc<Connections>,
    /// One connection at a time: the next commit waits here and not in SQLite, which would sleep.
    writer: Arc<Connections>,
    reads: Reads,
    /// Names of the expiry columns of tables that are referred to.
    expiries: RwLock<HashMap<&'static str, Option<Arc<str>>>>,
    acknowledged: Acknowledgement,
}

/// Opens the database of a URL, which is made if it is absent.
pub(crate) async fn open(config: SqlxConfig) -> Result<Box<dyn Store>, StoreError> {
    let options = SqliteConnectOptions::from_str(&config.url)
        .map_err(store_error)?
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(config.busy_timeout)
        .statement_cache_capacity(STATEMENTS);
    let synchronous = match config.acknowledged {
        Acknowledgement::Kept => SqliteSynchronous::Full,
        _ => SqliteSynchronous::Normal,
    };
    let writing = options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
    let writer = Arc::new(Connections::own(writing, 1, config.busy_timeout));
    writer.lease().await?.connection().await?;
    // Every other connection would see another database.
    let in_memory = config.url.contains(":memory:") || config.url.contains("mode=memory");
    let readers = if in_memory {
        Arc::clone(&writer)
    } else {
        let reading = options.pragma("query_only", "ON");
        Arc::new(Connections::own(reading, config.readers, config.busy_timeout))
    };
    Ok(Box::new(Sqlite::new(readers, writer, config.acknowledged)))
}

/// Takes a pool as the application has set it up.
pub(crate) async fn adopt(pool: SqlitePool) -> Result<Box<dyn Store>, StoreError> {
    let pragma = async |text: &'static str| sqlx::query_scalar::<_, i64>(text).fetch_one(&pool).await;
    if pragma("PRAGMA foreign_keys").await.map_err(store_error)? == 0 {
        return Err(StoreError::Unavailable(Fault::NoForeignKeys.into()));
    }
    let synchronous = pragma("PRAGMA synchronous").await.map_err(store_error)?;
    let acknowledged = if synchronous >= FULL { Acknowledgement::Kept } else { Acknowledgement::MayBeLost };
    let (most, patience) = (pool.options().get_max_connections(), pool.options().get_acquire_timeout());
    let readers = Connections::of_pool(pool.clone(), usize::try_from(most).unwrap_or(1), patience);
    let writer = Connections::of_pool(pool, 1, patience);
    Ok(Box::new(Sqlite::new(Arc::new(readers), Arc::new(writer), acknowledged)))
}

impl From<SqlitePool> for SqlxPool {
    fn from(pool: SqlitePool) -> Self {
        Self::Sqlite(pool)
    }
}

impl Sqlite {
    fn new(readers: Arc<Connections>, writer: Arc<Connections>, acknowledged: Acknowledgement) -> Self {
        Self { readers, writer, reads: Reads::default(), expiries: RwLock::default(), acknowledged }
    }
}

#[async_trait]
impl Store for Sqlite {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::FULL;
        capabilities.durability = self.acknowledged;
        capabilities
    }

    fn statements(&self, steps: &[Migration]) -> Vec<String> {
        ddl::plan(&DIALECT, steps).map(|plan| ddl::printed(&DIALECT, plan)).unwrap_or_default()
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        let plan = ddl::plan(&DIALECT, steps)?;
        self.apply(&plan).await?;
        self.expiries.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.verify(defs).await
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        self.read_one(scope, get).await
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        self.read_many(scope, query).await
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        self.write(scope, ops, now).await
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let Some(sql) = sql::sweep(&DIALECT, def, now, limit) else {
            return Ok(0);
        };
        let args = arguments(sql.args).map_err(store_error)?;
        let mut lease = self.writer.lease().await?;
        let swept = sqlx::query_with(AssertSqlSafe(sql.text), args).execute(lease.connection().await?).await;
        Ok(swept.map_err(commit_error)?.rows_affected())
    }
}

/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 256;
/// `PRAGMA synchronous` from which on a commit is on the disk when it is acknowledged.
const FULL: i64 = 2;
