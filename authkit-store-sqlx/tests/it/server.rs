//! Places of a test's own on the servers of the tests.

use std::{
    env,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection};

/// URL of an empty schema of this test's own, in place of what its last run left to look at.
pub(crate) async fn postgres() -> String {
    let schema = own_name();
    let server = server("AUTHKIT_TEST_POSTGRES");
    let mut connection = PgConnection::connect(&server).await.unwrap();
    let text = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let joint = if server.contains('?') { '&' } else { '?' };
    format!("{server}{joint}options[search_path]={schema}")
}

/// URL of an empty MariaDB database of this test's own, in place of what its last run left to look at.
pub(crate) async fn mariadb() -> String {
    let server = server("AUTHKIT_TEST_MARIADB");
    let mut connection = MySqlConnection::connect(&server).await.unwrap();
    let database = own_name();
    // What a new table has unless told is not what the store needs, and shall not matter.
    let text = format!(
        "SET foreign_key_checks = 0; CREATE OR REPLACE DATABASE {database} CHARACTER SET latin1 COLLATE latin1_swedish_ci"
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let (before, _) = server.rsplit_once('/').unwrap();
    format!("{before}/{database}")
}

/// A name for this test and this call.
fn own_name() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let thread = thread::current();
    let mut hash = DefaultHasher::new();
    (env!("CARGO_CRATE_NAME"), thread.name(), NUMBER.fetch_add(1, Ordering::Relaxed)).hash(&mut hash);
    format!("test_{:016x}", hash.finish())
}

#[expect(clippy::disallowed_methods, reason = "handed over by what starts the servers")]
fn server(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_absent| panic!("{variable} is not set: run `cargo xtask test`"))
}
