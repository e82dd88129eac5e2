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
    ///
    /// # Examples
    ///
    /// The SQL of every table, to be applied by hand; nothing of it is run here:
    ///
    /// ```
    /// use authkit_core::{AuthManager, BuildError, Builder};
    /// use authkit_store_sqlx::SqlxStore;
    ///
    /// async fn print(builder: Builder) -> Result<(), Box<dyn std::error::Error>> {
    ///     let auth = builder.store(SqlxStore::connect("sqlite://app.db").await?).build()?;
    ///     println!("{}", auth.migration_sql());
    ///     Ok(())
    /// }
    /// ```
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
    ///
    /// # Examples
    ///
    /// The pool that the application's own queries use:
    ///
    /// ```
    /// use authkit_core::StoreError;
    /// use authkit_store_sqlx::SqlxStore;
    /// use sqlx::SqlitePool;
    ///
    /// async fn adopt(pool: &SqlitePool) -> Result<SqlxStore, StoreError> {
    ///     SqlxStore::from_pool(pool.clone()).await
    /// }
    /// ```
    pub async fn from_pool(pool: impl Into<SqlxPool>) -> Result<Self, StoreError> {
        Ok(Self { database: adopt(pool.into()).await? })
    }
}

type Opener = fn(SqlxConfig) -> Opening;
type Opening = Pin<Box<dyn Future<Output = Result<Box<dyn Store>, StoreError>> + Send>>;

fn opener(url: &str) -> Result<Opener, Fault> {
    if let Some((_, open)) = DATABASES.iter().find(|(begin, _)| url.starts_with(begin)) {
        return Ok(*open);
    }
    Err(refused(url, |begin| DATABASES.iter().any(|(there, _)| *there == begin)))
}

/// Why no database is at a URL, which is not repeated: it may hold a password.
fn refused(url: &str, is_compiled_in: impl Fn(&str) -> bool) -> Fault {
    if let Some((begin, feature)) = BEGINNINGS.iter().find(|(begin, _)| url.starts_with(begin)) {
        return Fault::NotCompiledIn { begin, feature };
    }
    let known = BEGINNINGS.map(|(begin, feature)| match is_compiled_in(begin) {
        true => begin.to_owned(),
        false => format!("{begin} (with the Cargo feature `{feature}` of authkit-store-sqlx)"),
    });
    Fault::UnknownUrl(known.join(", "))
}

/// How URLs begin, and the Cargo feature that adds their database.
const BEGINNINGS: [(&str, &str); 5] = [
    ("mariadb://", "mysql"),
    ("mysql://", "mysql"),
    ("postgres://", "postgres"),
    ("postgresql://", "postgres"),
    ("sqlite:", "sqlite"),
];

/// What opens the databases that are compiled in.
static DATABASES: &[(&str, Opener)] = &[
    #[cfg(feature = "mysql")]
    ("mariadb://", |config| Box::pin(crate::mysql::open(config))),
    #[cfg(feature = "mysql")]
    ("mysql://", |config| Box::pin(crate::mysql::open(config))),
    #[cfg(feature = "postgres")]
    ("postgres://", |config| Box::pin(crate::postgres::open(config))),
    #[cfg(feature = "postgres")]
    ("postgresql://", |config| Box::pin(crate::postgres::open(config))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_compiled_in_is_named_with_its_feature() {
        let told = |url, begin: &'static str| refused(url, |there| there == begin).to_string();
        assert_eq!(
            told("postgres://app:secret@host/db", "sqlite:"),
            "URLs that begin with postgres:// need the Cargo feature `postgres` of authkit-store-sqlx"
        );
        let text = told("mongodb://app:secret@host/db", "sqlite:");
        assert!(
            text.contains("mysql:// (with the Cargo feature `mysql` of authkit-store-sqlx), postgres:// (with"),
            "{text}"
        );
        assert!(text.contains(", sqlite:;"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
