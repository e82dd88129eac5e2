//! Places on databases, each of one house.

use std::{
    fmt,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use authkit_core::Store;
use authkit_store_sqlx::{SqlxConfig, SqlxStore};
use simulation::{Emptied, Ground};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::remote::Remote;

/// Where all calls of all databases run.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"));

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no other")]
pub enum Kind {
    /// MariaDB, by the URL of the server.
    MariaDb,
    /// PostgreSQL, by the URL of the server.
    Postgres,
    /// SQLite, in a file of its own.
    Sqlite,
}

/// A schema, a database or a file of one house; removed when dropped.
pub struct Place {
    store: Arc<dyn Store>,
    connection: Mutex<Connection>,
    /// Makes all tables empty; known once there are tables.
    clearing: Mutex<Option<String>>,
    is_new: AtomicBool,
    /// What is run when the place is not needed any more.
    removal: Option<String>,
    _folder: Option<TempDir>,
}

/// A connection past the store.
enum Connection {
    MariaDb(MySqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Place {
    /// An empty place on the server at this URL.
    ///
    /// # Panics
    ///
    /// If the database does not answer.
    #[must_use]
    pub fn new(kind: Kind, server: &str) -> Self {
        RUNTIME.block_on(Self::open(kind, server))
    }

    async fn open(kind: Kind, server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("sim_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = (kind == Kind::Sqlite).then(|| tempfile::tempdir().expect("a folder"));
        let (url, removal) = match (kind, &folder) {
            (Kind::Postgres, _) => {
                let mut connection = Connection::to(kind, server).await;
                connection.run(format!("CREATE SCHEMA {name}")).await;
                let joint = if server.contains('?') { '&' } else { '?' };
                (format!("{server}{joint}options[search_path]={name}"), Some(format!("DROP SCHEMA {name} CASCADE")))
            }
            (Kind::MariaDb, _) => {
                let mut connection = Connection::to(kind, server).await;
                connection.run(format!("CREATE DATABASE {name}")).await;
                let (before, _) = server.rsplit_once('/').expect("a URL with a database");
                (format!("{before}/{name}"), Some(format!("DROP DATABASE {name}")))
            }
            (Kind::Sqlite, folder) => {
                let file = folder.as_ref().map(|folder| folder.path().join("auth.db")).unwrap_or_default();
                (format!("sqlite://{}", file.display()), None)
            }
        };
        let config = SqlxConfig::new(&url).readers(1).writers(1).dangerously_lose_commits_on_power_failure();
        let store = SqlxStore::connect_with(config).await.expect("the database");
        Self {
            store: Arc::new(Remote { runtime: RUNTIME.handle().clone(), store }),
            connection: Mutex::new(Connection::to(kind, &url).await),
            clearing: Mutex::default(),
            is_new: AtomicBool::new(true),
            removal,
            _folder: folder,
        }
    }
}

impl Ground for Place {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn empty(&self) -> Emptied {
        if self.is_new.swap(false, Ordering::Relaxed) {
            return Emptied::Everything;
        }
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut clearing = self.clearing.lock().unwrap_or_else(PoisonError::into_inner);
        RUNTIME.block_on(async {
            let text = match clearing.take() {
                Some(text) => text,
                None => connection.clearing().await,
            };
            connection.run(text.clone()).await;
            *clearing = Some(text);
        });
        Emptied::Rows
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(text) = self.removal.take() {
            let connection = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
            RUNTIME.block_on(connection.run(text));
        }
    }
}

impl Connection {
    async fn to(kind: Kind, url: &str) -> Self {
        match kind {
            Kind::MariaDb => Self::MariaDb(MySqlConnection::connect(url).await.expect("the server")),
            Kind::Postgres => Self::Postgres(PgConnection::connect(url).await.expect("the server")),
            Kind::Sqlite => Self::Sqlite(SqliteConnection::connect(url).await.expect("the file")),
        }
    }

    async fn run(&mut self, text: String) {
        let query = sqlx::raw_sql(AssertSqlSafe(text));
        match self {
            Self::MariaDb(connection) => query.execute(connection).await.map(drop),
            Self::Postgres(connection) => query.execute(connection).await.map(drop),
            Self::Sqlite(connection) => query.execute(connection).await.map(drop),
        }
        .expect("a statement past the store");
    }

    /// A text that makes all tables empty, in any order.
    async fn clearing(&mut self) -> String {
        const SERVER: &str = "SELECT table_name FROM information_schema.tables WHERE table_schema = ";
        let tables = match self {
            Self::MariaDb(connection) => {
                sqlx::query_scalar(AssertSqlSafe(format!("{SERVER}DATABASE()"))).fetch_all(connection).await
            }
            Self::Postgres(connection) => {
                sqlx::query_scalar(AssertSqlSafe(format!("{SERVER}CURRENT_SCHEMA()"))).fetch_all(connection).await
            }
            Self::Sqlite(connection) => {
                sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(connection).await
            }
        };
        let tables: Vec<String> = tables.expect("the names of the tables");
        let rows = tables.iter().filter(|table| table.starts_with("auth_") || table.starts_with("sim_"));
        let deletes: String = rows.map(|table| format!("DELETE FROM {table};")).collect();
        match self {
            Self::MariaDb(_) => format!("SET foreign_key_checks = 0; START TRANSACTION; {deletes} COMMIT"),
            Self::Postgres(_) => format!("SET session_replication_role = replica; BEGIN; {deletes} COMMIT"),
            Self::Sqlite(_) => format!("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE; {deletes} COMMIT"),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place(..)")
    }
}
