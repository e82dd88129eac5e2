//! A fresh proof by a client with a signed token: what it showed before is dead, and nothing old is taken for fresh.

use std::time::Duration;

use authkit_core::{Aal, Progress};
use end_to_end::{PASSWORD, World, on_each_store};
use serde_json::{Value as JsonValue, json};

use crate::{
    client::{Tokens, assert_alive, get, next, opened, parts, post, refresh, sign_in},
    setup::{ADA, recorded, sessions, world},
};

const LATER: Duration = Duration::from_secs(6 * 60);

/// Proves the password afresh.
async fn step_up(world: &World, tokens: &Tokens, body: JsonValue) -> JsonValue {
    let begun = post(world, "/v1/auth/step-up", &tokens.access, body).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let flow = begun.json()["challenge"]["flow"].as_str().expect("a challenge").to_owned();
    let body = json!({ "flow": flow, "method": "password", "password": PASSWORD });
    let answered = post(world, "/v1/auth/challenges/answer", &tokens.access, body).await;
    assert_eq!(answered.status, 200, "{answered:?}");
    answered.json()
}

async fn fresh(world: &World, access: &str) -> (u16, String) {
    let answer = get(world, "/app/fresh", access).await;
    (answer.status, answer.code())
}

on_each_store! {
    async fn a_session_that_is_raised_gets_new_tokens_and_loses_the_old(backend) {
        let world = world(backend).await;
        let before = sign_in(&world, ADA).await;
        world.clock.advance(LATER);
        let answered = step_up(&world, &before, json!({})).await;
        let text = |name: &str| answered[name].as_str().expect("a token").to_owned();
        let after = Tokens { access: text("access_token"), refresh: text("refresh_token") };

        assert_eq!(opened(&world, &before.access).await, [200, 401]);
        let refused = refresh(&world, &before.refresh).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "core.unauthenticated"));
        assert_eq!(recorded(&world, "refresh_token_reused").await, 0, "a copy of before ends nothing");
        assert_eq!(sessions(&world).await.len(), 1);
        assert_alive(opened(&world, &after.access).await);
        let [_, old] = parts(&before.access);
        let [_, new] = parts(&after.access);
        assert_eq!((&old["sid"], &old["gen"], &new["gen"]), (&new["sid"], &json!(0), &json!(1)));
        assert_eq!(new["auth_time"].as_i64().unwrap() - old["auth_time"].as_i64().unwrap(), 6 * 60);
        assert_alive(opened(&world, &next(&world, &after).await.access).await);
    }

    async fn what_asks_for_a_fresh_proof_takes_no_refresh_for_one(backend) {
        let world = world(backend).await;
        let tokens = sign_in(&world, ADA).await;
        assert_eq!(fresh(&world, &tokens.access).await.0, 200);
        world.clock.advance(LATER);
        let stale = (403, "core.step_up_required".to_owned());
        assert_eq!(fresh(&world, &tokens.access).await, stale);
        let tokens = next(&world, &tokens).await;
        assert_eq!(fresh(&world, &tokens.access).await, stale);
        let answered = step_up(&world, &tokens, json!({})).await;
        assert_eq!(fresh(&world, answered["access_token"].as_str().unwrap()).await.0, 200);
        assert_eq!(fresh(&world, &tokens.access).await.0, 401, "the token of before shows nothing");
    }

    async fn a_grant_is_redeemed_by_a_session_that_a_signed_token_claims(backend) {
        let world = world(backend).await;
        let tokens = sign_in(&world, ADA).await;
        world.clock.advance(LATER);
        let answered = step_up(&world, &tokens, json!({ "action": "shop.close" })).await;
        let grant = answered["grant"].as_str().expect("a grant").to_owned();
        let cx = world.cx();
        let claimed = cx.authenticate(&tokens.access).await.unwrap().unwrap();
        assert!(claimed.is_claimed());
        cx.redeem(&claimed, "shop.close", &grant).await.unwrap();
        cx.redeem(&claimed, "shop.close", &grant).await.unwrap_err();
    }

    async fn an_access_token_alone_brings_no_other_token(backend) {
        let world = world(backend).await;
        let tokens = sign_in(&world, ADA).await;
        let answered = post(&world, "/v1/auth/step-up", &tokens.access, json!({})).await;
        assert_eq!(answered.status, 200, "{answered:?}");
        for token in ["access_token", "refresh_token"] {
            assert!(answered.json().get(token).is_none(), "{answered:?}");
        }
        assert!(answered.headers.get("set-cookie").is_none(), "{answered:?}");
        assert_eq!(recorded(&world, "session_raised").await, 0);
        assert_alive(opened(&world, &next(&world, &tokens).await.access).await);
    }

    async fn a_claimed_session_that_ended_is_neither_raised_nor_granted_anything(backend) {
        let world = world(backend).await;
        let tokens = sign_in(&world, ADA).await;
        let cx = world.cx();
        let claimed = cx.authenticate(&tokens.access).await.unwrap().unwrap();
        assert!(cx.confirm(&claimed).await.unwrap().is_some_and(|session| !session.is_claimed()));
        let Progress::Granted(grant) = cx.step_up(&claimed, "shop.close").await.unwrap() else { panic!("a fresh session") };
        post(&world, "/v1/auth/logout", &tokens.access, json!({})).await;
        assert!(cx.confirm(&claimed).await.unwrap().is_none());
        for refused in [
            cx.step_up(&claimed, "shop.close").await.unwrap_err(),
            cx.raise(&claimed, Aal::Aal1).await.unwrap_err(),
            cx.redeem(&claimed, "shop.close", grant.expose()).await.unwrap_err(),
        ] {
            assert_eq!(refused.code().code, "core.unauthenticated", "{refused:?}");
        }
    }
}
