//! The statements that the store really sends, and the indexes that MariaDB chooses for them.

use std::{ops::Bound, sync::Arc};

use authkit_core::{
    Comparison, Def, Direction, EntityDef, Guard, Id, Join, Lookup, Migration, Op, Query, Scope, Shape, Step, TenantId,
    Timestamp, Value, Write,
};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, Row as _};

use super::{MARIADB, ops};
use crate::{
    ddl,
    mysql::Changes,
    planned::{marks, owners, tickets},
    server,
    sql::{Arg, Rows, Spelling, get_text, sweep},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SCOPE: Scope = Scope::Tenant(TenantId::DEFAULT);
const ID: Value = Value::Id(Id::NIL);

/// What is written for MySQL, as far as MariaDB can run it: nothing returns rows that it changes.
mod silent {
    use authkit_core::Acknowledgement;

    use crate::{
        config::SqlxConfig,
        mysql::{Changes, Flavour, MySql, Whose, session},
        server,
    };

    authkit_testkit::store_suite!({
        let config = SqlxConfig::new(server::mariadb().await);
        let driver = Flavour::MariaDb.driver(Whose::Ours, config.busy_timeout);
        let driver = MySql { changes: Changes::Read, ..driver };
        session::tables(driver, &session::options(&config.url).unwrap(), &config, Acknowledgement::Kept)
    });
}

#[tokio::test]
async fn a_joined_get_descends_two_trees() {
    let mut connection = database().await;
    let join = Join { via: 1, def: owners(), columns: vec![1] };
    let shape = Shape { def: tickets(), columns: vec![1, 2], join: Some(join) };
    let text = get_text(&MARIADB, &shape, EntityDef::PRIMARY_KEY);
    assert_eq!(
        text,
        "SELECT t.`owner_id`, t.`created_at`, j.`name` FROM `p_tickets` AS t \
         LEFT JOIN `p_owners` AS j ON j.id = t.`owner_id` AND j.tenant_id = t.tenant_id \
         WHERE t.tenant_id = ? AND t.`id` = ? AND (t.`expires_at` > ?)"
    );
    let text = text.replacen('?', "unhex(repeat('00', 16))", 2).replace('?', "TIMESTAMP'2026-01-01 00:00:00.000'");
    check(&mut connection, &text, &["t const PRIMARY", "j const PRIMARY"]).await;
}

#[tokio::test]
async fn a_page_is_read_along_its_index_and_not_sorted() {
    let mut connection = database().await;
    let tickets = tickets();
    let rows = Rows::of(&MARIADB, &SCOPE, &tickets, NOW).unwrap().spelled(Spelling::Literals);
    for direction in [Direction::Ascending, Direction::Descending] {
        let mut query = Query {
            shape: Arc::new(Shape::whole(&tickets)),
            index: 1,
            prefix: vec![ID],
            from: Bound::Included(Value::Time(NOW)),
            to: Bound::Unbounded,
            filters: vec![Guard { column: 0, comparison: Comparison::NotEqual, value: ID }],
            direction,
            after: None,
            limit: 10,
            now: NOW,
        };
        check(&mut connection, &rows.query(&query).text, &["p_tickets range p_tickets_by_owner"]).await;
        query.from = Bound::Unbounded;
        query.after = Some(vec![Value::Time(NOW), ID]);
        check(&mut connection, &rows.query(&query).text, &["p_tickets range p_tickets_by_owner"]).await;
    }
}

#[tokio::test]
async fn every_write_finds_its_row_by_index() {
    let mut connection = database().await;
    let tickets = tickets();
    let at = || Lookup { index: EntityDef::PRIMARY_KEY, key: vec![ID] };
    let guards = || vec![Guard { column: 1, comparison: Comparison::Equal, value: ID }];
    for (write, index) in [
        (Write::Update { at: at(), guards: guards(), set: vec![] }, "PRIMARY"),
        (Write::Take { at: at(), guards: guards() }, "PRIMARY"),
        (Write::Purge { index: 1, prefix: vec![ID], guards: vec![] }, "p_tickets_by_owner"),
    ] {
        let op = Op { def: tickets.clone(), write };
        let rows = Rows::of(&MARIADB, &SCOPE, &op.def, NOW).unwrap().spelled(Spelling::Literals);
        for changes in [Changes::Returned, Changes::Read] {
            let mut texts = Vec::new();
            ops::push(changes, &rows, &op, &mut |_yields, sql| texts.push(sql.text));
            for text in texts {
                let plan = plan(&mut connection, &text).await;
                let (table, found) = plan.lines().next().and_then(|line| line.rsplit_once(' ')).unwrap();
                assert!(table.starts_with("p_tickets ") && found == index, "{text}: {plan}");
            }
        }
    }
}

#[tokio::test]
async fn a_sweep_reads_the_expiry_index() {
    let mut connection = database().await;
    let sql = sweep(&MARIADB, &tickets(), NOW, 10).unwrap();
    assert_eq!(sql.text, "DELETE FROM `p_tickets` WHERE `expires_at` <= ? LIMIT ?");
    let text = sql.text.replacen('?', "TIMESTAMP'2000-01-01 00:00:00.000'", 1).replace('?', "10");
    check(&mut connection, &text, &["p_tickets range p_tickets__expiry"]).await;
}

#[tokio::test]
async fn removing_an_owner_finds_its_tickets_by_index() {
    let mut connection = database().await;
    let text = "SELECT GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM information_schema.statistics \
                WHERE table_schema = DATABASE() AND index_name = 'p_marks__owner_id'";
    let columns: String = sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap();
    assert_eq!(columns, "tenant_id,owner_id");
}

/// Under the character set of the client, `0x815c27` and the like would hide a backslash or a quote.
#[tokio::test]
async fn a_literal_says_the_same_whatever_the_session_is_set_to() {
    let mut connection = MySqlConnection::connect(&server::mariadb().await).await.unwrap();
    let values = ["", "'", "\\", "\\'", "''; SELECT 1 --", "\0", "\u{815c}'", "\u{1f511}\u{10ffff}", "\"`%_\n\u{1a}"];
    let modes = ["", "NO_BACKSLASH_ESCAPES", "ANSI", "ANSI_QUOTES,PIPES_AS_CONCAT", "ORACLE", "EMPTY_STRING_IS_NULL"];
    for settings in modes.iter().flat_map(|mode| ["utf8mb4", "latin1", "gbk", "sjis"].map(|names| (mode, names))) {
        let (mode, names) = settings;
        let set = format!("SET NAMES {names}, sql_mode = '{mode}', character_set_results = utf8mb4");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut connection).await.unwrap();
        for value in values {
            let mut text = "SELECT ".to_owned();
            for (arg, after) in [(Arg::Text(value), ", "), (Arg::Json(value), ", "), (Arg::Bytes(value.as_bytes()), "")]
            {
                (MARIADB.literal)(&mut text, arg);
                text.push_str(after);
            }
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_ ',".contains(&byte)), "{text}");
            let row = sqlx::raw_sql(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap();
            for at in 0..3 {
                let said: Vec<u8> = row.try_get_unchecked(at).unwrap();
                assert_eq!(said, value.as_bytes(), "{value:?} {settings:?}");
            }
        }
    }
}

async fn check(connection: &mut MySqlConnection, text: &str, expected: &[&str]) {
    assert_eq!(plan(connection, text).await.lines().collect::<Vec<_>>(), expected, "{text}");
}

/// Table, access and index of each table; a sort or a temporary table besides.
async fn plan(connection: &mut MySqlConnection, text: &str) -> String {
    let rows = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN {text}")));
    let rows = rows.fetch_all(connection).await.unwrap();
    let lines = rows.iter().map(|row| {
        let field = |name| row.try_get_unchecked::<Option<String>, _>(name).unwrap().unwrap_or_default();
        let extra = field("Extra");
        let sorted = if extra.contains("filesort") || extra.contains("temporary") { " sorted" } else { "" };
        format!("{} {} {}{sorted}", field("table"), field("type"), field("key"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Tables with rows: those that are empty are read whole.
async fn database() -> MySqlConnection {
    let mut connection = MySqlConnection::connect(&server::mariadb().await).await.unwrap();
    let create = |number, def: &Def| Migration::new("p", number, Step::Create(EntityDef::clone(def)));
    let steps = [create(1, &owners()), create(2, &tickets()), create(3, &marks())];
    for statement in ddl::printed(&MARIADB, ddl::plan(&MARIADB, &steps).unwrap()) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    let rows = "INSERT INTO p_owners SELECT unhex(repeat('00', 16)), unhex(lpad(hex(seq), 32, '0')), seq FROM seq_0_to_499; \
                INSERT INTO p_tickets SELECT unhex(repeat('00', 16)), unhex(lpad(hex(seq), 32, '0')), \
                unhex(lpad(hex(seq % 500), 32, '0')), TIMESTAMP'2027-01-12 08:00:00' + INTERVAL seq MINUTE, \
                TIMESTAMP'2027-02-01 00:00:00' + INTERVAL seq MINUTE FROM seq_0_to_9999; \
                ANALYZE TABLE p_owners, p_tickets";
    sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
    connection
}
