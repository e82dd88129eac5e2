//! How long what works: access tokens, idle sessions, sessions at all, and those of clients that are remembered.

use std::time::Duration;

use authkit_session::Sessions;
use end_to_end::{Answer, Backend, PASSWORD, World, on_each_store};
use serde_json::{Value as JsonValue, json};

use crate::{
    client::{Tokens, get, next, opened, parts, refresh, sign_in, sign_in_with},
    setup::{ADA, sessions, with, with_ada, world},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MILLISECOND: Duration = Duration::from_millis(1);

async fn remembering(backend: Backend) -> World {
    with_ada(with(backend, Sessions::jwt().remember(30 * DAY).absolute(90 * DAY))).await
}

fn login(remember: impl Into<JsonValue>) -> JsonValue {
    json!({ "identifier": ADA, "password": PASSWORD, "remember": remember.into() })
}

fn times(answer: &Answer) -> [JsonValue; 2] {
    ["expires_at", "refresh_expires_at"].map(|name| answer.json()[name].clone())
}

on_each_store! {
    async fn an_access_token_works_for_a_quarter_of_an_hour_and_the_skew_of_clocks(backend) {
        let world = world(backend).await;
        let tokens = sign_in(&world, ADA).await;
        let [header, claims] = parts(&tokens.access);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 15 * 60);
        world.clock.advance(Duration::from_secs(16 * 60) - MILLISECOND);
        assert_eq!(opened(&world, &tokens.access).await, [200, 200]);
        world.clock.advance(MILLISECOND);
        assert_eq!(opened(&world, &tokens.access).await, [401, 401]);
        let tokens = next(&world, &tokens).await;
        assert_eq!(opened(&world, &tokens.access).await, [200, 200]);
    }

    async fn a_session_that_is_not_refreshed_for_a_week_ends(backend) {
        let world = world(backend).await;
        let tokens = sign_in(&world, ADA).await;
        world.clock.advance(7 * DAY - MILLISECOND);
        let tokens = next(&world, &tokens).await;
        world.clock.advance(7 * DAY);
        assert_eq!(refresh(&world, &tokens.refresh).await.status, 401);
    }

    async fn no_refresh_takes_a_session_beyond_thirty_days(backend) {
        let world = world(backend).await;
        let mut tokens = sign_in(&world, ADA).await;
        for _ in 0..4 {
            world.clock.advance(6 * DAY);
            tokens = next(&world, &tokens).await;
        }
        world.clock.advance(6 * DAY - 60_000 * MILLISECOND);
        let answer = refresh(&world, &tokens.refresh).await;
        let last = Tokens::of(&answer);
        let [access, whole] = times(&answer);
        assert_eq!((&access, &answer.json()["expires_in"]), (&whole, &json!(60)), "no token outlives its session");
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(refresh(&world, &last.refresh).await.status, 401);
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(get(&world, "/app", &last.access).await.status, 401);
    }

    async fn whoever_is_remembered_may_stay_away_for_longer(backend) {
        let world = remembering(backend).await;
        let [kept, usual] = [login(true), login(false)].map(|body| sign_in_with(&world, body));
        let (kept, usual) = (Tokens::of(&kept.await), Tokens::of(&usual.await));
        world.clock.advance(29 * DAY);
        assert_eq!(refresh(&world, &usual.refresh).await.status, 401);
        let kept = next(&world, &kept).await;
        world.clock.advance(29 * DAY);
        let kept = next(&world, &kept).await;
        world.clock.advance(30 * DAY);
        assert_eq!(refresh(&world, &kept.refresh).await.status, 401);
    }

    async fn a_browser_that_is_remembered_may_stay_away_for_longer(backend) {
        let world = remembering(backend).await;
        let (mut kept, mut usual) = (world.browser(), world.browser());
        assert_eq!(kept.post("/v1/auth/login", login(true)).await.status, 200);
        assert_eq!(usual.post("/v1/auth/login", login(false)).await.status, 200);
        world.clock.advance(29 * DAY);
        assert!(kept.is_signed_in().await);
        assert!(!usual.is_signed_in().await);
        world.clock.advance(29 * DAY);
        assert!(kept.is_signed_in().await, "its use was noted");
    }

    async fn nobody_is_remembered_where_that_is_not_permitted(backend) {
        let world = world(backend).await;
        let asked = Tokens::of(&sign_in_with(&world, login(true)).await);
        let plain = Tokens::of(&sign_in_with(&world, login(false)).await);
        let rows = sessions(&world).await;
        assert_eq!(rows[0]["expires_at"], rows[1]["expires_at"]);
        world.clock.advance(7 * DAY);
        for tokens in [asked, plain] {
            assert_eq!(refresh(&world, &tokens.refresh).await.status, 401);
        }
    }
}
