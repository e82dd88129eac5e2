//! What PostgreSQL does differently: one text a commit, connections that can be lost, indexes that are made on the side.

mod attacks;
mod connections;
mod migrations;
mod pool;
mod tables;
mod tls;
mod trips;

use authkit_core::Store as _;
use authkit_store_sqlx::{SqlxConfig, SqlxStore};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{
    server,
    world::{NOW, SCOPE, defs, owner, steps},
};

/// An empty schema on the server.
pub(crate) struct Schema {
    url: String,
}

impl Schema {
    pub(crate) async fn new() -> Self {
        Self { url: server::postgres().await }
    }

    /// Its connections bear its name, so that others can find them.
    pub(crate) fn url(&self) -> String {
        format!("{}&application_name={}", self.url, self.name())
    }

    pub(crate) fn name(&self) -> &str {
        self.url.rsplit('=').next().unwrap()
    }

    pub(crate) async fn store(&self) -> SqlxStore {
        SqlxStore::connect(&self.url()).await.unwrap()
    }

    pub(crate) async fn configured(&self, set: impl FnOnce(SqlxConfig) -> SqlxConfig) -> SqlxStore {
        let store = SqlxStore::connect_with(set(SqlxConfig::new(self.url()))).await.unwrap();
        store.migrate(&steps(), &defs()).await.unwrap();
        store
    }

    /// A store with its tables.
    pub(crate) async fn migrated(&self) -> SqlxStore {
        self.configured(|config| config).await
    }

    /// A store with its tables and the owners 1 to 4.
    pub(crate) async fn peopled(&self) -> SqlxStore {
        let store = self.migrated().await;
        store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b"), owner(3, "c"), owner(4, "d")], NOW).await.unwrap();
        store
    }

    /// A connection past the store, under another name.
    pub(crate) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    pub(crate) async fn run(&self, text: impl Into<String>) {
        sqlx::raw_sql(AssertSqlSafe(text.into())).execute(&mut self.connection().await).await.unwrap();
    }

    pub(crate) async fn number(&self, text: impl Into<String>) -> i64 {
        let number = sqlx::query_scalar(AssertSqlSafe(text.into()));
        number.fetch_one(&mut self.connection().await).await.unwrap()
    }

    /// Waits until the connections of the store are this many of those that meet a condition.
    pub(crate) async fn until(&self, condition: &str, connections: i64) {
        let text =
            format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}' AND {condition}", self.name());
        while self.number(&text).await != connections {
            tokio::task::yield_now().await;
        }
    }

    /// Ends every connection of the store.
    pub(crate) async fn terminate(&self) {
        let text = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name";
        self.number(format!("{text} = '{}'", self.name())).await;
        self.until("TRUE", 0).await;
    }
}
