//! Everything that is done with a session, while sessions live in another store.

use std::time::Duration;

use authkit_account::AccountAdmin;
use authkit_core::{MethodId, PrincipalKind, Progress, Store, TenantId};
use end_to_end::{OTHER_PASSWORD, PASSWORD, change};
use serde_json::json;

use crate::stores::{SESSIONS, fresh_proof, on_each_pair, opens, settlements};

on_each_pair! {
    async fn a_sign_in_is_one_row_in_the_other_store_and_a_settled_record(stores) {
        let world = stores.world().await;
        let before = stores.second.commits();
        let mut browser = world.signed_in("ada@example.com").await;
        assert_eq!(stores.second.commits() - before, 1);
        assert!(browser.is_signed_in().await);
        assert_eq!(stores.sessions(&world).await.len(), 1);
        assert_eq!(stores.marks(&world).await, 1);
        assert_eq!(settlements(&world, "login_success").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn an_authenticated_request_asks_each_store_once(stores) {
        let world = stores.world().await;
        let token = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
        let before = [world.store.calls(), stores.second.calls()];
        assert!(opens(&world, &token).await);
        assert_eq!([world.store.calls() - before[0], stores.second.calls() - before[1]], [1, 1]);
    }

    async fn the_use_of_a_session_is_noted_in_its_own_store(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        for _ in 0..30 {
            world.clock.advance(Duration::from_secs(23 * 60 * 60));
            let before = world.store.commits();
            assert!(browser.is_signed_in().await);
            assert_eq!(world.store.commits(), before);
        }
        world.clock.advance(Duration::from_secs(25 * 60 * 60));
        assert!(!browser.is_signed_in().await, "idle");
    }

    async fn sessions_are_listed_and_revoked_one_by_one(stores) {
        let world = stores.world().await;
        let mut here = world.signed_in("ada@example.com").await;
        let mut there = world.signed_in("ada@example.com").await;
        let list = here.get("/v1/sessions").await.json()["sessions"].as_array().unwrap().clone();
        assert_eq!(list.len(), 2);
        let other = list.iter().find(|session| session["current"] == false).unwrap();
        let revoked = here.delete(&format!("/v1/sessions/{}", other["id"].as_str().unwrap())).await;
        assert_eq!(revoked.status, 204, "{revoked:?}");
        assert!(here.is_signed_in().await);
        assert!(!there.is_signed_in().await);
        assert_eq!(settlements(&world, "session_revoked").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn ending_the_others_leaves_the_one_that_acts(stores) {
        let world = stores.world().await;
        let mut here = world.signed_in("ada@example.com").await;
        let mut there = world.signed_in("ada@example.com").await;
        assert_eq!(here.delete("/v1/sessions/all").await.status, 204);
        assert!(here.is_signed_in().await);
        assert!(!there.is_signed_in().await);
        assert_eq!(here.delete("/v1/sessions/all?include_current=true").await.status, 204);
        assert!(stores.sessions(&world).await.is_empty());
        stores.assert_at_rest(&world).await;
    }

    async fn after_a_change_of_password_only_the_new_token_opens(stores) {
        let world = stores.world().await;
        let mut here = world.signed_in("ada@example.com").await;
        let mut there = world.signed_in("ada@example.com").await;
        let before = here.cookies["authkit_session"].clone();
        let changed = here.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
        assert_eq!(changed.status, 204, "{changed:?}");
        assert!(here.is_signed_in().await);
        assert!(!there.is_signed_in().await);
        assert!(!opens(&world, &before).await);
        assert_eq!(stores.sessions(&world).await.len(), 1);
        assert_eq!(settlements(&world, "password_changed").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_session_that_is_raised_gets_a_new_token(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        let before = browser.cookies["authkit_session"].clone();
        world.clock.advance(Duration::from_secs(6 * 60));
        let proof = fresh_proof(&mut browser).await;
        let raised = browser.post("/v1/auth/challenges/answer", proof).await;
        assert_eq!(raised.status, 200, "{raised:?}");
        assert_ne!(browser.cookies["authkit_session"], before);
        assert!(browser.is_signed_in().await);
        assert!(!opens(&world, &before).await);
        assert_eq!(settlements(&world, "session_raised").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_permission_for_one_action_needs_the_main_store_alone(stores) {
        let world = stores.world().await;
        let browser = world.signed_in("ada@example.com").await;
        let session = world.cx().authenticate(&browser.cookies["authkit_session"]).await.unwrap().unwrap();
        let before = stores.second.calls();
        let Progress::Granted(grant) = world.cx().step_up(&session, "wire.money").await.unwrap() else {
            panic!("a fresh session");
        };
        world.cx().redeem(&session, "wire.money", grant.expose()).await.unwrap();
        assert!(world.cx().redeem(&session, "wire.money", grant.expose()).await.is_err());
        assert_eq!(stores.second.calls(), before);
    }

    async fn a_logout_removes_the_row(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        let token = browser.cookies["authkit_session"].clone();
        assert_eq!(browser.post("/v1/auth/logout", json!({})).await.status, 204);
        assert!(!opens(&world, &token).await);
        assert!(stores.sessions(&world).await.is_empty());
        assert_eq!(settlements(&world, "logout").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_purged_account_leaves_no_session_behind(stores) {
        let world = stores.builder().build().await;
        let id = world.sign_up("ada@example.com").await;
        world.signed_in("ada@example.com").await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        admin.delete(&world.cx(), id).await.unwrap();
        world.clock.advance(Duration::from_secs(400 * 24 * 60 * 60));
        assert_eq!(admin.purge(&world.cx()).await.unwrap(), 1);
        assert!(stores.sessions(&world).await.is_empty());
        assert!(world.rows("auth_principals", "id").await.is_empty());
        stores.assert_at_rest(&world).await;
    }

    async fn a_session_opens_nothing_in_another_tenant(stores) {
        let world = stores.world().await;
        let tenant = TenantId::from(world.cx().new_id::<authkit_core::Id>());
        let cx = world.cx_of(tenant);
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        let principal = admin.create(&cx, PrincipalKind::Human, &["ada@example.com"]).await.unwrap();
        let method = MethodId::from_static("testkit");
        let progress = cx.sign_in(&method, json!({ "principal": principal.id })).await.unwrap();
        let Progress::SignedIn(signed_in) = progress else { panic!("a sign-in") };
        let token = signed_in.tokens.access.expose().to_owned();
        assert!(cx.authenticate(&token).await.unwrap().is_some());
        assert!(world.cx().authenticate(&token).await.unwrap().is_none());
        assert!(stores.sessions(&world).await.is_empty(), "those of the default tenant");
    }

    async fn each_store_holds_its_own_tables_only(stores) {
        let world = stores.world().await;
        world.signed_in("ada@example.com").await;
        for def in world.auth.entities() {
            let routed = def.table == SESSIONS;
            let shape = authkit_core::Shape::whole(def).into();
            let at = authkit_core::Lookup { index: 0, key: vec![authkit_core::Value::Id(world.cx().new_id())] };
            let get = authkit_core::Get { shape, at, now: world.cx().now() };
            let scope = authkit_core::Scope::Tenant(TenantId::DEFAULT);
            assert_eq!(stores.main.get(&scope, &get).await.is_ok(), !routed, "{} in the main store", def.table);
            assert_eq!(stores.gate().get(&scope, &get).await.is_ok(), routed, "{} in the second store", def.table);
        }
    }
}
