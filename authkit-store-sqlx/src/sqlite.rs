//! SQLite: one connection that writes, several that read.
//!
//! A commit of one step is a statement by itself. Any other is a transaction that begins with the write lock in hand, so
//! that what it reads stays true until it lands. Waiting for the lock is left to SQLite and bounded by the busy timeout.
//! A commit may be dropped wherever it waits: statements run on the connection's own thread in the order in which they
//! were sent, and dropping the transaction sends a rollback after them.

mod schema;
#[cfg(test)]
mod tests;
mod value;

use std::{str::FromStr as _, sync::Arc, time::Duration};

use authkit_core::{Acknowledgement, ColumnKind, EntityDef, Op, Store, StoreError, Value};
use sqlx::{
    Connection as _, SqlSafeStr as _, SqlStr, SqliteConnection, SqlitePool,
    error::{BoxDynError, DatabaseError},
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous},
};
use tokio::time::Instant;

use crate::{
    again::Again,
    catalogue::Catalogue,
    commit::{run_in_transaction, statement},
    config::SqlxConfig,
    connections::Connections,
    ddl::Planned,
    driver::{Access, Driver, Failure, Step, Stopped, Yield},
    effect::Named,
    error::{Fault, LEFT_OPEN, driver_failure},
    migrate::apply,
    sql::{Arg, Dialect, Indexing, Keyset, Rows, Spelling, Statement, Sweep, index_columns},
    store::SqlxPool,
    tables::Tables,
};

static DIALECT: Dialect = Dialect {
    // SQLite takes a name in double quotes that no column has for a text; in backticks it never does.
    quote: '`',
    column_type: |kind, _: Indexing| match kind {
        ColumnKind::Bool | ColumnKind::Int | ColumnKind::Time => "INTEGER",
        ColumnKind::Id | ColumnKind::Text | ColumnKind::Json => "TEXT",
        ColumnKind::Bytes => "BLOB",
    },
    // Rows lie in the order of the primary key: a read by id descends one tree instead of two.
    table_options: " STRICT, WITHOUT ROWID",
    index_if_absent: "IF NOT EXISTS ",
    index_if_present: "IF EXISTS ",
    index_in_use: "",
    index_options: "",
    drops_index_on_table: false,
    recorded_again: " ON CONFLICT (plugin, number) DO UPDATE SET state = excluded.state, position = excluded.position",
    placeholder: |text, _number| text.push('?'),
    // Every statement is prepared.
    literal: |_text, _arg| {},
    default: |value| Some(value::literal(value)),
    aside: "+",
    keyset: Keyset::Rows,
    share: "",
    sweep: Sweep::ByKey,
};

/// A SQLite database.
#[derive(Debug)]
pub(crate) struct Sqlite;

/// Opens the database of a URL, which is made if it is absent.
pub(crate) async fn open(config: SqlxConfig) -> Result<Box<dyn Store>, StoreError> {
    let options = SqliteConnectOptions::from_str(&config.url)
        .map_err(|error| driver_failure(error).told())?
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(config.busy_timeout)
        .statement_cache_capacity(STATEMENTS);
    let synchronous = match config.acknowledged {
        Acknowledgement::Kept => SqliteSynchronous::Full,
        _ => SqliteSynchronous::Normal,
    };
    let writing = options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
    // One connection at a time: the next commit waits here and not in SQLite, which would sleep.
    let writer = Arc::new(Connections::own(writing, Access::Write, 1, config.busy_timeout));
    open_first(&writer, config.busy_timeout).await?;
    // Every other connection would see another database.
    let in_memory = config.url.contains(":memory:") || config.url.contains("mode=memory");
    let readers = if in_memory {
        Arc::clone(&writer)
    } else {
        let reading = options.pragma("query_only", "ON");
        Arc::new(Connections::own(reading, Access::Read, config.readers.unwrap_or(READERS), config.busy_timeout))
    };
    Ok(Box::new(Tables::new(Sqlite, readers, writer, config.acknowledged)))
}

/// Opens the file. Of two who switch a new one to WAL at once, SQLite refuses one without letting it wait.
async fn open_first(writer: &Connections<Sqlite>, patience: Duration) -> Result<(), StoreError> {
    let begun = Instant::now();
    let mut again = Again::default();
    loop {
        match writer.lease(&Sqlite).await?.connection().await.map(|_opened| ()) {
            Err(StoreError::Busy) if begun.elapsed() < patience => again.pause().await?,
            opened => return opened,
        }
    }
}

/// Takes a pool as the application has set it up.
pub(crate) async fn adopt(pool: SqlitePool) -> Result<Box<dyn Store>, StoreError> {
    let (most, patience) = (pool.options().get_max_connections(), pool.options().get_acquire_timeout());
    let most = usize::try_from(most).unwrap_or(1);
    let readers = Connections::of_pool(pool.clone(), Access::Read, most, patience);
    let writer = Connections::of_pool(pool, Access::Write, 1, patience);

    let mut lease = writer.lease(&Sqlite).await?;
    let synchronous = sqlx::query_scalar::<_, i64>("PRAGMA synchronous").fetch_one(lease.connection().await?).await;
    drop(lease);
    let kept = synchronous.map_err(|error| Sqlite.failure(error).told())? >= FULL;
    let acknowledged = if kept { Acknowledgement::Kept } else { Acknowledgement::MayBeLost };
    Ok(Box::new(Tables::new(Sqlite, Arc::new(readers), Arc::new(writer), acknowledged)))
}

impl From<SqlitePool> for SqlxPool {
    fn from(pool: SqlitePool) -> Self {
        Self::Sqlite(pool)
    }
}

impl Driver for Sqlite {
    type Database = sqlx::Sqlite;

    const ENDS_DROPPED_CALLS: bool = true;
    const NAMES_FIRST_INDEX: bool = false;

    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn prepare(&self, _connection: &mut SqliteConnection, _access: Access) -> Result<(), sqlx::Error> {
        Ok(())
    }

    /// A transaction cannot begin within another. This one takes no lock, and its end is sent without waiting for it.
    async fn inspect(&self, connection: &mut SqliteConnection, access: Access) -> Result<(), Failure> {
        match connection.begin_with("BEGIN DEFERRED").await {
            Ok(transaction) => drop(transaction),
            Err(sqlx::Error::InvalidSavePointStatement) => return Err(Fault::refusal(LEFT_OPEN)),
            Err(sqlx::Error::Database(error)) if code(&*error) == ERROR => return Err(Fault::refusal(LEFT_OPEN)),
            Err(error) => return Err(self.failure(error)),
        }
        if access == Access::Read {
            return Ok(());
        }
        let enforced = sqlx::query_scalar::<_, i64>("PRAGMA foreign_keys").fetch_one(connection).await;
        match enforced.map_err(|error| self.failure(error))? {
            0 => Err(Fault::refusal(NO_FOREIGN_KEYS)),
            _ => Ok(()),
        }
    }

    fn bind(&self, arguments: &mut SqliteArguments, arg: Arg<'_>) -> Result<(), BoxDynError> {
        value::bind(arguments, arg)
    }

    async fn execute(
        &self,
        connection: &mut SqliteConnection,
        text: SqlStr,
        arguments: SqliteArguments,
    ) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query_with(text, arguments).execute(connection).await?.rows_affected())
    }

    /// Reads to the end even where one row is expected: a statement that is left early hides that it could not land.
    async fn fetch(
        &self,
        connection: &mut SqliteConnection,
        text: SqlStr,
        arguments: SqliteArguments,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        sqlx::query_with(text, arguments).fetch_all(connection).await
    }

    async fn run(&self, connection: &mut SqliteConnection, text: SqlStr) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(text).execute(connection).await.map(|_done| ())
    }

    fn value(&self, row: &SqliteRow, at: usize, kind: ColumnKind) -> Result<Value, sqlx::Error> {
        value::value(row, at, kind)
    }

    fn failure(&self, error: sqlx::Error) -> Failure {
        match error.as_database_error() {
            Some(answer) => failure(code(answer)),
            None => driver_failure(error),
        }
    }

    /// SQLite says `UNIQUE constraint failed: table.column, table.column`.
    fn collided(&self, def: &EntityDef, error: &sqlx::Error) -> Option<usize> {
        let (_, columns) = error.as_database_error()?.message().split_once(": ")?;
        let columns = columns.split(", ").filter_map(|column| Some(column.split_once('.')?.1));
        let columns: Vec<&str> = columns.filter(|column| *column != "tenant_id").collect();
        let is_it = |at: usize| index_columns(def, at).map(|column| column.name).eq(columns.iter().copied());
        (0..def.indexes.len()).find(|at| is_it(*at))
    }

    fn spelling(&self, _alone: Option<&Op>) -> Spelling {
        Spelling::Placeholders
    }

    fn op<'a>(&self, rows: &Rows<'a>, op: &'a Op, push: &mut impl FnMut(Yield, Statement<'a>)) {
        let (yields, sql) = statement(rows, op);
        push(yields, sql);
    }

    async fn land(
        &self,
        connection: &mut SqliteConnection,
        steps: Vec<Step<'_>>,
    ) -> Result<Vec<Vec<SqliteRow>>, Stopped> {
        run_in_transaction(self, connection, "BEGIN IMMEDIATE".into_sql_str(), steps).await
    }

    /// SQLite makes and changes tables in transactions.
    async fn migrate(&self, connection: &mut SqliteConnection, plan: &[Planned]) -> Result<(), StoreError> {
        let told = |error| self.failure(error).told();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(told)?;
        apply(self, &mut transaction, plan).await?;
        transaction.commit().await.map_err(told)
    }

    async fn named(
        &self,
        connection: &mut SqliteConnection,
        _table: &str,
        name: &str,
    ) -> Result<Option<Named>, sqlx::Error> {
        schema::named(connection, name).await
    }

    async fn catalogue(&self, connection: &mut SqliteConnection, table: &str) -> Result<Catalogue, sqlx::Error> {
        schema::catalogue(connection, table).await
    }
}

/// The result codes of SQLite, <https://sqlite.org/rescode.html>.
fn failure(code: i32) -> Failure {
    let unavailable =
        |what| Failure::Final(StoreError::Unavailable(Fault::Database { what, code: code.to_string() }.into()));
    let corrupt = |what| Failure::Final(Fault::Database { what, code: code.to_string() }.into());
    match (code, code & 0xff) {
        (787, _) => Failure::Orphan,
        (1555 | 2067, _) => Failure::Duplicate,
        // A counter beyond 64 bits would no longer be an integer.
        (3091, _) => Failure::OutOfRange,
        (_, 1) => corrupt("a statement does not fit the tables; are the migrations applied?"),
        (_, 5 | 6) => Failure::Busy,
        (_, 8) => unavailable("the database is read-only"),
        (_, 10) => unavailable("disk I/O error"),
        (_, 11) => corrupt("the database file is damaged"),
        (_, 26) => corrupt("the file is no SQLite database, or it is damaged"),
        (_, 13) => unavailable("the disk is full"),
        (_, 14) => unavailable("the database file cannot be opened; is its folder there, and may it be written?"),
        (_, 19) => corrupt("a row breaks a constraint of its table"),
        _ => unavailable("the database failed"),
    }
}

/// The extended result code; 0 if there is none.
fn code(error: &dyn DatabaseError) -> i32 {
    error.code().and_then(|code| code.parse().ok()).unwrap_or(0)
}

const NO_FOREIGN_KEYS: &str = "do not enforce foreign keys; set PRAGMA foreign_keys = ON";
/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 256;
/// How many connections read unless told.
const READERS: usize = 4;
/// The result code of a statement that cannot be run.
const ERROR: i32 = 1;
/// `PRAGMA synchronous` from which on a commit is on the disk when it is acknowledged.
const FULL: i64 = 2;
