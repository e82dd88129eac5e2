//! What MariaDB does differently: one text a commit, locks that are waited for, tables that are changed at once.

mod connections;
mod deadlocks;
mod migrations;
mod pool;
mod texts;

use authkit_core::Store as _;
use authkit_store_sqlx::{SqlxConfig, SqlxStore};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection};

use crate::{
    server,
    world::{NOW, SCOPE, defs, owner, steps},
};

/// An empty database on the server.
pub(crate) struct Database {
    url: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        Self { url: server::mariadb().await }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap()
    }

    pub(crate) async fn store(&self) -> SqlxStore {
        SqlxStore::connect(&self.url).await.unwrap()
    }

    pub(crate) async fn configured(&self, set: impl FnOnce(SqlxConfig) -> SqlxConfig) -> SqlxStore {
        let store = SqlxStore::connect_with(set(SqlxConfig::new(&self.url))).await.unwrap();
        store.migrate(&steps(), &defs()).await.unwrap();
        store
    }

    /// A store with its tables and the owners 1 to 4.
    pub(crate) async fn peopled(&self) -> SqlxStore {
        let store = self.configured(|config| config).await;
        store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b"), owner(3, "c"), owner(4, "d")], NOW).await.unwrap();
        store
    }

    /// A connection past the store.
    pub(crate) async fn connection(&self) -> MySqlConnection {
        MySqlConnection::connect(&self.url).await.unwrap()
    }

    pub(crate) async fn run(&self, text: impl Into<String>) {
        sqlx::raw_sql(AssertSqlSafe(text.into())).execute(&mut self.connection().await).await.unwrap();
    }

    pub(crate) async fn number(&self, text: impl Into<String>) -> i64 {
        let number = sqlx::query_scalar(AssertSqlSafe(text.into()));
        number.fetch_one(&mut self.connection().await).await.unwrap()
    }

    /// Waits until a connection meets this condition, besides the one that asks; returns its number.
    pub(crate) async fn until(&self, condition: &str) -> i64 {
        let text = format!(
            "SELECT COALESCE(MAX(id), 0) FROM information_schema.processlist \
             WHERE db = '{}' AND id <> CONNECTION_ID() AND {condition}",
            self.name()
        );
        loop {
            let id = self.number(&text).await;
            if id > 0 {
                return id;
            }
        }
    }

    /// Ends every connection to the database.
    pub(crate) async fn terminate(&self) {
        let mut connection = self.connection().await;
        let text = format!(
            "SELECT id FROM information_schema.processlist WHERE db = '{}' AND id <> CONNECTION_ID()",
            self.name()
        );
        let ids: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(&mut connection).await.unwrap();
        for id in ids {
            // It may have ended by itself.
            sqlx::raw_sql(AssertSqlSafe(format!("KILL CONNECTION {id}"))).execute(&mut connection).await.ok();
        }
    }
}
