//! Connections, and what the server has to be for them.

use std::{str::FromStr as _, sync::Arc, time::Duration};

use authkit_core::{Acknowledgement, Store, StoreError};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlConnection, MySqlPool, Row as _,
    mysql::MySqlConnectOptions,
};

use crate::{
    config::SqlxConfig,
    connections::{Connections, opened_in_time},
    driver::{Access, Failure},
    error::Fault,
    mysql::{Flavour, MySql, Whose, demands::Demands, error::failure},
    tables::Tables,
};

/// Opens the database of a URL.
pub(crate) async fn open(config: SqlxConfig) -> Result<Box<dyn Store>, StoreError> {
    let options = options(&config.url).map_err(told)?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err(unavailable("the URL names no database: mysql://user:password@host:3306/database"));
    }
    let looking = async {
        let mut connection = options.connect().await.map_err(told)?;
        let server = server(&mut connection).await?;
        connection.close().await.map_err(told)?;
        Ok(server)
    };
    let server = opened_in_time(config.busy_timeout, looking).await?;
    let driver = server.flavour.driver(Whose::Ours, config.busy_timeout);
    Ok(Box::new(tables(driver, &options, &config, server.acknowledged)))
}

pub(super) fn options(url: &str) -> Result<MySqlConnectOptions, sqlx::Error> {
    let options = MySqlConnectOptions::from_str(url)?.statement_cache_capacity(STATEMENTS);
    // What the driver would set, `prepare` sets with the rest.
    let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None).set_names(false);
    // Texts hold values, and values belong in no log.
    Ok(options.disable_statement_logging())
}

pub(super) fn tables(
    driver: MySql,
    options: &MySqlConnectOptions,
    config: &SqlxConfig,
    acknowledged: Acknowledgement,
) -> Tables<MySql> {
    let connections = |access, most: Option<usize>| {
        Arc::new(Connections::own(options.clone(), access, most.unwrap_or(CONNECTIONS), config.busy_timeout))
    };
    let (readers, writers) = (connections(Access::Read, config.readers), connections(Access::Write, config.writers));
    Tables::new(driver, readers, writers, acknowledged)
}

/// Takes a pool as the application has set it up.
pub(crate) async fn adopt(pool: MySqlPool) -> Result<Box<dyn Store>, StoreError> {
    let (most, patience) = (pool.options().get_max_connections(), pool.options().get_acquire_timeout());
    let mut connection = pool.acquire().await.map_err(told)?;
    let server = server(&mut connection).await?;
    let demands = Demands::of(server.flavour, server.version);
    let database = demands.database(&mut connection).await.map_err(Failure::told)?;
    drop(connection);
    let driver = server.flavour.driver(Whose::Theirs { demands, database }, patience);

    // Some connections are left for those who read while commits wait for a row.
    let most = usize::try_from(most).unwrap_or(1);
    let writing = most.div_ceil(2);
    let readers = Connections::of_pool(pool.clone(), Access::Read, most, patience);
    let writers = Connections::of_pool(pool, Access::Write, writing, patience);
    Ok(Box::new(Tables::new(driver, Arc::new(readers), Arc::new(writers), server.acknowledged)))
}

/// Makes a session independent of how the server is set up.
pub(super) async fn prepare(
    connection: &mut MySqlConnection,
    access: Access,
    lock_timeout: Duration,
) -> Result<(), sqlx::Error> {
    let seconds = seconds(lock_timeout);
    let mode = match access {
        Access::Read => "READ ONLY",
        Access::Write => "READ WRITE",
    };
    let text = format!(
        "SET NAMES utf8mb4, autocommit = 1, sql_mode = '{SQL_MODE}', time_zone = '+00:00', lc_messages = 'en_US', \
         completion_type = 'NO_CHAIN', foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, \
         sql_select_limit = 18446744073709551615, \
         innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}; \
         SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, {mode}"
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await.map(|_done| ())
}

/// The server counts in seconds, a year at most.
pub(super) fn seconds(lock_timeout: Duration) -> u64 {
    lock_timeout.as_secs().clamp(1, 31_536_000)
}

/// What the store has to know of a server.
struct Server {
    flavour: Flavour,
    acknowledged: Acknowledgement,
    version: [u32; 3],
}

async fn server(connection: &mut MySqlConnection) -> Result<Server, StoreError> {
    let text = "SELECT VERSION(), @@innodb_flush_log_at_trx_commit";
    let row = sqlx::raw_sql(text).fetch_one(connection).await.map_err(told)?;
    let version: String = row.try_get_unchecked(0).map_err(told)?;
    let (flavour, oldest, problem) = match version.contains("MariaDB") {
        true => (Flavour::MariaDb, [10, 11, 0], "the server is older than MariaDB 10.11"),
        false => (Flavour::MySql, [8, 0, 17], "the server is older than MySQL 8.0.17"),
    };
    let version = numbers(&version);
    if version < oldest {
        return Err(unavailable(problem));
    }
    // 1, and MariaDB's 3: a commit is on the disk before it is acknowledged. No session can ask for it.
    let flush: i64 = row.try_get_unchecked(1).map_err(told)?;
    let acknowledged = if matches!(flush, 1 | 3) { Acknowledgement::Kept } else { Acknowledgement::MayBeLost };
    Ok(Server { flavour, acknowledged, version })
}

/// Major, minor and patch number of a version.
fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

fn unavailable(problem: &'static str) -> StoreError {
    StoreError::Unavailable(Fault::Driver(problem).into())
}

fn told(error: sqlx::Error) -> StoreError {
    failure(error).told()
}

const SQL_MODE: &str =
    "STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";
/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 256;
/// How many connections read, and how many write, unless told.
const CONNECTIONS: usize = 10;
