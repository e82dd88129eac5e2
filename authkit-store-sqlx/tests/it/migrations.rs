//! Making the tables and finding out that they are not as declared.

use std::sync::Arc;

use authkit_core::{ColumnDef, Def, EntityDef, Migration, Step, Store as _, StoreError, Uniqueness, Value};
use sqlx::Row as _;

use crate::world::{NOW, OWNERS, Place, SCOPE, defs, find, owner, steps, told};

#[tokio::test]
async fn printed_statements_make_the_schema_that_migrate_makes() {
    let (printed, migrated) = (Place::new(), Place::new());
    let statements = migrated.store().await.statements(&grown());
    let mut by_hand = printed.connection().await;
    for statement in statements {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut by_hand).await.unwrap();
    }
    migrated.store().await.migrate(&grown(), &[grown_owners(), defs()[1].clone()]).await.unwrap();

    for dump in [
        "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name)",
        "SELECT group_concat(plugin || number || checksum || state || position) FROM authkit_migrations",
    ] {
        let by_hand: String = sqlx::query_scalar(dump).fetch_one(&mut by_hand).await.unwrap();
        let by_store: String = sqlx::query_scalar(dump).fetch_one(&mut migrated.connection().await).await.unwrap();
        assert_eq!(by_hand, by_store);
    }
    printed.store().await.migrate(&grown(), &[grown_owners()]).await.unwrap();
}

#[tokio::test]
async fn later_steps_keep_the_rows_and_the_version_before_still_runs() {
    let place = Place::new();
    let old = place.migrated().await;
    old.commit(&SCOPE, &[owner(1, "before")], NOW).await.unwrap();

    let new = place.store().await;
    new.migrate(&grown(), &[grown_owners(), defs()[1].clone()]).await.unwrap();
    old.commit(&SCOPE, &[owner(2, "after")], NOW).await.unwrap();
    for n in [1, 2] {
        let row = find(&new, &grown_owners(), n).await.unwrap();
        assert_eq!(row.values[3], Value::Text("it's \"new\"".to_owned()));
        assert!(find(&old, &OWNERS, n).await.is_some());
    }
    place.store().await.migrate(&steps(), &defs()).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_stopped_between_two_statements_is_resumed() {
    let place = Place::new();
    let store = place.store().await;
    let statements = store.statements(&steps());
    let mut connection = place.connection().await;
    // The table of the history and the first table, without its index.
    for statement in statements.into_iter().take(2) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    for position in [0, 1] {
        sqlx::query("REPLACE INTO authkit_migrations VALUES ('it', 1, ?, 'started', ?)")
            .bind(steps()[0].checksum())
            .bind(position)
            .execute(&mut connection)
            .await
            .unwrap();
        place.store().await.migrate(&steps(), &defs()).await.unwrap();
        let state = sqlx::query("SELECT state, position FROM authkit_migrations WHERE number = 1");
        let state = state.fetch_one(&mut connection).await.unwrap();
        assert_eq!((state.get::<String, _>(0).as_str(), state.get::<i64, _>(1)), ("applied", 2));
        sqlx::raw_sql("DROP INDEX it_owners_by_name").execute(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn an_edited_step_is_refused_by_name() {
    let place = Place::new();
    place.migrated().await;
    let mut edited = steps();
    edited[1] = Migration::new("it", 2, Step::DropIndex { table: "it_owners", index: "by_name" });
    let refused = place.store().await.migrate(&edited, &defs()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt(_)));
    assert!(told(&refused).contains("migration 2 of it was edited"), "{}", told(&refused));
}

#[tokio::test]
async fn drift_is_refused_with_what_differs() {
    for (text, problem) in [
        ("DROP TABLE it_tickets", "it_tickets is not as declared: there is no such table"),
        ("ALTER TABLE it_owners DROP COLUMN count", "column count is missing"),
        ("ALTER TABLE it_owners RENAME COLUMN count TO amount", "column count is missing"),
        ("DROP INDEX it_owners_by_name", "index it_owners_by_name is missing"),
        ("DROP INDEX it_owners_by_name; CREATE INDEX it_owners_by_name ON it_owners (tenant_id, name)", "by_name"),
        ("DROP INDEX it_tickets__expiry", "index it_tickets__expiry is missing"),
        (
            "ALTER TABLE it_owners DROP COLUMN count; ALTER TABLE it_owners ADD COLUMN count TEXT NOT NULL DEFAULT ''",
            "column count is of type TEXT",
        ),
        (
            "ALTER TABLE it_owners DROP COLUMN count; ALTER TABLE it_owners ADD COLUMN count INTEGER",
            "column count permits NULL",
        ),
        (
            "DROP TABLE it_owners; CREATE TABLE it_owners (id TEXT NOT NULL PRIMARY KEY, tenant_id TEXT NOT NULL, \
             name TEXT NOT NULL, count INTEGER NOT NULL)",
            "the primary key is (id)",
        ),
        (
            "DROP TABLE it_tickets; CREATE TABLE it_tickets (tenant_id TEXT NOT NULL, id TEXT NOT NULL, \
             owner_id TEXT NOT NULL, created_at INTEGER NOT NULL, \
             expires_at INTEGER NOT NULL, must INTEGER NOT NULL, PRIMARY KEY (tenant_id, id)) WITHOUT ROWID",
            "column must is not declared",
        ),
        (
            "DROP TABLE it_tickets; CREATE TABLE it_tickets (tenant_id TEXT NOT NULL, id TEXT NOT NULL, \
             owner_id TEXT NOT NULL, created_at INTEGER NOT NULL, \
             expires_at INTEGER NOT NULL, PRIMARY KEY (tenant_id, id)) WITHOUT ROWID; \
             CREATE INDEX it_tickets_by_owner ON it_tickets (tenant_id, owner_id, created_at); \
             CREATE INDEX it_tickets__expiry ON it_tickets (expires_at)",
            "the foreign key to it_owners",
        ),
    ] {
        let place = Place::new();
        let store = place.migrated().await;
        place.run(text).await;
        let refused = store.migrate(&steps(), &defs()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{text}");
        assert!(told(&refused).contains(problem), "{text}: {}", told(&refused));
    }
}

#[tokio::test]
async fn columns_and_tables_of_the_application_are_welcome() {
    let place = Place::new();
    let store = place.migrated().await;
    place
        .run(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, owner TEXT); \
             ALTER TABLE it_owners ADD COLUMN nickname TEXT; \
             ALTER TABLE it_owners ADD COLUMN score INTEGER NOT NULL DEFAULT 7; \
             CREATE INDEX it_owners_score ON it_owners (score)",
        )
        .await;
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();
    assert!(find(&store, &OWNERS, 1).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_may_migrate_a_new_database_at_once() {
    let place = Arc::new(Place::new());
    let nodes = (0..8).map(|_| {
        let place = place.clone();
        tokio::spawn(async move { place.migrated().await })
    });
    for node in nodes.collect::<Vec<_>>() {
        node.await.unwrap();
    }
    let applied = sqlx::query_scalar("SELECT count(*) FROM authkit_migrations");
    let applied: i64 = applied.fetch_one(&mut place.connection().await).await.unwrap();
    assert_eq!(applied, 2);
}

pub(crate) fn grown() -> Vec<Migration> {
    let long = grown_owners().indexes[2].clone();
    let mut short = long.clone();
    short.name = "by_title";
    let added = [
        Step::AddColumn { table: "it_owners", column: title() },
        Step::AddIndex { table: "it_owners", index: long },
        Step::AddIndex { table: "it_owners", index: short },
        Step::DropIndex { table: "it_owners", index: "by_title" },
    ];
    let added = (3..).zip(added).map(|(number, step)| Migration::new("it", number, step));
    steps().into_iter().chain(added).collect()
}

fn title() -> ColumnDef {
    ColumnDef::new::<String>("title").default("it's \"new\"".to_owned())
}

pub(crate) fn grown_owners() -> Def {
    let mut def = EntityDef::clone(&OWNERS);
    def.columns.push(title());
    Arc::new(def.index(LONG, &[3], Uniqueness::Shared))
}

const LONG: &str = "by_title_with_a_name_that_is_longer_than_any_database_permits_it_to_be";
