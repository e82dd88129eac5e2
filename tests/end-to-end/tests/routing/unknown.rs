//! Answers that are lost, from either store: what landed is found out, what did not is made.

use authkit_testkit::{Answer, Counted, Fault};
use end_to_end::{Browser, OTHER_PASSWORD, PASSWORD, World, change};
use serde_json::json;

use crate::stores::{Stores, go_on, on_each_pair, opens, settlements};

const FAULTS: [Fault; 6] = [
    Fault::Fails,
    Fault::Delayed(3),
    Fault::Duplicated(Answer::First),
    Fault::Duplicated(Answer::Second),
    Fault::UnknownAfter,
    Fault::UnknownBefore,
];

/// No act makes more calls in one store than this.
const MOST_CALLS: usize = 20;

/// What an act was done to, and with what answer.
struct Struck<'a> {
    stores: &'a Stores,
    world: &'a World,
    /// Tokens of two sessions from before; the first one acts.
    here: &'a str,
    there: &'a str,
    status: u16,
    /// What went wrong, for messages.
    context: String,
}

/// Does an act with every fault at every call of either store, until none strikes any more.
async fn each_fault(
    stores: &Stores,
    mut act: impl AsyncFnMut(&mut Browser<'_>) -> u16,
    mut check: impl AsyncFnMut(Struck<'_>),
) {
    for (fault, second) in FAULTS.into_iter().flat_map(|fault| [(fault, false), (fault, true)]) {
        for n in 1..MOST_CALLS {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            let mut browser = world.signed_in("ada@example.com").await;
            let here = browser.cookies["authkit_session"].clone();
            let there = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
            let calls = || if second { stores.second.calls() } else { world.store.calls() };
            let before = calls();
            if second {
                stores.second.inject(Counted::Calls, n, fault);
            } else {
                world.store.inject(Counted::Calls, n, fault);
            }
            let status = act(&mut browser).await;
            let struck = calls() - before >= n;
            stores.second.heal();
            world.store.heal();
            go_on(&world).await;
            let store = if second { "second" } else { "main" };
            let context = format!("{fault:?} at call {n} of the {store} store: {status}");
            stores.assert_at_rest(&world).await;
            check(Struck { stores: &stores, world: &world, here: &here, there: &there, status, context }).await;
            if !struck {
                break;
            }
        }
    }
}

async fn committed(world: &World, kind: &str) -> usize {
    settlements(world, kind).await.iter().filter(|settlement| *settlement == "committed").count()
}

on_each_pair! {
    async fn an_answer_of_the_second_store_that_was_lost_is_found_out(stores) {
        let world = stores.world().await;
        stores.second.inject(Counted::Commits, 1, Fault::UnknownAfter);
        let mut browser = world.browser();
        assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 200);
        assert!(browser.is_signed_in().await);
        assert_eq!(settlements(&world, "login_success").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_commit_of_the_second_store_that_was_lost_is_made_later(stores) {
        let world = stores.world().await;
        stores.second.inject(Counted::Commits, 1, Fault::UnknownBefore);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 503);
        assert_eq!(settlements(&world, "login_success").await, ["pending"]);
        assert!(stores.sessions(&world).await.is_empty());
        go_on(&world).await;
        assert_eq!(settlements(&world, "login_success").await, ["committed"]);
        assert_eq!(stores.sessions(&world).await.len(), 1);
        stores.assert_at_rest(&world).await;
    }

    async fn a_commit_that_is_found_to_be_unknown_again_by_the_job_is_made_once(stores) {
        for fault in [Fault::UnknownAfter, Fault::UnknownBefore] {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            // Neither the commit nor the look at what became of it is answered.
            stores.second.inject(Counted::Calls, 1, fault);
            stores.second.inject(Counted::Calls, 2, Fault::Fails);
            assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 503);
            stores.second.inject(Counted::Calls, 1, fault);
            stores.second.inject(Counted::Calls, 2, Fault::Fails);
            go_on(&world).await;
            assert_eq!(settlements(&world, "login_success").await, ["pending"]);
            go_on(&world).await;
            assert_eq!(settlements(&world, "login_success").await, ["committed"]);
            assert_eq!(stores.sessions(&world).await.len(), 1);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn an_answer_of_the_main_store_that_was_lost_is_found_out(stores) {
        let world = stores.world().await;
        world.store.inject(Counted::Commits, 1, Fault::UnknownAfter);
        let mut browser = world.browser();
        assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 200);
        assert!(browser.is_signed_in().await);
        assert_eq!(settlements(&world, "login_success").await, ["committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_commit_of_the_main_store_that_was_lost_leaves_nothing_in_either(stores) {
        let world = stores.world().await;
        world.store.inject(Counted::Commits, 1, Fault::UnknownBefore);
        let before = stores.second.calls();
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 503);
        assert_eq!(stores.second.calls(), before);
        assert!(settlements(&world, "login_success").await.is_empty());
        stores.assert_at_rest(&world).await;
    }

    async fn a_settling_that_was_lost_is_made_up_for_by_the_job(stores) {
        for (fault, then) in [(Fault::UnknownAfter, "committed"), (Fault::UnknownBefore, "pending")] {
            let stores = stores.fresh().await;
            let world = stores.world().await;
            world.store.inject(Counted::Commits, 2, fault);
            let mut browser = world.browser();
            assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 200);
            assert!(browser.is_signed_in().await);
            assert_eq!(settlements(&world, "login_success").await, [then]);
            go_on(&world).await;
            assert_eq!(settlements(&world, "login_success").await, ["committed"]);
            assert_eq!(stores.sessions(&world).await.len(), 1);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn no_fault_of_either_store_makes_a_sign_in_half_or_twice(stores) {
        each_fault(
            stores,
            async |browser| browser.tab().login("ada@example.com", PASSWORD).await.status,
            async |Struck { stores, world, status, context, .. }| {
                assert!([200, 409, 503].contains(&status), "{context}");
                // The session that the tab had before is ended by a sign-in; that may fail by itself, and the sign-in stands.
                let issued = committed(world, "login_success").await;
                let ended = committed(world, "logout").await;
                assert_eq!(stores.sessions(world).await.len(), issued - ended, "{context}");
                assert!(status != 200 || (issued == 3 && ended <= 1), "{context}");
                assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 200, "{context}");
            },
        )
        .await;
    }

    async fn no_fault_of_either_store_confirms_a_logout_that_is_none(stores) {
        each_fault(
            stores,
            async |browser| browser.post("/v1/auth/logout", json!({})).await.status,
            async |Struck { world, here, there, status, context, .. }| {
                assert!([204, 409, 503].contains(&status), "{context}");
                let alive = opens(world, here).await;
                assert_eq!(alive, committed(world, "logout").await == 0, "{context}");
                assert!(status != 204 || !alive, "{context}");
                assert!(opens(world, there).await, "{context}");
            },
        )
        .await;
    }

    async fn no_fault_of_either_store_lets_an_old_token_outlive_a_change_of_password(stores) {
        each_fault(
            stores,
            async |browser| browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await.status,
            async |Struck { world, here, there, status, context, .. }| {
                assert!([204, 401, 409, 503].contains(&status), "{context}");
                let changed = committed(world, "password_changed").await;
                assert!(status != 204 || changed == 1, "{context}");
                assert!(changed <= 1, "{context}");
                assert_eq!(opens(world, here).await, changed == 0, "{context}");
                assert_eq!(opens(world, there).await, changed == 0, "{context}");
                let (valid, void) = if changed == 1 { (OTHER_PASSWORD, PASSWORD) } else { (PASSWORD, OTHER_PASSWORD) };
                assert_eq!(world.browser().login("ada@example.com", valid).await.status, 200, "{context}");
                assert_eq!(world.browser().login("ada@example.com", void).await.status, 401, "{context}");
            },
        )
        .await;
    }
}
