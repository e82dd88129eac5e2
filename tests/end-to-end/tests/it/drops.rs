//! Every handler may be dropped at any await: everything of an act is there, or nothing.

use authkit_testkit::drop_at_every_await;
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde_json::json;

/// Everything that one of the acts may have written, read in one go.
struct State {
    principals: usize,
    identifiers: usize,
    passwords: usize,
    enrolments: usize,
    sessions: usize,
    signups: usize,
    logins: usize,
    logouts: usize,
    changes: usize,
}

async fn state(world: &World) -> State {
    // A commit that was on its way when its handler was dropped lands before a later one.
    world.browser().login("nobody@example.com", "settles what is under way").await;
    let audit = world.audit().await;
    let count = |kind: &str| audit.iter().filter(|event| event["kind"] == kind).count();
    State {
        principals: world.rows("auth_principals", "id").await.len(),
        identifiers: world.rows("auth_identifiers", "by_principal").await.len(),
        passwords: world.rows("auth_passwords", "by_principal").await.len(),
        enrolments: world.rows("auth_enrolments", "by_principal").await.len(),
        sessions: world.rows("auth_sessions", "by_principal").await.len(),
        signups: count("signup"),
        logins: count("login_success"),
        logouts: count("logout"),
        changes: count("password_changed"),
    }
}

async fn with_ada(backend: Backend) -> World {
    let world = World::new(backend).await;
    world.sign_up("ada@example.com").await;
    world
}

/// A world, and the session cookie of ada in it.
async fn with_session(backend: Backend) -> (World, String) {
    let world = with_ada(backend).await;
    let token = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
    (world, token)
}

on_each_store! {
    async fn sign_up(backend) {
        let polls = drop_at_every_await(
            async || World::new(backend).await,
            async |world: &World| {
                let body = json!({ "identifier": "ada@example.com", "password": PASSWORD });
                world.browser().post("/v1/auth/signup", body).await.status
            },
            async |world: &World, output| {
                let state = state(world).await;
                let all = [state.identifiers, state.passwords, state.enrolments, state.signups];
                assert!(all.iter().all(|n| *n == state.principals), "{all:?} of {}", state.principals);
                if let Some(status) = output {
                    assert_eq!((status, state.principals), (201, 1));
                }
                let retried = world.browser().login("ada@example.com", PASSWORD).await.status;
                assert_eq!(retried, if state.principals == 1 { 200 } else { 401 });
            },
        )
        .await;
        assert!(polls >= 1, "{polls}");
    }

    async fn login(backend) {
        drop_at_every_await(
            async || with_ada(backend).await,
            async |world: &World| world.browser().login("ada@example.com", PASSWORD).await.status,
            async |world: &World, output| {
                let state = state(world).await;
                assert_eq!(state.sessions, state.logins, "a session if and only if its record");
                if let Some(status) = output {
                    assert_eq!((status, state.sessions), (200, 1));
                }
                assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 200);
            },
        )
        .await;
    }

    async fn logout(backend) {
        drop_at_every_await(
            async || with_session(backend).await,
            async |(world, token): &(World, String)| {
                let mut browser = world.browser();
                browser.cookies.insert("authkit_session".to_owned(), token.clone());
                browser.post("/v1/auth/logout", json!({})).await.status
            },
            async |(world, token): &(World, String), output| {
                let state = state(world).await;
                assert_eq!(state.sessions + state.logouts, 1, "ended if and only if recorded");
                let alive = world.cx().authenticate(token).await.unwrap().is_some();
                assert_eq!(alive, state.sessions == 1);
                if let Some(status) = output {
                    assert_eq!((status, state.logouts), (204, 1));
                }
            },
        )
        .await;
    }

    async fn change_of_password(backend) {
        drop_at_every_await(
            async || {
                let (world, token) = with_session(backend).await;
                world.signed_in("ada@example.com").await;
                (world, token)
            },
            async |(world, token): &(World, String)| {
                let mut browser = world.browser();
                browser.cookies.insert("authkit_session".to_owned(), token.clone());
                let status = browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await.status;
                (status, browser.is_signed_in().await)
            },
            async |(world, token): &(World, String), output| {
                let state = state(world).await;
                assert_eq!(state.sessions, 2 - state.changes, "others end if and only if it changed");
                let alive = world.cx().authenticate(token).await.unwrap().is_some();
                assert_eq!(alive, state.changes == 0, "the token before is dead if and only if it changed");
                if let Some((status, signed_in)) = output {
                    assert_eq!((status, state.changes, signed_in), (204, 1, true));
                }
                let (valid, void) =
                    if state.changes == 1 { (OTHER_PASSWORD, PASSWORD) } else { (PASSWORD, OTHER_PASSWORD) };
                assert_eq!(world.browser().login("ada@example.com", valid).await.status, 200);
                assert_eq!(world.browser().login("ada@example.com", void).await.status, 401);
            },
        )
        .await;
    }
}
