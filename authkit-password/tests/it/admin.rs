use std::sync::Arc;

use authkit_core::{SecretText, Status};
use authkit_password::PasswordAdmin;

use crate::home::{OTHER, PASSWORD, World, code, told};

fn admin(world: &World) -> Arc<PasswordAdmin> {
    world.auth.capability().unwrap()
}

fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

#[tokio::test]
async fn first_password_signs_in() {
    let world = World::new().await;
    let bob = world.add("bob", Status::Active).await;
    admin(&world).set(&world.cx(), &bob, secret(PASSWORD)).await.unwrap();
    world.sign_in("bob", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn set_password_replaces_the_present_one_and_raises_the_epoch() {
    let world = World::new().await;
    let ada = world.sign_up("ada", PASSWORD).await.unwrap();
    admin(&world).set(&world.cx(), &ada, secret(OTHER)).await.unwrap();
    assert_eq!(code(world.sign_in("ada", PASSWORD).await), "core.rejected");
    assert_eq!(world.sign_in("ada", OTHER).await.unwrap().principal.epoch, ada.epoch + 1);
}

#[tokio::test]
async fn principal_that_changed_meanwhile_keeps_its_password() {
    let world = World::new().await;
    let ada = world.sign_up("ada", PASSWORD).await.unwrap();
    admin(&world).set(&world.cx(), &ada, secret(OTHER)).await.unwrap();
    let again = admin(&world).set(&world.cx(), &ada, secret(PASSWORD)).await;
    assert_eq!(code(again), "core.conflict");
    world.sign_in("ada", OTHER).await.unwrap();
}

#[tokio::test]
async fn policy_applies_to_administrators() {
    let world = World::new().await;
    let ada = world.sign_up("ada", PASSWORD).await.unwrap();
    let refused = admin(&world).set(&world.cx(), &ada, secret("tiny plum")).await.unwrap_err();
    assert_eq!(told(&refused), [("password", "Add length: at least 15 characters.")]);
}
