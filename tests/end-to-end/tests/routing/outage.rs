//! The second store does not answer: nobody is told that an act is done, and it is done once the store is back.

use authkit_account::AccountAdmin;
use authkit_core::codes;
use authkit_risk::Throttle;
use end_to_end::{Answer, OTHER_PASSWORD, PASSWORD, change};
use serde_json::json;

use crate::stores::{errands, go_on, on_each_pair, opens, settlements};

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "core.unavailable"), "{answer:?}");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
}

on_each_pair! {
    async fn a_sign_in_gives_no_token_and_is_made_once_when_the_store_is_back(stores) {
        let world = stores.world().await;
        stores.take_down();
        let mut browser = world.browser();
        assert_unavailable(&browser.login("ada@example.com", PASSWORD).await);
        assert!(browser.cookies.is_empty());
        assert_eq!(settlements(&world, "login_success").await, ["pending"]);
        assert_eq!(errands(&world).await.len(), 1);
        assert!(stores.sessions(&world).await.is_empty());

        stores.second.heal();
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 200, "somebody else, meanwhile");
        go_on(&world).await;
        assert_eq!(settlements(&world, "login_success").await, ["committed", "committed"]);
        assert_eq!(stores.sessions(&world).await.len(), 2);
        stores.assert_at_rest(&world).await;
        go_on(&world).await;
        assert_eq!(stores.sessions(&world).await.len(), 2);
    }

    async fn no_job_makes_it_before_the_reservation_has_run_out(stores) {
        let world = stores.world().await;
        stores.take_down();
        assert_unavailable(&world.browser().login("ada@example.com", PASSWORD).await);
        stores.second.heal();
        world.clock.advance(std::time::Duration::from_secs(59));
        world.auth.run_due_jobs().await;
        assert_eq!(settlements(&world, "login_success").await, ["pending"]);
        assert!(stores.sessions(&world).await.is_empty());
    }

    async fn as_long_as_the_store_is_away_the_job_tries_again(stores) {
        let world = stores.world().await;
        stores.take_down();
        assert_unavailable(&world.browser().login("ada@example.com", PASSWORD).await);
        for _ in 0..4 {
            go_on(&world).await;
            assert_eq!(settlements(&world, "login_success").await, ["pending"]);
            assert_eq!(errands(&world).await.len(), 1);
        }
        stores.second.heal();
        go_on(&world).await;
        go_on(&world).await;
        assert_eq!(settlements(&world, "login_success").await, ["committed"]);
        assert_eq!(stores.sessions(&world).await.len(), 1);
        stores.assert_at_rest(&world).await;
    }

    async fn a_logout_is_not_confirmed_before_the_session_is_gone(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        let token = browser.cookies["authkit_session"].clone();
        stores.freeze();
        assert_unavailable(&browser.post("/v1/auth/logout", json!({})).await);
        stores.second.heal();
        assert!(opens(&world, &token).await, "it was not said to be gone");
        go_on(&world).await;
        assert!(!opens(&world, &token).await);
        assert_eq!(settlements(&world, "logout").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn of_a_logout_and_its_repetition_one_is_recorded_as_done(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        stores.freeze();
        assert_unavailable(&browser.post("/v1/auth/logout", json!({})).await);
        stores.second.heal();
        assert_eq!(browser.post("/v1/auth/logout", json!({})).await.status, 204);
        assert!(stores.sessions(&world).await.is_empty());
        go_on(&world).await;
        assert_eq!(settlements(&world, "logout").await, ["aborted", "committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn without_the_store_no_session_is_taken_for_dead(stores) {
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        stores.take_down();
        assert_unavailable(&browser.get("/v1/auth/me").await);
        assert_unavailable(&browser.post("/v1/auth/logout", json!({})).await);
        stores.second.heal();
        assert!(browser.is_signed_in().await);
    }

    async fn a_change_of_password_ends_every_session_at_once_all_the_same(stores) {
        let world = stores.world().await;
        let mut here = world.signed_in("ada@example.com").await;
        let mut there = world.signed_in("ada@example.com").await;
        stores.freeze();
        assert_unavailable(&here.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await);
        stores.second.heal();
        assert!(!here.is_signed_in().await);
        assert!(!there.is_signed_in().await);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 401);
        go_on(&world).await;
        assert_eq!(settlements(&world, "password_changed").await, ["committed"]);
        assert!(!here.is_signed_in().await, "its new token was given to nobody");
        assert!(!there.is_signed_in().await);
        assert_eq!(world.browser().login("ada@example.com", OTHER_PASSWORD).await.status, 200);
        stores.assert_at_rest(&world).await;
    }

    async fn a_disabled_account_is_out_at_once_all_the_same(stores) {
        let world = stores.builder().build().await;
        let id = world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        stores.freeze();
        let error = admin.disable(&world.cx(), id).await.unwrap_err();
        assert_eq!(*error.code(), codes::UNAVAILABLE);
        stores.second.heal();
        assert!(!browser.is_signed_in().await);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 401);
        admin.disable(&world.cx(), id).await.unwrap();
        admin.enable(&world.cx(), id).await.unwrap();
        assert!(!browser.is_signed_in().await, "enabling brings no session back");
        go_on(&world).await;
        assert!(stores.sessions(&world).await.is_empty());
        assert_eq!(settlements(&world, "account_disabled").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_session_that_is_made_late_is_dead_if_the_account_was_shut_out_meanwhile(stores) {
        let world = stores.builder().build().await;
        let id = world.sign_up("ada@example.com").await;
        stores.freeze();
        assert_unavailable(&world.browser().login("ada@example.com", PASSWORD).await);
        stores.second.heal();
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        admin.disable(&world.cx(), id).await.unwrap();
        admin.enable(&world.cx(), id).await.unwrap();
        go_on(&world).await;
        let [session] = stores.sessions(&world).await.try_into().unwrap();
        let [principal] = world.rows("auth_principals", "id").await.try_into().unwrap();
        assert!(session["epoch"].as_i64() < principal["sessions_from"].as_i64());
    }

    async fn right_proofs_make_no_room_for_guesses(stores) {
        let world = stores.builder().throttle(Throttle::default()).build().await;
        world.sign_up("eve@example.com").await;
        stores.freeze();
        let mut eve = world.browser();
        for n in 0..15 {
            eve.login(&format!("user{n}@example.com"), "whatever it may be").await;
            assert_ne!(eve.login("eve@example.com", PASSWORD).await.status, 200);
        }
        let judged = world.audit().await.into_iter().filter(|record| record["kind"] == "login_failure").count();
        assert_eq!(judged, 10, "guesses of one address in a minute");
    }

    async fn a_late_end_of_sessions_spares_those_issued_after_it(stores) {
        let world = stores.world().await;
        let mut here = world.signed_in("ada@example.com").await;
        stores.freeze();
        assert_unavailable(&here.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await);
        stores.second.heal();
        let mut again = world.browser();
        assert_eq!(again.login("ada@example.com", OTHER_PASSWORD).await.status, 200);
        go_on(&world).await;
        assert!(again.is_signed_in().await);
    }
}
