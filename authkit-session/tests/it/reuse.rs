//! What ends when an old refresh token comes back: its session, or every session of its owner.

use std::time::Duration;

use authkit_core::{AuthManager, MethodId, PrincipalId, ReuseEnds, SignedIn, codes};
use authkit_session::JwtSessions;
use authkit_testkit::{Counted, Fault};
use serde_json::json;

use crate::{
    acts::{
        Shows, browser, end_others, ended_by, goes_on, is_refused, jwt, records, refresh, refresh_token, sessions,
        signed_in, work,
    },
    world::{World, bearer, sign_in},
};

/// A token that was made so long ago is followed by another.
const GRACE: Duration = Duration::from_secs(10);

fn ending_accounts() -> JwtSessions {
    jwt().reuse_ends(ReuseEnds::Account)
}

/// Somebody with two devices and a browser; a thief has copied the first token of one device, which was refreshed since.
struct Theft {
    world: World,
    auth: AuthManager,
    owner: PrincipalId,
    stolen: String,
    /// The newest token of the device whose token was copied.
    newest: String,
    /// The other device, and the browser.
    device: SignedIn,
    browser: SignedIn,
}

impl Theft {
    async fn new(plugin: JwtSessions) -> Self {
        let world = World::new();
        let auth = world.node(plugin).await;
        let first = signed_in(&auth).await;
        let owner = first.session.principal.id;
        let device = sign_in(&bearer(&auth), owner).await;
        let browser = sign_in(&browser(&auth), owner).await;
        let stolen = refresh_token(&first.tokens).to_owned();
        let mut newest = stolen.clone();
        for _ in 0..3 {
            newest = refresh(&auth, &newest).await.unwrap();
            world.clock.advance(GRACE);
        }
        Self { world, auth, owner, stolen, newest, device, browser }
    }

    /// A client that shows the old token.
    fn shown(&self) -> Shows<'_> {
        Shows { refresh: Some(&self.stolen), ..Shows::default() }
    }

    /// Whether the copied device, the other one and the browser go on.
    async fn alive(&self) -> [bool; 3] {
        let opaque = browser(&self.auth).authenticate(self.browser.tokens.access.expose()).await.unwrap();
        [
            goes_on(&self.auth, &self.newest).await,
            goes_on(&self.auth, refresh_token(&self.device.tokens)).await,
            opaque.is_some(),
        ]
    }
}

#[tokio::test]
async fn a_replay_ends_its_session_and_no_other_unless_set() {
    let theft = Theft::new(jwt()).await;
    assert!(is_refused(&theft.auth, &theft.stolen).await);
    assert_eq!(theft.alive().await, [false, true, true]);
    let [record] = records(&theft.auth, theft.owner, "refresh_token_reused").await.try_into().unwrap();
    assert_eq!(record["data"], json!({ "ends": "session" }));
}

#[tokio::test]
async fn a_replay_ends_every_session_of_its_owner_and_of_nobody_else() {
    let theft = Theft::new(ending_accounts()).await;
    let other = signed_in(&theft.auth).await;
    let session = theft.device.session.id;
    assert_eq!(theft.alive().await, [true; 3]);
    assert!(is_refused(&theft.auth, &theft.stolen).await);
    assert_eq!(theft.alive().await, [false; 3]);
    for dead in [&theft.newest, refresh_token(&theft.device.tokens), &theft.stolen] {
        assert!(is_refused(&theft.auth, dead).await);
    }
    let cx = bearer(&theft.auth);
    let claimed = cx.authenticate(theft.device.tokens.access.expose()).await.unwrap().unwrap();
    assert_eq!(claimed.id, session);
    assert!(cx.confirm(&claimed).await.unwrap().is_none());
    assert!(refresh(&theft.auth, refresh_token(&other.tokens)).await.is_ok(), "another account's session ended");

    let [record] = records(&theft.auth, theft.owner, "refresh_token_reused").await.try_into().unwrap();
    assert_eq!((&record["data"], &record["outcome"]), (&json!({ "ends": "account" }), &json!("failure")));
    assert_ne!(record["session_id"], json!(session), "the record names the session whose token was copied");
}

#[tokio::test]
async fn what_ends_and_its_record_are_one_commit() {
    let theft = Theft::new(ending_accounts()).await;
    theft.world.store.inject(Counted::Commits, 1, Fault::Fails);
    let error = refresh(&theft.auth, &theft.stolen).await.unwrap_err();
    assert_eq!(*error.code(), codes::UNAVAILABLE);
    assert_eq!(theft.alive().await, [true; 3]);
    assert!(records(&theft.auth, theft.owner, "refresh_token_reused").await.is_empty());

    let (calls, commits) = (theft.world.store.calls(), theft.world.store.commits());
    assert!(is_refused(&theft.auth, &theft.stolen).await);
    assert_eq!((theft.world.store.calls() - calls, theft.world.store.commits() - commits), (2, 1));
    assert_eq!(theft.alive().await, [false; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_replays_at_once_are_recorded_once() {
    let theft = Theft::new(ending_accounts()).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (auth, stolen) = (theft.auth.clone(), theft.stolen.clone());
            tokio::spawn(async move { is_refused(&auth, &stolen).await })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert_eq!(theft.alive().await, [false; 3]);
    assert_eq!(records(&theft.auth, theft.owner, "refresh_token_reused").await.len(), 1);
}

/// The thief has a session of the owner's in the making while the owner's client shows the old token.
#[tokio::test]
async fn what_is_on_its_way_when_a_replay_ends_the_account_gets_no_session() {
    let theft = Theft::new(ending_accounts()).await;
    let device = refresh_token(&theft.device.tokens).to_owned();
    let late = |theft: &Theft| theft.world.store.inject(Counted::Commits, 1, Fault::Delayed(20));

    late(&theft);
    let refreshing = tokio::spawn({
        let auth = theft.auth.clone();
        async move { is_refused(&auth, &device).await }
    });
    tokio::task::yield_now().await;
    late(&theft);
    let signing_in = tokio::spawn({
        let (auth, owner) = (theft.auth.clone(), theft.owner);
        async move { bearer(&auth).sign_in(&MethodId::from_static("testkit"), json!({ "principal": owner })).await }
    });
    tokio::task::yield_now().await;

    assert!(is_refused(&theft.auth, &theft.stolen).await);
    assert!(!refreshing.is_finished() && !signing_in.is_finished(), "they were not late");
    assert!(refreshing.await.unwrap(), "a refresh went through");
    assert!(signing_in.await.unwrap().is_err(), "a sign-in went through");
    assert_eq!(theft.alive().await, [false; 3]);
}

#[tokio::test]
async fn signing_out_with_an_old_token_ends_the_account_too() {
    let theft = Theft::new(ending_accounts()).await;
    theft.shown().sign_out(&theft.auth).await.unwrap();
    assert_eq!(theft.alive().await, [false; 3]);
}

#[tokio::test]
async fn whoever_signs_in_with_an_old_token_keeps_the_session_that_follows() {
    for (plugin, others) in [(jwt(), true), (ending_accounts(), false)] {
        let theft = Theft::new(plugin).await;
        let tokens = theft.shown().sign_in(&theft.auth, theft.owner).await.unwrap();
        assert!(work(&theft.auth, &tokens).await);
        assert_eq!(theft.alive().await, [false, others, others]);
        assert_eq!(records(&theft.auth, theft.owner, "refresh_token_reused").await.len(), 1);
    }
}

#[tokio::test]
async fn a_sign_in_with_an_old_token_of_another_account_ends_that_account() {
    let theft = Theft::new(ending_accounts()).await;
    let other = signed_in(&theft.auth).await;
    let tokens = theft.shown().sign_in(&theft.auth, other.session.principal.id).await.unwrap();
    assert!(work(&theft.auth, &tokens).await && work(&theft.auth, &other.tokens).await);
    assert_eq!(theft.alive().await, [false; 3]);
}

/// Whoever holds one of the owner's sessions ends the new one before the account ends.
#[tokio::test]
async fn a_session_that_ends_at_once_saves_no_other_from_the_end_of_the_account() {
    let theft = Theft::new(ending_accounts()).await;
    let before = sessions(&theft.auth, &theft.device.session).await;
    theft.world.store.inject(Counted::Commits, 2, Fault::Delayed(100));
    let signing_in = tokio::spawn({
        let (auth, owner, stolen) = (theft.auth.clone(), theft.owner, theft.stolen.clone());
        async move { Shows { refresh: Some(&stolen), ..Shows::default() }.sign_in(&auth, owner).await }
    });
    let new = loop {
        tokio::task::yield_now().await;
        let now = sessions(&theft.auth, &theft.device.session).await;
        if let Some(new) = now.into_iter().find(|session| !before.contains(session)) {
            break new;
        }
    };
    ended_by(&theft.auth, &theft.device.session, &new).await;
    assert!(!signing_in.is_finished(), "it was not late");
    let tokens = signing_in.await.unwrap().unwrap();
    assert!(!work(&theft.auth, &tokens).await);
    assert_eq!(theft.alive().await, [false; 3]);
    assert_eq!(records(&theft.auth, theft.owner, "refresh_token_reused").await.len(), 1);
}

#[tokio::test]
async fn tokens_that_show_nothing_end_no_account() {
    let theft = Theft::new(ending_accounts()).await;
    let forged = theft.stolen.replace("akr_", "akr_A");
    let session = bearer(&theft.auth).authenticate(theft.device.tokens.access.expose()).await.unwrap().unwrap();
    assert!(is_refused(&theft.auth, &forged[..theft.stolen.len()]).await);
    assert_eq!(theft.alive().await, [true; 3]);

    // Everything but this device ends, and the device has new tokens: those from before are dead and end nothing.
    let tokens = end_others(&theft.auth, &session).await.unwrap();
    for dead in [&theft.stolen, &theft.newest, refresh_token(&theft.device.tokens)] {
        assert!(is_refused(&theft.auth, dead).await);
    }
    assert!(refresh(&theft.auth, refresh_token(&tokens)).await.is_ok());
    assert!(records(&theft.auth, theft.owner, "refresh_token_reused").await.is_empty());
}
