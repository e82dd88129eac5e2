use std::time::Duration;

use authkit_core::{Client, SecretText};
use authkit_risk::{LockScope, Lockout, Throttle};
use serde_json::json;

use crate::home::{Browser, LATER, METHOD, RIGHT, WRONG, World};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_lock_refuses_the_right_word_and_opens_by_itself() {
    let world = World::new(Throttle::default()).await;
    let ada = world.add("ada").await;
    let mut browser = Browser::new(1);
    for _ in 0..5 {
        assert_eq!(world.tries(&mut browser, "ada", WRONG).await.unwrap_err(), "core.rejected");
    }
    world.clock.advance(4 * MINUTE);
    assert_eq!(world.tries(&mut browser, "ADA", RIGHT).await.unwrap_err(), "core.rejected");
    let cx = world.cx(&browser);
    let history = world.admin().history(&cx, ada).await.unwrap();
    let lock = &history[0];
    assert_eq!((history.len(), lock.scope, lock.failures), (1, LockScope::Client, 5));
    assert_eq!(lock.until.since(lock.locked_at), 5 * MINUTE);
    world.clock.advance(MINUTE);
    assert!(world.tries(&mut browser, "ada", RIGHT).await.is_ok());
}

#[tokio::test]
async fn unlocking_lets_the_owner_try_at_once() {
    let world = World::new(Throttle::default()).await;
    let (ada, root) = (world.add("ada").await, world.add("root").await);
    let office = world.tries(&mut Browser::new(9), "root", RIGHT).await.unwrap().session;
    let mut browser = Browser::new(1);
    for _ in 0..5 {
        world.tries(&mut browser, "ada", WRONG).await.unwrap_err();
    }
    world.tries(&mut browser, "ada", RIGHT).await.unwrap_err();
    let (admin, cx) = (world.admin(), world.cx(&browser));
    assert_eq!(admin.unlock(&cx, ada, Some(&office)).await.unwrap(), 1);
    assert!(world.tries(&mut browser, "ada", RIGHT).await.is_ok());

    let history = admin.history(&cx, ada).await.unwrap();
    assert_eq!((history[0].unlocked_at, history[0].unlocked_by), (Some(cx.now()), Some(root)));
    assert_eq!(admin.unlock(&cx, ada, None).await.unwrap(), 0, "there is no lock left");
    assert_eq!(admin.unlock(&cx, root, None).await.unwrap(), 0, "there never was one");
}

#[tokio::test]
async fn unlocking_lifts_the_hard_stop() {
    let world = World::new(Throttle::default()).await;
    let ada = world.add("ada").await;
    for n in 0..130 {
        world.clock.advance(30 * MINUTE);
        world.tries(&mut Browser::new(n), "ada", WRONG).await.unwrap_err();
    }
    world.clock.advance(24 * 60 * MINUTE);
    assert!(world.tries(&mut Browser::new(1000), "ada", RIGHT).await.is_err());
    let cx = world.auth.request(Client::default());
    let history = world.admin().history(&cx, ada).await.unwrap();
    assert_eq!((history[0].scope, history[0].failures), (LockScope::Account, 100));
    assert_eq!(world.admin().unlock(&cx, ada, None).await.unwrap(), 1);
    assert!(world.tries(&mut Browser::new(1000), "ada", RIGHT).await.is_ok());
}

#[tokio::test]
async fn an_identifier_that_leads_to_nobody_costs_and_says_the_same() {
    let world = World::new(Throttle::default()).await;
    world.add("ada").await;
    let mut seen = Vec::new();
    for (n, name) in ["ada", "nobody"].into_iter().enumerate() {
        let mut browser = Browser::new(n as u32);
        let mut tries = Vec::new();
        for _ in 0..8 {
            let before = (world.store.calls(), world.store.commits());
            let code = world.tries(&mut browser, name, WRONG).await.unwrap_err();
            tries.push((code, world.store.calls() - before.0, world.store.commits() - before.1));
        }
        seen.push(tries);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn what_could_not_be_judged_does_not_count() {
    let world = World::new(Throttle::default()).await;
    world.add("ada").await;
    let mut browser = Browser::new(1);
    for _ in 0..40 {
        assert_eq!(world.tries(&mut browser, "ada", LATER).await.unwrap_err(), "core.unavailable");
    }
    assert!(world.tries(&mut browser, "ada", RIGHT).await.is_ok());
}

#[tokio::test]
async fn clients_without_an_address_are_limited_too() {
    let world = World::new(Throttle::default()).await;
    world.add("ada").await;
    let mut codes = Vec::new();
    for _ in 0..7 {
        world.clock.advance(Duration::from_secs(15));
        let cx = world.auth.request(Client::default());
        let answer = cx.sign_in(&METHOD, json!({ "name": "ada", "word": WRONG })).await;
        codes.push(answer.unwrap_err().internal());
    }
    assert_eq!(codes[5..], ["lockout.client", "lockout.client"]);
}

#[tokio::test]
async fn asking_for_a_step_up_does_not_clear_its_failures() {
    let world = World::new(Throttle::default()).await;
    world.add("ada").await;
    let mut browser = Browser::new(1);
    let session = world.tries(&mut browser, "ada", RIGHT).await.unwrap().session;
    // Whoever took over the session has no device of the owner's.
    browser.mark = None;
    let prove = async |word: &str| {
        world.clock.advance(Duration::from_secs(15));
        let cx = world.cx(&browser);
        cx.prove(&session, &METHOD, json!({ "word": word }), "password.change").await.map(drop)
    };
    for _ in 0..5 {
        assert!(prove(WRONG).await.is_err());
        world.cx(&browser).step_up(&session, "harmless").await.unwrap();
    }
    assert_eq!(prove(RIGHT).await.unwrap_err().internal(), "lockout.client");
}

#[tokio::test]
async fn without_lockout_nothing_is_ever_locked() {
    let world = World::new(Throttle::default().lockout(Lockout::dangerously_off())).await;
    let ada = world.add("ada").await;
    let mut browser = Browser::new(1);
    for _ in 0..30 {
        world.clock.advance(MINUTE);
        world.tries(&mut browser, "ada", WRONG).await.unwrap_err();
    }
    world.clock.advance(MINUTE);
    assert!(world.tries(&mut browser, "ada", RIGHT).await.is_ok());
    assert!(world.admin().history(&world.cx(&browser), ada).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_preset_is_chosen_by_a_word_in_the_settings() {
    for (word, locked) in
        [("exponential", Some(5)), ("fixed_15", Some(15)), ("fixed_30", Some(30)), ("dangerously_off", None)]
    {
        // Whatever code says, the settings go over it.
        for code in [Lockout::default(), Lockout::fixed_15(), Lockout::dangerously_off()] {
            let world = World::configured(Throttle::default().lockout(code), json!({ "lockout": word })).await;
            let ada = world.add("ada").await;
            let mut browser = Browser::new(1);
            for _ in 0..5 {
                world.tries(&mut browser, "ada", WRONG).await.unwrap_err();
            }
            let history = world.admin().history(&world.cx(&browser), ada).await.unwrap();
            let locks: Vec<_> = history.iter().map(|lock| lock.until.since(lock.locked_at)).collect();
            assert_eq!(locks, locked.map(|minutes| minutes * MINUTE).into_iter().collect::<Vec<_>>(), "{word}");
        }
    }
}

#[tokio::test]
async fn a_forged_mark_counts_as_none_and_costs_no_read() {
    let world = World::new(Throttle::default()).await;
    world.add("ada").await;
    let calls = async |mark: Option<&str>| {
        world.clock.advance(MINUTE);
        let client = Client::default();
        let client = match mark {
            Some(text) => client.device(SecretText::new(text.to_owned())),
            None => client,
        };
        let before = world.store.calls();
        let cx = world.auth.request(client);
        cx.sign_in(&METHOD, json!({ "name": "ada", "word": WRONG })).await.unwrap_err();
        world.store.calls() - before
    };
    assert_eq!(calls(Some("AQ")).await, calls(None).await);
}
