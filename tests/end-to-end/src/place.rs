//! Where the rows of a test are: a database of its own, removed when nobody uses it any more.

use std::{
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use authkit_core::Store;
use authkit_session_redis::{RedisConfig, RedisStore};
use authkit_store_memory::MemoryStore;
use authkit_store_sqlx::{SqlxConfig, SqlxStore};
use servers::{Database, test_url};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection};
use tempfile::TempDir;

/// Which store is under the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests name them all")]
pub enum Backend {
    /// MariaDB, in a database of its own.
    MariaDb,
    /// In memory.
    Memory,
    /// PostgreSQL, in a schema of its own.
    Postgres,
    /// Redis, under a prefix of its own.
    Redis,
    /// SQLite, in a file.
    Sqlite,
}

impl Backend {
    /// Whether it is there; a line is printed where its server is not installed, and the test is left out.
    ///
    /// # Panics
    ///
    /// If nobody says where the server is.
    #[must_use]
    pub fn is_here(self) -> bool {
        self.server().is_none_or(|database| server_url(database).is_some())
    }

    const fn server(self) -> Option<Database> {
        match self {
            Self::MariaDb => Some(Database::MariaDb),
            Self::Postgres => Some(Database::Postgres),
            Self::Redis => Some(Database::Redis),
            Self::Memory | Self::Sqlite => None,
        }
    }
}

fn server_url(database: Database) -> Option<String> {
    test_url(database).expect("the address of a server")
}

/// A database of one test. It is removed with its last clone, also when the test fails.
#[derive(Clone, Debug)]
pub struct Place(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Memory(MemoryStore),
    File {
        directory: TempDir,
        url: String,
    },
    /// What it holds stays until the server is thrown away.
    Prefix(RedisConfig),
    Server(Own),
}

/// A schema of PostgreSQL, or a database of MariaDB.
#[derive(Debug)]
struct Own {
    database: Database,
    server: String,
    name: String,
    url: String,
}

impl Place {
    /// An empty one.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub async fn new(backend: Backend) -> Self {
        let kind = match backend.server() {
            Some(Database::Redis) => Kind::Prefix(own_prefix()),
            Some(database) => Kind::Server(Own::new(database).await),
            None if backend == Backend::Memory => Kind::Memory(MemoryStore::new()),
            None => {
                let directory = tempfile::tempdir().expect("a directory");
                let url = format!("sqlite://{}?mode=rwc", directory.path().join(FILE).display());
                Kind::File { directory, url }
            }
        };
        Self(Arc::new(kind))
    }

    /// A store over it, with connections of its own.
    ///
    /// # Panics
    ///
    /// If there is no connection.
    pub async fn store(&self) -> Arc<dyn Store> {
        let config = match &*self.0 {
            Kind::Memory(store) => return Arc::new(store.clone()),
            Kind::Prefix(config) => {
                return Arc::new(RedisStore::connect_with(config.clone()).await.expect("a Redis"));
            }
            Kind::File { url, .. } => SqlxConfig::new(url),
            // Many tests share the server.
            Kind::Server(own) => SqlxConfig::new(&own.url).readers(CONNECTIONS).writers(CONNECTIONS),
        };
        Arc::new(SqlxStore::connect_with(config).await.expect("a database"))
    }

    /// The URL of its SQL database, if it is one.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match &*self.0 {
            Kind::Memory(_) | Kind::Prefix(_) => None,
            Kind::File { url, .. } | Kind::Server(Own { url, .. }) => Some(url),
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match &*self.0 {
            Kind::File { directory, .. } => Some(directory.path().join(FILE)),
            Kind::Memory(_) | Kind::Prefix(_) | Kind::Server(_) => None,
        }
    }
}

const FILE: &str = "test.db";
/// How many read, and how many write.
const CONNECTIONS: usize = 3;

/// A prefix that no test had, of this run or another.
#[expect(
    clippy::disallowed_methods,
    reason = "what earlier runs left is not removed, so a number of this run is not enough"
)]
fn own_prefix() -> RedisConfig {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server_url(Database::Redis).expect("a server that is here");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is right").as_nanos();
    let prefix = format!("test-{now:x}-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    RedisConfig::new(server).prefix(prefix)
}

impl Own {
    async fn new(database: Database) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = server_url(database).expect("a server that is here");
        // One that was killed before it could remove what it made may have had the same number.
        let name = format!("test_{}_{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (text, url) = if database == Database::Postgres {
            let joint = if server.contains('?') { '&' } else { '?' };
            let text = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
            (text, format!("{server}{joint}options[search_path]={name}"))
        } else {
            let (before, _) = server.rsplit_once('/').expect("a path");
            (format!("CREATE OR REPLACE DATABASE {name}"), format!("{before}/{name}"))
        };
        run(database, &server, text).await.expect("a role that may do everything");
        Self { database, server, name, url }
    }

    async fn remove(database: Database, server: &str, name: &str) -> Result<(), sqlx::Error> {
        // A commit whose future was dropped may still be on its way.
        let text = if database == Database::Postgres {
            format!("SET lock_timeout = '10s'; SET client_min_messages = warning; DROP SCHEMA {name} CASCADE")
        } else {
            format!("SET lock_wait_timeout = 10; DROP DATABASE {name}")
        };
        run(database, server, text).await
    }
}

async fn run(database: Database, server: &str, text: String) -> Result<(), sqlx::Error> {
    let text = sqlx::raw_sql(AssertSqlSafe(text));
    if database == Database::Postgres {
        let mut connection = PgConnection::connect(server).await?;
        text.execute(&mut connection).await?;
        connection.close().await
    } else {
        let mut connection = MySqlConnection::connect(server).await?;
        text.execute(&mut connection).await?;
        connection.close().await
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let Self { database, server, name, .. } = &*self;
        // In a thread of its own: nothing can be waited for in one that runs tasks.
        let removed = thread::scope(|scope| {
            let remove = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(Self::remove(*database, server, name))
            };
            scope.spawn(remove).join()
        });
        if let Ok(Err(error)) = removed {
            eprintln!("note: {name} was not removed: {error}");
        }
    }
}
