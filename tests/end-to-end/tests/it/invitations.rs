//! Sign-up by invitation: each is good for one person, for a while.

use std::time::Duration;

use authkit_account::{AccountAdmin, Accounts, SignUpPolicy};
use end_to_end::{Answer, Backend, PASSWORD, World, on_each_store};
use serde_json::json;

const LIFE: Duration = Duration::from_secs(600);

async fn by_invitation(backend: Backend) -> World {
    World::builder(backend).accounts(Accounts::default().sign_up(SignUpPolicy::Invite)).build().await
}

async fn invite(world: &World, invited: Option<&str>) -> String {
    let admin = world.auth.capability::<AccountAdmin>().unwrap();
    admin.invite(&world.cx(), invited, LIFE).await.unwrap().expose().to_owned()
}

async fn sign_up(world: &World, identifier: &str, invitation: Option<&str>) -> Answer {
    let body = json!({ "identifier": identifier, "password": PASSWORD, "invitation": invitation });
    world.browser().post("/v1/auth/signup", body).await
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    assert_eq!((answer.status, answer.code()), (403, "account.invitation_invalid".to_owned()), "{answer:?}");
}

on_each_store! {
    async fn an_invitation_that_has_expired_is_refused(backend) {
        let world = by_invitation(backend).await;
        let (first, second) = (invite(&world, None).await, invite(&world, None).await);
        world.clock.advance(LIFE - Duration::from_millis(1));
        assert_eq!(sign_up(&world, "ada@example.com", Some(&first)).await.status, 201);
        world.clock.advance(Duration::from_millis(1));
        assert_refused(&sign_up(&world, "eve@example.com", Some(&second)).await);
        assert_eq!(world.rows("auth_principals", "id").await.len(), 1);
    }

    async fn an_invitation_for_somebody_else_is_refused_and_stays_good_for_whom_it_is(backend) {
        let world = by_invitation(backend).await;
        let invitation = invite(&world, Some("ada@example.com")).await;
        for other in ["eve@example.com", "ada@example.org", "ada+1@example.com"] {
            assert_refused(&sign_up(&world, other, Some(&invitation)).await);
        }
        assert_eq!(world.rows("auth_principals", "id").await.len(), 0);
        assert_eq!(sign_up(&world, "Ada@EXAMPLE.com", Some(&invitation)).await.status, 201);
    }

    async fn an_invitation_that_is_used_made_up_or_missing_is_refused_alike(backend) {
        let world = by_invitation(backend).await;
        let used = invite(&world, None).await;
        assert_eq!(sign_up(&world, "ada@example.com", Some(&used)).await.status, 201);
        let made_up = format!("{}AAAA", &used[..used.len() - 4]);
        for shown in [Some(used.as_str()), Some(made_up.as_str()), Some("aki_x"), Some(""), None] {
            assert_refused(&sign_up(&world, "eve@example.com", shown).await);
        }
        assert_eq!(world.rows("auth_principals", "id").await.len(), 1);
    }

    async fn invitations_are_long_and_all_different(backend) {
        let world = by_invitation(backend).await;
        let mut secrets = std::collections::HashSet::new();
        for _ in 0..20 {
            let invitation = invite(&world, None).await;
            // What follows 16 bytes of id: 32 of secret at least, in base64.
            let secret = &invitation["aki_".len() + 22..];
            assert!(secret.len() >= 42, "{}", secret.len());
            assert!(secrets.insert(secret.to_owned()));
        }
    }
}
