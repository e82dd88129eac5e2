//! The process dies between two commits, or its client leaves at any await: another process finds out and goes on.

use authkit_account::AccountAdmin;
use authkit_core::{MethodId, PrincipalKind, TenantId};
use authkit_testkit::drop_at_every_await;
use end_to_end::{Browser, OTHER_PASSWORD, PASSWORD, World, change};
use serde_json::json;

use crate::stores::{Gate, Moment, Stores, die_at, errands, go_on, on_each_pair, opens, settlements};

/// Every place between two commits at which a process can die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// Before the act was decided.
    Undecided,
    /// The main store has decided, the second store knows nothing.
    Decided,
    /// The second store was asked.
    Asked,
    /// The second store has it, and nobody knows.
    Made,
    /// It is known, but the record does not say so.
    Known,
    /// The record says so, and nobody has heard of that.
    Settled,
}

const DEATHS: [Death; 6] = [Death::Undecided, Death::Decided, Death::Asked, Death::Made, Death::Known, Death::Settled];

impl Death {
    fn place<'a>(&self, stores: &'a Stores) -> (&'a Gate, usize, Moment) {
        match self {
            Self::Undecided => (&stores.main, 1, Moment::Asked),
            Self::Decided => (&stores.main, 1, Moment::Made),
            Self::Asked => (stores.gate(), 1, Moment::Asked),
            Self::Made => (stores.gate(), 1, Moment::Made),
            Self::Known => (&stores.main, 2, Moment::Asked),
            Self::Settled => (&stores.main, 2, Moment::Made),
        }
    }
}

/// The token of the session that acts, and that of another one.
type Tokens = [String; 2];

/// Kills the process everywhere during an act, starts another one, and lets it go on.
async fn each_death(
    stores: &Stores,
    mut act: impl AsyncFnMut(&mut Browser<'_>) -> u16,
    mut check: impl AsyncFnMut(&Stores, &World, Tokens, Death),
) {
    for death in DEATHS {
        let stores = stores.fresh().await;
        let world = stores.world().await;
        let mut browser = world.signed_in("ada@example.com").await;
        let here = browser.cookies["authkit_session"].clone();
        let there = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
        let (gate, n, moment) = death.place(&stores);
        die_at(gate, n, moment, act(&mut browser)).await;
        drop(browser);
        let waiting = usize::from(![Death::Undecided, Death::Settled].contains(&death));
        assert_eq!(errands(&world).await.len(), waiting, "{death:?}");
        let world = stores.builder().after(world).build().await;
        go_on(&world).await;
        stores.assert_at_rest(&world).await;
        check(&stores, &world, [here, there], death).await;
    }
}

/// What the only record of this kind says, if there is one.
async fn record(world: &World, kind: &str) -> Option<String> {
    let [record] = settlements(world, kind).await.try_into().ok()?;
    Some(record)
}

fn done(death: Death) -> Option<String> {
    (death != Death::Undecided).then(|| "committed".to_owned())
}

on_each_pair! {
    async fn a_sign_in_is_made_once_wherever_its_process_dies(stores) {
        each_death(
            stores,
            async |browser| {
                browser.cookies.clear();
                browser.login("ada@example.com", PASSWORD).await.status
            },
            async |stores, world, [here, there], death| {
                let issued = 2 + usize::from(death != Death::Undecided);
                assert_eq!(settlements(world, "login_success").await, vec!["committed"; issued], "{death:?}");
                assert_eq!(stores.sessions(world).await.len(), issued, "{death:?}");
                assert_eq!(stores.marks(world).await, issued, "{death:?}");
                assert!(opens(world, &here).await && opens(world, &there).await, "{death:?}");
            },
        )
        .await;
    }

    async fn a_logout_is_made_wherever_its_process_dies(stores) {
        each_death(
            stores,
            async |browser| browser.post("/v1/auth/logout", json!({})).await.status,
            async |_, world, [here, there], death| {
                assert_eq!(record(world, "logout").await, done(death), "{death:?}");
                assert_eq!(opens(world, &here).await, death == Death::Undecided, "{death:?}");
                assert!(opens(world, &there).await, "{death:?}");
            },
        )
        .await;
    }

    async fn a_revocation_is_made_wherever_its_process_dies(stores) {
        each_death(
            stores,
            async |browser| {
                let list = browser.get("/v1/sessions").await.json();
                let list = list["sessions"].as_array().unwrap();
                let other = list.iter().find(|session| session["current"] == false).unwrap();
                browser.delete(&format!("/v1/sessions/{}", other["id"].as_str().unwrap())).await.status
            },
            async |_, world, [here, there], death| {
                assert_eq!(record(world, "session_revoked").await, done(death), "{death:?}");
                assert!(opens(world, &here).await, "{death:?}");
                assert_eq!(opens(world, &there).await, death == Death::Undecided, "{death:?}");
            },
        )
        .await;
    }

    async fn a_change_of_password_is_made_once_wherever_its_process_dies(stores) {
        each_death(
            stores,
            async |browser| browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await.status,
            async |stores, world, [here, there], death| {
                assert_eq!(record(world, "password_changed").await, done(death), "{death:?}");
                let undone = death == Death::Undecided;
                assert_eq!(opens(world, &here).await, undone, "{death:?}");
                assert_eq!(opens(world, &there).await, undone, "{death:?}");
                assert_eq!(stores.sessions(world).await.len(), if undone { 2 } else { 1 }, "{death:?}");
                let valid = if undone { PASSWORD } else { OTHER_PASSWORD };
                assert_eq!(world.browser().login("ada@example.com", valid).await.status, 200, "{death:?}");
            },
        )
        .await;
    }

    async fn what_another_tenant_left_is_made_in_that_tenant(stores) {
        let world = stores.builder().build().await;
        let tenant = TenantId::from(world.cx().new_id::<authkit_core::Id>());
        let cx = world.cx_of(tenant);
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        let principal = admin.create(&cx, PrincipalKind::Human, &["ada@example.com"]).await.unwrap();
        let method = MethodId::from_static("testkit");
        let body = json!({ "principal": principal.id });
        die_at(stores.gate(), 1, Moment::Asked, cx.sign_in(&method, body)).await;
        assert_eq!(errands(&world).await.len(), 1);
        go_on(&world).await;
        assert!(errands(&world).await.is_empty());
        assert_eq!(stores.sessions_of(&world, tenant).await, 1);
        assert_eq!(stores.sessions_of(&world, TenantId::DEFAULT).await, 0);
    }

    async fn a_sign_in_may_be_dropped_anywhere(stores) {
        drop_at_every_await(
            async || {
                let stores = stores.fresh().await;
                let world = stores.world().await;
                (stores, world)
            },
            async |(_, world): &(Stores, World)| world.browser().login("ada@example.com", PASSWORD).await.status,
            async |(stores, world): &(Stores, World), status| {
                settle(world).await;
                stores.assert_at_rest(world).await;
                let issued = settlements(world, "login_success").await;
                assert!(issued.iter().all(|settlement| settlement == "committed"), "{issued:?}");
                assert_eq!(stores.sessions(world).await.len(), issued.len());
                assert!(status.is_none_or(|status| (status, issued.len()) == (200, 1)));
            },
        )
        .await;
    }

    async fn a_logout_may_be_dropped_anywhere(stores) {
        drop_at_every_await(
            async || two_sessions(stores).await,
            async |(_, world, [here, _]): &(Stores, World, Tokens)| {
                with(world, here).post("/v1/auth/logout", json!({})).await.status
            },
            async |(stores, world, [here, there]): &(Stores, World, Tokens), status| {
                settle(world).await;
                stores.assert_at_rest(world).await;
                let ended = record(world, "logout").await.is_some();
                assert_eq!(opens(world, here).await, !ended);
                assert!(opens(world, there).await);
                assert!(status.is_none_or(|status| status == 204 && ended));
            },
        )
        .await;
    }

    async fn a_revocation_may_be_dropped_anywhere(stores) {
        drop_at_every_await(
            async || two_sessions(stores).await,
            async |(_, world, [here, there]): &(Stores, World, Tokens)| {
                let other = world.cx().authenticate(there).await.unwrap().unwrap().id;
                with(world, here).delete(&format!("/v1/sessions/{other}")).await.status
            },
            async |(stores, world, [here, there]): &(Stores, World, Tokens), status| {
                settle(world).await;
                stores.assert_at_rest(world).await;
                let ended = record(world, "session_revoked").await.is_some();
                assert!(opens(world, here).await);
                assert_eq!(opens(world, there).await, !ended);
                assert!(status.is_none_or(|status| status == 204 && ended));
            },
        )
        .await;
    }

    async fn a_change_of_password_may_be_dropped_anywhere(stores) {
        drop_at_every_await(
            async || two_sessions(stores).await,
            async |(_, world, [here, _]): &(Stores, World, Tokens)| {
                let mut browser = with(world, here);
                let body = change(PASSWORD, OTHER_PASSWORD);
                let status = browser.post("/v1/account/change-password", body).await.status;
                (status, browser.is_signed_in().await)
            },
            async |(stores, world, [here, there]): &(Stores, World, Tokens), output| {
                settle(world).await;
                stores.assert_at_rest(world).await;
                let changed = record(world, "password_changed").await.is_some();
                assert_eq!(opens(world, here).await, !changed);
                assert_eq!(opens(world, there).await, !changed);
                assert_eq!(stores.sessions(world).await.len(), if changed { 1 } else { 2 });
                assert!(output.is_none_or(|output| output == (204, true) && changed));
                let valid = if changed { OTHER_PASSWORD } else { PASSWORD };
                assert_eq!(world.browser().login("ada@example.com", valid).await.status, 200);
            },
        )
        .await;
    }
}

/// Lets what was under way land, and what was left be made.
async fn settle(world: &World) {
    world.browser().login("nobody@example.com", "settles what is under way").await;
    go_on(world).await;
}

async fn two_sessions(stores: &Stores) -> (Stores, World, Tokens) {
    let stores = stores.fresh().await;
    let world = stores.world().await;
    let here = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
    let there = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
    (stores, world, [here, there])
}

fn with<'w>(world: &'w World, token: &str) -> Browser<'w> {
    let mut browser = world.browser();
    browser.cookies.insert("authkit_session".to_owned(), token.to_owned());
    browser
}
