//! The program as its operator runs it: a process for each command, in a directory of its own.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value as JsonValue;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

/// A password that the policy accepts.
const PASSWORD: &str = "tangerine ferry 48 lamps";

struct Site(TempDir);

/// How a command ended and what it wrote.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A site whose tables are there.
    fn migrated() -> Self {
        let site = Self::new();
        assert_eq!(site.run("migrate").code, 0);
        site
    }

    fn program(&self) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_quickstart"));
        program.current_dir(self.0.path()).env("RUST_LOG", "trace");
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        program
    }

    fn run(&self, arguments: &str) -> Ended {
        self.run_with(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    fn run_with(&self, arguments: &[&str]) -> Ended {
        ended(self.program().args(arguments).output().unwrap())
    }

    /// Runs a command with something on its standard input.
    fn pipe(&self, arguments: &str, input: &str) -> Ended {
        let mut process = self.program().args(arguments.split_whitespace()).stdin(Stdio::piped()).spawn().unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        ended(process.wait_with_output().unwrap())
    }

    /// The values that a command shows.
    fn json(&self, arguments: &str) -> Vec<JsonValue> {
        let ended = self.run(&format!("{arguments} --json"));
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn sql(&self, statement: &'static str) {
        let file = self.0.path().join("quickstart.db");
        let mut database = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
        sqlx::query(statement).execute(&mut database).await.unwrap();
    }

    /// Everything that is in the files of the site.
    fn files(&self) -> String {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        files.map(|file| String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned()).collect()
    }
}

fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn a_new_database_is_migrated_first() {
    let site = Site::new();
    let early = site.run("accounts list");
    assert!(early.code != 0 && early.out.is_empty() && early.err.contains("run `migrate` first"), "{early:?}");
    assert!(!early.err.contains("There are none."), "{early:?}");

    let printed = site.run("migrate --print");
    assert_eq!(printed.code, 0);
    assert!(printed.out.contains("CREATE TABLE") && printed.out.contains("auth_passwords"), "{printed:?}");
    assert_ne!(site.run("accounts list").code, 0, "nothing was made");

    assert_eq!(site.run("migrate").code, 0);
    assert_eq!(site.run("migrate").code, 0, "again is no error");
    let none = site.run("accounts list");
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.contains("There are none."), "{none:?}");
}

#[test]
fn an_account_is_made_shown_changed_and_recorded() {
    let site = Site::migrated();
    let made = site.run("accounts create bob@example.com");
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.out.contains("status         active\nidentifiers    bob@example.com\n"), "{made:?}");
    assert_eq!(site.run("accounts create Bob@example.com").code, 1, "it is taken");

    site.json("accounts create robot@example.com --kind service");
    let listed = site.json("accounts list");
    let kinds: Vec<&str> = listed.iter().map(|account| account["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["human", "service"]);
    let table = site.run("accounts list").out;
    assert!(table.starts_with("ID ") && table.lines().count() == 3, "{table}");

    for (command, status) in
        [("disable", "disabled"), ("enable", "active"), ("delete", "deleted"), ("restore", "disabled")]
    {
        let shown = site.json(&format!("accounts {command} bob@example.com"));
        assert_eq!(shown[0]["status"], status);
    }
    assert_eq!(site.json("accounts unlock bob@example.com")[0]["locks"], 0);
    site.json("sessions end bob@example.com");
    assert_eq!(site.json("sessions list bob@example.com"), [JsonValue::Null; 0]);

    let operator = listed[1]["id"].as_str().unwrap();
    site.json(&format!("accounts enable bob@example.com --actor {operator}"));
    let records = site.json("audit tail --last 2 --account bob@example.com");
    assert_eq!((&records[0]["kind"], &records[0]["actor_id"]), (&"sessions_revoked_all".into(), &JsonValue::Null));
    assert_eq!((&records[1]["kind"], &records[1]["actor_id"]), (&"account_enabled".into(), &operator.into()));
    assert!(records[1]["user_agent"].as_str().unwrap().starts_with("authkit-cli/"));
}

#[test]
fn a_password_is_read_from_a_pipe_and_never_shown() {
    let site = Site::migrated();
    site.json("accounts create bob@example.com");
    let weak = site.pipe("accounts set-password bob@example.com --stdin", "hunter2\n");
    assert!(weak.code != 0 && !weak.err.contains("hunter2"), "{weak:?}");
    let set = site.pipe("accounts set-password bob@example.com --stdin", &format!("{PASSWORD}\n"));
    assert_eq!(set.code, 0, "{set:?}");
    assert!(!set.out.contains(PASSWORD) && !set.err.contains(PASSWORD));
    assert!(!site.files().contains(PASSWORD));

    let unasked = site.run("accounts set-password bob@example.com");
    assert_eq!(unasked.code, 2);
    assert!(unasked.err.contains("--stdin"), "{unasked:?}");
    assert_eq!(site.pipe("accounts set-password bob@example.com --stdin", "").code, 2);
}

#[test]
fn a_password_among_the_arguments_is_refused_and_not_repeated() {
    let site = Site::migrated();
    site.json("accounts create bob@example.com");
    for arguments in
        ["bob@example.com hunter2", "bob@example.com --password hunter2", "--password=hunter2 bob@example.com"]
    {
        let refused = site.run(&format!("accounts set-password {arguments}"));
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains("--stdin") && !refused.err.contains("hunter2"), "{refused:?}");
        assert_eq!(refused.out, "");
    }
    let help = site.run("accounts set-password --help");
    assert_eq!(help.code, 0);
    assert!(!help.out.contains("--password") && help.out.contains("Never give it as an argument"), "{help:?}");
}

#[tokio::test]
async fn what_strangers_chose_does_not_act_on_the_terminal() {
    let site = Site::migrated();
    site.json("accounts create bob@example.com");
    // The parser of addresses refuses such text; an import or another program may not have.
    site.sql(
        "UPDATE auth_identifiers SET display = char(27) || '[2J' || char(10) || 'root' || char(8238) || char(155)",
    )
    .await;
    site.sql("UPDATE auth_audit_log SET user_agent = char(27) || ']0;x' || char(7)").await;
    for command in ["accounts list", "accounts show bob@example.com", "audit tail"] {
        for form in ["", " --json"] {
            let ended = site.run(&format!("{command}{form}"));
            assert_eq!(ended.code, 0, "{ended:?}");
            let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!ended.out.contains(acts), "{command}{form}: {:?}", ended.out);
        }
    }
    assert_eq!(site.json("accounts list")[0]["identifiers"][0], "\u{1b}[2J\nroot\u{202e}\u{9b}");
    let refused = site.run_with(&["accounts", "show", "\u{1b}[2J"]);
    assert_eq!(refused.code, 1);
    assert!(!refused.out.contains('\u{1b}'));
}

#[test]
fn exit_codes_and_messages_say_what_to_do() {
    let site = Site::migrated();
    let nobody = site.run("accounts show nobody@example.com");
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.contains("error: No account has this id or identifier."), "{nobody:?}");
    let nobody = site.run("accounts show nobody@example.com --json");
    let line: JsonValue = serde_json::from_str(nobody.err.lines().last().unwrap()).unwrap();
    assert_eq!(line["error"]["code"], "core.not_found");

    let unknown = site.run("acounts list");
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("accounts"), "{unknown:?}");
    assert_eq!(site.run("accounts").code, 2);
    assert_eq!(site.run("accounts list --status gone").code, 2);
    assert_eq!(site.run("--help").code, 0);
    assert_eq!(site.run("accounts create not-an-address").code, 2);
}

#[test]
fn whoever_reads_no_further_is_no_failure() {
    let site = Site::migrated();
    site.json("accounts create bob@example.com");
    let mut process = site.program().args(["accounts", "list", "--json"]).stderr(Stdio::null()).spawn().unwrap();
    drop(process.stdout.take());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_generated_key_starts_the_program() {
    let site = Site::new();
    let key = site.run("keys generate").out;
    std::fs::write(site.0.path().join("authkit.key"), key.trim()).unwrap();
    assert_eq!(site.run("migrate").code, 0);
}
