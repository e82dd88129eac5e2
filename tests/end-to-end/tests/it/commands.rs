//! What operators do from a shell, over every store.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use authkit_account::AccountAdmin;
use authkit_core::{
    AuthError, AuthManager, BoxError, Client, Command, Console, PrincipalKind, RequestContext, TenantId, codes,
};
use authkit_risk::Throttle;
use authkit_session::{Sessions, SigningKeys};
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, on_each_store};
use serde_json::{Value as JsonValue, json};
use tokio::sync::{Semaphore, mpsc};

/// A shell whose operator reads everything and wakes it by hand.
struct Shell {
    auth: AuthManager,
    tenant: TenantId,
    shown: mpsc::UnboundedSender<Shown>,
    turns: Semaphore,
}

#[derive(Debug, PartialEq)]
enum Shown {
    Asleep,
    Value(JsonValue),
}

#[async_trait]
impl Console for Shell {
    fn cx(&self) -> RequestContext {
        self.auth.request_to(self.tenant, Client::default().user_agent("shell"))
    }

    async fn show(&self, value: JsonValue) -> Result<(), BoxError> {
        Ok(self.shown.send(Shown::Value(value))?)
    }

    async fn read(&self) -> Result<Vec<u8>, BoxError> {
        Ok(Vec::new())
    }

    fn progress(&self, _: u64, _: Option<u64>) {}

    async fn sleep(&self, _: Duration) {
        self.shown.send(Shown::Asleep).unwrap_or_default();
        self.turns.acquire().await.unwrap().forget();
    }
}

fn shell(world: &World, tenant: TenantId) -> (Arc<Shell>, mpsc::UnboundedReceiver<Shown>) {
    let (shown, read) = mpsc::unbounded_channel();
    let auth = world.auth.clone();
    (Arc::new(Shell { auth, tenant, shown, turns: Semaphore::new(0) }), read)
}

fn command(world: &World, name: &str) -> Command {
    world.auth.commands().iter().find(|command| command.name == name).unwrap().clone()
}

async fn run_in(world: &World, tenant: TenantId, name: &str, input: JsonValue) -> Result<Vec<JsonValue>, AuthError> {
    let (shell, mut read) = shell(world, tenant);
    command(world, name).run(shell, input).await?;
    let mut values = Vec::new();
    while let Ok(Shown::Value(value)) = read.try_recv() {
        values.push(value);
    }
    Ok(values)
}

async fn run(world: &World, name: &str, input: JsonValue) -> Result<Vec<JsonValue>, AuthError> {
    run_in(world, TenantId::DEFAULT, name, input).await
}

/// Signs everybody out; returns what was shown before it ended or failed.
async fn end_all(world: &World, tenant: TenantId, from: Option<&JsonValue>) -> Vec<JsonValue> {
    let (shell, mut read) = shell(world, tenant);
    shell.turns.add_permits(1000);
    command(world, "sessions end-all").run(shell, json!({ "yes": true, "from": from })).await.unwrap();
    let mut values = Vec::new();
    while let Ok(shown) = read.try_recv() {
        match shown {
            Shown::Value(value) => values.push(value),
            Shown::Asleep => {}
        }
    }
    values
}

/// How many records say that all sessions were ended.
async fn ended_all(world: &World) -> usize {
    world.audit().await.iter().filter(|record| record["kind"] == "sessions_revoked_all").count()
}

fn ada() -> JsonValue {
    json!({ "account": "Ada@example.com" })
}

on_each_store! {
    async fn a_disabled_account_cannot_sign_in_until_it_is_enabled(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        let shown = run(&world, "accounts disable", ada()).await.unwrap();
        assert_eq!((&shown[0]["id"], &shown[0]["status"]), (&json!(id), &json!("disabled")));
        assert!(!browser.is_signed_in().await);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 401);

        run(&world, "accounts enable", json!({ "account": id })).await.unwrap();
        let refused = run(&world, "accounts restore", ada()).await.unwrap_err();
        assert_eq!(refused.fields()[0].message, "The account is active; only a deleted one can be restored.");
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 200);
    }

    async fn a_deleted_account_comes_back_disabled(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        assert_eq!(run(&world, "accounts delete", ada()).await.unwrap()[0]["status"], "deleted");
        let refused = run(&world, "accounts enable", ada()).await.unwrap_err();
        assert!(refused.fields()[0].message.starts_with("The account is deleted;"), "{refused:?}");
        assert_eq!(run(&world, "accounts restore", ada()).await.unwrap()[0]["status"], "disabled");
        run(&world, "accounts enable", ada()).await.unwrap();
        assert_eq!(run(&world, "accounts show", ada()).await.unwrap()[0]["status"], "active");
    }

    async fn every_account_is_listed_once(backend) {
        let world = World::new(backend).await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        for n in 0..230 {
            let made = admin.create(&world.cx(), PrincipalKind::Human, &[&format!("u{n}@example.com")]).await.unwrap();
            match n % 3 {
                0 => admin.disable(&world.cx(), made.id).await.unwrap(),
                1 => admin.delete(&world.cx(), made.id).await.unwrap(),
                _ => {}
            }
        }
        let all = run(&world, "accounts list", json!({})).await.unwrap();
        let mut named: Vec<&str> = all.iter().map(|account| account["identifiers"][0].as_str().unwrap()).collect();
        named.sort_unstable();
        named.dedup();
        assert_eq!((all.len(), named.len()), (230, 230));
        let disabled = run(&world, "accounts list", json!({ "status": "disabled" })).await.unwrap();
        assert_eq!(disabled.len(), 77);
        assert!(disabled.iter().all(|account| account["status"] == "disabled"));
    }

    async fn a_new_password_ends_sessions_and_follows_the_policy(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        let input = |password: &str| json!({ "account": "ada@example.com", "password": password });
        let refused = run(&world, "accounts set-password", input("short")).await.unwrap_err();
        assert_eq!((refused.code().code, refused.fields()[0].field), ("password.too_weak", "password"));

        let shown = run(&world, "accounts set-password", input(OTHER_PASSWORD)).await.unwrap();
        assert_eq!(shown, [json!({ "account": id })]);
        assert!(!browser.is_signed_in().await);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 401);
        assert_eq!(world.browser().login("ada@example.com", OTHER_PASSWORD).await.status, 200);
        assert!(!world.everything().await.contains(OTHER_PASSWORD));
    }

    async fn sessions_are_listed_and_ended(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let (mut one, mut other) = (world.signed_in("ada@example.com").await, world.signed_in("ada@example.com").await);
        let listed = run(&world, "sessions list", ada()).await.unwrap();
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|session| session["user_agent"] == "test browser"), "{listed:?}");
        run(&world, "sessions end", ada()).await.unwrap();
        assert!(!one.is_signed_in().await && !other.is_signed_in().await);
        assert_eq!(run(&world, "sessions list", ada()).await.unwrap(), [JsonValue::Null; 0]);
        let record = world.audit().await.pop().unwrap();
        assert_eq!(record["kind"], "sessions_revoked_all");
        assert_eq!((&record["session_id"], &record["user_agent"]), (&JsonValue::Null, &json!("shell")));
    }

    async fn nobody_is_signed_out_without_a_word_that_confirms_it(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        for input in [json!({}), json!({ "yes": false }), json!({ "from": "2026-11-21T18:00:00Z" })] {
            let refused = run(&world, "sessions end-all", input).await.unwrap_err();
            assert_eq!(*refused.code(), codes::INVALID_INPUT);
            assert!(refused.fields()[0].message.contains("add --yes"), "{refused:?}");
        }
        assert!(browser.is_signed_in().await);
        assert_eq!(ended_all(&world).await, 0);
    }

    async fn everybody_is_signed_out_and_each_has_a_record(backend) {
        let world = World::new(backend).await;
        let mut browsers = Vec::new();
        for n in 0..5 {
            world.sign_up(&format!("u{n}@example.com")).await;
            browsers.push(world.signed_in(&format!("u{n}@example.com")).await);
        }
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        for n in 5..120 {
            admin.create(&world.cx(), PrincipalKind::Human, &[&format!("u{n}@example.com")]).await.unwrap();
        }
        run(&world, "accounts disable", json!({ "account": "u4@example.com" })).await.unwrap();
        let shown = end_all(&world, TenantId::DEFAULT, None).await;
        let counts: Vec<&JsonValue> = shown.iter().map(|row| &row["accounts"]).collect();
        assert_eq!(counts, [&json!(100), &json!(119)]);
        for browser in &mut browsers {
            assert!(!browser.is_signed_in().await);
        }
        let records: Vec<JsonValue> =
            world.audit().await.into_iter().filter(|record| record["kind"] == "sessions_revoked_all").collect();
        let mut whose: Vec<&str> = records.iter().map(|record| record["principal_id"].as_str().unwrap()).collect();
        whose.sort_unstable();
        whose.dedup();
        assert_eq!((records.len(), whose.len()), (119, 119));
        assert!(records.iter().all(|record| record["user_agent"] == "shell" && record["outcome"] == "success"));
        // They sign in again, and those sessions stay.
        assert!(world.signed_in("u0@example.com").await.is_signed_in().await);
    }

    async fn who_was_signed_out_before_an_interruption_is_not_signed_out_again(backend) {
        let world = World::new(backend).await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        for n in 0..220 {
            admin.create(&world.cx(), PrincipalKind::Human, &[&format!("u{n}@example.com")]).await.unwrap();
            world.clock.advance(Duration::from_secs(1));
        }
        // Nobody wakes it, so it goes no further than the first hundred.
        let (shell, mut read) = shell(&world, TenantId::DEFAULT);
        let command = command(&world, "sessions end-all");
        let running = tokio::spawn(async move { command.run(shell, json!({ "yes": true })).await });
        let Some(Shown::Value(first)) = read.recv().await else { panic!("nothing was shown") };
        assert_eq!(read.recv().await, Some(Shown::Asleep));
        running.abort();
        assert_eq!((&first["accounts"], ended_all(&world).await), (&json!(100), 100));

        let rest = end_all(&world, TenantId::DEFAULT, Some(&first["through"])).await;
        // The last one is done twice: another may have become active in the same millisecond.
        assert_eq!(rest.last().unwrap()["accounts"], 121);
        assert_eq!(ended_all(&world).await, 221);
    }

    async fn an_account_that_changes_meanwhile_is_signed_out_all_the_same(backend) {
        let world = World::new(backend).await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        let mut ids = Vec::new();
        for n in 0..60 {
            ids.push(admin.create(&world.cx(), PrincipalKind::Human, &[&format!("u{n}@example.com")]).await.unwrap().id);
        }
        let (before, [changed, gone]) = (world.cx(), [ids[58], ids[59]]);
        let epoch = async |id| before.principal(id).await.unwrap().unwrap().epoch;
        let first = epoch(changed).await;
        let meanwhile = async {
            run(&world, "sessions end", json!({ "account": changed })).await.unwrap();
            admin.disable(&world.cx(), gone).await.unwrap();
        };
        let (shown, ()) = tokio::join!(end_all(&world, TenantId::DEFAULT, None), meanwhile);
        assert!(shown.last().unwrap()["accounts"].as_u64().unwrap() >= 59, "{shown:?}");
        assert!(epoch(changed).await >= first + 2);
    }

    async fn a_locked_account_is_let_in_after_it_is_unlocked(backend) {
        let world = World::builder(backend).throttle(Throttle::default()).build().await;
        world.sign_up("ada@example.com").await;
        for attempt in 0..100 {
            world.browser().login("ada@example.com", "not the password of ada").await;
            if attempt % 5 == 4 {
                world.clock.advance(Duration::from_secs(61));
            }
            if world.audit().await.iter().any(|record| record["kind"] == "account_locked") {
                break;
            }
        }
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 401, "locked");
        let shown = run(&world, "accounts unlock", ada()).await.unwrap();
        assert_eq!(shown[0]["locks"], 1);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 200);
    }

    async fn commands_reach_no_other_tenant(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let other: TenantId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        for name in ["accounts show", "accounts disable", "accounts delete", "sessions end", "sessions list"] {
            for account in [json!(id), json!("ada@example.com")] {
                let refused = run_in(&world, other, name, json!({ "account": account })).await.unwrap_err();
                assert_eq!(*refused.code(), codes::NOT_FOUND, "{name}");
            }
        }
        for name in ["accounts list", "audit tail"] {
            assert_eq!(run_in(&world, other, name, json!({})).await.unwrap(), [JsonValue::Null; 0], "{name}");
        }
        let mut browser = world.signed_in("ada@example.com").await;
        assert_eq!(end_all(&world, other, None).await, [JsonValue::Null; 0]);
        assert!(browser.is_signed_in().await);
    }

    async fn an_event_that_nobody_declares_is_no_kind_to_watch(backend) {
        let world = World::new(backend).await;
        for input in [json!({ "kind": "login_failures" }), json!({ "kind": "nonsense", "follow": true, "last": 0 })] {
            let refused = run(&world, "audit tail", input).await.unwrap_err();
            assert_eq!(*refused.code(), codes::INVALID_INPUT);
            assert!(refused.fields()[0].message.contains("login_failure, login_success"), "{refused:?}");
        }
        assert_eq!(run(&world, "audit tail", json!({ "kind": "login_failure" })).await.unwrap(), [JsonValue::Null; 0]);
    }

    async fn the_latest_records_are_shown_oldest_first_by_kind_and_account(backend) {
        let world = World::new(backend).await;
        for name in ["ada", "bob"] {
            world.sign_up(&format!("{name}@example.com")).await;
            world.clock.advance(Duration::from_secs(1));
            world.signed_in(&format!("{name}@example.com")).await;
            world.clock.advance(Duration::from_secs(1));
        }
        let kinds = async |input: JsonValue| -> Vec<String> {
            let shown = run(&world, "audit tail", input).await.unwrap();
            shown.iter().map(|record| record["kind"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(kinds(json!({ "last": 3 })).await, ["login_success", "signup", "login_success"]);
        assert_eq!(kinds(json!({ "last": 0 })).await, [""; 0]);
        assert_eq!(kinds(json!({ "kind": "signup" })).await, ["signup", "signup"]);
        assert_eq!(kinds(json!({ "account": "bob@example.com" })).await, ["signup", "login_success"]);
        assert_eq!(kinds(json!({ "account": "bob@example.com", "kind": "signup" })).await, ["signup"]);
    }

    async fn whoever_follows_the_log_misses_nothing_and_sees_nothing_twice(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let (shell, mut read) = shell(&world, TenantId::DEFAULT);
        let tail = command(&world, "audit tail");
        let input = json!({ "last": 1, "follow": true });
        let following = tokio::spawn({
            let shell = shell.clone();
            async move { tail.run(shell, input).await }
        });
        let mut next = async || match read.recv().await {
            Some(Shown::Value(record)) => record["kind"].as_str().unwrap().to_owned(),
            Some(Shown::Asleep) => "asleep".to_owned(),
            None => "over".to_owned(),
        };
        assert_eq!((next().await, next().await), ("signup".to_owned(), "asleep".to_owned()));

        // Its request begins before that of another record, and it is committed after that one was shown.
        let slow = world.cx();
        world.clock.advance(Duration::from_secs(60));
        world.signed_in("ada@example.com").await;
        shell.turns.add_permits(1);
        assert_eq!((next().await, next().await), ("login_success".to_owned(), "asleep".to_owned()));
        world.auth.capability::<AccountAdmin>().unwrap().disable(&slow, id).await.unwrap();
        shell.turns.add_permits(1);
        assert_eq!((next().await, next().await), ("account_disabled".to_owned(), "asleep".to_owned()));

        shell.turns.add_permits(1);
        assert_eq!(next().await, "asleep");
        world.clock.advance(Duration::from_secs(3600));
        shell.turns.add_permits(1);
        assert_eq!(next().await, "asleep");
        following.abort();
    }
}

#[tokio::test]
async fn nobody_is_told_apart_from_nothing() {
    let world = World::new(Backend::Memory).await;
    for account in ["nobody@example.com", "no identifier at all", "01890a5d-ac96-774b-bcce-b302099a8057", ""] {
        let refused = run(&world, "accounts show", json!({ "account": account })).await.unwrap_err();
        assert_eq!(*refused.code(), codes::NOT_FOUND, "{account}");
        assert_eq!(refused.fields()[0].message, "No account has this id or identifier.");
    }
}

#[tokio::test]
async fn a_generated_key_is_new_and_good() {
    let world = World::new(Backend::Memory).await;
    let key = run(&world, "keys generate", json!({})).await.unwrap().pop().unwrap();
    let again = run(&world, "keys generate", json!({})).await.unwrap().pop().unwrap();
    assert_ne!(key, again);
    assert_eq!(key.as_str().unwrap().len(), 44, "32 bytes in base64");
}

#[tokio::test]
async fn signing_keys_are_rotated_and_replaced() {
    let world = World::builder(Backend::Memory).sessions(Sessions::jwt()).build().await;
    let published = async |replace: bool| {
        let shown = run(&world, "keys rotate", json!({ "replace": replace })).await.unwrap();
        shown[0]["published"].as_array().unwrap().clone()
    };
    world.auth.capability::<SigningKeys>().unwrap().published(&world.cx()).await.unwrap();
    let rotated = published(false).await;
    assert_eq!(rotated.len(), 2, "the one before goes on");
    let replaced = published(true).await;
    assert_eq!(replaced.len(), 1);
    assert!(!rotated.contains(&replaced[0]));
}
