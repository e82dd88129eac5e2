//! The programs as their users start them: on free ports, in folders of their own.

#![expect(clippy::expect_used, reason = "a test ends where something is not as expected")]

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use reqwest::{Client, StatusCode};
use serde_json::{Value as JsonValue, json};
use tempfile::TempDir;

const TOKEN_API: &str = env!("CARGO_BIN_EXE_token-api");
const OTHER_SERVICE: &str = env!("CARGO_BIN_EXE_other-service");
const FREE_PORT: &str = "127.0.0.1:0";

#[test]
fn the_script_sees_what_it_expects() {
    let api = Program::start(TOKEN_API, &[FREE_PORT]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/client.sh");
    let status = Command::new(script).arg(&api.url).status().expect("the script");
    assert!(status.success());
}

#[tokio::test]
async fn another_service_takes_access_tokens_and_nothing_else() {
    let api = Program::start(TOKEN_API, &[FREE_PORT]);
    let tokens = sign_in(&api.url).await;
    let [access, refresh] = ["access_token", "refresh_token"].map(|name| tokens[name].as_str().expect("a token"));
    let other = Program::start(OTHER_SERVICE, &[&api.url, FREE_PORT]);

    let hello = async |token: &str| {
        let request = Client::new().get(format!("{}/hello", other.url)).bearer_auth(token);
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("a text"))
    };
    let (status, text) = hello(access).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains(tokens["principal"]["id"].as_str().expect("an id")), "{text}");
    let of_another_issuer = sign_in(&Program::start(TOKEN_API, &[FREE_PORT]).url).await;
    let of_another_issuer = of_another_issuer["access_token"].as_str().expect("a token");
    for refused in [refresh, of_another_issuer, &access.replacen('.', ".e30", 1), "", "null"] {
        assert_eq!(hello(refused).await.0, StatusCode::UNAUTHORIZED, "{refused}");
    }
}

#[tokio::test]
async fn the_log_is_json_and_its_lines_name_their_request() {
    let api = Program::logging_json();
    let wrong = json!({ "identifier": "ada@example.com", "password": "a guess that is wrong" });
    let request = Client::new().post(format!("{}/v1/auth/login", api.url)).header("authkit-delivery", "token");
    let answer = request.header("x-request-id", "ticket-4711").json(&wrong).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let log = api.log();
    let lines = log.lines().map(|line| serde_json::from_str::<JsonValue>(line).expect("JSON"));
    let refused: Vec<JsonValue> = lines.filter(|line| line["fields"]["code"] == "core.rejected").collect();
    assert_eq!(refused.len(), 1, "{log}");
    let span = &refused[0]["span"];
    assert_eq!((&span["request_id"], &span["path"]), (&json!("ticket-4711"), &json!("/v1/auth/login")));
    assert!(span["tenant"].is_string() && !log.contains("a guess that is wrong"), "{log}");
}

/// The tokens of a new account, with what else the answer says.
async fn sign_in(url: &str) -> JsonValue {
    let credentials = json!({ "identifier": "ada@example.com", "password": "tangerine ferry 48 lamps" });
    let mut answer = JsonValue::Null;
    for operation in ["signup", "login"] {
        let request = Client::new().post(format!("{url}/v1/auth/{operation}")).header("authkit-delivery", "token");
        answer = request.json(&credentials).send().await.expect("an answer").json().await.expect("an object");
    }
    answer
}

/// A program that runs until it is dropped.
struct Program {
    process: Child,
    url: String,
    folder: TempDir,
}

impl Program {
    /// Starts it in an empty folder, and waits until it says where it is.
    fn start(path: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(path);
        command.args(arguments);
        Self::run(command, tempfile::tempdir().expect("a folder"))
    }

    /// Starts the API with a log of what is refused, in JSON.
    fn logging_json() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = File::create(folder.path().join("log")).expect("a file");
        let mut command = Command::new(TOKEN_API);
        command.arg(FREE_PORT).env("LOG_FORMAT", "json").env("RUST_LOG", "authkit_axum=debug").stderr(log);
        Self::run(command, folder)
    }

    /// What it has logged.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("a log")
    }

    fn run(mut command: Command, folder: TempDir) -> Self {
        command.current_dir(folder.path()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the program");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let (_, url) = line.trim_end().split_once(" at ").expect("an address");
        Self { process, url: url.to_owned(), folder }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
