//! What somebody tries who has read the source: a stolen cookie, a known password, many addresses.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

use std::{net::IpAddr, ops::Bound, sync::Arc, time::Duration};

use async_trait::async_trait;
use authkit_account::{AccountAdmin, Accounts, SignUpPolicy};
use authkit_core::{
    Aal, Ability, About, Act, Admission, Aftermath, Attempt, AuditEvent, AuthError, Batch, Condition, Direction, End,
    EndSessions, Factors, FlowView, Manifest, MethodId, OfferAction, Order, Outcome, Plugin, Principal, PrincipalId,
    PrincipalKind, Problem, Progress, Purpose, Query, Registrar, RequestContext, Requirement, Scope, SecretText,
    Session, Shape, Signals, Stage, StageId, TenantId, Timestamp, codes,
};
use authkit_password::PasswordAdmin;
use authkit_risk::{LockStep, Lockout, LockoutAdmin, Throttle};
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde::Serialize;
use serde_json::json;

#[allow(dead_code, unreachable_pub, reason = "shared with the other tests, which need all of it")]
#[path = "it/second_factor.rs"]
mod second_factor;

use second_factor::{CODE, DemandSecondFactor, SecondFactor, challenged, code_of, enrolled};

const CODES: MethodId = MethodId::from_static(CODE);
const PASSWORDS: MethodId = MethodId::from_static("password");

/// Demands two factors for actions only, as many policies do.
#[derive(Clone, Copy, Debug)]
struct DemandForActions;

impl Plugin for DemandForActions {
    fn manifest(&self) -> Manifest {
        Manifest::new("actions", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(*self));
        Ok(())
    }
}

#[async_trait]
impl Stage for DemandForActions {
    fn id(&self) -> StageId {
        "actions"
    }

    fn order(&self) -> Order {
        Order::ANY
    }

    async fn admit(&self, _: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> {
        Ok(Admission::Pass(Vec::new()))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, _: &mut Signals) -> Result<(), AuthError> {
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, flow: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(match flow.purpose {
            Purpose::StepUp { .. } => Requirement::of("action", Condition::level(Aal::Aal2)),
            _ => Requirement::none(),
        })
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}

/// An act that a plugin does after a fresh proof, and that changes no credential.
#[derive(Serialize)]
struct Exported {
    #[serde(skip)]
    principal: PrincipalId,
}

impl AuditEvent for Exported {
    const KIND: &'static str = "exported";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

async fn session_of(world: &World, token: &str) -> Session {
    world.cx().authenticate(token).await.unwrap().unwrap()
}

/// A principal with two addresses and a password.
async fn with_two_addresses(world: &World) -> Principal {
    let cx = world.cx();
    let admin = world.auth.capability::<AccountAdmin>().unwrap();
    let both = ["ada@example.com", "lovelace@example.org"];
    let principal = admin.create(&cx, PrincipalKind::Human, &both).await.unwrap();
    let passwords = world.auth.capability::<PasswordAdmin>().unwrap();
    passwords.set(&cx, &principal, SecretText::new(PASSWORD.to_owned())).await.unwrap();
    cx.principal(principal.id).await.unwrap().unwrap()
}

/// A hard stop after so many failures, and nothing before it.
async fn stopping_after(backend: Backend, failures: u32) -> World {
    let lockout = Lockout::fixed_15().steps(Vec::<LockStep>::new()).account_steps(Vec::<LockStep>::new());
    World::builder(backend).throttle(Throttle::default().lockout(lockout.hard_stop(failures))).build().await
}

async fn evaluated(world: &World) -> usize {
    world.audit().await.iter().filter(|event| event["kind"] == "login_failure").count()
}

/// How many rows a table holds, expired ones included.
async fn stored(world: &World, table: &str) -> usize {
    let def = world.auth.entities().iter().find(|def| def.table == table).unwrap();
    let query = Query {
        shape: Arc::new(Shape::whole(def)),
        index: 0,
        prefix: Vec::new(),
        from: Bound::Unbounded,
        to: Bound::Unbounded,
        filters: Vec::new(),
        direction: Direction::Ascending,
        after: None,
        limit: 100_000,
        now: Timestamp::MIN,
    };
    world.store.inner().query(&Scope::Tenant(TenantId::DEFAULT), &query).await.unwrap().len()
}

on_each_store! {
    async fn a_stolen_session_does_not_enrol_a_factor_of_the_thief(backend) {
        let world = World::builder(backend).plugin(SecondFactor).plugin(DemandForActions).build().await;
        let id = world.sign_up("ada@example.com").await;
        let token = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
        world.clock.advance(Duration::from_secs(60 * 60));
        // From here on the thief has the cookie and nothing else.
        let stolen = session_of(&world, &token).await;
        let enrols = |offers: &[authkit_core::Offer]| offers.iter().any(|offer| offer.action == OfferAction::Enrol);
        if let Ok(Progress::Challenged(challenge)) = world.cx().step_up(&stolen, "wire.money").await
            && enrols(&challenge.offers)
        {
            let begun = world.cx().begin(&CODES, json!(null), Some(challenge.flow.expose())).await.unwrap();
            let code = begun.offers[0].prompt["code"].as_str().unwrap().to_owned();
            let done = world.cx().answer(begun.flow.expose(), &CODES, json!({ "code": code })).await;
            assert!(!matches!(done, Ok(Progress::Granted(_))), "an old cookie alone permitted the action: {done:?}");
        }
        assert_eq!(code_of(&world, id).await, "", "an old cookie alone enrolled a factor");
    }

    async fn a_proof_counts_no_more_once_the_credential_changed(backend) {
        let world = World::builder(backend).event::<Exported>().build().await;
        let id = world.sign_up("ada@example.com").await;
        let token = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
        let thief = session_of(&world, &token).await;
        let cx = world.cx();
        let proof = cx.prove(&thief, &PASSWORDS, json!({ "password": PASSWORD }), "data.export").await.unwrap();
        // Before the act lands, somebody resets the password, which ends every session.
        let admin = world.auth.capability::<PasswordAdmin>().unwrap();
        let ada = world.cx().principal(id).await.unwrap().unwrap();
        admin.set(&world.cx(), &ada, SecretText::new(OTHER_PASSWORD.to_owned())).await.unwrap();
        let mut batch = Batch::new(&cx);
        let principal = proof.spend(&mut batch);
        let act = cx.commit(Exported { principal: principal.id }, batch).await;
        assert_eq!(*act.unwrap_err().code(), codes::CONFLICT, "a proof of the old password, in a session that is dead");
    }

    async fn a_proof_counts_no_more_once_the_principal_is_disabled(backend) {
        let world = World::builder(backend).event::<Exported>().build().await;
        let id = world.sign_up("ada@example.com").await;
        let token = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
        let session = session_of(&world, &token).await;
        let cx = world.cx();
        let proof = cx.prove(&session, &PASSWORDS, json!({ "password": PASSWORD }), "data.export").await.unwrap();
        world.auth.capability::<AccountAdmin>().unwrap().disable(&world.cx(), id).await.unwrap();
        let mut batch = Batch::new(&cx);
        let principal = proof.spend(&mut batch);
        let act = cx.commit(Exported { principal: principal.id }, batch).await;
        assert_eq!(*act.unwrap_err().code(), codes::CONFLICT, "an act of somebody who was shut out");
    }

    async fn a_permission_does_not_outlive_the_password_it_was_given_for(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let mut owner = world.signed_in("ada@example.com").await;
        let token = owner.cookies["authkit_session"].clone();
        let Progress::Granted(grant) = world.cx().step_up(&session_of(&world, &token).await, "wire.money").await.unwrap()
        else {
            panic!("the password was proved a moment ago");
        };
        let changed = owner.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
        assert_eq!(changed.status, 204, "{changed:?}");
        let session = session_of(&world, &owner.cookies["authkit_session"]).await;
        let redeemed = world.cx().redeem(&session, "wire.money", grant.expose()).await;
        assert_eq!(redeemed.map_err(|error| error.code().code), Err(codes::STEP_UP_REQUIRED.code));
    }

    async fn a_session_copied_before_a_change_of_password_is_dead_after_it(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let mut owner = world.signed_in("ada@example.com").await;
        let mut thief = owner.tab();
        let changed = owner.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
        assert!([200, 204].contains(&changed.status), "{changed:?}");
        assert!(owner.is_signed_in().await);
        assert!(!thief.is_signed_in().await, "whoever had the cookie before still has it");
    }

    async fn signing_in_with_two_factors_ends_the_session_that_the_browser_had(backend) {
        let world = World::builder(backend).plugin(SecondFactor).plugin(DemandSecondFactor).build().await;
        world.sign_up("ada@example.com").await;
        let (flow, code) = enrolled(&world, "ada@example.com").await;
        let mut browser = world.browser();
        let body = json!({ "flow": flow, "method": CODE, "code": code });
        assert_eq!(browser.post("/v1/auth/challenges/answer", body).await.status, 200);
        let mut before = browser.tab();
        let flow = challenged(&world, "ada@example.com").await.flow.expose().to_owned();
        let body = json!({ "flow": flow, "method": CODE, "code": code });
        let again = browser.post("/v1/auth/challenges/answer", body).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_ne!(browser.cookies["authkit_session"], before.cookies["authkit_session"]);
        assert!(!before.is_signed_in().await, "ASVS 5.0 V7.2.4, as after a sign-in with one factor");
    }

    async fn two_addresses_of_one_account_are_no_two_budgets(backend) {
        let world = stopping_after(backend, 10).await;
        with_two_addresses(&world).await;
        for n in 0..40_u32 {
            world.clock.advance(Duration::from_secs(120));
            let name = ["ada@example.com", "lovelace@example.org"][n as usize % 2];
            let [_, b, c, d] = n.to_be_bytes();
            world.browser().at(IpAddr::from([100, b, c, d])).login(name, "a wrong guess").await;
        }
        assert_eq!(evaluated(&world).await, 10, "NIST SP 800-63B-4 §3.2.2 counts by account");
    }

    async fn login_and_change_of_password_are_no_two_budgets(backend) {
        let world = stopping_after(backend, 10).await;
        world.sign_up("ada@example.com").await;
        let mut thief = world.signed_in("ada@example.com").await;
        thief.cookies.remove("authkit_device");
        for n in 0..40_u32 {
            world.clock.advance(Duration::from_secs(120));
            let [_, b, c, d] = n.to_be_bytes();
            let ip = IpAddr::from([100, b, c, d]);
            if n % 2 == 0 {
                world.browser().at(ip).login("ada@example.com", "a wrong guess").await;
            } else {
                let mut tab = thief.tab().at(ip);
                tab.post("/v1/account/change-password", change("a wrong guess", OTHER_PASSWORD)).await;
            }
        }
        assert_eq!(evaluated(&world).await, 10, "one password, one budget");
    }

    async fn the_failure_that_fills_a_lock_is_recorded_even_if_it_loses_the_flow(backend) {
        for _ in 0..100 {
            let lockout = Lockout::fixed_15().steps([]).account_steps([]).hard_stop(2);
            let throttle = Throttle::default().lockout(lockout);
            let world = World::builder(backend).plugin(SecondFactor).plugin(DemandSecondFactor).throttle(throttle);
            let world = Arc::new(world.build().await);
            let id = world.sign_up("ada@example.com").await;
            let (flow, _) = enrolled(&world, "ada@example.com").await;
            let mut both = tokio::task::JoinSet::new();
            for _ in 0..2 {
                let (world, flow) = (world.clone(), flow.clone());
                both.spawn(async move { world.cx().answer(&flow, &CODES, json!({ "code": "no" })).await.is_ok() });
            }
            both.join_all().await;
            let events = world.events_of(id).await;
            let failures = events.iter().filter(|kind| *kind == "login_failure").count();
            let locks = events.iter().filter(|kind| *kind == "account_locked").count();
            assert_eq!(locks, usize::from(failures == 2), "{events:?}");
        }
    }

    async fn an_address_locked_before_its_owner_signs_up_can_be_unlocked(backend) {
        let world = stopping_after(backend, 10).await;
        for n in 0..20_u32 {
            world.clock.advance(Duration::from_secs(120));
            let [_, b, c, d] = n.to_be_bytes();
            world.browser().at(IpAddr::from([100, b, c, d])).login("new@example.com", "a wrong guess").await;
        }
        let id = world.sign_up("new@example.com").await;
        world.clock.advance(Duration::from_secs(120));
        if world.browser().login("new@example.com", PASSWORD).await.status != 200 {
            world.auth.capability::<LockoutAdmin>().unwrap().unlock(&world.cx(), id, None).await.unwrap();
            world.clock.advance(Duration::from_secs(120));
        }
        let login = world.browser().login("new@example.com", PASSWORD).await;
        assert_eq!(login.status, 200, "locked for 30 days, and nobody can lift it: {login:?}");
    }

    async fn a_node_that_does_not_know_a_factor_lets_nobody_enrol_another(backend) {
        let world = World::builder(backend).event::<Exported>().plugin(SecondFactor).plugin(DemandSecondFactor);
        let world = world.build().await;
        let id = world.sign_up("ada@example.com").await;
        // Written by another node, which has the plugin: a rolling upgrade, or a configuration that differs.
        let cx = world.cx();
        let ada = cx.principal(id).await.unwrap().unwrap();
        let mut batch = Batch::new(&cx);
        batch.add_enrolment(&cx, &ada, Ability::new(MethodId::from_static("passkey"), Factors::POSSESSION));
        batch.raise_epoch(&cx, &ada, EndSessions::None);
        cx.commit(Exported { principal: id }, batch).await.unwrap();
        let response = json!({ "identifier": "ada@example.com", "password": PASSWORD });
        if let Ok(Progress::Challenged(challenge)) = world.cx().sign_in(&PASSWORDS, response).await {
            let enrols = challenge.offers.iter().any(|offer| offer.action == OfferAction::Enrol);
            assert!(!enrols, "a thief of the password sets up a factor beside the owner's: {:?}", challenge.offers);
        }
    }

    async fn counters_do_not_pile_up_faster_than_they_are_removed(backend) {
        let world = World::builder(backend).throttle(Throttle::default()).build().await;
        for n in 0..200_u32 {
            let [_, b, c, d] = n.to_be_bytes();
            let name = format!("u{n}@example.com");
            world.browser().at(IpAddr::from([100, b, c, d])).login(&name, "a wrong guess").await;
        }
        // One turn a minute has to keep up with what twenty addresses may write in a minute.
        world.clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
        world.auth.run_due_jobs().await;
        assert_eq!(stored(&world, "auth_counters").await, 0);
    }

    async fn what_is_refused_for_its_form_counts_for_the_client_all_the_same(backend) {
        let world = World::builder(backend).throttle(Throttle::default()).build().await;
        let mut attacker = world.browser();
        let mut statuses = Vec::new();
        for n in 0..30 {
            let body = json!({ "identifier": format!("u{n}@example.com"), "password": "short" });
            statuses.push(attacker.post("/v1/auth/signup", body).await.status);
        }
        assert!(statuses.contains(&429), "30 requests, 60 commits, no limit: {statuses:?}");
    }

    async fn an_invitation_is_good_for_one_of_fifty_parallel_sign_ups(backend) {
        let world = Arc::new(World::builder(backend).accounts(Accounts::default().sign_up(SignUpPolicy::Invite)).build().await);
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        let invitation = admin.invite(&world.cx(), None, Duration::from_secs(600)).await.unwrap();
        let mut all = tokio::task::JoinSet::new();
        for n in 0..50 {
            let (world, invitation) = (world.clone(), invitation.expose().to_owned());
            all.spawn(async move {
                let name = format!("u{n}@example.com");
                let body = json!({ "identifier": name, "password": PASSWORD, "invitation": invitation });
                usize::from(world.browser().post("/v1/auth/signup", body).await.status == 201)
            });
        }
        assert_eq!(all.join_all().await.into_iter().sum::<usize>(), 1);
    }
}
