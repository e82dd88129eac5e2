//! Two things at once: one wins, and nothing that was proved before a change counts after it.

use std::sync::Arc;

use authkit_account::AccountAdmin;
use authkit_core::{MethodId, PrincipalId, Progress};
use end_to_end::{OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde_json::json;
use tokio::task::JoinSet;

use crate::second_factor::{CODE, DemandSecondFactor, SecondFactor, code_of};

const ROUNDS: usize = 15;

/// Starts some sign-ins and one act at the same time; returns the sessions that were issued.
async fn against<F: Future<Output = ()> + Send + 'static>(world: &Arc<World>, act: F) -> Vec<String> {
    let mut sign_ins = JoinSet::new();
    for _ in 0..4 {
        let world = world.clone();
        sign_ins.spawn(async move {
            let mut browser = world.browser();
            let answer = browser.login("ada@example.com", PASSWORD).await;
            assert!([200, 401].contains(&answer.status), "{answer:?}");
            browser.cookies.get("authkit_session").cloned()
        });
    }
    let act = tokio::spawn(act);
    let issued = sign_ins.join_all().await.into_iter().flatten().collect();
    act.await.unwrap();
    issued
}

async fn living(world: &World, tokens: &[String]) -> usize {
    let mut living = 0;
    for token in tokens {
        living += usize::from(world.cx().authenticate(token).await.unwrap().is_some());
    }
    living
}

on_each_store! {
    async fn no_sign_in_with_the_old_password_survives_its_change(backend) {
        for _ in 0..ROUNDS {
            let world = Arc::new(World::new(backend).await);
            world.sign_up("ada@example.com").await;
            let cookies = world.signed_in("ada@example.com").await.cookies.clone();
            let changer = world.clone();
            let issued = against(&world, async move {
                let mut browser = changer.browser();
                browser.cookies = cookies;
                let changed = browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
                assert_eq!(changed.status, 204, "{changed:?}");
                assert!(browser.is_signed_in().await);
            })
            .await;
            assert_eq!(living(&world, &issued).await, 0);
        }
    }

    async fn no_sign_in_survives_a_disable(backend) {
        for _ in 0..ROUNDS {
            let world = Arc::new(World::new(backend).await);
            let id = world.sign_up("ada@example.com").await;
            let other = world.clone();
            let issued = against(&world, async move {
                let admin = other.auth.capability::<AccountAdmin>().unwrap();
                admin.disable(&other.cx(), id).await.unwrap();
            })
            .await;
            assert_eq!(living(&world, &issued).await, 0);
        }
    }

    async fn no_sign_in_survives_a_delete(backend) {
        for _ in 0..ROUNDS {
            let world = Arc::new(World::new(backend).await);
            let id = world.sign_up("ada@example.com").await;
            let other = world.clone();
            let issued = against(&world, async move {
                let admin = other.auth.capability::<AccountAdmin>().unwrap();
                admin.delete(&other.cx(), id).await.unwrap();
            })
            .await;
            assert_eq!(living(&world, &issued).await, 0);
        }
    }

    async fn of_many_sign_ups_with_one_address_one_wins(backend) {
        let world = Arc::new(World::new(backend).await);
        let mut all = JoinSet::new();
        for _ in 0..20 {
            let world = world.clone();
            all.spawn(async move {
                let body = json!({ "identifier": "ada@example.com", "password": PASSWORD });
                world.browser().post("/v1/auth/signup", body).await.status
            });
        }
        let statuses = all.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
        assert_eq!(world.rows("auth_principals", "id").await.len(), 1);
    }

    async fn of_many_changes_of_a_password_one_wins(backend) {
        let world = Arc::new(World::new(backend).await);
        world.sign_up("ada@example.com").await;
        let cookies = world.signed_in("ada@example.com").await.cookies.clone();
        let mut all = JoinSet::new();
        for n in 0..8 {
            let (world, cookies) = (world.clone(), cookies.clone());
            all.spawn(async move {
                let mut browser = world.browser();
                browser.cookies = cookies;
                let new = format!("a brand new password {n} {n}");
                let answer = browser.post("/v1/account/change-password", change(PASSWORD, &new)).await;
                (answer.status, new)
            });
        }
        let answers = all.join_all().await;
        let won: Vec<_> = answers.iter().filter(|(status, _)| *status == 204).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert_eq!(world.browser().login("ada@example.com", &won[0].1).await.status, 200);
    }

    async fn of_many_answers_to_one_challenge_one_wins(backend) {
        for _ in 0..ROUNDS {
            let world =
                World::builder(backend).plugin(SecondFactor).plugin(DemandSecondFactor).build().await;
            let world = Arc::new(world);
            let id: PrincipalId = world.sign_up("ada@example.com").await;
            let (flow, code) = crate::second_factor::enrolled(&world, "ada@example.com").await;
            let mut all = JoinSet::new();
            for _ in 0..10 {
                let (world, flow, code) = (world.clone(), flow.clone(), code.clone());
                all.spawn(async move {
                    let method = MethodId::from_static(CODE);
                    match world.cx().answer(&flow, &method, json!({ "code": code })).await {
                        Ok(Progress::SignedIn(_)) => 1,
                        Ok(other) => panic!("{other:?}"),
                        Err(error) => {
                            assert!(["core.flow_invalid", "core.rejected"].contains(&error.code().code), "{error:?}");
                            0
                        }
                    }
                });
            }
            let won: usize = all.join_all().await.into_iter().sum();
            assert_eq!(won, 1);
            let issued = world.events_of(id).await.iter().filter(|kind| *kind == "login_success").count();
            assert_eq!(issued, 2, "the enrolling one and this one");
            assert!(!code_of(&world, id).await.is_empty());
        }
    }

    async fn a_logout_against_a_slow_request_leaves_the_session_dead(backend) {
        for _ in 0..ROUNDS {
            let world = Arc::new(World::new(backend).await);
            world.sign_up("ada@example.com").await;
            let browser = world.signed_in("ada@example.com").await;
            let token = browser.cookies["authkit_session"].clone();
            world.clock.advance(std::time::Duration::from_secs(120));
            let mut all = JoinSet::new();
            for _ in 0..4 {
                let (world, token) = (world.clone(), token.clone());
                all.spawn(async move { world.cx().authenticate(&token).await.map(drop) });
            }
            browser.tab().post("/v1/auth/logout", json!({})).await;
            for outcome in all.join_all().await {
                outcome.unwrap();
            }
            assert!(world.cx().authenticate(&token).await.unwrap().is_none());
            assert!(world.rows("auth_sessions", "by_principal").await.is_empty());
        }
    }
}
