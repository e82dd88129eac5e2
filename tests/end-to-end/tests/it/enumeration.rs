//! Known and unknown accounts look alike. What time they take is measured in the benchmarks.

use authkit_account::{Accounts, Disclosure};
use end_to_end::{Answer, PASSWORD, World, on_each_store};
use serde_json::json;

/// What of an answer an onlooker can compare: all but the id and the request id.
fn shape(answer: &Answer) -> (u16, Vec<(String, usize)>, usize, serde_json::Value) {
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.len()));
    let mut body = answer.json();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    (answer.status, headers.collect(), answer.body.len(), body)
}

on_each_store! {
    async fn login_says_the_same_to_known_unknown_disabled_and_odd_identifiers(backend) {
        let world = World::new(backend).await;
        world.sign_up("known@example.com").await;
        let disabled = world.sign_up("disab@example.com").await;
        let admin = world.auth.capability::<authkit_account::AccountAdmin>().unwrap();
        admin.disable(&world.cx(), disabled).await.unwrap();
        for password in ["", "x", &"p".repeat(72), &"p".repeat(73), &"p".repeat(4096), &"p".repeat(4097)] {
            let known = world.browser().login("known@example.com", password).await;
            let calls = world.store.calls();
            for other in ["nobod@example.com", "disab@example.com", "not an address at all"] {
                let answer = world.browser().login(other, password).await;
                assert_eq!(shape(&answer), shape(&known), "{other} with {} bytes", password.len());
            }
            assert!(world.store.calls() > calls);
        }
        let disabled = world.browser().login("disab@example.com", PASSWORD).await;
        let wrong = world.browser().login("known@example.com", "wrong").await;
        assert_eq!(shape(&disabled), shape(&wrong), "even with the right password");
    }

    async fn known_and_unknown_cost_the_same_store_calls(backend) {
        let world = World::new(backend).await;
        world.sign_up("known@example.com").await;
        let mut calls = Vec::new();
        for name in ["known@example.com", "nobod@example.com"] {
            let before = (world.store.calls(), world.store.commits());
            world.browser().login(name, "wrong").await;
            calls.push((world.store.calls() - before.0, world.store.commits() - before.1));
        }
        assert_eq!(calls[0], calls[1]);
    }

    async fn sign_up_in_conceal_mode_says_the_same_to_new_and_taken_addresses(backend) {
        let accounts = Accounts::default().disclosure(Disclosure::Conceal);
        let world = World::builder(backend).accounts(accounts).build().await;
        let body = |name: &str| json!({ "identifier": name, "password": PASSWORD });
        let first = world.browser().post("/v1/auth/signup", body("first@example.com")).await;
        assert_eq!(first.status, 202, "{first:?}");
        let mut calls = Vec::new();
        let mut shapes = Vec::new();
        for name in ["first@example.com", "other@example.com"] {
            let before = (world.store.calls(), world.store.commits());
            shapes.push(shape(&world.browser().post("/v1/auth/signup", body(name)).await));
            calls.push((world.store.calls() - before.0, world.store.commits() - before.1));
        }
        assert_eq!(shapes[0], shapes[1]);
        assert_eq!(calls[0], calls[1]);
        assert_eq!(world.rows("auth_principals", "id").await.len(), 2);
    }

    async fn identifiers_that_match_nobody_are_not_in_the_log(backend) {
        let world = World::new(backend).await;
        world.browser().login("my secret password", "x").await;
        world.browser().login("nobody@example.com", "x").await;
        let audit = format!("{:?}", world.audit().await);
        assert!(!audit.contains("my secret") && !audit.contains("nobody"), "{audit}");
        assert_eq!(world.audit().await.len(), 2);
    }
}
