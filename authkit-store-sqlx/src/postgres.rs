//! PostgreSQL 15 or newer.
//!
//! A commit of one step is a prepared statement by itself. Any other is one text of several statements, which PostgreSQL
//! runs as one transaction: one round trip, whatever the number of ops. Values stand in it in hexadecimal or as digits,
//! so nothing in them can end a literal. On a pool of the application it is a transaction of prepared statements instead:
//! the driver logs the texts of a pool as the application has set it, and a text with its values belongs in no log.

mod demands;
mod land;
mod schema;
#[cfg(test)]
mod tests;
mod value;

use std::{str::FromStr as _, sync::Arc, time::Duration};

use authkit_core::{Acknowledgement, ColumnKind, EntityDef, Op, Store, StoreError, Value};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, PgConnection, PgPool, Row as _, SqlSafeStr as _, SqlStr,
    error::BoxDynError,
    postgres::{PgArguments, PgConnectOptions, PgDatabaseError, PgRow},
};
use tokio::time::Instant;

use crate::{
    catalogue::Catalogue,
    commit::{run_in_transaction, statement},
    config::SqlxConfig,
    connections::{Connections, Lease},
    ddl::Planned,
    driver::{Access, Driver, Failure, Step, Stopped, Yield},
    effect::Named,
    error::{Fault, driver_failure},
    migrate::apply,
    names::index_name,
    sql::{Arg, Dialect, Indexing, Keyset, Rows, Spelling, Statement, Sweep},
    store::SqlxPool,
    tables::Tables,
};

static DIALECT: Dialect = Dialect {
    quote: '"',
    // As `format_type` spells them.
    column_type: |kind, _: Indexing| match kind {
        ColumnKind::Bool => "boolean",
        ColumnKind::Int => "bigint",
        ColumnKind::Time => "timestamp(3) with time zone",
        ColumnKind::Id => "uuid",
        ColumnKind::Text => "text COLLATE \"C\"",
        ColumnKind::Bytes => "bytea",
        ColumnKind::Json => "json",
    },
    table_options: "",
    index_if_absent: "IF NOT EXISTS ",
    index_if_present: "IF EXISTS ",
    index_in_use: CONCURRENTLY,
    index_options: "",
    drops_index_on_table: false,
    recorded_again: " ON CONFLICT (plugin, number) DO UPDATE SET state = excluded.state, position = excluded.position",
    placeholder: value::placeholder,
    literal: value::literal,
    default: value::default,
    aside: "",
    keyset: Keyset::Rows,
    share: " FOR SHARE",
    sweep: Sweep::ByPlace,
};

/// A PostgreSQL server.
#[derive(Debug)]
pub(crate) struct Postgres {
    connections: Whose,
    lock_timeout: Duration,
}

/// Whose connections they are.
#[derive(Debug)]
enum Whose {
    /// The store's, set up by it.
    Ours { acknowledged: Acknowledgement },
    /// The application's, set up as it likes within what is demanded; tables are found in this schema.
    Theirs { schema: Option<String> },
}

/// Connects to the server of a URL.
pub(crate) async fn open(config: SqlxConfig) -> Result<Box<dyn Store>, StoreError> {
    let SqlxConfig { busy_timeout, acknowledged, .. } = config;
    let options = PgConnectOptions::from_str(&config.url).map_err(|error| driver_failure(error).told())?;
    // Texts hold values, and values belong in no log.
    let options = options.statement_cache_capacity(STATEMENTS).disable_statement_logging();
    let driver = Postgres { connections: Whose::Ours { acknowledged }, lock_timeout: busy_timeout };
    let (readers, writers) = (config.readers.unwrap_or(CONNECTIONS), config.writers.unwrap_or(CONNECTIONS));
    let readers = Connections::own(options.clone(), Access::Read, readers, busy_timeout);
    let writers = Connections::own(options, Access::Write, writers, busy_timeout);
    inspect(&driver, &mut writers.lease(&driver).await?).await?;
    Ok(Box::new(Tables::new(driver, Arc::new(readers), Arc::new(writers), acknowledged)))
}

/// Takes a pool as the application has set it up.
pub(crate) async fn adopt(pool: PgPool) -> Result<Box<dyn Store>, StoreError> {
    let (most, patience) = (pool.options().get_max_connections(), pool.options().get_acquire_timeout());
    let most = usize::try_from(most).unwrap_or(1);
    let mut connection = pool.acquire().await.map_err(|error| meaning(error).told())?;
    let schema = demands::schema(&mut connection).await.map_err(Failure::told)?;
    drop(connection);
    let driver = Postgres { connections: Whose::Theirs { schema }, lock_timeout: patience };
    let readers = Connections::of_pool(pool.clone(), Access::Read, most, patience);
    // Some are left for reads while commits wait for each other.
    let writers = Connections::of_pool(pool, Access::Write, most.div_ceil(2), patience);
    let acknowledged = inspect(&driver, &mut writers.lease(&driver).await?).await?;
    Ok(Box::new(Tables::new(driver, Arc::new(readers), Arc::new(writers), acknowledged)))
}

impl From<PgPool> for SqlxPool {
    fn from(pool: PgPool) -> Self {
        Self::Postgres(pool)
    }
}

/// Refuses a server that cannot keep the contract; says whether a commit is on the disk when it is acknowledged.
async fn inspect(driver: &Postgres, lease: &mut Lease<'_, Postgres>) -> Result<Acknowledgement, StoreError> {
    let text = "SELECT current_setting('server_version_num')::bigint, current_setting('server_encoding'), \
                current_setting('synchronous_commit')";
    let told = |error| driver.failure(error).told();
    let row = sqlx::query(text).fetch_one(lease.connection().await?).await.map_err(told)?;
    lease.trust();
    if row.try_get::<i64, _>(0).map_err(told)? < OLDEST {
        return Err(Fault::Driver("PostgreSQL is older than version 15").into());
    }
    if row.try_get::<&str, _>(1).map_err(told)? != "UTF8" {
        return Err(Fault::Driver("the encoding of the database is not UTF8, so it cannot hold every text").into());
    }
    let kept = row.try_get::<&str, _>(2).map_err(told)? != "off";
    Ok(if kept { Acknowledgement::Kept } else { Acknowledgement::MayBeLost })
}

impl Driver for Postgres {
    type Database = sqlx::Postgres;

    const ENDS_DROPPED_CALLS: bool = false;
    const NAMES_FIRST_INDEX: bool = true;

    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn prepare(&self, connection: &mut PgConnection, access: Access) -> Result<(), sqlx::Error> {
        let Whose::Ours { acknowledged } = &self.connections else {
            return Ok(());
        };
        let read_only = if access == Access::Read { "on" } else { "off" };
        let synchronous = match acknowledged {
            Acknowledgement::Kept => {
                "SELECT set_config('synchronous_commit', 'on', false) \
                 WHERE current_setting('synchronous_commit') = 'off'"
            }
            _ => "SET synchronous_commit = off",
        };
        let text = format!(
            "SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = {read_only}; \
             SET lock_timeout = {}; {synchronous}",
            milliseconds(self.lock_timeout)
        );
        run(connection, AssertSqlSafe(text).into_sql_str()).await?;
        // The server would log a text that fails, values and all. Only a superuser may forbid it, or whom one permits to.
        match run(connection, "SET log_min_error_statement = fatal".into_sql_str()).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_PERMITTED) => Ok(()),
            result => result,
        }
    }

    /// Commits alone are worth a round trip more. A read sees what its session sees.
    async fn inspect(&self, connection: &mut PgConnection, access: Access) -> Result<(), Failure> {
        match (&self.connections, access) {
            (Whose::Theirs { schema }, Access::Write) => demands::inspect(connection, schema.as_deref()).await,
            _ => Ok(()),
        }
    }

    fn bind(&self, arguments: &mut PgArguments, arg: Arg<'_>) -> Result<(), BoxDynError> {
        value::bind(arguments, arg)
    }

    async fn execute(
        &self,
        connection: &mut PgConnection,
        text: SqlStr,
        arguments: PgArguments,
    ) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query_with(text, arguments).execute(connection).await?.rows_affected())
    }

    async fn fetch(
        &self,
        connection: &mut PgConnection,
        text: SqlStr,
        arguments: PgArguments,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        sqlx::query_with(text, arguments).fetch_all(connection).await
    }

    async fn run(&self, connection: &mut PgConnection, text: SqlStr) -> Result<(), sqlx::Error> {
        if !text.as_str().contains(CONCURRENTLY) {
            return run(connection, text).await;
        }
        // It keeps nobody waiting, and waits itself for every transaction that was open before it.
        run(connection, set_lock_timeout(LONGEST_MIGRATION)).await?;
        let ran = run(connection, text).await;
        run(connection, set_lock_timeout(self.lock_timeout)).await?;
        ran
    }

    fn value(&self, row: &PgRow, at: usize, kind: ColumnKind) -> Result<Value, sqlx::Error> {
        value::value(row, at, kind)
    }

    fn failure(&self, error: sqlx::Error) -> Failure {
        meaning(error)
    }

    fn collided(&self, def: &EntityDef, error: &sqlx::Error) -> Option<usize> {
        let constraint = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.constraint()?;
        let named = |at: usize| match at {
            EntityDef::PRIMARY_KEY => constraint == format!("{}_pkey", def.table),
            at => def.indexes.get(at).is_some_and(|index| constraint == index_name(def.table, index.name)),
        };
        (0..def.indexes.len()).find(|at| named(*at))
    }

    fn spelling(&self, alone: Option<&Op>) -> Spelling {
        match (&self.connections, alone) {
            (Whose::Ours { .. }, None) => Spelling::Literals,
            _ => Spelling::Placeholders,
        }
    }

    fn op<'a>(&self, rows: &Rows<'a>, op: &'a Op, push: &mut impl FnMut(Yield, Statement<'a>)) {
        let (yields, sql) = statement(rows, op);
        push(yields, sql);
    }

    async fn land(&self, connection: &mut PgConnection, steps: Vec<Step<'_>>) -> Result<Vec<Vec<PgRow>>, Stopped> {
        if matches!(self.connections, Whose::Ours { .. }) {
            return land::land(connection, &steps).await;
        }
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = {}",
            milliseconds(self.lock_timeout)
        );
        run_in_transaction(self, connection, AssertSqlSafe(begin).into_sql_str(), steps).await
    }

    async fn migrate(&self, connection: &mut PgConnection, plan: &[Planned]) -> Result<(), StoreError> {
        let told = |error| self.failure(error).told();
        run(connection, FOR_MIGRATIONS.into_sql_str()).await.map_err(told)?;
        run(connection, set_lock_timeout(self.lock_timeout)).await.map_err(told)?;
        self.take_lease(connection).await?;
        let applied = apply(self, connection, plan).await;
        // If it cannot be given back, it ends with the connection.
        let given_back = run(connection, GIVE_BACK.into_sql_str()).await;
        applied.and(given_back.map_err(told))
    }

    async fn named(
        &self,
        connection: &mut PgConnection,
        _table: &str,
        name: &str,
    ) -> Result<Option<Named>, sqlx::Error> {
        schema::named(connection, name).await
    }

    async fn catalogue(&self, connection: &mut PgConnection, table: &str) -> Result<Catalogue, sqlx::Error> {
        schema::catalogue(connection, table).await
    }
}

impl Postgres {
    /// Waits until no other node migrates the schema. The lease is the session's, and ends with it.
    ///
    /// It is asked for again and again: a session that waits for it would be waited for by `CREATE INDEX CONCURRENTLY`.
    async fn take_lease(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let begun = Instant::now();
        loop {
            let taken = sqlx::query_scalar::<_, bool>(TAKE).fetch_one(&mut *connection).await;
            if taken.map_err(|error| self.failure(error).told())? {
                return Ok(());
            }
            if begun.elapsed() > LONGEST_MIGRATION {
                return Err(StoreError::Unavailable(Fault::Driver(HELD).into()));
            }
            #[expect(clippy::disallowed_methods, reason = "nobody measures how often the lease is asked for")]
            tokio::time::sleep(BETWEEN_ASKING).await;
        }
    }
}

fn meaning(error: sqlx::Error) -> Failure {
    match error.as_database_error().and_then(|error| error.code()) {
        Some(code) => failure(&code),
        None => driver_failure(error),
    }
}

/// The error codes of PostgreSQL, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn failure(code: &str) -> Failure {
    let fault = |what| Fault::Database { what, code: code.to_owned() };
    let unavailable = |what| StoreError::Unavailable(fault(what).into());
    let corrupt = |what| Failure::Final(fault(what).into());
    match (code, code.get(..2).unwrap_or_default()) {
        ("23503", _) => Failure::Orphan,
        ("23505", _) => Failure::Duplicate,
        ("22003", _) => Failure::OutOfRange,
        ("40001" | "40P01", _) => Failure::Conflict,
        ("55P03" | "53300", _) => Failure::Busy,
        ("57P01" | "57P02" | "57P05" | "25P03" | "25P04", _) | (_, "08") => {
            Failure::Lost(unavailable("the server ended the connection"))
        }
        ("57014", _) => Failure::Busy,
        ("25006", _) => Failure::Final(unavailable("the server is read-only")),
        (_, "22") => corrupt("a value does not fit its column"),
        (_, "23") => corrupt("a row breaks a constraint of its table"),
        (_, "28") => Failure::Final(unavailable("the server refuses the user or the password of the URL")),
        ("3D000", _) => Failure::Final(unavailable("the server has no database of the URL's name; create it first")),
        (NOT_PERMITTED, _) => corrupt("the user of the URL lacks a privilege for it"),
        (_, "42" | "3F") => corrupt("a statement does not fit the tables; are the migrations applied?"),
        (_, "53") => Failure::Final(unavailable("the server lacks memory, disk or connections")),
        _ => Failure::Final(unavailable("the server failed")),
    }
}

async fn run(connection: &mut PgConnection, text: SqlStr) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(text).execute(connection).await.map(|_done| ())
}

fn set_lock_timeout(longest: Duration) -> SqlStr {
    AssertSqlSafe(format!("SET lock_timeout = {}", milliseconds(longest))).into_sql_str()
}

fn milliseconds(span: Duration) -> u128 {
    // Zero would be no bound at all, and the setting has 31 bits.
    span.as_millis().clamp(1, 0x7fff_ffff)
}

/// How many connections read, and how many write, unless told.
const CONNECTIONS: usize = 10;
/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 256;
/// The first version that has what is used, as a number.
const OLDEST: i64 = 150_000;
const CONCURRENTLY: &str = "CONCURRENTLY ";
const NOT_PERMITTED: &str = "42501";
const TAKE: &str = "SELECT pg_try_advisory_lock(hashtext('authkit_migrations'), hashtext(current_schema()))";
const GIVE_BACK: &str = "SELECT pg_advisory_unlock(hashtext('authkit_migrations'), hashtext(current_schema()))";
/// How long statements may take, how defaults are read, and how they are shown.
const FOR_MIGRATIONS: &str = "SET statement_timeout = 0; SET standard_conforming_strings = on; SET TimeZone = 'UTC'; \
                              SET DateStyle = 'ISO, MDY'; SET quote_all_identifiers = off";
const HELD: &str = "another node is migrating for longer than ten minutes; `pg_locks` has its session as holder of an \
                    advisory lock";
const LONGEST_MIGRATION: Duration = Duration::from_secs(600);
const BETWEEN_ASKING: Duration = Duration::from_millis(50);
