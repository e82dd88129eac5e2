//! Tables: each store gets its own and no others, and what has expired is removed in both.

use std::time::Duration;

use authkit_core::AuthManager;
use end_to_end::{Backend, World};
use sqlx::Connection as _;

use crate::{
    shelf::Shelves,
    stores::{SESSIONS, Stores, go_on, on_each_pair},
};

const MARKS: &str = "auth_routed_commits";

/// The tables in a database that begin with this word.
async fn catalogue(url: &str, word: &str) -> Vec<String> {
    let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE ? || '!_%' ESCAPE '!' ORDER BY name";
    sqlx::query_scalar(names).bind(word).fetch_all(&mut connection).await.unwrap()
}

async fn pair() -> Stores {
    Stores::open(Backend::Sqlite, Backend::Sqlite).await
}

#[tokio::test]
async fn each_database_gets_its_own_tables() {
    let stores = pair().await;
    let world = stores.builder().build().await;
    let [main, second] = stores.databases().map(Option::unwrap);
    let mut expected: Vec<_> = world.auth.entities().iter().map(|def| def.table.to_owned()).collect();
    expected.retain(|table| table != SESSIONS && table.starts_with("auth_"));
    expected.sort();
    let found = catalogue(main, "auth").await;
    assert!(expected.iter().all(|table| found.contains(table)), "{found:?}");
    assert!(!found.iter().any(|table| table == SESSIONS || table == MARKS), "{found:?}");
    let found = catalogue(second, "auth").await;
    assert!(found.iter().any(|table| table == SESSIONS) && found.iter().any(|table| table == MARKS), "{found:?}");
    assert!(!found.iter().any(|table| expected.contains(table)), "{found:?}");
}

#[tokio::test]
async fn two_of_many_tables_of_one_plugin_may_move() {
    let stores = pair().await;
    let builder = stores.plain().plugin(Shelves::default());
    builder.route(["test_jars", "test_lids"], stores.second.clone()).build().await;
    let [main, second] = stores.databases().map(Option::unwrap);
    assert_eq!(catalogue(main, "test").await, ["test_crumbs"]);
    assert_eq!(catalogue(second, "test").await, ["test_jars", "test_lids"]);
}

#[tokio::test]
async fn one_database_may_be_the_other_store_of_two_routes() {
    let stores = pair().await;
    let builder = stores.builder().plugin(Shelves::default());
    let world = builder.route(["test_jars", "test_lids"], stores.second.clone()).build().await;
    world.sign_up("ada@example.com").await;
    assert!(world.signed_in("ada@example.com").await.is_signed_in().await);
    world.auth.migrate().await.unwrap();
}

fn lines_of(sql: &str) -> (&str, &str) {
    sql.split_once("-- In the store of auth_sessions, auth_routed_commits:\n").expect("a part of the second store")
}

on_each_pair! {
    async fn migrating_again_changes_nothing(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        world.auth.migrate().await.unwrap();
        assert!(browser.is_signed_in().await);
        let other: AuthManager = stores.builder().build().await.auth;
        other.migrate().await.unwrap();
        assert!(browser.is_signed_in().await);
    }

    async fn the_printed_statements_name_the_part_of_the_second_store(stores) {
        let world = stores.world().await;
        let sql = world.auth.migration_sql();
        let (main, second) = lines_of(&sql);
        assert!(!main.contains(SESSIONS) && !main.contains(MARKS), "{main}");
        assert!(!second.contains("auth_principals") && !second.contains("auth_audit_log"), "{second}");
        if stores.databases()[1].is_some() {
            assert!(second.contains(SESSIONS) && second.contains(MARKS), "{second}");
        }
    }

    async fn sessions_and_marks_are_swept_in_the_second_store(stores) {
        let world = stores.world().await;
        world.signed_in("ada@example.com").await;
        assert_eq!(stores.everything(&world).await, 2);
        world.clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
        go_on(&world).await;
        assert_eq!(stores.everything(&world).await, 0);
    }

    async fn marks_outlast_everything_that_the_outbox_tries(stores) {
        let world = stores.world().await;
        world.signed_in("ada@example.com").await;
        world.clock.advance(Duration::from_secs(6 * 24 * 60 * 60));
        go_on(&world).await;
        assert_eq!(stores.marks(&world).await, 1);
    }

    async fn routing_may_be_turned_on_and_off_over_the_years(stores) {
        let before = stores.plain().build().await;
        before.sign_up("ada@example.com").await;
        let mut browser = before.signed_in("ada@example.com").await;
        assert!(browser.is_signed_in().await);
        let routed = signs_in(stores.builder().after(before).build().await).await;
        let back = signs_in(stores.plain().after(routed).build().await).await;
        signs_in(stores.builder().after(back).build().await).await;
    }
}

async fn signs_in(world: World) -> World {
    assert!(world.signed_in("ada@example.com").await.is_signed_in().await);
    world
}
