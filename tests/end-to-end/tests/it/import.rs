//! Moving in from another system, over every store.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{AuthError, AuthManager, BoxError, Client, Console, RequestContext};
use end_to_end::{PASSWORD, World, on_each_store};
use serde_json::{Value as JsonValue, json};

/// Of `correct horse`, made by PHP and Django.
const HASHES: [&str; 3] = [
    "$2y$05$z5gUFZExo1UOES4RNKz08enJ44x.LG7g5RW./jPuYuNj.4IY48m12",
    "bcrypt$$2b$05$2Hj2w8oDlW9C/DSDH2wTduyMZy7OKQW57tx24eYfwIcAJ7bM3FE8y",
    "$argon2id$v=19$m=1024,t=2,p=1$OXg2RFRPUFozd3Z6SVI1Lg$I5NRKhv90zukTUhjUaWfyxqepcmL/mcuvoth246gXSA",
];

fn record(n: usize) -> String {
    let hash = HASHES.into_iter().cycle().nth(n);
    json!({
        "id": n.to_string(),
        "identifiers": [{ "value": format!("u{n}@example.com"), "verified": true }],
        "created_at": "2019-03-01T12:00:00Z",
        "disabled": n % 50 == 49,
        "credentials": { "password": { "hash": hash } },
    })
    .to_string()
}

fn records(count: usize) -> String {
    (0..count).map(|n| record(n) + "\n").collect()
}

/// An operator who hands in a file, some bytes at a time.
struct Operator {
    auth: AuthManager,
    left: Mutex<Vec<u8>>,
    shown: Mutex<Vec<JsonValue>>,
}

#[async_trait]
impl Console for Operator {
    fn cx(&self) -> RequestContext {
        self.auth.request(Client::default())
    }

    async fn show(&self, value: JsonValue) -> Result<(), BoxError> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).push(value);
        Ok(())
    }

    async fn read(&self) -> Result<Vec<u8>, BoxError> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = left.len().min(1000);
        Ok(left.drain(..piece).collect())
    }

    fn progress(&self, _: u64, _: Option<u64>) {}

    async fn sleep(&self, _: Duration) {}
}

/// Runs the command; returns what it showed and how it ended.
async fn import(world: &World, file: &str, input: JsonValue) -> (Vec<JsonValue>, Result<(), AuthError>) {
    let operator = Arc::new(Operator {
        auth: world.auth.clone(),
        left: Mutex::new(file.as_bytes().to_vec()),
        shown: Mutex::default(),
    });
    let command = world.auth.commands().iter().find(|command| command.name == "accounts import").unwrap();
    let outcome = command.run(operator.clone(), input).await;
    let shown = operator.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (shown, outcome)
}

fn totals(imported: u64, present: u64, refused: u64) -> Vec<JsonValue> {
    [("imported", imported), ("present", present), ("refused", refused)]
        .map(|(outcome, records)| json!({ "line": null, "outcome": outcome, "records": records, "reason": null }))
        .to_vec()
}

on_each_store! {
    async fn whoever_moved_in_signs_in_with_their_old_password(backend) {
        let world = World::new(backend).await;
        let (shown, outcome) = import(&world, &records(250), json!({})).await;
        assert_eq!((shown, outcome.is_ok()), (totals(250, 0, 0), true));
        for n in [0, 1, 2, 100, 248] {
            let (name, mut browser) = (format!("u{n}@example.com"), world.browser());
            assert_eq!(browser.login(&name, PASSWORD).await.status, 401);
            // The hash is replaced by the first of them.
            for _ in 0..2 {
                assert_eq!(browser.login(&name, "correct horse").await.status, 200, "{n}");
            }
            let me = browser.get("/v1/auth/me").await.json();
            assert_eq!(me["created_at"], "2019-03-01T12:00:00Z");
            assert!(me["identifiers"][0]["verified_at"].is_string());
        }
        assert_eq!(world.browser().login("u49@example.com", "correct horse").await.status, 401, "it was disabled");
    }

    async fn second_import_of_a_file_changes_nothing(backend) {
        let world = World::new(backend).await;
        let taken = world.sign_up("u7@example.com").await;
        let file = records(130);
        let (dry, outcome) = import(&world, &file, json!({ "dry_run": true })).await;
        assert_eq!(outcome.unwrap_err().code().code, "account.rows_refused");
        assert_eq!(world.rows("auth_principals", "id").await.len(), 1);

        let (shown, outcome) = import(&world, &file, json!({})).await;
        assert_eq!(outcome.unwrap_err().code().code, "account.rows_refused");
        let taken_over = |mut row: JsonValue| {
            if row["outcome"] == "importable" {
                row["outcome"] = "imported".into();
            }
            row
        };
        assert_ne!(shown, dry, "nobody takes the one for the other");
        assert_eq!(shown, dry.into_iter().map(taken_over).collect::<Vec<_>>());
        assert_eq!(shown.last(), totals(0, 0, 1).last());
        assert_eq!(shown.first().unwrap()["line"], 8);
        let everything = world.everything().await;
        let (shown, _) = import(&world, &file, json!({})).await;
        assert_eq!(shown.get(1..), Some(totals(0, 129, 1).as_slice()));
        assert_eq!(world.rows("auth_principals", "id").await.len(), 130);
        assert_eq!(world.rows("auth_passwords", "id").await.len(), 130);
        assert_eq!(world.events_of(taken).await, ["signup"]);
        assert_eq!(world.everything().await.len(), everything.len());
        world.signed_in("u7@example.com").await;
    }

    async fn two_imports_at_once_make_everybody_once(backend) {
        let world = World::new(backend).await;
        let file = records(120);
        let (one, other) = tokio::join!(import(&world, &file, json!({})), import(&world, &file, json!({})));
        one.1.unwrap();
        other.1.unwrap();
        let number = |shown: &[JsonValue], at: usize| shown.get(at).unwrap()["records"].as_u64().unwrap();
        assert_eq!(number(&one.0, 0) + number(&other.0, 0), 120);
        assert_eq!(number(&one.0, 1) + number(&other.0, 1), 120);
        assert_eq!(world.rows("auth_imports", "id").await.len(), 120);
        assert_eq!(world.rows("auth_principals", "id").await.len(), 120);
    }
}
