//! Tables, views and indexes of others that have a name of the store's, and of its own that are there already.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use authkit_core::{ColumnDef, Durability, EntityDef, Id, Migration, Reach, Step, Store as _, StoreError, Timestamp};
use authkit_store_sqlx::SqlxStore;
use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqlitePoolOptions};

use crate::{
    migrations::{grown, grown_owners},
    world::{NOW, OWNERS, Place, SCOPE, defs, find, owner, steps, told},
};

/// The application made these; `migrate` names the first table, says what differs, and leaves everything as it was.
async fn check_refused(before: &[Migration], made: &'static str, problem: &str, cure: &'static str) {
    let place = Place::new();
    if !before.is_empty() {
        place.store().await.migrate(before, &[]).await.unwrap();
    }
    place.run(made).await;
    let found = schema(&mut place.connection().await).await;
    for _ in 0..2 {
        let refused = place.store().await.migrate(&grown(), &[grown_owners()]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{made}");
        assert!(told(&refused).contains(problem), "{made}: {}", told(&refused));
        assert!(told(&refused).contains("it_owners"), "{made}: {}", told(&refused));
        assert!(told(&refused).contains(": authkit keeps "), "{made}: {}", told(&refused));
        assert_eq!(schema(&mut place.connection().await).await, found, "{made}");
        assert_eq!(recorded(&place).await, before.len(), "{made}");
    }
    place.run(cure).await;
    let store = place.store().await;
    store.migrate(&grown(), &[grown_owners(), defs()[1].clone()]).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();
}

#[tokio::test]
async fn a_table_that_is_not_as_its_step_makes_it_is_refused_and_not_touched() {
    for (made, problem) in [
        ("CREATE TABLE it_owners (id INTEGER PRIMARY KEY, email TEXT)", "column tenant_id is missing"),
        (
            "CREATE TABLE it_owners (tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, \
             PRIMARY KEY (tenant_id, id))",
            "column count is missing",
        ),
        (
            "CREATE TABLE it_owners (tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, \
             count INTEGER NOT NULL, vip INTEGER, PRIMARY KEY (tenant_id, id))",
            "column vip is not declared",
        ),
        (
            "CREATE TABLE it_owners (tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, \
             count REAL NOT NULL, PRIMARY KEY (tenant_id, id))",
            "column count is of type REAL",
        ),
        (
            "CREATE TABLE it_owners (tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT, \
             count INTEGER NOT NULL, PRIMARY KEY (tenant_id, id))",
            "column name permits NULL",
        ),
        (
            "CREATE TABLE it_owners (tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, \
             count INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (tenant_id, id))",
            "column count has another default",
        ),
        (
            "CREATE TABLE it_owners (tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, \
             count INTEGER NOT NULL AS (length(name)), PRIMARY KEY (tenant_id, id))",
            "column count has another default",
        ),
        (
            "CREATE TABLE it_owners (tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, \
             count INTEGER NOT NULL, PRIMARY KEY (id))",
            "the primary key is (id)",
        ),
        (
            "CREATE TABLE it_owners (tenant_id TEXT NOT NULL REFERENCES shops, id TEXT NOT NULL, \
             name TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (tenant_id, id))",
            "the foreign key to shops is not declared",
        ),
        ("CREATE TABLE IT_Owners (id INTEGER PRIMARY KEY)", "column tenant_id is missing"),
    ] {
        let problem =
            format!("table it_owners is there already, but not as authkit makes it: {problem}; rename or move");
        check_refused(&[], made, &problem, "ALTER TABLE it_owners RENAME TO app_owners").await;
    }
}

#[tokio::test]
async fn rows_of_a_table_in_the_way_are_kept() {
    let place = Place::new();
    place
        .run("CREATE TABLE it_owners (id INTEGER PRIMARY KEY, email TEXT); INSERT INTO it_owners VALUES (7, 'a')")
        .await;
    place.store().await.migrate(&steps(), &defs()).await.unwrap_err();
    place.run("ALTER TABLE it_owners RENAME TO app_owners").await;
    place.migrated().await;
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT * FROM app_owners").fetch_all(&mut place.connection().await).await.unwrap();
    assert_eq!(rows, [(7, "a".to_owned())]);
}

#[tokio::test]
async fn a_view_or_an_index_with_the_name_of_a_table_is_refused() {
    check_refused(&[], "CREATE VIEW it_owners AS SELECT 1 AS id", "it is a view", "DROP VIEW it_owners").await;
    let made = "CREATE TABLE orders (id INTEGER PRIMARY KEY, at INTEGER); CREATE INDEX it_owners ON orders (at)";
    check_refused(&[], made, "it is an index of table orders", "DROP INDEX it_owners").await;
}

#[tokio::test]
async fn an_index_that_is_not_as_its_step_makes_it_is_refused() {
    for (made, problem, cure) in [
        (
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, at INTEGER); CREATE INDEX it_owners_by_name ON orders (at)",
            "it is an index of table orders; rename or drop",
            "DROP INDEX it_owners_by_name",
        ),
        ("CREATE TABLE it_owners_by_name (id INTEGER)", "it is a table", "DROP TABLE it_owners_by_name"),
        ("CREATE VIEW it_owners_by_name AS SELECT 1", "it is a view", "DROP VIEW it_owners_by_name"),
    ] {
        let problem = format!(
            "index it_owners_by_name of table it_owners is there already, but not as authkit makes it: {problem}"
        );
        check_refused(&[], made, &problem, cure).await;
    }
    let made = "CREATE INDEX it_owners_by_title ON it_owners (tenant_id, name)";
    check_refused(&grown()[..4], made, "its columns or its uniqueness differ", "DROP INDEX it_owners_by_title").await;
}

#[tokio::test]
async fn a_column_that_is_not_as_its_step_makes_it_is_refused() {
    let cure = "ALTER TABLE it_owners RENAME COLUMN title TO app_title";
    for (made, problem) in [
        ("ALTER TABLE it_owners ADD COLUMN title INTEGER NOT NULL DEFAULT 1", "it is of type INTEGER"),
        ("ALTER TABLE it_owners ADD COLUMN title TEXT", "it permits NULL"),
        ("ALTER TABLE it_owners ADD COLUMN title TEXT NOT NULL DEFAULT ''", "it has another default"),
    ] {
        let problem = format!(
            "column title of table it_owners is there already, but not as authkit makes it: {problem}; rename it"
        );
        check_refused(&steps(), made, &problem, cure).await;
    }
}

#[tokio::test]
async fn a_table_of_the_application_with_the_name_of_the_history_is_refused() {
    for made in [
        "CREATE TABLE authkit_migrations (version INTEGER PRIMARY KEY)",
        "CREATE TABLE authkit_migrations (plugin TEXT, number INTEGER, checksum TEXT, state TEXT, position INTEGER)",
        "CREATE VIEW authkit_migrations AS SELECT 1",
    ] {
        let place = Place::new();
        place.run(made).await;
        let refused = place.store().await.migrate(&steps(), &defs()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{made}");
        assert!(told(&refused).contains("table authkit_migrations is there already"), "{}", told(&refused));
        assert_eq!(schema(&mut place.connection().await).await.len(), 1, "{made}");
    }
}

#[tokio::test]
async fn an_index_of_the_application_is_not_dropped_for_its_name() {
    let place = Place::new();
    place.store().await.migrate(&grown()[..5], &[]).await.unwrap();
    place
        .run(
            "DROP INDEX it_owners_by_title; CREATE TABLE orders (id INTEGER PRIMARY KEY, at INTEGER); \
             CREATE INDEX it_owners_by_title ON orders (at)",
        )
        .await;
    place.store().await.migrate(&grown(), &[grown_owners()]).await.unwrap();
    let found = schema(&mut place.connection().await).await;
    assert!(found.iter().any(|text| text.starts_with("CREATE INDEX it_owners_by_title ON orders")), "{found:?}");
}

#[tokio::test]
async fn a_temporary_table_that_hides_the_one_that_is_made_is_refused() {
    for made in [
        "CREATE TEMP TABLE it_owners (id INTEGER PRIMARY KEY)",
        "CREATE TEMP TABLE it_owners (tenant_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, \
         count INTEGER NOT NULL, PRIMARY KEY (tenant_id, id))",
    ] {
        let place = Place::new();
        drop(place.connection().await);
        let pool = SqlitePoolOptions::new().max_connections(1).connect(&place.url()).await.unwrap();
        sqlx::raw_sql(made).execute(&pool).await.unwrap();
        let refused = SqlxStore::from_pool(pool).await.unwrap().migrate(&steps(), &defs()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{made}");
        assert!(told(&refused).contains("table it_owners"), "{}", told(&refused));
        assert!(schema(&mut place.connection().await).await.is_empty(), "{made}");
    }
}

#[tokio::test]
async fn a_migration_that_was_killed_after_any_statement_is_resumed() {
    let whole = Place::new();
    let statements = whole.store().await.statements(&grown());
    whole.store().await.migrate(&grown(), &[grown_owners()]).await.unwrap();
    let expected = schema(&mut whole.connection().await).await;
    for killed in 0..=statements.len() {
        let place = Place::new();
        apply(&place, &statements[..killed]).await;
        place.store().await.migrate(&grown(), &[grown_owners()]).await.unwrap();
        assert_eq!(schema(&mut place.connection().await).await, expected, "after {killed} statements");
        assert_eq!(recorded(&place).await, grown().len(), "after {killed} statements");
    }
}

#[tokio::test]
async fn tables_made_by_hand_without_a_record_are_adopted_with_their_rows() {
    let place = Place::new();
    let statements = place.store().await.statements(&steps());
    let unrecorded: Vec<_> = statements.into_iter().filter(|text| !text.contains("authkit_migrations")).collect();
    apply(&place, &unrecorded).await;
    let made = schema(&mut place.connection().await).await;
    place.store().await.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();

    let store = place.migrated().await;
    assert!(find(&store, &OWNERS, 1).await.is_some());
    let found = schema(&mut place.connection().await).await;
    assert!(made.iter().all(|text| found.contains(text)) && found.len() == made.len() + 1);
}

#[tokio::test]
async fn defaults_of_every_kind_are_known_again() {
    let columns = vec![
        ColumnDef::new::<Id>("id"),
        ColumnDef::new::<Id>("of_id").default(Id::NIL),
        ColumnDef::new::<bool>("bool").default(true),
        ColumnDef::new::<i64>("least").default(i64::MIN),
        ColumnDef::new::<i64>("most").default(i64::MAX),
        ColumnDef::new::<Timestamp>("time").default(Timestamp::from_millis(-1)),
        ColumnDef::new::<String>("text").default("it's -- \"new\"\n\u{1f511}; ".to_owned()),
        ColumnDef::new::<Vec<u8>>("bytes").default(vec![0_u8, 0xff]),
        ColumnDef::new::<Vec<u8>>("none").default(Vec::<u8>::new()),
        ColumnDef::new::<Option<i64>>("absent").default(None::<i64>),
        ColumnDef::new::<Option<i64>>("optional").default(Some(-5)),
    ];
    let id = ColumnDef::new::<Id>("id");
    let whole = EntityDef::new("it_whole", Reach::Global, Durability::Durable, columns.clone());
    let added = EntityDef::new("it_added", Reach::Global, Durability::Durable, vec![id]);
    let added = [whole, added]
        .map(Step::Create)
        .into_iter()
        .chain(columns.into_iter().skip(1).map(|column| Step::AddColumn { table: "it_added", column }));
    let steps: Vec<_> = (1..).zip(added).map(|(number, step)| Migration::new("it", number, step)).collect();
    let place = Place::new();
    place.store().await.migrate(&steps, &[]).await.unwrap();
    place.run("DELETE FROM authkit_migrations WHERE number <> 2").await;
    place.store().await.migrate(&steps, &[]).await.unwrap();
}

async fn apply(place: &Place, statements: &[String]) {
    let mut connection = place.connection().await;
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await.unwrap();
    }
}

/// The statements by which everything was made.
async fn schema(connection: &mut SqliteConnection) -> Vec<String> {
    let text = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    sqlx::query_scalar(text).fetch_all(connection).await.unwrap()
}

/// How many migrations are recorded.
async fn recorded(place: &Place) -> usize {
    let mut connection = place.connection().await;
    let text = "SELECT 1 FROM sqlite_schema WHERE name = 'authkit_migrations'";
    if sqlx::query(text).fetch_all(&mut connection).await.unwrap().is_empty() {
        return 0;
    }
    sqlx::query("SELECT 1 FROM authkit_migrations").fetch_all(&mut connection).await.unwrap().len()
}
