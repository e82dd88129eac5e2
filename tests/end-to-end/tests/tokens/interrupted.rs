//! Refreshes whose client hangs up at any await, and whose store fails at any call: whoever repeats goes on.

use authkit_testkit::{Answer, Counted, Fault, drop_at_every_await};
use end_to_end::{Backend, World, on_each_store};

use crate::{
    client::{Tokens, after_steps, assert_alive, log_out, next, opened, refresh, sign_in},
    setup::{ADA, recorded, sessions, world},
};

const FAULTS: [Fault; 6] = [
    Fault::Fails,
    Fault::Delayed(3),
    Fault::Duplicated(Answer::First),
    Fault::Duplicated(Answer::Second),
    Fault::UnknownAfter,
    Fault::UnknownBefore,
];

/// No refresh makes more store calls than this; the loop ends when a fault no longer strikes.
const MOST_CALLS: usize = 20;

async fn signed_in(backend: Backend) -> (World, Tokens) {
    let world = world(backend).await;
    let tokens = sign_in(&world, ADA).await;
    (world, tokens)
}

/// The session as it stands agrees with what was recorded.
async fn assert_whole(world: &World, context: &str) {
    // A commit that was on its way when its handler was dropped lands before a later one.
    world.browser().login("nobody@example.com", "settles what is under way").await;
    let rows = sessions(world).await;
    let fresh = world.audit().await;
    let steps = fresh.iter().filter(|event| event["kind"] == "token_refreshed" && event["data"]["again"] == false);
    assert_eq!(rows.len(), 1, "{context}");
    assert_eq!(rows[0]["refreshes"], steps.count(), "a step if and only if its record: {context}");
    assert_eq!(recorded(world, "refresh_token_reused").await, 0, "{context}");
}

/// The client repeats with the token that it has, and goes on from there.
async fn goes_on(world: &World, tokens: &Tokens) {
    let repeated = next(world, tokens).await;
    assert_alive(opened(world, &repeated.access).await);
    let further = after_steps(world, &repeated, 2).await;
    assert_alive(opened(world, &further.access).await);
}

on_each_store! {
    async fn a_refresh_may_be_dropped_anywhere(backend) {
        let polls = drop_at_every_await(
            async || signed_in(backend).await,
            async |(world, tokens): &(World, Tokens)| refresh(world, &tokens.refresh).await,
            async |(world, tokens): &(World, Tokens), output| {
                assert_whole(world, "dropped").await;
                if let Some(answer) = output {
                    Tokens::of(&answer);
                }
                goes_on(world, tokens).await;
            },
        )
        .await;
        assert!(polls >= 1, "{polls}");
    }

    async fn a_logout_by_refresh_token_may_be_dropped_anywhere(backend) {
        drop_at_every_await(
            async || signed_in(backend).await,
            async |(world, tokens): &(World, Tokens)| log_out(world, &tokens.refresh).await.status,
            async |(world, tokens): &(World, Tokens), output| {
                world.browser().login("nobody@example.com", "settles what is under way").await;
                let ended = recorded(world, "logout").await;
                assert_eq!(sessions(world).await.len(), 1 - ended, "ended if and only if recorded");
                if let Some(status) = output {
                    assert_eq!((status, ended), (204, 1));
                }
                assert_eq!(log_out(world, &tokens.refresh).await.status, 204);
                assert!(sessions(world).await.is_empty());
            },
        )
        .await;
    }

    async fn a_refresh_whose_store_fails_at_any_call_can_be_repeated(backend) {
        for fault in FAULTS {
            for n in 1..MOST_CALLS {
                let (world, tokens) = signed_in(backend).await;
                let before = world.store.calls();
                world.store.inject(Counted::Calls, n, fault);
                let answer = refresh(&world, &tokens.refresh).await;
                let struck = world.store.calls() - before >= n;
                world.store.heal();
                let context = format!("{fault:?} at call {n}: {answer:?}");
                assert!([200, 503].contains(&answer.status), "{context}");
                assert_whole(&world, &context).await;
                goes_on(&world, &tokens).await;
                if !struck {
                    break;
                }
            }
        }
    }

    async fn the_end_of_a_session_whose_token_was_used_again_can_fail_and_is_made_at_the_next_use(backend) {
        for fault in [Fault::Fails, Fault::UnknownAfter, Fault::UnknownBefore] {
            for n in 1..MOST_CALLS {
                let (world, first) = signed_in(backend).await;
                let last = after_steps(&world, &first, 3).await;
                let before = world.store.calls();
                world.store.inject(Counted::Calls, n, fault);
                let answer = refresh(&world, &first.refresh).await;
                let struck = world.store.calls() - before >= n;
                world.store.heal();
                let context = format!("{fault:?} at call {n}: {answer:?}");
                assert!([401, 503].contains(&answer.status), "{context}");
                let ended = recorded(&world, "refresh_token_reused").await;
                assert_eq!(sessions(&world).await.len(), 1 - ended, "{context}");
                assert_eq!(refresh(&world, &first.refresh).await.status, 401, "{context}");
                assert_eq!(refresh(&world, &last.refresh).await.status, 401, "{context}");
                assert_eq!(recorded(&world, "refresh_token_reused").await, 1, "{context}");
                if !struck {
                    break;
                }
            }
        }
    }
}
