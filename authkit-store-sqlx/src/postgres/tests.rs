//! The statements that the store really sends, and the indexes that PostgreSQL chooses for them.

use std::{ops::Bound, sync::Arc};

use authkit_core::{
    Comparison, Def, Direction, EntityDef, Guard, Id, Join, Lookup, Migration, Op, Query, Scope, Set, Shape,
    Step as Migrated, TenantId, Timestamp, Value, Write,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{DIALECT, Postgres, Whose, land};
use crate::{
    ddl,
    driver::{Driver as _, Role, Step, arguments},
    planned::{marks, owners, tickets},
    server,
    sql::{Arg, Rows, Spelling, get_text, sweep},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SCOPE: Scope = Scope::Tenant(TenantId::DEFAULT);
const ID: Value = Value::Id(Id::NIL);

#[tokio::test]
async fn a_joined_get_descends_two_trees() {
    let mut connection = database().await;
    let join = Join { via: 1, def: owners(), columns: vec![1] };
    let shape = Shape { def: tickets(), columns: vec![1, 2], join: Some(join) };
    let text = get_text(&DIALECT, &shape, EntityDef::PRIMARY_KEY);
    assert_eq!(
        text,
        "SELECT t.\"owner_id\", t.\"created_at\", j.\"name\" FROM \"p_tickets\" AS t \
         LEFT JOIN \"p_owners\" AS j ON j.id = t.\"owner_id\" AND j.tenant_id = t.tenant_id \
         WHERE t.tenant_id = $1 AND t.\"id\" = $2 AND (t.\"expires_at\" > $3)"
    );
    let nil = Arg::Id(Id::NIL);
    let plan = plan(&mut connection, &text, &[nil, nil, Arg::Time(NOW)]).await;
    check(&plan, &["Index Scan using p_tickets_pkey", "Index Scan using p_owners_pkey"]);
    check(&plan, &["Index Cond: ((tenant_id = '00000000-0000-0000-0000-000000000000'::uuid) AND (id = "]);
}

#[tokio::test]
async fn a_page_is_read_along_its_index() {
    let mut connection = database().await;
    let tickets = tickets();
    let rows = Rows::of(&DIALECT, &SCOPE, &tickets, NOW).unwrap();
    for (direction, scan, range) in [
        (Direction::Ascending, "Index Scan using p_tickets_by_owner", "(created_at >= '2027"),
        (Direction::Descending, "Index Scan Backward using p_tickets_by_owner", "(created_at <= '2027"),
    ] {
        let query = Query {
            shape: Arc::new(Shape::whole(&tickets)),
            index: 1,
            prefix: vec![ID],
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            filters: vec![Guard { column: 0, comparison: Comparison::NotEqual, value: ID }],
            direction,
            after: Some(vec![Value::Time(NOW), ID]),
            limit: 10,
            now: NOW,
        };
        let sql = rows.query(&query);
        let plan = plan(&mut connection, &sql.text, &sql.args).await;
        check(&plan, &[scan, "Index Cond: ((tenant_id = ", range]);
        // Rows of one time are put in order by id, and no more than those.
        assert!(plan.contains("Incremental Sort"), "{plan}");
    }
}

#[tokio::test]
async fn every_write_finds_its_row_by_index_as_a_statement_and_in_a_text() {
    let mut connection = database().await;
    let tickets = tickets();
    let at = || Lookup { index: EntityDef::PRIMARY_KEY, key: vec![ID] };
    let guards = || vec![Guard { column: 2, comparison: Comparison::Less, value: Value::Time(NOW) }];
    for (write, index) in [
        (Write::Update { at: at(), guards: guards(), set: vec![Set::To(2, Value::Time(NOW))] }, "p_tickets_pkey"),
        (Write::Take { at: at(), guards: guards() }, "p_tickets_pkey"),
        (Write::Ensure { at: at(), guards: guards() }, "p_tickets_pkey"),
        (Write::Purge { index: 1, prefix: vec![ID], guards: vec![] }, "p_tickets_by_owner"),
    ] {
        let op = Op { def: tickets.clone(), write };
        let driver = Postgres { connections: Whose::Theirs { schema: None }, lock_timeout: Default::default() };
        for spelling in [Spelling::Placeholders, Spelling::Literals] {
            let rows = Rows::of(&DIALECT, &SCOPE, &op.def, NOW).unwrap().spelled(spelling);
            let mut steps = Vec::new();
            driver.op(&rows, &op, &mut |yields, sql| {
                steps.push(Step { number: 0, op: &op, rows, role: Role::Op, yields, sql });
            });
            let (text, args) = match spelling {
                Spelling::Placeholders => (steps[0].sql.text.clone(), steps[0].sql.args.as_slice()),
                Spelling::Literals => (land::text(&steps).replace(";\n", ""), [].as_slice()),
            };
            let plan = plan(&mut connection, &text, args).await;
            check(&plan, &[index]);
            check(&plan, &["Index Cond: ((tenant_id = '00000000-0000-0000-0000-000000000000'::uuid) AND ("]);
        }
    }
}

#[tokio::test]
async fn a_sweep_reads_the_expiry_index() {
    let mut connection = database().await;
    let sql = sweep(&DIALECT, &tickets(), NOW, 10).unwrap();
    let plan = plan(&mut connection, &sql.text, &sql.args).await;
    check(&plan, &["Tid Scan on p_tickets", "Index Scan using p_tickets__expiry"]);
}

#[tokio::test]
async fn removing_an_owner_finds_its_tickets_by_index() {
    let mut connection = database().await;
    let text =
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'p_marks__owner_id' AND schemaname = current_schema()";
    let index: String = sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap();
    assert!(index.ends_with("USING btree (tenant_id, owner_id)"), "{index}");
}

fn check(plan: &str, parts: &[&str]) {
    for part in parts {
        assert!(plan.contains(part), "{part}\n{plan}");
    }
    assert!(!plan.contains("Seq Scan"), "{plan}");
}

async fn plan(connection: &mut PgConnection, text: &str, args: &[Arg<'_>]) -> String {
    let driver = Postgres { connections: Whose::Theirs { schema: None }, lock_timeout: Default::default() };
    let args = arguments(&driver, args.iter().copied()).unwrap();
    let lines = sqlx::query_scalar_with(AssertSqlSafe(format!("EXPLAIN {text}")), args);
    let lines: Vec<String> = lines.fetch_all(connection).await.unwrap();
    lines.join("\n")
}

async fn database() -> PgConnection {
    let mut connection = PgConnection::connect(&server::postgres().await).await.unwrap();
    let create = |number, def: &Def| Migration::new("p", number, Migrated::Create(EntityDef::clone(def)));
    let steps = [create(1, &owners()), create(2, &tickets()), create(3, &marks())];
    for statement in ddl::printed(&DIALECT, ddl::plan(&DIALECT, &steps).unwrap()) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    // Enough rows that a choice costs something: 3000 owners, of whom 100 have 400 tickets each, alive for an hour to come.
    let rows = "INSERT INTO p_owners SELECT '00000000-0000-0000-0000-000000000000',
                lpad(to_hex(n), 32, '0')::uuid, '' FROM generate_series(0, 3000) n;
                INSERT INTO p_tickets SELECT tenant_id, gen_random_uuid(), id, at, at + interval '1 day'
                FROM (SELECT * FROM p_owners ORDER BY id LIMIT 100) o,
                generate_series('2027-01-14 09:00+00', '2027-01-15 09:00+00', interval '216 seconds') at;
                ANALYZE p_owners; ANALYZE p_tickets";
    for statement in rows.split(';') {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    connection
}
