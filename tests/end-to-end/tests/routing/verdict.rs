//! The second store says no: what was only there is not done, what the main store has stands.

use std::time::Duration;

use end_to_end::{Browser, OTHER_PASSWORD, PASSWORD, change};
use serde_json::{Value as JsonValue, json};

use crate::stores::{Moment, fresh_proof, go_on, meanwhile, on_each_pair, opens, settlements};

on_each_pair! {
    async fn nobody_revokes_the_session_of_somebody_else(stores) {
        let world = stores.world().await;
        world.sign_up("eve@example.com").await;
        let ada = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
        let mut eve = world.signed_in("eve@example.com").await;
        let target = world.cx().authenticate(&ada).await.unwrap().unwrap().id;
        assert_eq!(eve.delete(&format!("/v1/sessions/{target}")).await.status, 404);
        assert!(opens(&world, &ada).await);
        assert_eq!(settlements(&world, "session_revoked").await, ["aborted"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_session_that_is_gone_is_not_revoked_again(stores) {
        let world = stores.world().await;
        let mut here = world.signed_in("ada@example.com").await;
        let there = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
        let target = world.cx().authenticate(&there).await.unwrap().unwrap().id;
        assert_eq!(here.delete(&format!("/v1/sessions/{target}")).await.status, 204);
        assert_eq!(here.delete(&format!("/v1/sessions/{target}")).await.status, 404);
        assert_eq!(settlements(&world, "session_revoked").await, ["committed", "aborted"]);
        stores.assert_at_rest(&world).await;
    }

    async fn of_two_logouts_at_once_both_are_told_that_it_is_gone(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        let mut tab = browser.tab();
        let slow = browser.post("/v1/auth/logout", json!({}));
        let other = async || assert_eq!(tab.post("/v1/auth/logout", json!({})).await.status, 204);
        let answer = meanwhile(stores.gate(), 1, Moment::Asked, slow, other).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_eq!(settlements(&world, "logout").await, ["aborted", "committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn of_two_who_raise_a_session_at_once_one_gets_its_token(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        let mut tab = browser.tab();
        world.clock.advance(Duration::from_secs(6 * 60));
        let (own, tabs) = (fresh_proof(&mut browser).await, fresh_proof(&mut tab).await);
        let slow = browser.post("/v1/auth/challenges/answer", own);
        let other = async || assert_eq!(tab.post("/v1/auth/challenges/answer", tabs.clone()).await.status, 200);
        let answer = meanwhile(stores.gate(), 1, Moment::Asked, slow, other).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(tab.is_signed_in().await);
        assert_eq!(settlements(&world, "session_raised").await, ["aborted", "committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn what_the_main_store_has_written_stands_though_the_session_is_gone(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        let mut tab = browser.tab();
        let slow = browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD));
        let other = async || assert_eq!(tab.post("/v1/auth/logout", json!({})).await.status, 204);
        let answer = meanwhile(&stores.main, 1, Moment::Asked, slow, other).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "core.unauthenticated"), "{answer:?}");
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
        assert_eq!(settlements(&world, "password_changed").await, ["committed"]);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 401);
        assert_eq!(world.browser().login("ada@example.com", OTHER_PASSWORD).await.status, 200);
        stores.assert_at_rest(&world).await;
    }

    async fn a_decision_that_lost_asks_the_second_store_nothing(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        let mut tab = browser.tab();
        let slow = browser.post("/v1/account/change-password", change(PASSWORD, "a first new password 1"));
        let other = async || {
            let answer = tab.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
            assert_eq!(answer.status, 204, "{answer:?}");
        };
        let before = stores.second.commits();
        let answer = meanwhile(&stores.main, 1, Moment::Asked, slow, other).await;
        assert_eq!(answer.status, 409, "{answer:?}");
        assert_eq!(stores.second.commits() - before, 1);
        assert!(tab.is_signed_in().await);
        assert_eq!(settlements(&world, "password_changed").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn an_account_is_not_told_of_acts_that_were_none(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        let nothing: authkit_core::Id = world.cx().new_id();
        assert_eq!(browser.delete(&format!("/v1/sessions/{nothing}")).await.status, 404);
        stores.freeze();
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 503);
        stores.second.heal();
        let told = async |browser: &mut Browser<'_>| {
            let answer = browser.get("/v1/account/audit-events").await.json();
            let line = |event: &JsonValue| format!("{} {}", event["kind"], event["settlement"]).replace('"', "");
            answer["events"].as_array().unwrap().iter().map(line).collect::<Vec<_>>()
        };
        let older = ["login_success committed", "signup committed"];
        assert_eq!(told(&mut browser).await, [&["login_success pending"], &older[..]].concat());
        go_on(&world).await;
        assert_eq!(told(&mut browser).await, [&["login_success committed"], &older[..]].concat());
    }
}
