//! The end of a session: its refresh token is dead at once, its access token on every operation of authkit; a route of
//! the application that does not ask lets it in until it expires.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use authkit_account::AccountAdmin;
use authkit_core::{AuthManager, BoxError, Client, Console, PrincipalId, RequestContext, SecretText};
use authkit_password::PasswordAdmin;
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde_json::{Value as JsonValue, json};

use crate::{
    client::{Tokens, after_steps, assert_alive, delete, get, log_out, next, opened, post, refresh, sign_in},
    setup::{ADA, builder, recorded, sessions},
};

/// Ends a session, and finds it ended; everything is asked in the order in which an attacker would.
async fn ends(backend: Backend, end: impl AsyncFnOnce(&World, PrincipalId, &Tokens, &Tokens)) -> World {
    let world = builder(backend).build().await;
    let ada = world.sign_up(ADA).await;
    let first = sign_in(&world, ADA).await;
    let (victim, other) = (next(&world, &first).await, sign_in(&world, ADA).await);
    assert_alive(opened(&world, &victim.access).await);

    end(&world, ada, &victim, &other).await;
    let refreshed = recorded(&world, "token_refreshed").await;

    for tokens in [&victim, &first] {
        let refused = refresh(&world, &tokens.refresh).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "core.unauthenticated"));
        assert_eq!(opened(&world, &tokens.access).await, [200, 401]);
        for path in ["/app/confirmed", "/app/fresh", "/v1/sessions", "/v1/account/audit-events"] {
            assert_eq!(get(&world, path, &tokens.access).await.status, 401, "{path}");
        }
        let changed = post(&world, "/v1/account/change-password", &tokens.access, change(PASSWORD, OTHER_PASSWORD));
        assert_eq!(changed.await.status, 401);
        assert_eq!(post(&world, "/v1/auth/step-up", &tokens.access, json!({})).await.status, 401);
        assert_eq!(delete(&world, "/v1/sessions/all", &tokens.access).await.status, 401);
    }
    assert_eq!(recorded(&world, "token_refreshed").await, refreshed);
    assert_eq!(recorded(&world, "refresh_token_reused").await, 0);
    world.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(opened(&world, &victim.access).await, [401, 401], "it expired");
    world
}

async fn id_of(world: &World, tokens: &Tokens) -> String {
    let list = get(world, "/v1/sessions", &tokens.access).await.json();
    let own = list["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    own["id"].as_str().unwrap().to_owned()
}

/// The console of an operator who sees nothing and never waits.
struct Blind(AuthManager);

#[async_trait]
impl Console for Blind {
    fn cx(&self) -> RequestContext {
        self.0.request(Client::default())
    }

    async fn show(&self, _: JsonValue) -> Result<(), BoxError> {
        Ok(())
    }

    async fn read(&self) -> Result<Vec<u8>, BoxError> {
        Ok(Vec::new())
    }

    fn progress(&self, _: u64, _: Option<u64>) {}

    async fn sleep(&self, _: Duration) {}
}

fn admin(world: &World) -> Arc<AccountAdmin> {
    world.auth.capability::<AccountAdmin>().unwrap()
}

on_each_store! {
    async fn a_logout_by_access_token(backend) {
        let world = ends(backend, async |world, _, victim, _| {
            assert_eq!(post(world, "/v1/auth/logout", &victim.access, json!({})).await.status, 204);
        })
        .await;
        assert_eq!((sessions(&world).await.len(), recorded(&world, "logout").await), (1, 1));
    }

    async fn a_logout_by_refresh_token_alone(backend) {
        let world = ends(backend, async |world, _, victim, other| {
            assert_eq!(log_out(world, &victim.refresh).await.status, 204);
            assert_alive(opened(world, &other.access).await);
            assert_eq!(log_out(world, &victim.refresh).await.status, 204, "what is dead is no error");
        })
        .await;
        assert_eq!((sessions(&world).await.len(), recorded(&world, "logout").await), (1, 1));
    }

    async fn a_logout_after_the_access_token_expired(backend) {
        let world = builder(backend).build().await;
        world.sign_up(ADA).await;
        let tokens = sign_in(&world, ADA).await;
        world.clock.advance(Duration::from_secs(24 * 60 * 60));
        assert_eq!(post(&world, "/v1/auth/logout", &tokens.access, json!({})).await.status, 401);
        assert_eq!(log_out(&world, &tokens.refresh).await.status, 204);
        assert!(sessions(&world).await.is_empty());
    }

    async fn a_revocation_from_another_session(backend) {
        ends(backend, async |world, _, victim, other| {
            let path = format!("/v1/sessions/{}", id_of(world, victim).await);
            assert_eq!(delete(world, &path, &other.access).await.status, 204);
            assert_alive(opened(world, &next(world, other).await.access).await);
        })
        .await;
    }

    async fn a_revocation_of_all_others(backend) {
        ends(backend, async |world, _, _, other| {
            assert_eq!(delete(world, "/v1/sessions/all", &other.access).await.status, 204);
            assert_alive(opened(world, &next(world, other).await.access).await);
        })
        .await;
    }

    async fn a_change_of_password_in_another_session(backend) {
        ends(backend, async |world, _, _, other| {
            let body = change(PASSWORD, OTHER_PASSWORD);
            let changed = post(world, "/v1/account/change-password", &other.access, body).await;
            let renewed = Tokens::of(&changed);
            assert_alive(opened(world, &next(world, &renewed).await.access).await);
            assert_eq!(refresh(world, &other.refresh).await.status, 401, "its own secret changed too");
            assert_eq!(opened(world, &other.access).await, [200, 401]);
        })
        .await;
    }

    async fn a_password_that_an_operator_sets(backend) {
        let world = ends(backend, async |world, ada, _, _| {
            let principal = world.cx().principal(ada).await.unwrap().unwrap();
            let passwords = world.auth.capability::<PasswordAdmin>().unwrap();
            passwords.set(&world.cx(), &principal, SecretText::new(OTHER_PASSWORD.to_owned())).await.unwrap();
        })
        .await;
        assert!(sessions(&world).await.is_empty());
    }

    async fn a_disabled_account(backend) {
        ends(backend, async |world, ada, _, other| {
            admin(world).disable(&world.cx(), ada).await.unwrap();
            assert_eq!(refresh(world, &other.refresh).await.status, 401);
        })
        .await;
    }

    async fn everybodys_by_an_operator(backend) {
        let world = ends(backend, async |world, _, _, other| {
            let console = Arc::new(Blind(world.auth.clone()));
            let commands = world.auth.commands();
            let command = commands.iter().find(|command| command.name == "sessions end-all").unwrap();
            command.run(console, json!({ "yes": true })).await.unwrap();
            assert_eq!(refresh(world, &other.refresh).await.status, 401);
            assert_eq!(opened(world, &other.access).await, [200, 401]);
        })
        .await;
        assert!(sessions(&world).await.is_empty());
        assert_alive(opened(&world, &sign_in(&world, ADA).await.access).await);
    }

    async fn an_account_that_was_disabled_and_enabled_again(backend) {
        let world = ends(backend, async |world, ada, _, other| {
            admin(world).disable(&world.cx(), ada).await.unwrap();
            admin(world).enable(&world.cx(), ada).await.unwrap();
            assert_eq!(refresh(world, &other.refresh).await.status, 401);
        })
        .await;
        assert_alive(opened(&world, &sign_in(&world, ADA).await.access).await);
    }

    async fn a_deleted_account(backend) {
        ends(backend, async |world, ada, _, _| admin(world).delete(&world.cx(), ada).await.unwrap()).await;
    }

    async fn a_token_that_was_used_again(backend) {
        let world = builder(backend).build().await;
        world.sign_up(ADA).await;
        let first = sign_in(&world, ADA).await;
        let last = after_steps(&world, &first, 3).await;
        assert_eq!(log_out(&world, &first.refresh).await.status, 204);
        assert_eq!(recorded(&world, "refresh_token_reused").await, 1);
        assert_eq!(refresh(&world, &last.refresh).await.status, 401);
    }

    async fn a_change_of_password_in_this_session(backend) {
        let world = builder(backend).build().await;
        world.sign_up(ADA).await;
        let before = sign_in(&world, ADA).await;
        let body = change(PASSWORD, OTHER_PASSWORD);
        let after = Tokens::of(&post(&world, "/v1/account/change-password", &before.access, body).await);
        assert_eq!(opened(&world, &before.access).await, [200, 401], "who holds a copy has no session");
        assert_eq!(refresh(&world, &before.refresh).await.status, 401);
        assert_eq!(recorded(&world, "refresh_token_reused").await, 0, "a copy of before ends nothing");
        assert_alive(opened(&world, &after.access).await);
        assert_alive(opened(&world, &next(&world, &after).await.access).await);
    }
}
