//! A client that shows a session and a refresh token when it signs in or out: neither is left behind.

use authkit_core::{AuthManager, SignedIn};
use authkit_testkit::{Counted, Fault};

use crate::{
    acts::{Shows, goes_on, installation, records, refresh, refresh_token, sessions, signed_in, work},
    world::{World, bearer, sign_in},
};

/// One node, and two people who are signed in.
async fn two() -> (World, AuthManager, SignedIn, SignedIn) {
    let (world, auth, ada) = installation().await;
    let bob = signed_in(&auth).await;
    (world, auth, ada, bob)
}

/// The session of one, and the refresh token of the other.
fn both<'a>(session: &'a SignedIn, token: &'a SignedIn) -> Shows<'a> {
    Shows { session: Some(&session.session), refresh: Some(refresh_token(&token.tokens)) }
}

#[tokio::test]
async fn a_sign_out_ends_the_session_and_what_the_refresh_token_shows() {
    let (_world, auth, ada, bob) = two().await;
    both(&bob, &ada).sign_out(&auth).await.unwrap();
    assert!(!work(&auth, &bob.tokens).await);
    assert!(!work(&auth, &ada.tokens).await);
    for owner in [&ada, &bob] {
        assert_eq!(records(&auth, owner.session.principal.id, "logout").await.len(), 1);
    }
}

#[tokio::test]
async fn a_sign_in_ends_the_session_and_what_the_refresh_token_shows() {
    let (_world, auth, ada, bob) = two().await;
    let tokens = both(&bob, &ada).sign_in(&auth, bob.session.principal.id).await.unwrap();
    assert!(work(&auth, &tokens).await);
    assert!(!work(&auth, &bob.tokens).await);
    assert!(!work(&auth, &ada.tokens).await);
}

#[tokio::test]
async fn a_session_and_its_own_refresh_token_are_one_session_that_ends() {
    for signs_in in [false, true] {
        let (world, auth, ada) = installation().await;
        let mut newest = refresh_token(&ada.tokens).to_owned();
        for _ in 0..3 {
            world.clock.advance(std::time::Duration::from_secs(10));
            newest = refresh(&auth, &newest).await.unwrap();
        }
        let owner = ada.session.principal.id;
        if signs_in {
            assert!(work(&auth, &both(&ada, &ada).sign_in(&auth, owner).await.unwrap()).await);
        } else {
            both(&ada, &ada).sign_out(&auth).await.unwrap();
        }
        assert!(!goes_on(&auth, &newest).await);
        assert_eq!(records(&auth, owner, "logout").await.len(), 1);
        assert!(records(&auth, owner, "refresh_token_reused").await.is_empty(), "it ended anyhow");
    }
}

#[tokio::test]
async fn a_sign_out_whose_store_fails_can_be_repeated() {
    for n in 1..=4 {
        let (world, auth, ada, bob) = two().await;
        world.store.inject(Counted::Calls, n, Fault::Fails);
        let failed = both(&bob, &ada).sign_out(&auth).await.is_err();
        world.store.heal();
        assert_eq!(failed, n <= 3, "call {n}");
        let again = Shows { refresh: Some(refresh_token(&ada.tokens)), ..Shows::default() };
        let again = if goes_on(&auth, refresh_token(&bob.tokens)).await { both(&bob, &ada) } else { again };
        again.sign_out(&auth).await.unwrap();
        assert!(!work(&auth, &ada.tokens).await && !work(&auth, &bob.tokens).await, "call {n}");
    }
}

/// What was proved may be good only once, so nobody is made to prove it again.
#[tokio::test]
async fn a_sign_in_that_was_committed_gives_its_tokens_whatever_fails_after_it() {
    for fault in [Fault::Fails, Fault::UnknownAfter, Fault::UnknownBefore] {
        let mut given = 0;
        for n in 1.. {
            let (world, auth, ada, bob) = two().await;
            let owner = bob.session.principal.id;
            let witness = sign_in(&bearer(&auth), owner).await.session;
            let before = sessions(&auth, &witness).await;
            let calls = world.store.calls();
            world.store.inject(Counted::Calls, n, fault);
            let answer = both(&bob, &ada).sign_in(&auth, owner).await;
            let struck = world.store.calls() - calls >= n;
            world.store.heal();
            match answer {
                Ok(tokens) => {
                    assert!(work(&auth, &tokens).await, "{fault:?} at call {n}");
                    given += usize::from(struck);
                }
                Err(error) => {
                    assert_eq!(sessions(&auth, &witness).await, before, "{fault:?} at call {n}: {error:?}");
                }
            }
            if !struck {
                break;
            }
        }
        assert!(given >= 3, "{fault:?} struck both ends and what was read between them");
    }
}
