//! Several nodes on one database: what one signs the others verify, and what one ends is ended everywhere.

use std::{sync::Arc, time::Duration};

use authkit_session::SigningKeys;
use end_to_end::{Backend, World, on_each_store};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    client::{Tokens, assert_alive, get, next, opened, post, refresh, sign_in},
    keys::{kid, published, verified},
    setup::{ADA, BOB, builder, recorded, sessions, world},
};

/// A node with ada in it, and others beside it that have connections of their own.
async fn nodes(backend: Backend, count: usize) -> Vec<Arc<World>> {
    let mut nodes = vec![Arc::new(world(backend).await)];
    while nodes.len() < count {
        nodes.push(Arc::new(builder(backend).beside(&nodes[0]).build().await));
    }
    nodes
}

on_each_store! {
    async fn what_one_node_signs_the_other_verifies(backend) {
        let [one, other] = <[_; 2]>::try_from(nodes(backend, 2).await).unwrap();
        let first = sign_in(&one, ADA).await;
        assert_alive(opened(&other, &first.access).await);
        let second = next(&other, &first).await;
        assert_alive(opened(&one, &second.access).await);
        assert_eq!(kid(&first.access), kid(&second.access));
        assert!(verified(&published(&other).await, &first.access).is_some());
        one.sign_up(BOB).await;
        assert_alive(opened(&one, &sign_in(&other, BOB).await.access).await);
    }

    async fn nodes_that_start_together_agree_on_one_key(backend) {
        let nodes = nodes(backend, 4).await;
        let mut all = JoinSet::new();
        for node in nodes.clone() {
            all.spawn(async move { sign_in(&node, ADA).await });
        }
        let all = all.join_all().await;
        for (node, tokens) in nodes.iter().flat_map(|node| all.iter().map(move |tokens| (node, tokens))) {
            assert_alive(opened(node, &tokens.access).await);
        }
        assert_eq!(nodes[0].rows("auth_signing_keys", "by_serial").await.len(), 1);
        assert_eq!(recorded(&nodes[0], "signing_key_created").await, 1);
    }

    async fn refreshes_of_one_token_on_many_nodes_are_one_step(backend) {
        let nodes = nodes(backend, 3).await;
        let first = sign_in(&nodes[0], ADA).await;
        let mut all = JoinSet::new();
        for n in 0..50 {
            let (node, token) = (nodes[n % nodes.len()].clone(), first.refresh.clone());
            all.spawn(async move { Tokens::of(&refresh(&node, &token).await) });
        }
        let all = all.join_all().await;
        assert!(all.iter().all(|tokens| tokens.refresh == all[0].refresh));
        for (node, tokens) in nodes.iter().cycle().zip(&all) {
            assert_eq!(get(node, "/app/confirmed", &tokens.access).await.status, 200);
        }
        assert_eq!(sessions(&nodes[0]).await[0]["refreshes"], 1);
    }

    async fn a_session_that_one_node_ends_is_ended_on_the_other(backend) {
        let [one, other] = <[_; 2]>::try_from(nodes(backend, 2).await).unwrap();
        let tokens = sign_in(&one, ADA).await;
        assert_alive(opened(&other, &tokens.access).await);
        assert_eq!(post(&one, "/v1/auth/logout", &tokens.access, json!({})).await.status, 204);
        assert_eq!(opened(&other, &tokens.access).await, [200, 401]);
        assert_eq!(refresh(&other, &tokens.refresh).await.status, 401);
    }

    async fn a_key_that_one_node_makes_the_other_knows_before_it_signs(backend) {
        let [one, other] = <[_; 2]>::try_from(nodes(backend, 2).await).unwrap();
        let mut tokens = sign_in(&one, ADA).await;
        assert_alive(opened(&other, &tokens.access).await);
        one.auth.capability::<SigningKeys>().unwrap().rotate(&one.cx()).await.unwrap();
        one.clock.advance(Duration::from_secs(60));
        assert_eq!(published(&other).await.keys.len(), 2);
        let before = kid(&tokens.access);
        one.clock.advance(Duration::from_secs(59 * 60));
        tokens = next(&one, &tokens).await;
        assert_ne!(kid(&tokens.access), before);
        assert_alive(opened(&other, &tokens.access).await);
    }
}
