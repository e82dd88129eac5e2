//! Every store call of every act failed, delayed, duplicated and left unknown: no half act, no second success, and a
//! retry ends in success or in one clear error.

use authkit_testkit::{Answer, Counted, Fault};
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde_json::json;

const FAULTS: [Fault; 6] = [
    Fault::Fails,
    Fault::Delayed(3),
    Fault::Duplicated(Answer::First),
    Fault::Duplicated(Answer::Second),
    Fault::UnknownAfter,
    Fault::UnknownBefore,
];

/// No act makes more store calls than this; the loop ends when a fault no longer strikes.
const MOST_CALLS: usize = 20;

async fn count(world: &World, kind: &str) -> usize {
    world.audit().await.iter().filter(|event| event["kind"] == kind).count()
}

async fn with_ada(backend: Backend) -> World {
    let world = World::new(backend).await;
    world.sign_up("ada@example.com").await;
    world
}

on_each_store! {
    async fn sign_up(backend) {
        for fault in FAULTS {
            for n in 1..MOST_CALLS {
                let world = World::new(backend).await;
                let before = world.store.calls();
                world.store.inject(Counted::Calls, n, fault);
                let body = json!({ "identifier": "ada@example.com", "password": PASSWORD });
                let answer = world.browser().post("/v1/auth/signup", body.clone()).await;
                let struck = world.store.calls() - before >= n;
                world.store.heal();
                let context = format!("{fault:?} at call {n}: {answer:?}");
                assert!([201, 409, 503].contains(&answer.status), "{context}");
                let principals = world.rows("auth_principals", "id").await.len();
                assert_eq!(principals, count(&world, "signup").await, "{context}");
                assert_eq!(principals, world.rows("auth_passwords", "by_principal").await.len(), "{context}");
                if answer.status == 201 {
                    assert_eq!(principals, 1, "{context}");
                }
                let again = world.browser().post("/v1/auth/signup", body).await.status;
                assert_eq!(again, if principals == 1 { 409 } else { 201 }, "{context}");
                assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 200, "{context}");
                if !struck {
                    break;
                }
            }
        }
    }

    async fn login(backend) {
        for fault in FAULTS {
            for n in 1..MOST_CALLS {
                let world = with_ada(backend).await;
                let before = world.store.calls();
                world.store.inject(Counted::Calls, n, fault);
                let answer = world.browser().login("ada@example.com", PASSWORD).await;
                let struck = world.store.calls() - before >= n;
                world.store.heal();
                let context = format!("{fault:?} at call {n}: {answer:?}");
                assert!([200, 401, 409, 503].contains(&answer.status), "{context}");
                let sessions = world.rows("auth_sessions", "by_principal").await.len();
                assert_eq!(sessions, count(&world, "login_success").await, "{context}");
                if answer.status == 200 {
                    assert_eq!(sessions, 1, "{context}");
                }
                assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 200, "{context}");
                if !struck {
                    break;
                }
            }
        }
    }

    async fn logout(backend) {
        for fault in FAULTS {
            for n in 1..MOST_CALLS {
                let world = with_ada(backend).await;
                let mut browser = world.signed_in("ada@example.com").await;
                let token = browser.cookies["authkit_session"].clone();
                let before = world.store.calls();
                world.store.inject(Counted::Calls, n, fault);
                let answer = browser.post("/v1/auth/logout", json!({})).await;
                let struck = world.store.calls() - before >= n;
                world.store.heal();
                let context = format!("{fault:?} at call {n}: {answer:?}");
                assert!([204, 503].contains(&answer.status), "{context}");
                let alive = world.cx().authenticate(&token).await.unwrap().is_some();
                assert_eq!(alive, count(&world, "logout").await == 0, "{context}");
                if answer.status == 204 {
                    assert!(!alive, "{context}");
                }
                if !struck {
                    break;
                }
            }
        }
    }

    async fn change_of_password(backend) {
        for fault in FAULTS {
            for n in 1..MOST_CALLS {
                let world = with_ada(backend).await;
                let mut here = world.signed_in("ada@example.com").await;
                let mut there = world.signed_in("ada@example.com").await;
                let before = world.store.calls();
                world.store.inject(Counted::Calls, n, fault);
                let answer = here.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
                let struck = world.store.calls() - before >= n;
                world.store.heal();
                let context = format!("{fault:?} at call {n}: {answer:?}");
                assert!([204, 401, 409, 503].contains(&answer.status), "{context}");
                let changed = count(&world, "password_changed").await;
                assert!(changed <= 1, "{context}");
                if answer.status == 204 {
                    assert_eq!(changed, 1, "{context}");
                }
                assert_eq!(there.is_signed_in().await, changed == 0, "{context}");
                let (valid, void) = if changed == 1 { (OTHER_PASSWORD, PASSWORD) } else { (PASSWORD, OTHER_PASSWORD) };
                assert_eq!(world.browser().login("ada@example.com", valid).await.status, 200, "{context}");
                assert_eq!(world.browser().login("ada@example.com", void).await.status, 401, "{context}");
                if !struck {
                    break;
                }
            }
        }
    }
}
