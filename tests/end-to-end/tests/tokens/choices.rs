//! What an application may choose about refresh tokens: what an old one ends, and whether one follows another.

use std::{sync::Arc, time::Duration};

use authkit_core::ReuseEnds;
use authkit_session::Sessions;
use end_to_end::on_each_store;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    client::{Tokens, after_steps, assert_alive, get, opened, refresh, sign_in},
    setup::{ADA, BOB, recorded, sessions, with, with_ada},
};

on_each_store! {
    async fn an_old_token_ends_every_session_of_its_owner(backend) {
        let world = Arc::new(with_ada(with(backend, Sessions::jwt().reuse_ends(ReuseEnds::Account))).await);
        world.sign_up(BOB).await;
        let (first, other, bob) = (sign_in(&world, ADA).await, sign_in(&world, ADA).await, sign_in(&world, BOB).await);
        let last = after_steps(&world, &first, 3).await;
        let mut all = JoinSet::new();
        for _ in 0..20 {
            let (world, stolen) = (world.clone(), first.refresh.clone());
            all.spawn(async move { refresh(&world, &stolen).await.status });
        }
        assert_eq!(all.join_all().await, [401; 20]);
        for tokens in [&last, &other] {
            assert_eq!(refresh(&world, &tokens.refresh).await.status, 401);
            assert_eq!(get(&world, "/app/confirmed", &tokens.access).await.status, 401);
        }
        assert_eq!(sessions(&world).await.len(), 1, "bob's");
        assert_alive(opened(&world, &bob.access).await);
        let records: Vec<_> =
            world.audit().await.into_iter().filter(|event| event["kind"] == "refresh_token_reused").collect();
        assert_eq!((records.len(), &records[0]["data"]), (1, &json!({ "ends": "account" })));
        assert_alive(opened(&world, &sign_in(&world, ADA).await.access).await);
    }

    async fn a_token_that_none_follows_is_good_for_many_at_once_and_until_it_is_not_used(backend) {
        let world = Arc::new(with_ada(with(backend, Sessions::jwt().dangerously_without_rotation())).await);
        let first = sign_in(&world, ADA).await;
        for _ in 0..2 {
            world.clock.advance(Duration::from_secs(6 * 24 * 60 * 60));
            let mut all = JoinSet::new();
            for _ in 0..20 {
                let (world, token) = (world.clone(), first.refresh.clone());
                all.spawn(async move { Tokens::of(&refresh(&world, &token).await) });
            }
            for tokens in all.join_all().await {
                assert_eq!(tokens.refresh, first.refresh);
                assert_eq!(get(&world, "/app/confirmed", &tokens.access).await.status, 200);
            }
        }
        let rows = sessions(&world).await;
        assert_eq!((rows.len(), &rows[0]["refreshes"]), (1, &json!(0)));
        assert_eq!(recorded(&world, "token_refreshed").await, 40);
        world.clock.advance(Duration::from_secs(7 * 24 * 60 * 60));
        assert_eq!(refresh(&world, &first.refresh).await.status, 401);
    }
}
