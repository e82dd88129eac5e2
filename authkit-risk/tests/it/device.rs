use std::time::Duration;

use authkit_risk::{LockScope, Throttle};

use crate::home::{Browser, RIGHT, WRONG, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Guesses from everywhere, for three days, until the account is locked for strangers.
async fn attack(world: &World, name: &str) {
    for n in 0..130 {
        world.clock.advance(Duration::from_secs(30 * 60));
        world.tries(&mut Browser::new(10_000 + n), name, WRONG).await.unwrap_err();
    }
    let stranger = world.tries(&mut Browser::new(20_000), name, RIGHT).await;
    assert_eq!(stranger.unwrap_err(), "core.rejected");
}

#[tokio::test]
async fn an_owner_is_not_shut_out_on_a_device_of_an_earlier_sign_in() {
    let world = World::new(Throttle::default()).await;
    world.add("ada").await;
    let mut owner = Browser::new(1);
    world.tries(&mut owner, "ada", RIGHT).await.unwrap();
    owner.ip = Browser::new(2).ip;
    attack(&world, "ada").await;
    world.tries(&mut owner, "ada", WRONG).await.unwrap_err();
    assert!(world.tries(&mut owner, "ada", RIGHT).await.is_ok());
}

#[tokio::test]
async fn a_device_is_forgotten_when_it_was_away_too_long() {
    let world = World::new(Throttle::default().device_life(DAY)).await;
    world.add("ada").await;
    let mut owner = Browser::new(1);
    let mark = world.tries(&mut owner, "ada", RIGHT).await.unwrap().mark.unwrap();
    assert_eq!(mark.life, DAY);
    attack(&world, "ada").await;
    assert!(world.tries(&mut owner, "ada", RIGHT).await.is_err());
}

#[tokio::test]
async fn the_mark_of_one_account_says_nothing_about_another() {
    let world = World::new(Throttle::default()).await;
    world.add("ada").await;
    world.add("mallory").await;
    let mut mallory = Browser::new(1);
    world.tries(&mut mallory, "mallory", RIGHT).await.unwrap();
    attack(&world, "ada").await;
    assert!(world.tries(&mut mallory, "ada", RIGHT).await.is_err());
}

#[tokio::test]
async fn a_browser_remembers_three_accounts() {
    let world = World::new(Throttle::default()).await;
    let mut shared = Browser::new(1);
    for name in ["ada", "bob", "cy", "dee"] {
        world.add(name).await;
        world.tries(&mut shared, name, RIGHT).await.unwrap();
    }
    for name in ["ada", "bob"] {
        attack(&world, name).await;
    }
    let mark = shared.mark.clone();
    assert!(world.tries(&mut shared, "ada", RIGHT).await.is_err(), "she was away longest");
    assert_eq!(shared.mark, mark);
    assert!(world.tries(&mut shared, "bob", RIGHT).await.is_ok());
}

#[tokio::test]
async fn a_stolen_mark_is_locked_like_any_client_and_leaves_the_others_alone() {
    let world = World::new(Throttle::default()).await;
    let ada = world.add("ada").await;
    let (mut owner, mut other) = (Browser::new(1), Browser::new(2));
    world.tries(&mut owner, "ada", RIGHT).await.unwrap();
    world.tries(&mut other, "ada", RIGHT).await.unwrap();
    for n in 0..5 {
        let mut thief = Browser { mark: owner.mark.clone(), ..Browser::new(100 + n) };
        world.tries(&mut thief, "ada", WRONG).await.unwrap_err();
    }
    assert!(world.tries(&mut owner, "ada", RIGHT).await.is_err());
    assert!(world.tries(&mut other, "ada", RIGHT).await.is_ok());
    let history = world.admin().history(&world.cx(&owner), ada).await.unwrap();
    assert_eq!(history[0].scope, LockScope::Device);
    assert_eq!(world.admin().unlock(&world.cx(&owner), ada, None).await.unwrap(), 1);
    assert!(world.tries(&mut owner, "ada", RIGHT).await.is_ok());
}
