//! The second store hangs: the client leaves or waits, and whoever is first makes the act, once.

use std::{future::pending, time::Duration};

use authkit_core::Batch;
use end_to_end::{OTHER_PASSWORD, PASSWORD, change};
use serde_json::json;
use tokio::sync::Notify;

use crate::{
    shelf::{Shelved, Shelves},
    stores::{LEASE, Moment, die_at, errands, go_on, meanwhile, on_each_pair, opens, settlements},
};

on_each_pair! {
    async fn a_sign_in_that_was_left_is_made_once_by_the_job(stores) {
        for (moment, sessions) in [(Moment::Asked, 0), (Moment::Made, 1)] {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            die_at(stores.gate(), 1, moment, world.browser().login("ada@example.com", PASSWORD)).await;
            assert_eq!(stores.sessions(&world).await.len(), sessions);
            assert_eq!(settlements(&world, "login_success").await, ["pending"]);
            assert_eq!(errands(&world).await.len(), 1);
            go_on(&world).await;
            assert_eq!(stores.sessions(&world).await.len(), 1);
            assert_eq!(stores.marks(&world).await, 1);
            assert_eq!(settlements(&world, "login_success").await, ["committed"]);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn a_logout_that_was_left_is_made_by_the_job(stores) {
        for moment in [Moment::Asked, Moment::Made] {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            let mut browser = world.signed_in("ada@example.com").await;
            let token = browser.cookies["authkit_session"].clone();
            die_at(stores.gate(), 1, moment, browser.post("/v1/auth/logout", json!({}))).await;
            assert_eq!(opens(&world, &token).await, moment == Moment::Asked);
            go_on(&world).await;
            assert!(!opens(&world, &token).await);
            assert_eq!(settlements(&world, "logout").await, ["committed"]);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn a_job_and_a_slow_sign_in_make_one_session(stores) {
        for moment in [Moment::Asked, Moment::Made] {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            let mut browser = world.browser();
            let slow = browser.login("ada@example.com", PASSWORD);
            let answer = meanwhile(stores.gate(), 1, moment, slow, async || go_on(&world).await).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(browser.is_signed_in().await);
            assert_eq!(stores.sessions(&world).await.len(), 1);
            assert_eq!(settlements(&world, "login_success").await, ["committed"]);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn a_job_and_a_slow_change_of_password_make_one(stores) {
        for moment in [Moment::Asked, Moment::Made] {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            let mut here = world.signed_in("ada@example.com").await;
            let mut there = world.signed_in("ada@example.com").await;
            let slow = here.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD));
            let answer = meanwhile(stores.gate(), 1, moment, slow, async || go_on(&world).await).await;
            assert_eq!(answer.status, 204, "{answer:?}");
            assert!(here.is_signed_in().await);
            assert!(!there.is_signed_in().await);
            assert_eq!(settlements(&world, "password_changed").await, ["committed"]);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn a_job_and_a_slow_logout_both_end_well(stores) {
        for moment in [Moment::Asked, Moment::Made] {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            let mut browser = world.signed_in("ada@example.com").await;
            let slow = browser.post("/v1/auth/logout", json!({}));
            let answer = meanwhile(stores.gate(), 1, moment, slow, async || go_on(&world).await).await;
            assert_eq!(answer.status, 204, "{answer:?}");
            assert!(stores.sessions(&world).await.is_empty());
            assert_eq!(settlements(&world, "logout").await, ["committed"]);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn a_slow_job_and_another_one_make_one_session(stores) {
        for moment in [Moment::Asked, Moment::Made] {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            die_at(stores.gate(), 1, Moment::Asked, world.browser().login("ada@example.com", PASSWORD)).await;
            meanwhile(stores.gate(), 1, moment, go_on(&world), async || go_on(&world).await).await;
            assert_eq!(stores.sessions(&world).await.len(), 1);
            assert_eq!(settlements(&world, "login_success").await, ["committed"]);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn a_job_that_dies_with_the_errand_in_hand_leaves_it_to_the_next(stores) {
        for moment in [Moment::Asked, Moment::Made] {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            die_at(stores.gate(), 1, Moment::Asked, world.browser().login("ada@example.com", PASSWORD)).await;
            die_at(stores.gate(), 1, moment, go_on(&world)).await;
            go_on(&world).await;
            assert_eq!(stores.sessions(&world).await.len(), 1);
            assert_eq!(settlements(&world, "login_success").await, ["committed"]);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn a_slow_sign_in_ends_well_though_the_job_that_took_it_over_died(stores) {
        let world = stores.world().await;
        let mut browser = world.browser();
        let slow = browser.login("ada@example.com", PASSWORD);
        let other = async || die_at(stores.gate(), 1, Moment::Asked, go_on(&world)).await;
        let answer = meanwhile(stores.gate(), 1, Moment::Asked, slow, other).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(browser.is_signed_in().await);
        go_on(&world).await;
        assert_eq!(stores.sessions(&world).await.len(), 1);
        assert_eq!(settlements(&world, "login_success").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_store_that_hangs_holds_up_what_is_for_it_and_nothing_else(stores) {
        let shelves = Shelves::default();
        let world = stores.builder().plugin(shelves.clone()).build().await;
        world.sign_up("ada@example.com").await;
        for _ in 0..2 {
            die_at(stores.gate(), 1, Moment::Asked, world.browser().login("ada@example.com", PASSWORD)).await;
        }
        world.clock.advance(LEASE);
        let cx = world.cx();
        let mut batch = Batch::new(&cx);
        batch.send("shelf.news", json!("something else"));
        cx.commit(Shelved, batch).await.unwrap();

        let mut held = stores.gate().hold(1, Moment::Asked);
        let (late, rest) = (&Notify::new(), &Notify::new());
        let jobs = world.auth.clone().run_jobs(|span| async move {
            if span < Duration::from_secs(60) {
                rest.notify_one();
                pending::<()>().await;
            }
            late.notified().await;
        });
        let minute = async {
            held.arrived().await;
            late.notify_one();
            rest.notified().await;
        };
        tokio::select! {
            () = jobs => panic!("the jobs ended"),
            () = minute => {}
        }
        assert_eq!(shelves.heard(), [json!("something else")]);
        assert_eq!(errands(&world).await.len(), 2);
        go_on(&world).await;
        assert_eq!(stores.sessions(&world).await.len(), 2);
        stores.assert_at_rest(&world).await;
    }
}
