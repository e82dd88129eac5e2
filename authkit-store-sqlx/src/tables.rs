//! The store over one driver: connections that read, connections that write.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use authkit_core::{
    Acknowledgement, Capabilities, Def, Done, Get, Migration, Op, Query, Row, Scope, Store, StoreError, Timestamp,
};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::{
    again::Again,
    connections::Connections,
    ddl,
    driver::{Driver, Failure, arguments},
    reads::Reads,
    sql,
};

/// The rows of declared entities in one database.
pub(crate) struct Tables<D: Driver> {
    pub(crate) driver: D,
    pub(crate) readers: Arc<Connections<D>>,
    pub(crate) writers: Arc<Connections<D>>,
    pub(crate) reads: Reads,
    /// Names of the expiry columns of the tables that were migrated.
    pub(crate) expiries: RwLock<HashMap<&'static str, &'static str>>,
    acknowledged: Acknowledgement,
}

impl<D: Driver> Tables<D> {
    pub(crate) fn new(
        driver: D,
        readers: Arc<Connections<D>>,
        writers: Arc<Connections<D>>,
        acknowledged: Acknowledgement,
    ) -> Self {
        Self { driver, readers, writers, reads: Reads::default(), expiries: RwLock::default(), acknowledged }
    }

    fn know(&self, defs: &[Def]) {
        let mut expiries = self.expiries.write().unwrap_or_else(PoisonError::into_inner);
        expiries.extend(defs.iter().filter_map(|def| Some((def.table, def.columns.get(def.expiry?)?.name))));
    }
}

#[async_trait]
impl<D: Driver> Store for Tables<D> {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::FULL;
        capabilities.durability = self.acknowledged;
        capabilities
    }

    fn statements(&self, steps: &[Migration]) -> Vec<String> {
        let dialect = self.driver.dialect();
        ddl::plan(dialect, steps).map(|plan| ddl::printed(dialect, plan)).unwrap_or_default()
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        self.apply(&ddl::plan(self.driver.dialect(), steps)?).await?;
        self.know(defs);
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
        let Some(sql) = sql::sweep(self.driver.dialect(), def, now, limit) else {
            return Ok(0);
        };
        let text: Arc<str> = sql.text.into();
        let mut again = Again::default();
        loop {
            let mut lease = self.writers.lease(&self.driver).await?;
            let args = arguments(&self.driver, sql.args.iter().copied())?;
            let connection = lease.live_connection().await?;
            let swept = self.driver.execute(connection, AssertSqlSafe(Arc::clone(&text)).into_sql_str(), args).await;
            let failure = match swept {
                Ok(swept) => {
                    lease.trust();
                    return Ok(swept);
                }
                Err(error) => self.driver.failure(error),
            };
            match failure {
                Failure::Conflict => {
                    lease.trust();
                    drop(lease);
                    again.pause().await?;
                }
                Failure::Lost(_) => {
                    lease.discard();
                    return Err(StoreError::Unknown);
                }
                failure => {
                    lease.trust();
                    return Err(failure.told());
                }
            }
        }
    }
}
