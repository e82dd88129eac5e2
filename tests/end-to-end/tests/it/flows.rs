//! The main job: sign up, log in, look around, change the password, log out.

use std::time::Duration;

use authkit_account::AccountAdmin;
use authkit_core::{Id, PrincipalId, SecretText, SessionId};
use authkit_password::{PasswordAdmin, Passwords};
use authkit_testkit::sign_in_as;
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde_json::{Value as JsonValue, json};

on_each_store! {
    async fn a_person_signs_up_logs_in_and_out(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;

        let mut browser = world.signed_in("Ada@EXAMPLE.com").await;
        let me = browser.get("/v1/auth/me").await;
        assert_eq!(me.status, 200, "{me:?}");
        assert_eq!(me.json()["id"], json!(id));
        assert_eq!(me.json()["identifiers"][0]["value"], "ada@example.com");
        assert!(me.json()["last_login_at"].is_string(), "{me:?}");

        let out = browser.post("/v1/auth/logout", json!({})).await;
        assert_eq!(out.status, 204, "{out:?}");
        assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
        assert!(!browser.is_signed_in().await);
        assert_eq!(world.events_of(id).await, ["signup", "login_success", "logout"]);
    }

    async fn a_session_is_dead_the_moment_it_is_ended(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        let mut stolen = browser.tab();
        browser.post("/v1/auth/logout", json!({})).await;
        assert!(!stolen.is_signed_in().await);
    }

    async fn sessions_are_listed_and_ended_one_by_one_and_all(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let mut here = world.signed_in("ada@example.com").await;
        let mut there = world.signed_in("ada@example.com").await;
        let mut elsewhere = world.signed_in("ada@example.com").await;

        let listed = here.get("/v1/sessions").await.json();
        let sessions = listed["sessions"].as_array().unwrap().clone();
        assert_eq!(sessions.len(), 3, "{listed}");
        let current: Vec<&JsonValue> = sessions.iter().filter(|session| session["current"] == true).collect();
        assert_eq!(current.len(), 1);
        assert_eq!(current[0]["user_agent"], "test browser");
        assert_eq!(current[0]["assurance"], "aal1");
        assert_eq!(current[0]["amr"], json!(["pwd"]));

        let theirs = there.get("/v1/sessions").await.json();
        let own = theirs["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
        let path = format!("/v1/sessions/{}", own["id"].as_str().unwrap());
        assert_eq!(here.delete(&path).await.status, 204);
        assert!(!there.is_signed_in().await);
        assert_eq!(here.delete(&path).await.status, 404, "it is gone");

        assert_eq!(here.delete("/v1/sessions/all").await.status, 204);
        assert!(!elsewhere.is_signed_in().await);
        assert!(here.is_signed_in().await);
        assert_eq!(here.delete("/v1/sessions/all?include_current=true").await.status, 204);
        assert!(!here.is_signed_in().await);
        let events = world.events_of(id).await;
        assert_eq!(events[4..], ["session_revoked", "sessions_revoked_all", "sessions_revoked_all"]);
    }

    async fn a_new_password_ends_all_other_sessions(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let mut here = world.signed_in("ada@example.com").await;
        let mut there = world.signed_in("ada@example.com").await;

        let refused = here.post("/v1/account/change-password", change("not the password", OTHER_PASSWORD)).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "core.rejected"));
        let weak = here.post("/v1/account/change-password", change(PASSWORD, "short")).await;
        assert_eq!((weak.status, weak.code().as_str()), (400, "password.too_weak"));
        assert_eq!(weak.json()["errors"][0]["field"], "new_password");
        assert!(there.is_signed_in().await);

        let changed = here.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
        assert_eq!(changed.status, 204, "{changed:?}");
        assert!(here.is_signed_in().await);
        assert!(!there.is_signed_in().await);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 401);
        assert_eq!(world.browser().login("ada@example.com", OTHER_PASSWORD).await.status, 200);
        let events = world.events_of(id).await;
        assert_eq!(events[3..], ["login_failure", "password_changed", "login_failure", "login_success"]);
    }

    async fn own_audit_events_are_shown_newest_first_and_paged(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        world.sign_up("bob@example.com").await;
        world.browser().login("ada@example.com", "wrong").await;
        let mut browser = world.signed_in("ada@example.com").await;
        world.clock.advance(Duration::from_secs(1));

        let first = browser.get("/v1/account/audit-events?limit=2").await.json();
        let kinds = |page: &JsonValue| -> Vec<String> {
            page["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(kinds(&first), ["login_success", "login_failure"]);
        let next = first["next"].as_str().unwrap();
        let second = browser.get(&format!("/v1/account/audit-events?limit=2&after={next}")).await.json();
        assert_eq!(kinds(&second), ["signup"], "and nothing of bob");
        assert_eq!(second["next"], JsonValue::Null);
        let garbled = browser.get("/v1/account/audit-events?after=AAAA").await;
        assert_eq!(garbled.status, 400, "{garbled:?}");
    }

    async fn an_identifier_leads_to_one_account(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        for spelling in ["ada@example.com", "ADA@Example.Com", "  ada@example.com "] {
            let body = json!({ "identifier": spelling, "password": PASSWORD });
            let again = world.browser().post("/v1/auth/signup", body).await;
            assert_eq!((again.status, again.code().as_str()), (409, "account.identifier_taken"), "{spelling}");
        }
        let all = world.audit().await;
        assert!(all.iter().any(|event| event["kind"] == "signup_refused"), "{all:?}");
    }

    async fn sign_up_says_what_is_wrong_with_each_field(backend) {
        let world = World::new(backend).await;
        let mut browser = world.browser();
        let weak = browser.post("/v1/auth/signup", json!({ "identifier": "ada@example.com", "password": "hunter2" })).await;
        assert_eq!((weak.status, weak.code().as_str()), (400, "password.too_weak"));
        assert_eq!(weak.json()["errors"][0]["field"], "password");
        let odd = browser.post("/v1/auth/signup", json!({ "identifier": "ada", "password": PASSWORD })).await;
        assert_eq!(odd.status, 400, "{odd:?}");
        assert_eq!(odd.json()["errors"][0]["field"], "identifier");
        let bare = browser.post("/v1/auth/signup", json!({ "identifier": "ada@example.com" })).await;
        assert_eq!(bare.status, 400, "{bare:?}");
        assert_eq!(bare.json()["errors"][0]["field"], "password");
    }

    async fn an_unused_session_ends_and_a_used_one_goes_on_to_its_absolute_end(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let mut used = world.signed_in("ada@example.com").await;
        let mut unused = world.signed_in("ada@example.com").await;
        for day in 0..29 {
            world.clock.advance(Duration::from_secs(23 * 60 * 60 + 3000));
            assert!(used.is_signed_in().await, "day {day}");
        }
        assert!(!unused.is_signed_in().await);
        world.clock.advance(Duration::from_secs(23 * 60 * 60));
        assert!(used.is_signed_in().await);
        world.clock.advance(Duration::from_secs(6 * 60 * 60));
        assert!(!used.is_signed_in().await, "30 days are over");
        world.auth.run_due_jobs().await;
        assert!(world.rows("auth_sessions", "by_principal").await.is_empty());
    }

    async fn a_disabled_principal_is_out_at_once_and_back_when_enabled(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        admin.disable(&world.cx(), id).await.unwrap();
        assert!(!browser.is_signed_in().await);
        let refused = browser.login("ada@example.com", PASSWORD).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "core.rejected"));
        admin.enable(&world.cx(), id).await.unwrap();
        assert!(!browser.is_signed_in().await, "old sessions stay dead");
        assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 200);
    }

    async fn a_deleted_principal_can_be_restored_until_it_is_purged(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        admin.delete(&world.cx(), id).await.unwrap();
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 401);
        world.clock.advance(Duration::from_secs(29 * 86_400));
        world.auth.run_due_jobs().await;
        admin.restore(&world.cx(), id).await.unwrap();
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 401, "restored, but still shut out");
        admin.enable(&world.cx(), id).await.unwrap();
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 200);

        admin.delete(&world.cx(), id).await.unwrap();
        world.clock.advance(Duration::from_secs(31 * 86_400));
        world.auth.run_due_jobs().await;
        assert!(world.cx().principal(id).await.unwrap().is_none());
        for (table, index) in
            [("auth_identifiers", "by_principal"), ("auth_passwords", "by_principal"), ("auth_enrolments", "by_principal")]
        {
            assert!(world.rows(table, index).await.is_empty(), "{table}");
        }
        assert!(world.events_of(id).await.contains(&"account_purged".to_owned()));
        world.sign_up("ada@example.com").await;
    }

    async fn a_bearer_token_works_without_cookies(backend) {
        use axum::{body::Body, http::Request};
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let client = world.browser();
        let login = Request::post("/v1/auth/login")
            .header("content-type", "application/json")
            .header("authkit-delivery", "token")
            .body(Body::from(json!({ "identifier": "ada@example.com", "password": PASSWORD }).to_string()))
            .unwrap();
        let answer = client.raw(login).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.headers.contains_key("set-cookie"));
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let me = Request::get("/v1/auth/me").header("authorization", format!("Bearer {token}"));
        let me = client.raw(me.body(Body::empty()).unwrap()).await;
        assert_eq!(me.json()["id"], json!(id));
        let in_url = Request::get(format!("/v1/auth/me?access_token={token}")).body(Body::empty()).unwrap();
        assert_eq!(client.raw(in_url).await.status, 401);
    }

    async fn signing_in_again_ends_the_session_that_the_browser_had(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        let mut before = browser.tab();
        assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 200);
        assert!(browser.is_signed_in().await);
        assert!(!before.is_signed_in().await, "ASVS 5.0 V7.2.4");
    }

    async fn a_planted_cookie_is_never_the_session_after_login(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        world.sign_up("eve@example.com").await;
        let mut attacker = world.signed_in("eve@example.com").await;
        let mut victim = attacker.tab();
        assert_eq!(victim.login("ada@example.com", PASSWORD).await.status, 200);
        assert!(!attacker.is_signed_in().await, "the planted session is dead");
        assert_ne!(victim.cookies["authkit_session"], attacker.cookies.get("authkit_session").cloned().unwrap_or_default());
    }

    async fn each_authentication_is_recorded_with_its_method_and_factors(backend) {
        let world = World::new(backend).await;
        let ada = world.sign_up("ada@example.com").await;
        let mut browser = world.browser();
        assert_eq!(browser.login("ada@example.com", OTHER_PASSWORD).await.status, 401);
        assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 200);
        world.clock.advance(Duration::from_secs(3600));
        let challenged = browser.post("/v1/auth/step-up", json!({})).await.json();
        let flow = &challenged["challenge"]["flow"];
        let response = json!({ "flow": flow, "method": "password", "password": PASSWORD });
        assert_eq!(browser.post("/v1/auth/challenges/answer", response).await.status, 200, "{challenged}");
        sign_in_as(&world.auth, ada).await.unwrap();
        let unknown = json!({ "method": "testkit", "principal": PrincipalId::from(Id::NIL) });
        assert_eq!(browser.post("/v1/auth/login", unknown).await.status, 401);

        let records = world.audit().await;
        let recorded = |record: &JsonValue| (record["kind"].clone(), record["method"].clone(), record["data"]["amr"].clone());
        let authentications: Vec<_> = records.iter().map(recorded).filter(|(kind, ..)| kind != "signup").collect();
        assert_eq!(authentications, [
            (json!("login_failure"), json!("password"), json!(null)),
            (json!("login_success"), json!("password"), json!(["pwd"])),
            (json!("challenge_issued"), json!("session"), json!(null)),
            (json!("session_raised"), json!("password"), json!(["pwd"])),
            (json!("login_success"), json!("testkit"), json!(["mfa"])),
            (json!("login_failure"), json!("testkit"), json!(null)),
        ]);
    }

    async fn a_password_of_five_years_signs_in_and_need_not_be_changed(backend) {
        let world = World::new(backend).await;
        let id = world.sign_up("ada@example.com").await;
        world.clock.advance(Duration::from_secs(5 * 366 * 86_400));
        let mut browser = world.browser();
        let answer = browser.login("ada@example.com", PASSWORD).await;
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("signed_in")), "{answer:?}");
        assert!(browser.is_signed_in().await);
        assert_eq!(world.events_of(id).await, ["signup", "login_success"]);
    }

    async fn a_blocked_word_is_refused_wherever_a_password_is_chosen(backend) {
        let passwords = Passwords::default().dangerously_weak_hashing().blocked_words(["xylophone"]);
        let world = World::builder(backend).passwords(passwords).build().await;
        const BLOCKED: &str = "Xylophone xylophone vk 7";
        let body = json!({ "identifier": "eve@example.com", "password": BLOCKED });
        assert_eq!(world.browser().post("/v1/auth/signup", body).await.code(), "password.too_weak");

        let id = world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        let changed = browser.post("/v1/account/change-password", change(PASSWORD, BLOCKED)).await;
        assert_eq!((changed.status, changed.code()), (400, "password.too_weak".to_owned()), "{changed:?}");

        let cx = world.cx();
        let ada = cx.principal(id).await.unwrap().unwrap();
        let admin = world.auth.capability::<PasswordAdmin>().unwrap();
        let set = admin.set(&cx, &ada, SecretText::new(BLOCKED.to_owned())).await;
        assert_eq!(set.unwrap_err().code().code, "password.too_weak");
        assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 200);
    }
}

#[tokio::test]
async fn store_calls_are_five_per_sign_in_and_one_per_request() {
    let world = World::builder(Backend::Memory).throttle(authkit_risk::Throttle::default()).build().await;
    let id: PrincipalId = world.sign_up("ada@example.com").await;
    let before = world.store.calls();
    let mut browser = world.signed_in("ada@example.com").await;
    assert_eq!(world.store.calls() - before, 5, "charge, identifier, credential, enrolments, commit");

    let token = browser.cookies["authkit_session"].clone();
    let before = world.store.calls();
    let session = world.cx().authenticate(&token).await.unwrap().unwrap();
    assert_eq!(world.store.calls() - before, 1);
    assert_eq!(session.principal.id, id);

    let before = world.store.calls();
    for garbage in ["", "aks_", "aks_AAAA", &token[..token.len() - 1], &token.replace("aks_", "akf_")] {
        assert!(world.cx().authenticate(garbage).await.unwrap().is_none());
    }
    assert_eq!(world.store.calls(), before, "garbage dies before the store");
    let _: SessionId = session.id;
    assert!(browser.is_signed_in().await);
}
