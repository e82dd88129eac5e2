//! Pools of the application.

use authkit_core::{Store as _, Value};
use authkit_store_sqlx::SqlxStore;
use sqlx::{AssertSqlSafe, MySqlPool, mysql::MySqlPoolOptions};

use super::Database;
use crate::world::{
    COUNT, LEFT_OPEN, NAME, NOW, OWNERS, SCOPE, TICKETS, add, assert_refused, defs, find, owner, steps, ticket, whole,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_the_application_serves_and_keeps_its_settings() {
    let database = Database::new().await;
    let pool = MySqlPoolOptions::new().max_connections(2).connect(database.url()).await.unwrap();
    let settings = "SELECT CONCAT_WS(' ', @@sql_mode, @@tx_isolation, @@autocommit, @@innodb_lock_wait_timeout)";
    let before: String = sqlx::query_scalar(settings).fetch_one(&pool).await.unwrap();
    let store = SqlxStore::from_pool(pool.clone()).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a"), ticket(1, 1)], NOW).await.unwrap();
    store.commit(&SCOPE, &[add(1), owner(1, "b")], NOW).await.unwrap_err();

    let text = "SELECT o.name FROM it_owners o JOIN it_tickets t ON t.owner_id = o.id AND t.tenant_id = o.tenant_id \
                WHERE HEX(o.id) = '00000000000000000000000000000001' AND o.`count` = 0 AND t.expires_at > '2020-01-01'";
    let name: String = sqlx::query_scalar(text).fetch_one(&pool).await.unwrap();
    assert_eq!(name, "a");
    for _ in 0..4 {
        let after: String = sqlx::query_scalar(settings).fetch_one(&pool).await.unwrap();
        assert_eq!(after, before);
    }
}

/// A pool whose connections are set up with this statement.
async fn set_up(database: &Database, setting: &'static str) -> MySqlPool {
    let options = MySqlPoolOptions::new().after_connect(move |connection, _| {
        Box::pin(async move { sqlx::raw_sql(setting).execute(connection).await.map(|_done| ()) })
    });
    options.max_connections(2).connect(database.url()).await.unwrap()
}

/// What sessions are refused for.
const REFUSED: [(&str, &str); 20] = [
    ("SET autocommit = 0", "do not commit what is written"),
    ("SET completion_type = 'CHAIN'", "begin another transaction at each commit"),
    ("SET completion_type = 'RELEASE'", "begin another transaction at each commit"),
    ("SET foreign_key_checks = 0", "do not enforce foreign keys"),
    ("SET unique_checks = 0", "may not find what is there twice"),
    ("SET sql_mode = ''", "cut off what does not fit"),
    ("SET sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'", "read texts in another way"),
    ("SET sql_mode = 'STRICT_ALL_TABLES,EMPTY_STRING_IS_NULL'", "read texts in another way"),
    ("SET NAMES latin1", "do not speak utf8mb4"),
    ("SET NAMES utf8mb3", "do not speak utf8mb4"),
    ("SET character_set_results = NULL", "do not speak utf8mb4"),
    ("SET character_set_connection = latin1", "do not speak utf8mb4"),
    ("SET sql_select_limit = 10", "leave rows out"),
    ("SET SESSION TRANSACTION READ ONLY", "only read"),
    ("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "read what others have not committed"),
    ("START TRANSACTION; SELECT table_name FROM information_schema.tables LIMIT 1", LEFT_OPEN),
    ("START TRANSACTION", LEFT_OPEN),
    ("START TRANSACTION READ ONLY", LEFT_OPEN),
    ("XA START 'x'", LEFT_OPEN),
    ("BEGIN; SET autocommit = 0", LEFT_OPEN),
];

#[tokio::test]
async fn a_pool_that_would_lose_something_is_refused() {
    let database = Database::new().await;
    for (setting, problem) in REFUSED {
        let refused = SqlxStore::from_pool(set_up(&database, setting).await).await.unwrap_err();
        assert_refused(&refused, setting, problem);
    }
}

#[tokio::test]
async fn a_pool_that_is_set_up_in_another_harmless_way_serves() {
    let database = Database::new().await;
    database.store().await.migrate(&steps(), &defs()).await.unwrap();
    for (n, setting) in (1..).zip([
        "SET time_zone = '-07:00', lc_time_names = 'de_DE'",
        "SET sql_mode = 'STRICT_TRANS_TABLES,ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE,HIGH_NOT_PRECEDENCE'",
        "SET sql_mode = 'ORACLE,STRICT_ALL_TABLES'",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET collation_connection = utf8mb4_unicode_ci",
    ]) {
        let store = SqlxStore::from_pool(set_up(&database, setting).await).await.unwrap();
        store.migrate(&steps(), &defs()).await.unwrap();
        let name = format!("{setting} \\ ' \" 🦀");
        store.commit(&SCOPE, &[owner(n, &name)], NOW).await.unwrap();
        store.commit(&SCOPE, &[ticket(n, n), add(n)], NOW).await.unwrap();
        // Another session sees the same.
        let other = database.store().await;
        let row = find(&other, &OWNERS, n).await.unwrap();
        assert_eq!(row.values[NAME..], [Value::Text(name), Value::Int(1)], "{setting}");
        assert_eq!(find(&other, &TICKETS, n).await, find(&store, &TICKETS, n).await, "{setting}");
        assert!(find(&store, &TICKETS, n).await.is_some());
    }
}

#[tokio::test]
async fn a_connection_that_was_changed_meanwhile_is_refused_once_and_closed() {
    let database = Database::new().await;
    let pool = MySqlPoolOptions::new().max_connections(1).connect(database.url()).await.unwrap();
    let store = SqlxStore::from_pool(pool.clone()).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();
    for (setting, problem) in REFUSED {
        let mut connection = pool.acquire().await.unwrap();
        sqlx::raw_sql(setting).execute(&mut *connection).await.unwrap();
        drop(connection);
        let refused = store.commit(&SCOPE, &[add(1)], NOW).await.unwrap_err();
        assert_refused(&refused, setting, problem);
        let mut connection = pool.acquire().await.unwrap();
        sqlx::raw_sql(setting).execute(&mut *connection).await.unwrap();
        drop(connection);
        let refused = store.get(&SCOPE, &whole(&OWNERS, 1)).await.unwrap_err();
        assert_refused(&refused, setting, problem);
        store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
    }
    let count = find(&database.store().await, &OWNERS, 1).await.unwrap().values[COUNT].clone();
    assert_eq!(count, Value::Int(REFUSED.len().try_into().unwrap()));
}

#[tokio::test]
async fn a_connection_that_uses_another_database_serves_no_call_and_is_closed() {
    let (database, other) = (Database::new().await, Database::new().await);
    other.peopled().await;
    let pool = MySqlPoolOptions::new().max_connections(1).connect(database.url()).await.unwrap();
    let store = SqlxStore::from_pool(pool.clone()).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "mine")], NOW).await.unwrap();
    let astray = async || {
        let text = format!("USE {}", other.name());
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *pool.acquire().await.unwrap()).await.unwrap();
    };
    astray().await;
    let refused = store.get(&SCOPE, &whole(&OWNERS, 1)).await.unwrap_err();
    assert_refused(&refused, "USE", "use another database");
    astray().await;
    let refused = store.commit(&SCOPE, &[add(1)], NOW).await.unwrap_err();
    assert_refused(&refused, "USE", "use another database");
    store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
    assert_eq!(find(&store, &OWNERS, 1).await.unwrap().values[COUNT], Value::Int(1));
    assert_eq!(find(&other.store().await, &OWNERS, 1).await.unwrap().values[COUNT], Value::Int(0));
}

/// What is set for the next transaction alone is no setting of the session that could be asked for.
#[tokio::test]
async fn what_the_application_set_for_its_next_transaction_is_not_for_that_of_the_store() {
    let database = Database::new().await;
    let pool = MySqlPoolOptions::new().max_connections(1).connect(database.url()).await.unwrap();
    let store = SqlxStore::from_pool(pool.clone()).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();
    for ops in [vec![add(1)], vec![add(1), add(1)]] {
        let mut connection = pool.acquire().await.unwrap();
        sqlx::raw_sql("SET TRANSACTION READ ONLY").execute(&mut *connection).await.unwrap();
        drop(connection);
        store.commit(&SCOPE, &ops, NOW).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_lost_in_the_pool_is_replaced() {
    let database = Database::new().await;
    let options = MySqlPoolOptions::new().max_connections(1).test_before_acquire(false);
    let store = SqlxStore::from_pool(options.connect(database.url()).await.unwrap()).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();
    database.terminate().await;
    store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
    database.terminate().await;
    assert!(find(&store, &OWNERS, 1).await.is_some());
}
