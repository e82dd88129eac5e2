//! One token after the other: no client is ever signed out by what networks and tabs do, and a copy is found out.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use authkit_session::Sessions;
use end_to_end::{World, on_each_store};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    client::{Tokens, after_steps, assert_alive, get, next, opened, refresh, sign_in},
    setup::{ADA, recorded, sessions, world},
};

/// Refreshes the same token so often at once, and returns every response.
async fn at_once(world: &Arc<World>, token: &str, times: usize) -> Vec<Tokens> {
    let mut all = JoinSet::new();
    for _ in 0..times {
        let (world, token) = (world.clone(), token.to_owned());
        all.spawn(async move { Tokens::of(&refresh(&world, &token).await) });
    }
    all.join_all().await
}

/// The tokens of a sign-in, and those of so many steps later.
async fn chain(world: &World, steps: usize) -> (Tokens, Tokens) {
    let first = sign_in(world, ADA).await;
    let last = after_steps(world, &first, steps).await;
    (first, last)
}

on_each_store! {
    async fn a_refresh_gives_the_next_tokens_of_the_same_session(backend) {
        let world = world(backend).await;
        let first = sign_in(&world, ADA).await;
        let before = sessions(&world).await;
        world.clock.advance(Duration::from_secs(14 * 60));
        let answer = refresh(&world, &first.refresh).await;
        let second = Tokens::of(&answer);
        assert_ne!(first.refresh, second.refresh);
        assert_ne!(first.access, second.access);
        assert_eq!(answer.headers["cache-control"], "no-store");
        let body = answer.json();
        assert_eq!((&body["expires_in"], &body["session"]["id"]), (&json!(900), &before[0]["id"]));
        let after = sessions(&world).await;
        assert_eq!((after.len(), &after[0]["refreshes"]), (1, &json!(1)));
        assert_ne!(before[0]["expires_at"], after[0]["expires_at"]);
        assert_alive(opened(&world, &second.access).await);
        assert_alive(opened(&world, &first.access).await);
        let record = world.audit().await.into_iter().find(|event| event["kind"] == "token_refreshed").unwrap();
        assert_eq!((&record["data"]["again"], &record["session_id"]), (&json!(false), &before[0]["id"]));
    }

    async fn fifty_refreshes_of_one_token_at_once_are_one_step_of_one_session(backend) {
        let world = Arc::new(world(backend).await);
        let first = sign_in(&world, ADA).await;
        let all = at_once(&world, &first.refresh, 50).await;
        let next_ones: BTreeSet<&str> = all.iter().map(|tokens| tokens.refresh.as_str()).collect();
        assert_eq!(next_ones.len(), 1, "each got the same token");
        for tokens in &all {
            assert_eq!(get(&world, "/app/confirmed", &tokens.access).await.status, 200);
        }
        let rows = sessions(&world).await;
        assert_eq!((rows.len(), &rows[0]["refreshes"]), (1, &json!(1)));
        assert_eq!(recorded(&world, "token_refreshed").await, 50);
        assert_eq!(recorded(&world, "refresh_token_reused").await, 0);
        assert_alive(opened(&world, &next(&world, &all[49]).await.access).await);
    }

    async fn two_tabs_that_are_a_step_apart_both_go_on(backend) {
        let world = Arc::new(world(backend).await);
        let (first, second) = chain(&world, 1).await;
        let (behind, ahead) = (first.refresh.clone(), second.refresh.clone());
        world.clock.advance(Duration::from_secs(10));
        let mut all = JoinSet::new();
        for n in 0..20 {
            let world = world.clone();
            let token = if n % 2 == 0 { behind.clone() } else { ahead.clone() };
            all.spawn(async move { Tokens::of(&refresh(&world, &token).await) });
        }
        for tokens in all.join_all().await {
            assert_eq!(get(&world, "/app/confirmed", &tokens.access).await.status, 200);
        }
        let rows = sessions(&world).await;
        assert_eq!((rows.len(), &rows[0]["refreshes"]), (1, &json!(2)));
        assert_eq!(recorded(&world, "refresh_token_reused").await, 0);
    }

    async fn a_client_in_a_hurry_gets_the_same_token_again_and_takes_no_step(backend) {
        let world = Arc::new(world(backend).await);
        let (_, second) = chain(&world, 1).await;
        let all = at_once(&world, &second.refresh, 20).await;
        world.clock.advance(Duration::from_millis(9_999));
        let late = next(&world, &all[0]).await;
        assert!(all.iter().chain([&late]).all(|tokens| tokens.refresh == second.refresh));
        assert_alive(opened(&world, &late.access).await);
        assert_eq!(sessions(&world).await[0]["refreshes"], 1);
        world.clock.advance(Duration::from_millis(1));
        assert_ne!(next(&world, &late).await.refresh, second.refresh);
    }

    async fn a_response_that_was_lost_can_be_asked_for_again_however_late(backend) {
        let world = world(backend).await;
        let first = sign_in(&world, ADA).await;
        let lost = next(&world, &first).await;
        world.clock.advance(Duration::from_secs(6 * 24 * 60 * 60));
        let again = next(&world, &first).await;
        assert_eq!(lost.refresh, again.refresh);
        assert_alive(opened(&world, &again.access).await);
        let again: Vec<_> = world
            .audit()
            .await
            .iter()
            .filter(|event| event["kind"] == "token_refreshed")
            .map(|event| event["data"]["again"].clone())
            .collect();
        assert_eq!(again, [json!(false), json!(true)]);
    }

    async fn for_ten_seconds_after_a_refresh_the_token_before_works_as_well(backend) {
        let world = world(backend).await;
        let (first, last) = chain(&world, 2).await;
        world.clock.advance(Duration::from_millis(9_999));
        assert_eq!(next(&world, &first).await.refresh, last.refresh);
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(refresh(&world, &first.refresh).await.status, 401);
        assert!(sessions(&world).await.is_empty());
    }

    async fn an_old_token_ends_the_session_and_says_so_to_the_record_only(backend) {
        let world = world(backend).await;
        let other = sign_in(&world, ADA).await;
        let (first, last) = chain(&world, 3).await;
        let session = sessions(&world).await.into_iter().find(|row| row["refreshes"] == 3).unwrap();
        let reused = refresh(&world, &first.refresh).await;
        assert_eq!((reused.status, reused.code().as_str()), (401, "core.unauthenticated"));
        let record = world.audit().await.into_iter().find(|event| event["kind"] == "refresh_token_reused").unwrap();
        assert_eq!(record["session_id"], session["id"]);
        assert_eq!(record["principal_id"], session["principal_id"]);
        assert_eq!(record["outcome"], "failure");
        assert_eq!(refresh(&world, &last.refresh).await.status, 401);
        assert_eq!(opened(&world, &last.access).await, [200, 401], "its access token ends by itself");
        assert_eq!(recorded(&world, "refresh_token_reused").await, 1);
        assert_alive(opened(&world, &next(&world, &other).await.access).await);
    }

    async fn of_fifty_who_use_an_old_token_again_one_is_recorded(backend) {
        let world = Arc::new(world(backend).await);
        let (first, _) = chain(&world, 3).await;
        let mut all = JoinSet::new();
        for _ in 0..50 {
            let (world, token) = (world.clone(), first.refresh.clone());
            all.spawn(async move { refresh(&world, &token).await.status });
        }
        assert!(all.join_all().await.iter().all(|status| *status == 401));
        assert!(sessions(&world).await.is_empty());
        assert_eq!(recorded(&world, "refresh_token_reused").await, 1);
    }

    async fn a_client_that_asks_in_a_loop_is_told_when_to_ask_again_and_is_recorded(backend) {
        let world = world(backend).await;
        let second = next(&world, &sign_in(&world, ADA).await).await;
        for _ in 0..300 {
            assert_eq!(next(&world, &second).await.refresh, second.refresh);
        }
        let refused = refresh(&world, &second.refresh).await;
        assert_eq!((refused.status, refused.code().as_str()), (429, "core.limited"));
        world.auth.run_due_jobs().await;
        let audit = world.audit().await;
        let sum = audit.iter().find(|event| event["kind"] == "rate_limited").unwrap();
        assert_eq!((&sum["data"]["reason"], &sum["data"]["count"]), (&json!("core.refresh_again"), &json!(1)));

        let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        world.clock.advance(Duration::from_secs(wait));
        assert_alive(opened(&world, &next(&world, &second).await.access).await);
    }

    async fn sessions_without_refresh_tokens_have_no_route_for_them(backend) {
        let world = World::builder(backend).sessions(Sessions::opaque()).build().await;
        assert_eq!(refresh(&world, "akr_anything").await.status, 404);
    }
}
