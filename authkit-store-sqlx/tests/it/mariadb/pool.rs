//! Pools of the application.

use authkit_core::{Store as _, StoreError};
use authkit_store_sqlx::SqlxStore;
use sqlx::mysql::MySqlPoolOptions;

use super::Database;
use crate::world::{NOW, SCOPE, add, defs, owner, steps, ticket, told};

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

#[tokio::test]
async fn a_pool_that_would_lose_values_is_refused() {
    for (setting, problem) in [
        ("foreign_key_checks = 0", "do not enforce foreign keys"),
        ("sql_mode = ''", "cut off what does not fit"),
        ("sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'", "read texts in another way"),
    ] {
        let database = Database::new().await;
        let options = MySqlPoolOptions::new().after_connect(move |connection, _| {
            let text = sqlx::AssertSqlSafe(format!("SET {setting}"));
            Box::pin(async move { sqlx::raw_sql(text).execute(connection).await.map(|_done| ()) })
        });
        let refused = SqlxStore::from_pool(options.connect(database.url()).await.unwrap()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{setting}");
        assert!(told(&refused).contains(problem), "{}", told(&refused));
    }
}
