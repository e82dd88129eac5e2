//! Making the tables, on a server that changes them at once.

use std::sync::Arc;

use authkit_core::{
    ColumnDef, Def, Durability, EntityDef, Field, Id, Json, Migration, Op, Reach, Step, Store as _, StoreError,
    Timestamp, Uniqueness, Write,
};
use authkit_store_sqlx::SqlxStore;
use authkit_testkit::drop_at_every_await;
use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};

use super::Database;
use crate::{
    migrations::{grown, grown_owners},
    world::{NOW, OWNERS, SCOPE, TICKETS, add, by_id, defs, find, owner, steps, ticket, told},
};

fn grown_defs() -> Vec<Def> {
    vec![grown_owners(), defs()[1].clone()]
}

/// The tables as the server would make them again, and what was applied.
async fn schema(connection: &mut MySqlConnection) -> Vec<String> {
    let mut schema = Vec::new();
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name";
    for table in sqlx::query_scalar::<_, String>(tables).fetch_all(&mut *connection).await.unwrap() {
        let text = AssertSqlSafe(format!("SHOW CREATE TABLE {table}"));
        let row = sqlx::raw_sql(text).fetch_one(&mut *connection).await.unwrap();
        schema.push(row.try_get_unchecked::<String, _>(1).unwrap());
    }
    let history = "SELECT CONCAT_WS(' ', plugin, number, checksum, state, position) FROM authkit_migrations \
                   ORDER BY plugin, number";
    schema.extend(sqlx::query_scalar::<_, String>(history).fetch_all(connection).await.unwrap());
    schema
}

async fn migrated_schema() -> Vec<String> {
    let database = Database::new().await;
    database.store().await.migrate(&grown(), &grown_defs()).await.unwrap();
    schema(&mut database.connection().await).await
}

#[tokio::test]
async fn printed_statements_make_the_schema_that_migrate_makes() {
    let database = Database::new().await;
    let store = database.store().await;
    for statement in store.statements(&grown()) {
        database.run(statement).await;
    }
    assert_eq!(schema(&mut database.connection().await).await, migrated_schema().await);
    store.migrate(&grown(), &grown_defs()).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_stopped_after_any_statement_is_resumed() {
    let expected = migrated_schema().await;
    let statements = Database::new().await.store().await.statements(&grown());
    for done in 0..=statements.len() {
        let database = Database::new().await;
        for statement in &statements[..done] {
            database.run(statement).await;
        }
        // As if the record of the next step had been begun, wherever that was.
        if done > 0 {
            for step in grown() {
                let text = format!(
                    "INSERT IGNORE INTO authkit_migrations VALUES ('it', {}, '{}', 'started', 0)",
                    step.number,
                    step.checksum()
                );
                database.run(text).await;
            }
        }
        database.store().await.migrate(&grown(), &grown_defs()).await.unwrap();
        assert_eq!(schema(&mut database.connection().await).await, expected, "after {done} statements");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_dropped_anywhere_is_resumed() {
    // A table, a column, an index that needs a column of another type.
    let history: Vec<Migration> = [0, 2, 3].into_iter().map(|at| grown()[at].clone()).collect();
    let migrate = async |store: &SqlxStore| store.migrate(&history, &[grown_owners()]).await.unwrap();
    let whole = Database::new().await;
    migrate(&whole.store().await).await;
    let expected = schema(&mut whole.connection().await).await;
    drop_at_every_await(
        async || {
            let database = Database::new().await;
            (database.store().await, database)
        },
        async |(store, _)| migrate(store).await,
        async |(store, database), _output| {
            migrate(store).await;
            assert_eq!(schema(&mut database.connection().await).await, expected);
        },
    )
    .await;
}

#[tokio::test]
async fn an_index_that_a_foreign_key_needs_is_replaced_before_it_is_dropped() {
    let database = Database::new().await;
    let store = database.peopled().await;
    store.commit(&SCOPE, &[ticket(1, 1)], NOW).await.unwrap();
    let mut history = steps();
    history.push(Migration::new("it", 3, Step::DropIndex { table: "it_tickets", index: "by_owner" }));
    let mut tickets = EntityDef::clone(&TICKETS);
    tickets.indexes.pop();
    store.migrate(&history, &[defs()[0].clone(), Arc::new(tickets)]).await.unwrap();
    let take = Op { def: OWNERS.clone(), write: Write::Take { at: by_id(1), guards: vec![] } };
    store.commit(&SCOPE, &[take], NOW).await.unwrap();
    assert!(find(&store, &TICKETS, 1).await.is_none());
}

#[tokio::test]
async fn the_version_before_runs_on_the_tables_after() {
    let database = Database::new().await;
    let old = database.peopled().await;
    let new = database.store().await;
    new.migrate(&grown(), &grown_defs()).await.unwrap();
    // Its statements were prepared for other columns.
    old.commit(&SCOPE, &[owner(9, "after")], NOW).await.unwrap();
    for n in [1, 9] {
        assert!(find(&old, &OWNERS, n).await.is_some());
        assert!(find(&new, &grown_owners(), n).await.is_some());
    }
    database.store().await.migrate(&steps(), &defs()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_may_migrate_a_new_database_at_once() {
    let database = Arc::new(Database::new().await);
    let nodes = (0..8).map(|_| {
        let database = database.clone();
        tokio::spawn(async move { database.store().await.migrate(&grown(), &grown_defs()).await.unwrap() })
    });
    for node in nodes.collect::<Vec<_>>() {
        node.await.unwrap();
    }
    assert_eq!(schema(&mut database.connection().await).await, migrated_schema().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_many_rows_is_made_while_others_write() {
    let database = Database::new().await;
    let old = database.peopled().await;
    database
        .run(
            "INSERT INTO it_owners SELECT unhex(repeat('00', 16)), unhex(lpad(hex(seq), 32, '0')), seq, seq \
             FROM seq_1000_to_200000",
        )
        .await;
    let index = EntityDef::clone(&OWNERS).index("by_count", &[2], Uniqueness::Shared).indexes[2].clone();
    let mut history = steps();
    history.push(Migration::new("it", 3, Step::AddIndex { table: "it_owners", index }));
    let new = database.store().await;
    // The server refuses the statement where it cannot keep to this.
    assert!(new.statements(&history).iter().any(|text| text.ends_with(" ALGORITHM=INPLACE LOCK=NONE")));
    let migrating = tokio::spawn(async move { new.migrate(&history, &defs()).await.unwrap() });
    while !migrating.is_finished() {
        old.commit(&SCOPE, &[add(2)], NOW).await.unwrap();
        old.commit(&SCOPE, &[add(2), add(3)], NOW).await.unwrap();
    }
    migrating.await.unwrap();
}

#[tokio::test]
async fn an_application_without_the_right_to_change_tables_may_start() {
    let database = Database::new().await;
    database.peopled().await;
    let name = database.name();
    database
        .run(format!(
            "DROP USER IF EXISTS {name}; CREATE USER {name}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO {name}"
        ))
        .await;
    let store = SqlxStore::connect(&database.url().replace("root@", &format!("{name}@"))).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(8, "x"), owner(9, "y")], NOW).await.unwrap();
    let refused = store.migrate(&grown(), &grown_defs()).await.unwrap_err();
    assert!(told(&refused).contains("lacks a privilege"), "{}", told(&refused));
    database.run(format!("DROP USER {name}")).await;
}

/// As the README grants them.
#[tokio::test]
async fn an_owner_of_tables_needs_no_more_rights_than_these() {
    let database = Database::new().await;
    let name = database.name();
    let rights = "CREATE, ALTER, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE";
    let owner = format!("DROP USER IF EXISTS {name}; CREATE USER {name}; GRANT {rights} ON {name}.* TO {name}");
    database.run(owner).await;
    let store = SqlxStore::connect(&database.url().replace("root@", &format!("{name}@"))).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.migrate(&grown(), &grown_defs()).await.unwrap();
    database.run(format!("DROP USER {name}")).await;
}

#[tokio::test]
async fn drift_is_refused_with_what_differs() {
    let utf8 = "CHARACTER SET utf8mb4 COLLATE";
    for (text, problem) in [
        ("DROP TABLE it_tickets".to_owned(), "it_tickets is not as declared: there is no such table"),
        ("ALTER TABLE it_owners DROP COLUMN `count`".to_owned(), "column count is missing"),
        ("ALTER TABLE it_owners DROP INDEX it_owners_by_name".to_owned(), "index it_owners_by_name is missing"),
        (
            "ALTER TABLE it_owners DROP INDEX it_owners_by_name, ADD INDEX it_owners_by_name (tenant_id, name)"
                .to_owned(),
            "by_name",
        ),
        (
            "ALTER TABLE it_owners DROP INDEX it_owners_by_name, ADD UNIQUE it_owners_by_name (tenant_id, name(9))"
                .to_owned(),
            "by_name",
        ),
        ("ALTER TABLE it_owners MODIFY `count` int NOT NULL".to_owned(), "column count is of type int"),
        ("ALTER TABLE it_owners MODIFY `count` bigint unsigned NOT NULL".to_owned(), "column count is of type bigint"),
        ("ALTER TABLE it_owners MODIFY `count` bigint".to_owned(), "column count permits NULL"),
        (
            format!("ALTER TABLE it_owners MODIFY name varchar(255) {utf8} utf8mb4_general_ci NOT NULL"),
            "column name is of type varchar(255) COLLATE utf8mb4_general_ci",
        ),
        (
            format!("ALTER TABLE it_owners MODIFY name varchar(99) {utf8} utf8mb4_nopad_bin NOT NULL"),
            "column name is of type varchar(99)",
        ),
        ("ALTER TABLE it_owners ADD COLUMN must bigint NOT NULL".to_owned(), "column must is not declared"),
        ("ALTER TABLE it_tickets DROP FOREIGN KEY it_tickets_ibfk_1".to_owned(), "the foreign key to it_owners"),
        ("ALTER TABLE it_tickets DROP PRIMARY KEY, ADD PRIMARY KEY (id)".to_owned(), "the primary key is (id)"),
    ] {
        let database = Database::new().await;
        let store = database.peopled().await;
        database.run(&text).await;
        let refused = store.migrate(&steps(), &defs()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(_)), "{text}");
        assert!(told(&refused).contains(problem), "{text}: {}", told(&refused));
    }
}

#[tokio::test]
async fn tables_of_the_application_are_refused_and_its_columns_are_welcome() {
    for (made, problem) in [
        ("CREATE TABLE it_owners (id int PRIMARY KEY)", "column tenant_id is missing"),
        ("CREATE VIEW it_owners AS SELECT 1 AS one", "it is a view"),
        ("CREATE SEQUENCE it_owners", "it is a sequence"),
    ] {
        let database = Database::new().await;
        database.run(made).await;
        let refused = database.store().await.migrate(&steps(), &defs()).await.unwrap_err();
        assert!(told(&refused).contains(problem), "{made}: {}", told(&refused));
        assert!(told(&refused).contains("rename or move it"), "{made}: {}", told(&refused));
    }
    let database = Database::new().await;
    let store = database.peopled().await;
    database
        .run(
            "CREATE TABLE orders (id int PRIMARY KEY, owner text); ALTER TABLE it_owners ADD COLUMN nickname text, \
             ADD COLUMN score int NOT NULL DEFAULT 7, ADD COLUMN double_score int AS (score * 2), ADD INDEX (score)",
        )
        .await;
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(9, "a name")], NOW).await.unwrap();
}

/// Every default is looked at again where a migration is resumed.
#[tokio::test]
async fn defaults_of_every_kind_are_recognized_as_the_server_shows_them() {
    let texts = ["", "it's", "\"\\n'\\'", "line\nbreak\ttab\r", "ä😀", "%", "NULL", "('x')", "unhex('00')"];
    let mut columns: Vec<ColumnDef> = vec![
        column(true),
        column(-5_i64),
        column(i64::MAX),
        column(Id::from_bytes([0xfe; 16])),
        column(vec![0_u8, 255]),
    ];
    columns.extend([Timestamp::MIN, Timestamp::MAX, NOW].map(column));
    columns.extend(texts.map(|text| column(text.to_owned())));
    columns.push(column(Json::new(&["it's".to_owned(), "\\".to_owned()].to_vec()).unwrap()));
    columns.extend([column(None::<String>), column(None::<i64>), column(Some("it's".to_owned()))]);

    let names: Vec<&'static str> = (0..columns.len()).map(|n| &*format!("c{n}").leak()).collect();
    let base = EntityDef::new("it_defaults", Reach::Tenant, Durability::Durable, vec![ColumnDef::new::<Id>("id")]);
    let mut history = vec![Step::Create(base.clone())];
    let mut def = base;
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = name;
        def.columns.push(column.clone());
        history.push(Step::AddColumn { table: "it_defaults", column: column.clone() });
    }
    let indexed = def.columns.iter().position(|column| column.name == "c9").unwrap();
    let def = def.index("by_text", &[indexed], Uniqueness::Shared);
    let index = def.indexes[1].clone();
    history.push(Step::AddIndex { table: "it_defaults", index });
    let history: Vec<_> = (1..).zip(history).map(|(n, step)| Migration::new("defaults", n, step)).collect();

    let database = Database::new().await;
    let (store, defs) = (database.store().await, [Arc::new(def)]);
    store.migrate(&history, &defs).await.unwrap();
    database.run("UPDATE authkit_migrations SET state = 'started' WHERE number > 1").await;
    store.migrate(&history, &defs).await.unwrap();

    database
        .run("INSERT INTO it_defaults (tenant_id, id) VALUES (unhex(repeat('00', 16)), unhex(repeat('00', 16)))")
        .await;
    let row = find(&store, &defs[0], 0).await.unwrap();
    let declared = columns.iter().map(|column| column.default.clone().unwrap());
    assert_eq!(row.values[1..], declared.collect::<Vec<_>>());
}

fn column<T: Field + Clone>(default: T) -> ColumnDef {
    ColumnDef::new::<T>("").default(default)
}

#[tokio::test]
async fn an_index_that_the_server_cannot_hold_whole_is_refused() {
    let columns = ["id", "a", "b", "c"].map(|name| match name {
        "id" => ColumnDef::new::<Id>(name),
        name => ColumnDef::new::<String>(name),
    });
    let def = EntityDef::new("it_long", Reach::Tenant, Durability::Durable, columns.to_vec());
    let two = def.clone().index("by_two", &[1, 2], Uniqueness::Unique);
    let three = def.index("by_three", &[1, 2, 3], Uniqueness::Unique);
    let database = Database::new().await;
    let step = Migration::new("two", 1, Step::Create(two.clone()));
    database.store().await.migrate(&[step], &[Arc::new(two)]).await.unwrap();
    let database = Database::new().await;
    let step = Migration::new("three", 1, Step::Create(three));
    let refused = database.store().await.migrate(&[step], &[]).await.unwrap_err();
    // The server shortens it or compares hashes, neither of which is what was asked for.
    assert!(told(&refused).contains("its columns or its uniqueness differ"), "{}", told(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_waits_for_the_one_that_migrates() {
    let database = Database::new().await;
    let mut other = database.connection().await;
    let lock = "CONCAT('authkit ', LEFT(SHA2(DATABASE(), 256), 56))";
    sqlx::raw_sql(AssertSqlSafe(format!("DO GET_LOCK({lock}, 0)"))).execute(&mut other).await.unwrap();
    let store = Arc::new(database.store().await);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.migrate(&steps(), &defs()).await }
    });
    database.until("info LIKE '%GET_LOCK%'").await;
    assert_eq!(
        database.number("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()").await,
        0
    );
    // Whoever held it is gone, and did nothing.
    drop(other);
    waiting.await.unwrap().unwrap();
}
