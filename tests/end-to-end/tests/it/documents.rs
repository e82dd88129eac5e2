//! The numbers that guides and READMEs name are the defaults of the code.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use authkit_password::{PasswordConfig, PlainPassword, Policy};
use authkit_risk::{LockStep, Lockout, ThrottleConfig};
use authkit_session::{JwtConfig, SessionConfig};
use authkit_store_sqlx::SqlxConfig;
use end_to_end::{Backend, PASSWORD, World};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn the_limits_that_the_pages_name_are_the_defaults() {
    let ThrottleConfig { per_client, per_subject, lockout, device_life, .. } = ThrottleConfig::default();
    let Lockout { delays, steps, account_steps, hard_stop, .. } = lockout;
    let minute = Duration::from_secs(60);
    assert_eq!((per_client.within, per_subject.within), (minute, minute), "the pages say \"a minute\"");
    let (client, account) = (per_client.attempts, per_subject.attempts);
    let stop = hard_stop.expect("a hard stop");

    let after = |steps: &[LockStep]| listed(steps, |step| format!("after {}: {}", step.failures, span(step.wait)));
    says(
        "docs/guide/protect-login.md",
        &[
            format!("| attempts of one client (IPv4 address, IPv6 /64) | {client} in any minute |"),
            format!("| attempts on one account, known or not | {account}, then one a minute |"),
            format!("| failures in a row at one client | {} |", after(&delays)),
            format!("| | {} |", after(&steps)),
            format!(
                "| failures in a row from anywhere | {}, after {stop}: until unlocked, or 30 days |",
                after(&account_steps)
            ),
            format!("a budget of his own there, for {}", span(device_life)),
        ],
    );

    let of = |steps: &[LockStep]| listed(steps, |step| format!("{} after {}", span(step.wait), step.failures));
    says(
        "authkit-risk/README.md",
        &[
            format!("| {client} in a minute, sign-up included |"),
            format!("| attempts on one account | {account}, then one a minute |"),
            format!("| failures of an account at one client | a delay of {} |", of(&delays)),
            format!("| | locked {} |", of(&steps)),
            format!("| failures of an account at all clients | locked {} |", of(&account_steps)),
            format!("| | locked after {stop} until it is unlocked"),
            format!("| `per_client` | {client} within a minute |"),
            format!("| `per_subject` | {account} within a minute |"),
            format!("| `device_life` | {} |", span(device_life)),
        ],
    );
}

#[test]
fn the_spans_of_sessions_that_the_page_names_are_the_defaults() {
    let SessionConfig { idle, absolute, remember, .. } = SessionConfig::default();
    let JwtConfig { access, refresh_idle, skew, rotate_keys_every, .. } = JwtConfig::default();
    assert_eq!(remember, None);
    let row = |name: &str, value: Duration| format!("| `{name}` | {} |", long(value));
    let jwt = |name: &str, value: Duration| format!("| `{name}` (jwt) | {} |", long(value));
    says(
        "authkit-session/README.md",
        &[
            row("idle", idle),
            row("absolute", absolute),
            "| `remember` | off |".to_owned(),
            jwt("access", access),
            jwt("refresh_idle", refresh_idle),
            jwt("skew", skew),
            jwt("rotate_keys_every", rotate_keys_every),
            format!("after {} and the skew, {} in all", long(access), (access + skew).as_secs() / 60),
        ],
    );
}

#[test]
fn the_waits_that_the_page_names_are_the_defaults() {
    let store = format!("{:?}", SqlxConfig::new("sqlite::memory:"));
    let [_, busy] = store.split("busy_timeout: ").collect::<Vec<_>>().try_into().expect("one wait");
    let (busy, _) = busy.split_once("s,").expect("whole seconds");
    let PasswordConfig { queue, queue_per_client, .. } = PasswordConfig::default();
    assert_eq!(queue_per_client, None, "the page says \"an eighth\"");
    says(
        "docs/guide/production.md",
        &[
            format!("| {busy} s (`SqlxConfig::busy_timeout`)"),
            format!("a place in the queue: {queue} in all, an eighth of them for one client"),
        ],
    );
}

#[test]
fn the_guide_to_passwords_has_the_sentences_of_the_policy() {
    let of = |password: &str| {
        let password = PlainPassword::parse(password.to_owned()).expect("a short password");
        Policy::default().check(&password, &["ada.lovelace@example.com"]).expect_err("a weak password")
    };
    let page = "docs/guide/validate-passwords.md";
    says(
        page,
        &[
            format!("at least {} characters", Policy::MIN_LENGTH),
            format!("at most {} bytes", PlainPassword::MAX_BYTES),
            format!("one client has {} answers a minute", PasswordConfig::default().strength_per_client),
        ],
    );
    let weaknesses = ["lovelacelovelace", "password", "abcdefghijklmnop"].map(of).concat();
    let rows = weaknesses.iter().map(|weakness| format!("| `{}` | {} |", weakness.code(), weakness.feedback()));
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 5, "each rule refuses one of them: {rows:?}");
    says(page, &rows);
}

#[tokio::test]
async fn the_page_of_methods_has_what_each_of_them_proves() {
    let world = World::new(Backend::Memory).await;
    world.sign_up("ada@example.com").await;
    let answer = world.browser().login("ada@example.com", PASSWORD).await.json();
    let session = answer.get("session").expect("a session");
    let [assurance, amr] = [&session["assurance"], &session["amr"][0]].map(|value| value.as_str().expect("a text"));
    let page = "docs/security/methods.md";
    says(page, &[format!("| authkit-password | `password` | knowledge | `{assurance}` | `{amr}` |")]);

    for crate_name in crates_with_a_method() {
        says(page, &[format!("| {crate_name} | ")]);
    }
}

/// Those that register a verifier, but for core, which has the registrar, and the doubles for tests.
fn crates_with_a_method() -> Vec<String> {
    let folders = fs::read_dir(ROOT).expect("the workspace").map(|folder| folder.expect("a folder").path());
    let registers = |folder: &PathBuf| {
        let plugin = fs::read_to_string(folder.join("src/plugin.rs")).unwrap_or_default();
        !folder.ends_with("authkit-core")
            && ["registrar.verifier(", "registrar.machine_verifier("].iter().any(|it| plugin.contains(it))
    };
    let named = |folder: PathBuf| Some(folder.file_name()?.to_str()?.to_owned());
    let crates: Vec<_> = folders.filter(registers).filter_map(named).collect();
    assert!(!crates.is_empty());
    crates
}

#[test]
fn every_guide_with_rust_code_is_compiled() {
    let compiled = read("tests/end-to-end/src/guides.rs");
    let folders = ["docs/guide", "docs/guide/moving-in"];
    let files = folders
        .map(|folder| fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder").map(move |file| (folder, file)));
    for (folder, file) in files.into_iter().flatten() {
        let name = file.expect("a file").file_name();
        let page = format!("{folder}/{}", name.to_string_lossy());
        let has_code = page.ends_with(".md") && read(&page).contains("```rust");
        assert!(
            !has_code || compiled.contains(&format!("include_str!(\"../../../{page}\")")),
            "{page} is not in guides.rs"
        );
    }
}

/// Checks that a page holds each of these texts, and names all that it lacks.
fn says(page: &str, texts: &[String]) {
    let text = read(page).replace('\n', " ");
    let missing: Vec<_> = texts.iter().filter(|sought| !text.contains(sought.as_str())).collect();
    assert!(missing.is_empty(), "{page} does not say {missing:#?}");
}

fn read(page: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(page)).expect("a page")
}

fn listed(steps: &[LockStep], one: impl Fn(&LockStep) -> String) -> String {
    steps.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// As the tables of limits write it: `4 s`, `60 min`, `180 days`.
fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds < 60 => format!("{seconds} s"),
        seconds if seconds < 86_400 => format!("{} min", seconds / 60),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// As the table of sessions writes it: `1 minute`, `15 minutes`, `24 hours`, `30 days`.
fn long(span: Duration) -> String {
    match span.as_secs() {
        60 => "1 minute".to_owned(),
        seconds if seconds < 3600 => format!("{} minutes", seconds / 60),
        seconds if seconds <= 86_400 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
