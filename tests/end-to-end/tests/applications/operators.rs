//! What an operator of the application does through capabilities, and what the log says about it afterwards.

use std::{net::IpAddr, time::Duration};

use authkit_account::AccountAdmin;
use authkit_core::{Client, Id, MethodId, PrincipalId, PrincipalKind, RequestContext, SecretText, codes};
use authkit_password::PasswordAdmin;
use authkit_risk::{LockoutAdmin, Throttle};
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde_json::{Value as JsonValue, json};

const ADA: &str = "ada@example.com";
const OPERATOR: &str = "operator@example.com";

async fn guarded(backend: Backend) -> World {
    World::builder(backend).throttle(Throttle::default()).build().await
}

/// The request of an operator at a console.
fn console(world: &World, operator: PrincipalId) -> RequestContext {
    let client = Client::default().ip(IpAddr::from([192, 0, 2, 7])).user_agent("console").request_id("ticket 4711");
    world.auth.request(client).acting(operator)
}

/// What was recorded since `seen` records: kind, whom it is about, what it says. Each is the operator's at the console.
async fn since(
    world: &World,
    operator: PrincipalId,
    seen: &mut usize,
) -> Vec<(String, Option<PrincipalId>, JsonValue)> {
    let all = world.audit().await;
    let new = all[*seen..].to_vec();
    *seen = all.len();
    new.into_iter()
        .map(|mut record| {
            let from = (record["ip"].as_str(), record["user_agent"].as_str(), record["request_id"].as_str());
            assert_eq!(from, (Some("192.0.2.7"), Some("console"), Some("ticket 4711")), "{record}");
            assert_eq!(record["outcome"], "success", "{record}");
            assert_eq!(record["actor_id"], json!(operator), "{record}");
            let kind = record["kind"].as_str().unwrap().to_owned();
            (kind, serde_json::from_value(record["principal_id"].take()).unwrap(), record["data"].take())
        })
        .collect()
}

/// What an act could leave behind.
async fn traces(world: &World) -> [Vec<JsonValue>; 3] {
    let rows = async |table| world.rows(table, "id").await;
    [world.audit().await, rows("auth_principals").await, rows("auth_passwords").await]
}

/// Fails to sign in until the account is locked for the client.
async fn lock(world: &World) {
    let mut attacker = world.browser();
    for _ in 0..5 {
        world.clock.advance(Duration::from_secs(15));
        assert_eq!(attacker.login(ADA, "a guess that is wrong").await.status, 401);
    }
}

async fn set_password(world: &World, cx: &RequestContext, id: PrincipalId, password: &str) -> Result<(), &'static str> {
    let principal = cx.principal(id).await.unwrap().expect("a principal");
    let passwords = world.auth.capability::<PasswordAdmin>().unwrap();
    let set = passwords.set(cx, &principal, SecretText::new(password.to_owned())).await;
    set.map_err(|error| error.code().code)
}

on_each_store! {
    async fn each_act_has_one_record_that_names_it_and_whom_it_is_about(backend) {
        let world = guarded(backend).await;
        let accounts = world.auth.capability::<AccountAdmin>().unwrap();
        let locks = world.auth.capability::<LockoutAdmin>().unwrap();
        let operator = world.sign_up(OPERATOR).await;
        let mut seen = world.audit().await.len();
        let cx = console(&world, operator);
        let ada = accounts.create(&cx, PrincipalKind::Human, &[ADA]).await.unwrap().id;
        let bot = accounts.seed(&cx, PrincipalKind::Service, "bot@example.com").await.unwrap().id;
        let made = since(&world, operator, &mut seen).await;
        assert_eq!(made, [
            ("account_created".to_owned(), Some(ada), json!({ "principal_kind": "human" })),
            ("account_created".to_owned(), Some(bot), json!({ "principal_kind": "service" })),
        ]);

        accounts.invite(&cx, Some("bob@example.com"), Duration::from_secs(60)).await.unwrap();
        let invited = since(&world, operator, &mut seen).await;
        assert_eq!((invited.len(), invited[0].0.as_str(), invited[0].1), (1, "invitation_created", None));

        for password in [PASSWORD, OTHER_PASSWORD] {
            set_password(&world, &cx, ada, password).await.unwrap();
            let set = since(&world, operator, &mut seen).await;
            assert_eq!(set, [("password_set".to_owned(), Some(ada), json!({}))]);
        }

        lock(&world).await;
        seen = world.audit().await.len();
        let cx = console(&world, operator);
        assert_eq!(locks.unlock(&cx, ada, None).await.unwrap(), 1);
        let unlocked = since(&world, operator, &mut seen).await;
        assert_eq!(unlocked, [("account_unlocked".to_owned(), Some(ada), json!({ "by": null, "locks": 1 }))]);

        accounts.disable(&cx, ada).await.unwrap();
        accounts.enable(&cx, ada).await.unwrap();
        accounts.delete(&cx, ada).await.unwrap();
        accounts.restore(&cx, ada).await.unwrap();
        accounts.delete(&cx, ada).await.unwrap();
        world.clock.advance(Duration::from_secs(31 * 86_400));
        assert_eq!(accounts.purge(&console(&world, operator)).await.unwrap(), 1);
        let said = since(&world, operator, &mut seen).await;
        let kinds: Vec<&str> = said.iter().map(|(kind, ..)| kind.as_str()).collect();
        let account = |act: &str| format!("account_{act}");
        assert_eq!(kinds, ["disabled", "enabled", "deleted", "restored", "deleted", "purged"].map(account));
        assert!(said.iter().all(|(_, whom, data)| *whom == Some(ada) && *data == json!({})), "{said:?}");
    }

    async fn whoever_acts_alone_is_named_as_nobodys_operator(backend) {
        let world = guarded(backend).await;
        let operator = world.sign_up(OPERATOR).await;
        let mut browser = world.signed_in(OPERATOR).await;
        assert_eq!(browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await.status, 204);
        set_password(&world, &world.cx(), operator, PASSWORD).await.unwrap();
        assert!(world.audit().await.iter().all(|record| record["actor_id"].is_null()));
    }

    async fn what_an_operator_is_refused_is_recorded_as_the_operators(backend) {
        let world = guarded(backend).await;
        let (ada, operator) = (world.sign_up(ADA).await, world.sign_up(OPERATOR).await);
        let session = world.signed_in(ADA).await.cookies["authkit_session"].clone();
        let cx = console(&world, operator);
        let session = cx.authenticate(&session).await.unwrap().unwrap();
        let guess = json!({ "password": "a guess that is wrong" });
        cx.prove(&session, &MethodId::from_static("password"), guess, "support").await.unwrap_err();
        let record = world.audit().await.pop().unwrap();
        assert_eq!(record["kind"], "login_failure");
        assert_eq!((&record["principal_id"], &record["actor_id"]), (&json!(ada), &json!(operator)));
    }

    async fn an_operator_with_a_session_is_named_by_an_unlock(backend) {
        let world = guarded(backend).await;
        let ada = world.sign_up(ADA).await;
        let operator = world.sign_up(OPERATOR).await;
        let token = world.signed_in(OPERATOR).await.cookies["authkit_session"].clone();
        lock(&world).await;
        let cx = console(&world, operator);
        let session = cx.authenticate(&token).await.unwrap().unwrap();
        let locks = world.auth.capability::<LockoutAdmin>().unwrap();
        locks.unlock(&cx, ada, Some(&session)).await.unwrap();
        let record = world.audit().await.pop().unwrap();
        assert_eq!((&record["principal_id"], &record["data"]["by"]), (&json!(ada), &json!(operator)));
        assert_eq!(record["actor_id"], json!(operator));
        assert_eq!(record["session_id"], json!(session.id));
        let history = locks.history(&cx, ada).await.unwrap();
        assert_eq!(history[0].unlocked_by, Some(operator));
    }

    async fn looking_and_what_changes_nothing_leave_no_record(backend) {
        let world = guarded(backend).await;
        let ada = world.sign_up(ADA).await;
        let accounts = world.auth.capability::<AccountAdmin>().unwrap();
        let locks = world.auth.capability::<LockoutAdmin>().unwrap();
        let cx = world.cx();
        accounts.disable(&cx, ada).await.unwrap();
        let before = world.audit().await;
        accounts.disable(&cx, ada).await.unwrap();
        assert_eq!(accounts.seed(&cx, PrincipalKind::Human, ADA).await.unwrap().id, ada);
        accounts.find(&cx, ADA).await.unwrap();
        accounts.identifiers(&cx, ada).await.unwrap();
        assert_eq!(accounts.purge(&cx).await.unwrap(), 0);
        locks.history(&cx, ada).await.unwrap();
        assert_eq!(locks.unlock(&cx, ada, None).await.unwrap(), 0);
        assert_eq!(world.audit().await, before);
    }

    async fn an_act_that_is_refused_changes_nothing(backend) {
        let world = guarded(backend).await;
        let ada = world.sign_up(ADA).await;
        let accounts = world.auth.capability::<AccountAdmin>().unwrap();
        let passwords = world.auth.capability::<PasswordAdmin>().unwrap();
        let cx = world.cx();
        let stale = cx.principal(ada).await.unwrap().unwrap();
        accounts.delete(&cx, ada).await.unwrap();
        let before = traces(&world).await;
        let mut refused = Vec::new();
        refused.push(accounts.create(&cx, PrincipalKind::Human, &[ADA]).await.map(drop));
        refused.push(accounts.create(&cx, PrincipalKind::Human, &["no address"]).await.map(drop));
        refused.push(accounts.enable(&cx, ada).await);
        refused.push(accounts.disable(&cx, cx.new_id()).await);
        refused.push(accounts.invite(&cx, Some("no address"), Duration::from_secs(60)).await.map(drop));
        refused.push(passwords.set(&cx, &stale, SecretText::new(OTHER_PASSWORD.to_owned())).await);
        let said: Vec<&str> = refused.iter().map(|refused| refused.as_ref().unwrap_err().code().code).collect();
        assert_eq!(said, [
            "account.identifier_taken",
            "core.invalid_input",
            "account.wrong_status",
            "core.not_found",
            "core.invalid_input",
            "core.conflict",
        ]);
        assert_eq!(set_password(&world, &cx, ada, "short").await, Err("password.too_weak"));
        assert_eq!(traces(&world).await, before);
    }

    async fn an_operator_of_one_tenant_reaches_nobody_of_another(backend) {
        let world = guarded(backend).await;
        let ada = world.sign_up(ADA).await;
        let mut browser = world.signed_in(ADA).await;
        lock(&world).await;
        let before = traces(&world).await;
        let principal = world.cx().principal(ada).await.unwrap().unwrap();
        let cx = world.cx_of(Id::from_bytes([9; 16]).into());
        let accounts = world.auth.capability::<AccountAdmin>().unwrap();
        for refused in [
            accounts.disable(&cx, ada).await,
            accounts.enable(&cx, ada).await,
            accounts.delete(&cx, ada).await,
            accounts.restore(&cx, ada).await,
        ] {
            assert_eq!(*refused.unwrap_err().code(), codes::NOT_FOUND);
        }
        let passwords = world.auth.capability::<PasswordAdmin>().unwrap();
        assert!(passwords.set(&cx, &principal, SecretText::new(OTHER_PASSWORD.to_owned())).await.is_err());
        let locks = world.auth.capability::<LockoutAdmin>().unwrap();
        assert_eq!(locks.unlock(&cx, ada, None).await.unwrap(), 0);
        assert!(locks.history(&cx, ada).await.unwrap().is_empty());
        assert!(accounts.identifiers(&cx, ada).await.unwrap().is_empty());
        assert_eq!(traces(&world).await, before);
        assert!(browser.is_signed_in().await);
    }

    async fn a_password_that_is_set_ends_every_session_and_every_token_of_before(backend) {
        let world = guarded(backend).await;
        let ada = world.sign_up(ADA).await;
        let mut browser = world.signed_in(ADA).await;
        set_password(&world, &world.cx(), ada, OTHER_PASSWORD).await.unwrap();
        assert!(!browser.is_signed_in().await);
        assert_eq!(browser.login(ADA, PASSWORD).await.status, 401);
        assert_eq!(browser.login(ADA, OTHER_PASSWORD).await.status, 200);
    }
}
