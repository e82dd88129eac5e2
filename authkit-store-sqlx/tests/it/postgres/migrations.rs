//! Making the tables, by one of many nodes, whatever happens to it.

use std::{sync::Arc, time::Duration};

use authkit_core::{
    ColumnDef, Durability, EntityDef, Id, Json, Migration, Reach, Step, Store as _, StoreError, Timestamp, Uniqueness,
    Value,
};
use authkit_store_sqlx::SqlxStore;
use authkit_testkit::drop_at_every_await;
use sqlx::AssertSqlSafe;
use tokio::time::Instant;

use super::Schema;
use crate::{
    migrations::{grown, grown_owners},
    world::{NOW, OWNERS, SCOPE, add, defs, find, owner, steps, told},
};

/// Columns, indexes, constraints and history of a schema.
async fn dump(schema: &Schema) -> Vec<String> {
    let text = format!(
        "SELECT line FROM (
           SELECT concat_ws(' ', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation, a.attnotnull,
             pg_get_expr(d.adbin, d.adrelid)) AS line
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
           LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
           WHERE c.relnamespace = '{0}'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
           UNION ALL SELECT replace(pg_get_indexdef(x.indexrelid), '{0}.', '') || x.indisvalid
           FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid WHERE c.relnamespace = '{0}'::regnamespace
           UNION ALL SELECT conname || replace(pg_get_constraintdef(oid), '{0}.', '')
           FROM pg_constraint WHERE connamespace = '{0}'::regnamespace
           UNION ALL SELECT concat_ws(' ', plugin, number, checksum, state, position) FROM {0}.authkit_migrations
         ) lines ORDER BY line",
        schema.name()
    );
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(&mut schema.connection().await).await.unwrap()
}

async fn grow(schema: &Schema) {
    schema.store().await.migrate(&grown(), &[grown_owners(), defs()[1].clone()]).await.unwrap();
}

#[tokio::test]
async fn printed_statements_make_the_schema_that_migrate_makes() {
    let (printed, migrated) = (Schema::new().await, Schema::new().await);
    for statement in printed.store().await.statements(&grown()) {
        printed.run(statement).await;
    }
    grow(&migrated).await;
    assert_eq!(dump(&printed).await, dump(&migrated).await);
    grow(&printed).await;
    assert_eq!(dump(&printed).await, dump(&migrated).await);
}

#[tokio::test]
async fn a_migration_that_was_killed_after_any_statement_is_resumed() {
    let whole = Schema::new().await;
    grow(&whole).await;
    let expected = dump(&whole).await;
    let statements = whole.store().await.statements(&grown());
    for killed in 0..=statements.len() {
        let schema = Schema::new().await;
        for statement in &statements[..killed] {
            schema.run(statement).await;
        }
        grow(&schema).await;
        assert_eq!(dump(&schema).await, expected, "after {killed} statements");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_dropped_anywhere_is_resumed() {
    // A table with an index, and an index that is made on the side.
    let unique = EntityDef::clone(&OWNERS).index("by_count", &[2], Uniqueness::Unique);
    let step = Step::AddIndex { table: "it_owners", index: unique.indexes[2].clone() };
    let steps = [steps().remove(0), Migration::new("it", 2, step)];
    let migrate = async |schema: &Schema| schema.store().await.migrate(&steps, &[]).await.unwrap();
    let whole = Schema::new().await;
    migrate(&whole).await;
    let expected = dump(&whole).await;
    drop_at_every_await(
        async || Schema::new().await,
        async |schema: &Schema| migrate(schema).await,
        async |schema: &Schema, _output| {
            migrate(schema).await;
            assert_eq!(dump(schema).await, expected);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_made_while_others_write_however_long_they_take() {
    let schema = Schema::new().await;
    let old = schema.peopled().await;
    let mut other = schema.connection().await;
    sqlx::raw_sql("BEGIN; UPDATE it_owners SET count = 1 WHERE name = 'a'").execute(&mut other).await.unwrap();

    let busy_timeout = Duration::from_millis(50);
    let new = Arc::new(schema.configured(|config| config.busy_timeout(busy_timeout)).await);
    let index = EntityDef::clone(&OWNERS).index("by_count", &[2], Uniqueness::Shared).indexes[2].clone();
    let mut history = steps();
    history.push(Migration::new("it", 3, Step::AddIndex { table: "it_owners", index }));
    let migrating = tokio::spawn(async move { new.migrate(&history, &defs()).await });
    schema.until("wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%'", 1).await;
    let begun = Instant::now();
    while begun.elapsed() < 4 * busy_timeout {
        old.commit(&SCOPE, &[add(2)], NOW).await.unwrap();
        old.commit(&SCOPE, &[add(2), add(3)], NOW).await.unwrap();
    }
    schema.until("wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%'", 1).await;
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    migrating.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_index_that_was_never_finished_is_made_again() {
    let (whole, broken) = (Schema::new().await, Schema::new().await);
    for schema in [&whole, &broken] {
        schema.store().await.migrate(&grown()[..5], &[]).await.unwrap();
    }
    let name = broken.name();
    broken
        .run(format!(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}.it_owners_by_title'::regclass; \
             UPDATE authkit_migrations SET state = 'started', position = 0 WHERE number = 5"
        ))
        .await;
    broken.store().await.migrate(&grown()[..5], &[]).await.unwrap();
    assert_eq!(dump(&broken).await, dump(&whole).await);
}

#[tokio::test]
async fn an_index_that_rows_forbid_can_be_made_once_they_are_gone() {
    let schema = Schema::new().await;
    let store = schema.migrated().await;
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();
    let unique = EntityDef::clone(&OWNERS).index("by_count", &[2], Uniqueness::Unique);
    let step = Step::AddIndex { table: "it_owners", index: unique.indexes[2].clone() };
    let steps: Vec<_> = steps().into_iter().chain([Migration::new("it", 3, step)]).collect();
    for _ in 0..2 {
        let refused = store.migrate(&steps, &[Arc::new(unique.clone())]).await.unwrap_err();
        assert!(told(&refused).contains("migration 3 of it"), "{}", told(&refused));
    }
    schema.run("UPDATE it_owners SET count = 1 WHERE name = 'a'").await;
    store.migrate(&steps, &[Arc::new(unique)]).await.unwrap();
}

#[tokio::test]
async fn later_steps_keep_the_rows_and_the_version_before_still_runs() {
    let schema = Schema::new().await;
    let old = schema.migrated().await;
    old.commit(&SCOPE, &[owner(1, "before")], NOW).await.unwrap();
    find(&old, &OWNERS, 1).await.unwrap();

    grow(&schema).await;
    let new = schema.store().await;
    old.commit(&SCOPE, &[owner(2, "after")], NOW).await.unwrap();
    for n in [1, 2] {
        let row = find(&new, &grown_owners(), n).await.unwrap();
        assert_eq!(row.values[3], Value::Text("it's \"new\"".to_owned()));
        assert!(find(&old, &OWNERS, n).await.is_some());
    }
    schema.store().await.migrate(&steps(), &defs()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_may_migrate_a_new_database_at_once() {
    let (schema, alone) = (Arc::new(Schema::new().await), Schema::new().await);
    let nodes = (0..8).map(|_| {
        let schema = schema.clone();
        tokio::spawn(async move { grow(&schema).await })
    });
    for node in nodes.collect::<Vec<_>>() {
        node.await.unwrap();
    }
    grow(&alone).await;
    assert_eq!(dump(&schema).await, dump(&alone).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_waits_while_another_migrates() {
    let schema = Arc::new(Schema::new().await);
    let mut other = schema.connection().await;
    let lease = "(hashtext('authkit_migrations'), hashtext(current_schema()))";
    let take = sqlx::raw_sql(AssertSqlSafe(format!("SELECT pg_advisory_lock{lease}")));
    take.execute(&mut other).await.unwrap();
    let waiting = tokio::spawn({
        let schema = schema.clone();
        async move { grow(&schema).await }
    });
    schema.until("query LIKE 'SELECT pg_try_advisory_lock%'", 1).await;
    assert_eq!(schema.number("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()").await, 0);
    // What the other node leaves behind when it is killed.
    drop(other);
    waiting.await.unwrap();
}

#[tokio::test]
async fn an_application_without_the_right_to_change_tables_may_start() {
    let schema = Schema::new().await;
    schema.migrated().await;
    let name = schema.name();
    schema
        .run(format!(
            "DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN; GRANT USAGE ON SCHEMA {name} TO {name}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {name}"
        ))
        .await;
    let url = schema.url().replace("postgres@", &format!("{name}@"));
    let store = SqlxStore::connect(&url).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();
    let refused = store.migrate(&grown(), &[grown_owners()]).await.unwrap_err();
    assert!(told(&refused).contains("lacks a privilege"), "{}", told(&refused));
    schema.run(format!("DROP OWNED BY {name}; DROP ROLE {name}")).await;
}

/// As the README grants them.
#[tokio::test]
async fn an_owner_of_tables_and_a_user_of_rows_need_no_more_rights_than_these() {
    let schema = Schema::new().await;
    let name = schema.name();
    schema
        .run(format!(
            "DROP ROLE IF EXISTS {name}_owner; DROP ROLE IF EXISTS {name};
             CREATE ROLE {name}_owner LOGIN; CREATE ROLE {name} LOGIN;
             GRANT USAGE, CREATE ON SCHEMA {name} TO {name}_owner; GRANT USAGE ON SCHEMA {name} TO {name};
             ALTER DEFAULT PRIVILEGES FOR ROLE {name}_owner IN SCHEMA {name}
             GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {name}"
        ))
        .await;
    for user in [format!("{name}_owner"), name.to_owned()] {
        let url = schema.url().replace("postgres@", &format!("{user}@"));
        let store = SqlxStore::connect(&url).await.unwrap();
        store.migrate(&grown(), &[grown_owners(), defs()[1].clone()]).await.unwrap();
    }
    let store = SqlxStore::connect(&schema.url().replace("postgres@", &format!("{name}@"))).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();
    schema.run(format!("DROP OWNED BY {name}, {name}_owner CASCADE; DROP ROLE {name}_owner; DROP ROLE {name}")).await;
}

/// The application made these; `migrate` names the table, says what differs, and leaves everything as it was.
async fn check_refused(before: &[Migration], made: &str, problem: &str, cure: &str) {
    let schema = Schema::new().await;
    schema.store().await.migrate(before, &[]).await.unwrap();
    schema.run(made).await;
    let tables = "SELECT count(*) FROM pg_class c WHERE relnamespace = current_schema()::regnamespace";
    let found = schema.number(tables).await;
    for _ in 0..2 {
        let refused = schema.store().await.migrate(&grown(), &[grown_owners()]).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{made}");
        for part in [problem, "it_owners", ": authkit keeps "] {
            assert!(told(&refused).contains(part), "{made}: {}", told(&refused));
        }
        assert_eq!(schema.number(tables).await, found, "{made}");
    }
    schema.run(cure).await;
    grow(&schema).await;
}

#[tokio::test]
async fn what_is_not_as_its_step_makes_it_is_refused_and_not_touched() {
    let rename = "ALTER TABLE it_owners RENAME TO app_owners; ALTER INDEX it_owners_pkey RENAME TO app_owners_pkey";
    let owners = |columns: &str| format!("CREATE TABLE it_owners ({columns}, PRIMARY KEY (tenant_id, id))");
    let ids = "tenant_id uuid, id uuid";
    for (made, problem) in [
        ("CREATE TABLE it_owners (id bigint PRIMARY KEY, email text)".to_owned(), "column tenant_id is missing"),
        (owners(&format!("{ids}, name text COLLATE \"C\" NOT NULL")), "column count is missing"),
        (owners(&format!("{ids}, name text NOT NULL, count bigint NOT NULL")), "column name is of type text"),
        (
            owners(&format!("{ids}, name text COLLATE \"C\" NOT NULL, count int NOT NULL")),
            "column count is of type integer",
        ),
        (owners(&format!("{ids}, name text COLLATE \"C\", count bigint NOT NULL")), "column name permits NULL"),
        (
            owners(&format!("{ids}, name text COLLATE \"C\" NOT NULL, count bigint NOT NULL DEFAULT 1")),
            "column count has another default",
        ),
        (
            owners(&format!("{ids}, name text COLLATE \"C\" NOT NULL, count bigint NOT NULL, vip bool")),
            "column vip is not declared",
        ),
    ] {
        check_refused(&[], &made, problem, rename).await;
    }
    check_refused(&[], "CREATE VIEW it_owners AS SELECT 1 AS id", "it is a view", "DROP VIEW it_owners").await;
    check_refused(&[], "CREATE SEQUENCE it_owners", "it is a sequence", "DROP SEQUENCE it_owners").await;
    let made = "CREATE TABLE orders (id int); CREATE INDEX it_owners_by_name ON orders (id)";
    check_refused(&[], made, "it is an index of table orders", "DROP INDEX it_owners_by_name").await;
    let made = "CREATE INDEX it_owners_by_title ON it_owners (tenant_id, name)";
    let problem = "its columns or its uniqueness differ";
    check_refused(&grown()[..4], made, problem, "DROP INDEX it_owners_by_title").await;
    let made = "ALTER TABLE it_owners ADD COLUMN title text";
    check_refused(&steps(), made, "it is of type text", "ALTER TABLE it_owners RENAME COLUMN title TO app_title").await;
}

#[tokio::test]
async fn drift_is_refused_with_what_differs() {
    for (text, problem) in [
        ("DROP TABLE it_tickets", "it_tickets is not as declared: there is no such table"),
        ("ALTER TABLE it_owners DROP COLUMN count", "column count is missing"),
        ("DROP INDEX it_owners_by_name", "index it_owners_by_name is missing"),
        (
            "DROP INDEX it_owners_by_name; \
             CREATE UNIQUE INDEX it_owners_by_name ON it_owners (tenant_id, name) NULLS NOT DISTINCT",
            "index it_owners_by_name is missing or another",
        ),
        (
            "DROP INDEX it_owners_by_name; \
             CREATE UNIQUE INDEX it_owners_by_name ON it_owners (tenant_id, name) WHERE count = 0",
            "index it_owners_by_name is missing or another",
        ),
        ("ALTER TABLE it_owners ALTER COLUMN count TYPE numeric", "column count is of type numeric"),
        ("ALTER TABLE it_owners ALTER COLUMN name TYPE text COLLATE \"default\"", "column name is of type text"),
        ("ALTER TABLE it_owners ALTER COLUMN count DROP NOT NULL", "column count permits NULL"),
        ("ALTER TABLE it_tickets ADD COLUMN must bigint NOT NULL", "column must is not declared"),
        (
            "ALTER TABLE it_tickets DROP CONSTRAINT it_tickets_tenant_id_owner_id_fkey",
            "the foreign key to it_owners is missing",
        ),
        (
            "ALTER TABLE it_tickets DROP CONSTRAINT it_tickets_tenant_id_owner_id_fkey; ALTER TABLE it_tickets \
             ADD FOREIGN KEY (tenant_id, owner_id) REFERENCES it_owners ON DELETE CASCADE DEFERRABLE",
            "the foreign key to it_owners is missing or another",
        ),
    ] {
        let schema = Schema::new().await;
        let store = schema.migrated().await;
        schema.run(text).await;
        let refused = store.migrate(&steps(), &defs()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{text}");
        assert!(told(&refused).contains(problem), "{text}: {}", told(&refused));
    }
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
        ColumnDef::new::<Timestamp>("tenth").default(Timestamp::from_millis(100)),
        ColumnDef::new::<Timestamp>("epoch").default(Timestamp::from_millis(0)),
        ColumnDef::new::<Timestamp>("first").default(Timestamp::MIN),
        ColumnDef::new::<Timestamp>("last").default(Timestamp::MAX),
        ColumnDef::new::<String>("text").default("it's -- \"new\"\n\\ \u{1f511}; ".to_owned()),
        ColumnDef::new::<Json<Vec<i64>>>("json").default(Json::new(&vec![1, 2]).unwrap()),
        ColumnDef::new::<Vec<u8>>("bytes").default(vec![0_u8, 0xff]),
        ColumnDef::new::<Vec<u8>>("none").default(Vec::<u8>::new()),
        ColumnDef::new::<Option<i64>>("absent").default(None::<i64>),
        ColumnDef::new::<Option<i64>>("optional").default(Some(-5)),
    ];
    let id = ColumnDef::new::<Id>("id");
    let whole = EntityDef::new("it_whole", Reach::Global, Durability::Durable, columns.clone());
    let added = EntityDef::new("it_added", Reach::Global, Durability::Durable, vec![id]);
    let added = [whole.clone(), added]
        .map(Step::Create)
        .into_iter()
        .chain(columns.into_iter().skip(1).map(|column| Step::AddColumn { table: "it_added", column }));
    let steps: Vec<_> = (1..).zip(added).map(|(number, step)| Migration::new("it", number, step)).collect();
    let schema = Schema::new().await;
    schema.store().await.migrate(&steps, &[]).await.unwrap();
    schema.run("DELETE FROM authkit_migrations WHERE number <> 2").await;
    schema.store().await.migrate(&steps, &[]).await.unwrap();

    // And they are what a row gets that says nothing of them.
    schema.run("INSERT INTO it_whole (id) VALUES ('00000000-0000-0000-0000-000000000001')").await;
    let row = find(&schema.store().await, &Arc::new(whole.clone()), 1).await.unwrap();
    for (column, value) in whole.columns.iter().zip(row.values).skip(1) {
        assert_eq!(column.default.as_ref(), Some(&value), "{}", column.name);
    }
}
