//! The statements that the store really sends, and the indexes that SQLite chooses for them.

use std::{ops::Bound, sync::Arc};

use authkit_core::{
    Comparison, Def, Direction, EntityDef, Guard, Id, Join, Migration, Query, Scope, Shape, Step, TenantId, Timestamp,
    Value,
};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use crate::{
    ddl,
    planned::{marks, owners, tickets},
    sql::{Rows, get_text, sweep},
    sqlite::DIALECT,
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SCOPE: Scope = Scope::Tenant(TenantId::DEFAULT);

#[tokio::test]
async fn a_joined_get_descends_two_trees() {
    let join = Join { via: 1, def: owners(), columns: vec![1] };
    let shape = Shape { def: tickets(), columns: vec![1, 2], join: Some(join) };
    let text = get_text(&DIALECT, &shape, EntityDef::PRIMARY_KEY);
    assert_eq!(
        text,
        "SELECT t.`owner_id`, t.`created_at`, j.`name` FROM `p_tickets` AS t \
         LEFT JOIN `p_owners` AS j ON j.id = t.`owner_id` AND j.tenant_id = t.tenant_id \
         WHERE t.tenant_id = ? AND t.`id` = ? AND (t.`expires_at` > ?)"
    );
    check(
        text,
        &[
            "SEARCH t USING PRIMARY KEY (tenant_id=? AND id=?)",
            "SEARCH j USING PRIMARY KEY (tenant_id=? AND id=?) LEFT-JOIN",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_page_is_read_along_its_index_and_not_sorted() {
    let tickets = tickets();
    let rows = Rows::of(&DIALECT, &SCOPE, &tickets, NOW).unwrap();
    for direction in [Direction::Ascending, Direction::Descending] {
        let mut query = Query {
            shape: Arc::new(Shape::whole(&tickets)),
            index: 1,
            prefix: vec![Value::Id(Id::NIL)],
            from: Bound::Included(Value::Time(NOW)),
            to: Bound::Unbounded,
            filters: vec![Guard { column: 0, comparison: Comparison::NotEqual, value: Value::Id(Id::NIL) }],
            direction,
            after: None,
            limit: 10,
            now: NOW,
        };
        let prefix = "SEARCH p_tickets USING INDEX p_tickets_by_owner (tenant_id=? AND owner_id=?";
        check(rows.query(&query).text, &[&format!("{prefix} AND created_at>?)")]).await;
        query.from = Bound::Unbounded;
        query.after = Some(vec![Value::Time(NOW), Value::Id(Id::NIL)]);
        let range = match direction {
            Direction::Ascending => "(created_at,id)>(?,?)",
            Direction::Descending => "(created_at,id)<(?,?)",
        };
        check(rows.query(&query).text, &[&format!("{prefix} AND {range})")]).await;
    }
}

#[tokio::test]
async fn a_sweep_reads_the_expiry_index() {
    let plan = plan(&sweep(&DIALECT, &tickets(), NOW, 10).unwrap().text).await;
    for part in [
        "SEARCH p_tickets USING PRIMARY KEY (tenant_id=? AND id=?)",
        "SEARCH p_tickets USING COVERING INDEX p_tickets__expiry (expires_at<?)",
    ] {
        assert!(plan.iter().any(|line| line == part), "{plan:?}");
    }
    assert!(!plan.iter().any(|line| line.starts_with("SCAN")), "{plan:?}");
}

#[tokio::test]
async fn removing_an_owner_finds_its_tickets_by_index() {
    let indexed = ["tenant_id", "owner_id"];
    let mut connection = database().await;
    let columns = sqlx::query("SELECT name FROM pragma_index_info('p_marks__owner_id')");
    let columns = columns.fetch_all(&mut connection).await.unwrap();
    assert!(columns.iter().map(|row| row.get::<String, _>(0)).eq(indexed));
}

#[tokio::test]
async fn a_column_that_is_gone_is_an_error_and_not_a_text() {
    let mut connection = database().await;
    sqlx::raw_sql("ALTER TABLE p_owners DROP COLUMN name").execute(&mut connection).await.unwrap();
    let text = get_text(&DIALECT, &Shape::whole(&owners()), EntityDef::PRIMARY_KEY);
    assert!(sqlx::query(AssertSqlSafe(text)).fetch_all(&mut connection).await.is_err());
}

async fn check(text: String, expected: &[&str]) {
    assert_eq!(plan(&text).await, expected, "{text}");
}

async fn plan(text: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}")));
    let rows = rows.fetch_all(&mut database().await).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

async fn database() -> SqliteConnection {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let create = |number, def: &Def| Migration::new("p", number, Step::Create(EntityDef::clone(def)));
    let steps = [create(1, &owners()), create(2, &tickets()), create(3, &marks())];
    for statement in ddl::printed(&DIALECT, ddl::plan(&DIALECT, &steps).unwrap()) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    connection
}
