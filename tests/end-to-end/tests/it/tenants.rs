//! Another tenant's ids and tokens on every route: nothing is read, nothing is written, nothing is told.

use authkit_core::{Batch, Id, MethodId, Principal, PrincipalKind, Progress, SignUp, TenantId};
use end_to_end::{PASSWORD, World, on_each_store};
use serde_json::json;

const PASSWORD_METHOD: MethodId = MethodId::from_static("password");

fn other() -> TenantId {
    Id::from_bytes([9; 16]).into()
}

/// Somebody with the same address in the other tenant, and the token of a session there.
async fn neighbour(world: &World) -> (Principal, String, String) {
    let cx = world.cx_of(other());
    let sign_up = SignUp {
        principal: Principal::new(&cx, PrincipalKind::Human),
        identifiers: vec![cx.identifier("ada@example.com").unwrap()],
        method: PASSWORD_METHOD,
        response: json!({ "password": PASSWORD }),
        batch: Batch::new(&cx),
    };
    let principal = cx.sign_up(sign_up).await.unwrap();
    let response = json!({ "identifier": "ada@example.com", "password": PASSWORD });
    match world.cx_of(other()).sign_in(&PASSWORD_METHOD, response).await.unwrap() {
        Progress::SignedIn(signed_in) => {
            (principal, signed_in.session.id.to_string(), signed_in.tokens.access.expose().to_owned())
        }
        progress => panic!("{progress:?}"),
    }
}

on_each_store! {
    async fn one_address_is_two_accounts_in_two_tenants(backend) {
        let world = World::new(backend).await;
        let ours = world.sign_up("ada@example.com").await;
        let (theirs, ..) = neighbour(&world).await;
        assert_ne!(ours, theirs.id);
        assert!(world.cx().principal(theirs.id).await.unwrap().is_none());
        assert!(world.cx_of(other()).principal(ours).await.unwrap().is_none());
    }

    async fn a_token_of_another_tenant_opens_no_route(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let (_, session, token) = neighbour(&world).await;
        let mut browser = world.browser();
        for (method, path) in [
            ("GET", "/v1/auth/me"),
            ("GET", "/v1/sessions"),
            ("GET", "/v1/account/audit-events"),
            ("POST", "/v1/auth/logout"),
            ("POST", "/v1/account/change-password"),
            ("DELETE", "/v1/sessions/all"),
            ("DELETE", &format!("/v1/sessions/{session}")),
        ] {
            browser.cookies.insert("authkit_session".to_owned(), token.clone());
            let answer = match method {
                "GET" => browser.get(path).await,
                "DELETE" => browser.delete(path).await,
                _ => browser.post(path, json!({ "current_password": PASSWORD, "new_password": PASSWORD })).await,
            };
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
        }
        assert!(world.cx_of(other()).authenticate(&token).await.unwrap().is_some(), "it lives on at home");
    }

    async fn every_operation_with_an_id_refuses_another_tenants_and_another_persons(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        world.sign_up("bob@example.com").await;
        let (_, foreign, token) = neighbour(&world).await;
        let mut bob = world.signed_in("bob@example.com").await;
        let bobs = bob.get("/v1/sessions").await.json()["sessions"][0]["id"].as_str().unwrap().to_owned();
        let mut ada = world.signed_in("ada@example.com").await;
        let parts: Vec<&str> = world.auth.operations().iter().map(|operation| operation.path).filter(|path| path.contains('{')).collect();
        assert_eq!(parts, ["/sessions/{id}"], "a new operation with an id belongs into this test");
        for id in [foreign.as_str(), bobs.as_str(), "00000000-0000-0000-0000-000000000000", "not-an-id", "..%2f..", "%00"] {
            let answer = ada.delete(&format!("/v1/sessions/{id}")).await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "core.not_found"), "{id}");
        }
        assert!(bob.is_signed_in().await);
        assert!(world.cx_of(other()).authenticate(&token).await.unwrap().is_some());
    }

    async fn cursors_of_others_show_nothing_of_others(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let bob = world.sign_up("bob@example.com").await;
        for _ in 0..3 {
            world.browser().login("bob@example.com", "wrong").await;
        }
        let mut theirs = world.signed_in("bob@example.com").await;
        let page = theirs.get("/v1/account/audit-events?limit=1").await.json();
        let cursor = page["next"].as_str().unwrap().to_owned();
        let mut ada = world.signed_in("ada@example.com").await;
        let page = ada.get(&format!("/v1/account/audit-events?after={cursor}")).await.json();
        for event in page["events"].as_array().unwrap() {
            assert_ne!(event["principal_id"], json!(bob), "{event}");
        }
    }
}
