//! One node at a time applies migrations.

use authkit_core::StoreError;
use sqlx::{MySqlConnection, Row as _};

use crate::{
    ddl::Planned,
    error::Fault,
    migrate::apply,
    mysql::{Flavour, MySql, error::failure, session::seconds},
};

/// Applies what is left of a plan while it holds a lock, which the server frees if the connection is lost.
///
/// Locks have one space for all databases of a server, and names of at most 64 characters.
pub(super) async fn migrate(
    driver: &MySql,
    connection: &mut MySqlConnection,
    plan: &[Planned],
) -> Result<(), StoreError> {
    let told = |error: sqlx::Error| failure(error).told();
    let unbounded = match driver.flavour {
        Flavour::MariaDb => ", max_statement_time = 0",
        Flavour::MySql => "",
    };
    let text = format!("SET lock_wait_timeout = {}{unbounded}", seconds(driver.lock_timeout));
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut *connection).await.map_err(told)?;
    let text = format!("SELECT GET_LOCK({LOCK}, {PATIENCE})");
    let row = sqlx::raw_sql(sqlx::AssertSqlSafe(text)).fetch_one(&mut *connection).await.map_err(told)?;
    if row.try_get_unchecked::<Option<i64>, _>(0).map_err(told)? != Some(1) {
        return Err(StoreError::Unavailable(Fault::Driver(HANGS).into()));
    }
    let applied = apply(driver, connection, plan).await;
    let text = format!("DO RELEASE_LOCK({LOCK})");
    let released = sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(connection).await;
    applied?;
    released.map(|_done| ()).map_err(told)
}

const LOCK: &str = "CONCAT('authkit ', LEFT(SHA2(DATABASE(), 256), 56))";
/// Seconds that a node waits for another.
const PATIENCE: u32 = 600;
const HANGS: &str =
    "another node is migrating for longer than ten minutes; `SHOW PROCESSLIST` has it and those that wait";
