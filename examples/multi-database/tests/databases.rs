//! The program as its user starts it, on each database.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something is not as expected")]

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use reqwest::{Client, StatusCode};
use serde_json::{Value as JsonValue, json};
use servers::Database;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

#[tokio::test]
async fn sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let [used, by_hand] =
        ["used", "by_hand"].map(|name| format!("sqlite://{}/{name}.db?mode=rwc", folder.path().display()));
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    check(&used, &by_hand, tables).await;
}

#[tokio::test]
async fn postgres() {
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()";
    check_on(Database::Postgres, tables).await;
}

#[tokio::test]
async fn mariadb() {
    // Not as it is: `Any` would take a name of the catalogue for bytes.
    let tables = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = DATABASE()";
    check_on(Database::MariaDb, tables).await;
}

/// Checks on two new databases of a server.
async fn check_on(server: Database, tables: &str) {
    let Some(url) = servers::test_url(server).expect("a server") else { return };
    let (address, _) = url.rsplit_once('/').expect("the database's name at the end");
    let names = ["used", "by_hand"].map(|name| format!("multi_database_{name}_{}", std::process::id()));
    for name in &names {
        execute(&url, &format!("CREATE DATABASE {name}")).await;
    }
    let [used, by_hand] = names.each_ref().map(|name| format!("{address}/{name}"));
    check(&used, &by_hand, tables).await;
    for name in &names {
        execute(&url, &format!("DROP DATABASE {name}")).await;
    }
}

async fn check(used: &str, by_hand: &str, tables: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(used, folder.path());
    sign_up_and_list_sessions(&program.url).await;
    let made = program.tables.clone();
    drop(program);
    let mut expected: BTreeSet<String> = made.iter().cloned().collect();
    expected.insert("authkit_migrations".to_owned());
    assert_eq!(column(used, tables).await, expected);

    // Everything is still there when the program starts again.
    let again = Program::start(used, folder.path());
    assert_eq!(post(&again.url, "login").await.0, StatusCode::OK);
    assert_eq!(again.tables, made);
    drop(again);

    let printed = command(by_hand, folder.path()).arg("--print-migrations").output().expect("the program");
    assert!(printed.status.success(), "{printed:?}");
    execute(by_hand, &String::from_utf8(printed.stdout).expect("text")).await;
    assert_eq!(column(by_hand, tables).await, expected);
    // It would refuse tables that are not as it makes them.
    sign_up_and_list_sessions(&Program::start(by_hand, folder.path()).url).await;
}

async fn sign_up_and_list_sessions(url: &str) {
    assert_eq!(post(url, "signup").await.0, StatusCode::CREATED);
    let (status, tokens) = post(url, "login").await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let token = tokens["access_token"].as_str().expect("a token");
    let request = Client::new().get(format!("{url}/v1/sessions")).bearer_auth(token);
    let answer: JsonValue = request.send().await.expect("an answer").json().await.expect("an object");
    let sessions = answer["sessions"].as_array().expect("a list");
    assert_eq!((sessions.len(), &sessions[0]["current"]), (1, &JsonValue::Bool(true)), "{answer}");
}

async fn post(url: &str, operation: &str) -> (StatusCode, JsonValue) {
    let credentials = json!({ "identifier": "ada@example.com", "password": "tangerine ferry 48 lamps" });
    let request = Client::new().post(format!("{url}/v1/auth/{operation}")).header("authkit-delivery", "token");
    let answer = request.json(&credentials).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("an object"))
}

async fn execute(url: &str, statements: &str) {
    let mut connection = connect(url).await;
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.expect("statements that can be run");
    connection.close().await.expect("an end");
}

async fn column(url: &str, query: &str) -> BTreeSet<String> {
    let mut connection = connect(url).await;
    let names = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut connection).await.expect("names");
    connection.close().await.expect("an end");
    names.into_iter().collect()
}

async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(url).await.expect("a connection")
}

/// The program, which runs until it is dropped.
struct Program {
    process: Child,
    url: String,
    tables: Vec<String>,
}

impl Program {
    /// Starts it, and waits until it says where it is.
    fn start(database: &str, folder: &Path) -> Self {
        let mut process = command(database, folder).arg("127.0.0.1:0").spawn().expect("the program");
        let output = process.stdout.take().expect("its output");
        let mut program = Self { process, url: String::new(), tables: Vec::new() };
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(table) = line.strip_prefix("table ") {
                program.tables.push(table.to_owned());
            } else if let Some((_, url)) = line.split_once(" at ") {
                url.clone_into(&mut program.url);
                return program;
            }
        }
        panic!("the program has ended; above is what it said")
    }
}

fn command(database: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_multi-database"));
    command.current_dir(folder).env("DATABASE_URL", database).stdout(Stdio::piped());
    command
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
