//! Tokens of another tenant: they open nothing here, change nothing there, and the answer tells nothing.

use authkit_account::AccountAdmin;
use authkit_core::{Client, Id, MethodId, PrincipalKind, Progress, TenantId};
use end_to_end::{World, on_each_store};
use serde_json::json;

use crate::{
    client::{Tokens, get, log_out, refresh, sign_in},
    setup::{ADA, sessions, world},
};

fn other() -> TenantId {
    Id::from_bytes([9; 16]).into()
}

/// The tokens of somebody with the same address in the other tenant.
async fn neighbour(world: &World) -> Tokens {
    let cx = world.auth.request_to(other(), Client::default().bearer());
    let admin = world.auth.capability::<AccountAdmin>().unwrap();
    let principal = admin.create(&cx, PrincipalKind::Human, &[ADA]).await.unwrap();
    let method = MethodId::from_static("testkit");
    let progress = cx.sign_in(&method, json!({ "principal": principal.id })).await.unwrap();
    let Progress::SignedIn(signed_in) = progress else { panic!("a sign-in") };
    Tokens {
        access: signed_in.tokens.access.expose().to_owned(),
        refresh: signed_in.tokens.refresh.as_ref().expect("a refresh token").text.expose().to_owned(),
    }
}

on_each_store! {
    async fn tokens_of_another_tenant_open_nothing_and_live_on_at_home(backend) {
        let world = world(backend).await;
        sign_in(&world, ADA).await;
        let theirs = neighbour(&world).await;
        let before = (sessions(&world).await, world.audit().await);
        for path in ["/app", "/app/confirmed", "/app/fresh", "/v1/auth/me", "/v1/sessions", "/v1/account/audit-events"] {
            assert_eq!(get(&world, path, &theirs.access).await.status, 401, "{path}");
        }
        let refused = refresh(&world, &theirs.refresh).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "core.unauthenticated"));
        assert_eq!(log_out(&world, &theirs.refresh).await.status, 204);
        assert_eq!((sessions(&world).await, world.audit().await), before);

        let home = world.auth.request_to(other(), Client::default().bearer());
        assert!(home.authenticate(&theirs.access).await.unwrap().is_some());
        let refreshed = home.refresh(&theirs.refresh).await.unwrap();
        assert_eq!(get(&world, "/app", refreshed.tokens.access.expose()).await.status, 401);
    }

    async fn tokens_of_this_tenant_open_nothing_there(backend) {
        let world = world(backend).await;
        neighbour(&world).await;
        let ours = sign_in(&world, ADA).await;
        let there = world.auth.request_to(other(), Client::default().bearer());
        assert!(there.authenticate(&ours.access).await.unwrap().is_none());
        there.refresh(&ours.refresh).await.unwrap_err();
        let claimed = world.cx().authenticate(&ours.access).await.unwrap().unwrap();
        assert!(there.confirm(&claimed).await.unwrap().is_none());
        world.cx().refresh(&ours.refresh).await.unwrap();
    }
}
