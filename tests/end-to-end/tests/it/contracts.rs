//! The parts of the contracts that nothing else shows, with small plugins that know nothing of each other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{
    AuditEntry, AuditEvent, AuditLogger, Batch, BoxError, Deliver, LoggerRole, LoginFailure, Logout, Manifest,
    MethodId, OfferAction, Parcel, Plugin, Problem, Progress, Registrar, RequestContext, Settlement, Subscriber,
    TokenKind, codes,
};
use authkit_testkit::{Counted, Fault};
use end_to_end::{Backend, PASSWORD, World, WorldBuilder, keys, on_each_store};
use serde_json::json;

use crate::second_factor::{CODE, DemandSecondFactor, SecondFactor, challenged, code_of, enrolled};

const METHOD: MethodId = MethodId::from_static(CODE);

fn second_factor(backend: Backend) -> WorldBuilder {
    World::builder(backend).plugin(SecondFactor).plugin(DemandSecondFactor)
}

async fn with_second_factor(backend: Backend) -> World {
    second_factor(backend).build().await
}

on_each_store! {
    async fn a_missing_factor_is_enrolled_inside_the_flow(backend) {
        let world = with_second_factor(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let challenge = challenged(&world, "ada@example.com").await;
        assert_eq!(challenge.reason, "second_factor");
        assert_eq!(challenge.offers.len(), 1);
        assert_eq!(challenge.offers[0].action, OfferAction::Enrol);
        assert!(code_of(&world, id).await.is_empty(), "nothing is written before the flow ends");
        let (_, code) = enrolled(&world, "ada@example.com").await;
        assert_eq!(code_of(&world, id).await, code);
    }

    async fn whoever_stole_the_first_factor_cannot_enrol_another_second_one(backend) {
        let world = with_second_factor(backend).await;
        world.sign_up("ada@example.com").await;
        enrolled(&world, "ada@example.com").await;
        let thief = challenged(&world, "ada@example.com").await;
        assert!(thief.offers.iter().all(|offer| offer.action == OfferAction::Verify), "{:?}", thief.offers);
        let begun = world.cx().begin(&METHOD, json!(null), Some(thief.flow.expose())).await;
        assert!(begun.is_err(), "{begun:?}");
    }

    async fn a_wrong_answer_moves_the_flow_on_and_five_end_it(backend) {
        let world = with_second_factor(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let (mut flow, code) = enrolled(&world, "ada@example.com").await;
        for _ in 0..5 {
            let refused = world.cx().answer(&flow, &METHOD, json!({ "code": "no" })).await.unwrap_err();
            assert_eq!(refused.code().code, "core.rejected");
            let spent = world.cx().answer(&flow, &METHOD, json!({ "code": code })).await.unwrap_err();
            assert_eq!(spent.code().code, "core.flow_invalid", "the token before is used up");
            flow = refused.challenge().unwrap().flow.expose().to_owned();
        }
        let over = world.cx().answer(&flow, &METHOD, json!({ "code": code })).await.unwrap_err();
        assert_eq!(over.code().code, "core.flow_invalid", "five answers were judged");
        let failures = world.events_of(id).await.iter().filter(|kind| *kind == "login_failure").count();
        assert_eq!(failures, 5);
    }

    async fn a_flow_does_not_outlive_a_change_of_credentials(backend) {
        let world = second_factor(backend).event::<Noted>().build().await;
        let id = world.sign_up("ada@example.com").await;
        let (flow, code) = enrolled(&world, "ada@example.com").await;
        let cx = world.cx();
        let principal = cx.principal(id).await.unwrap().unwrap();
        let mut batch = Batch::new(&cx);
        batch.raise_epoch(&cx, &principal, authkit_core::EndSessions::None);
        cx.commit(Noted, batch).await.unwrap();
        let stale = world.cx().answer(&flow, &METHOD, json!({ "code": code })).await.unwrap_err();
        assert_eq!(stale.code().class, authkit_core::Class::Rejected, "{stale:?}");
        assert!(stale.challenge().is_none(), "the flow is over");
        assert_eq!(world.events_of(id).await.last().unwrap(), "login_failure", "and it is recorded");
    }

    async fn an_action_is_permitted_once_after_a_fresh_proof(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let token = world.signed_in("ada@example.com").await.cookies["authkit_session"].clone();
        let session = world.cx().authenticate(&token).await.unwrap().unwrap();
        let Progress::Granted(grant) = world.cx().step_up(&session, "wire.money").await.unwrap() else {
            panic!("the password was proved a moment ago");
        };
        let other = world.cx().redeem(&session, "another.action", grant.expose()).await.unwrap_err();
        assert_eq!(*other.code(), codes::STEP_UP_REQUIRED);
        let world = Arc::new(world);
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (world, session, grant) = (world.clone(), session.clone(), grant.expose().to_owned());
            all.spawn(async move { usize::from(world.cx().redeem(&session, "wire.money", &grant).await.is_ok()) });
        }
        assert_eq!(all.join_all().await.into_iter().sum::<usize>(), 1);

        world.clock.advance(Duration::from_secs(6 * 60));
        let session = world.cx().authenticate(&token).await.unwrap().unwrap();
        let Progress::Challenged(challenge) = world.cx().step_up(&session, "wire.money").await.unwrap() else {
            panic!("the proof is no longer fresh");
        };
        let password = MethodId::from_static("password");
        let answer = world.cx().answer(challenge.flow.expose(), &password, json!({ "password": PASSWORD })).await;
        assert!(matches!(answer, Ok(Progress::Granted(_))), "{answer:?}");
    }

    async fn a_secret_is_given_out_by_the_receipt_of_its_own_batch_only(backend) {
        let world = World::builder(backend).event::<Noted>().build().await;
        let cx = world.cx();
        let kind = TokenKind::new(&keys(), "akx");
        let (mut one, mut other) = (Batch::new(&cx), Batch::new(&cx));
        let (mine, theirs) = (one.secret(&cx), other.secret(&cx));
        let receipt = cx.commit(Noted, one).await.unwrap();
        let id: authkit_core::Id = cx.new_id();
        assert!(receipt.token(&kind, id, &mine).is_ok());
        assert_eq!(*receipt.token(&kind, id, &theirs).unwrap_err().code(), codes::INTERNAL);
    }

    async fn a_message_is_delivered_after_a_crash_between_commit_and_delivery(backend) {
        let courier = Courier::default();
        let world = World::builder(backend).plugin(courier.clone()).build().await;
        let cx = world.cx();
        let kind = TokenKind::new(&keys(), "akx");
        let mut batch = Batch::new(&cx);
        let secret = batch.secret(&cx);
        let id: authkit_core::Id = cx.new_id();
        batch.send_token("courier.link", json!({ "to": "ada" }), &kind, id, &secret).unwrap();
        cx.commit(Noted, batch).await.unwrap();
        assert_eq!(courier.seen(), 0, "nothing is sent before the job runs");

        courier.fail(2);
        for _ in 0..2 {
            world.auth.run_due_jobs().await;
            world.clock.advance(Duration::from_secs(60));
        }
        assert_eq!(courier.seen(), 0, "it failed twice and waits");
        world.auth.run_due_jobs().await;
        assert_eq!(courier.seen(), 1);
        world.clock.advance(Duration::from_secs(3600));
        world.auth.run_due_jobs().await;
        assert_eq!(courier.seen(), 1, "it is gone from the outbox");
        let token = courier.token();
        assert!(kind.parse(&token).is_some_and(|claim| claim.proves(&secret.hash())));
    }

    async fn a_failed_commit_sends_nothing(backend) {
        let courier = Courier::default();
        let world = World::builder(backend).plugin(courier.clone()).build().await;
        let cx = world.cx();
        let mut batch = Batch::new(&cx);
        batch.send("courier.link", json!({}));
        world.store.inject(Counted::Commits, 1, Fault::Fails);
        assert_eq!(*cx.commit(Noted, batch).await.unwrap_err().code(), codes::UNAVAILABLE);
        world.auth.run_due_jobs().await;
        assert_eq!(courier.seen(), 0);
    }

    async fn subscribers_hear_of_what_was_committed(backend) {
        let courier = Courier::default();
        let world = World::builder(backend).plugin(courier.clone()).build().await;
        world.sign_up("ada@example.com").await;
        world.browser().login("ada@example.com", "wrong").await;
        world.auth.run_due_jobs().await;
        assert_eq!(courier.heard(), ["login_failure"]);
    }

    async fn a_required_logger_that_refuses_stops_what_grants_and_nothing_else(backend) {
        let sink = Sink::default();
        let world = World::builder(backend).plugin(sink.clone()).build().await;
        world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        sink.refuse.store(1, Ordering::SeqCst);
        let refused = world.browser().login("ada@example.com", PASSWORD).await;
        assert_eq!((refused.status, refused.code().as_str()), (503, "core.audit_unavailable"));
        assert_eq!(world.rows("auth_sessions", "by_principal").await.len(), 1, "no session was issued");
        assert_eq!(world.browser().login("ada@example.com", "wrong").await.status, 401, "refusing never waits");
        assert_eq!(browser.post("/v1/auth/logout", json!({})).await.status, 204, "revoking never waits");
        sink.refuse.store(0, Ordering::SeqCst);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 200);
        world.auth.run_due_jobs().await;
        assert!(sink.settled.load(Ordering::SeqCst) >= 5, "told of everything that landed");
    }

    async fn a_right_password_is_no_failed_guess_when_something_else_fails(backend) {
        let sink = Sink::default();
        let throttle = authkit_risk::Throttle::default();
        let world = World::builder(backend).plugin(sink.clone()).throttle(throttle).build().await;
        world.sign_up("ada@example.com").await;
        sink.refuse.store(1, Ordering::SeqCst);
        let mut browser = world.browser();
        for _ in 0..9 {
            assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 503);
        }
        sink.refuse.store(0, Ordering::SeqCst);
        assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 200);
    }

    async fn a_right_password_is_no_failed_guess_when_more_is_demanded(backend) {
        let throttle = authkit_risk::Throttle::default();
        let world = World::builder(backend).plugin(SecondFactor).plugin(DemandSecondFactor).throttle(throttle);
        let world = world.build().await;
        world.sign_up("ada@example.com").await;
        let (_, code) = enrolled(&world, "ada@example.com").await;
        for _ in 0..9 {
            challenged(&world, "ada@example.com").await;
        }
        let flow = challenged(&world, "ada@example.com").await.flow;
        let done = world.cx().answer(flow.expose(), &METHOD, json!({ "code": code })).await;
        assert!(matches!(done, Ok(Progress::SignedIn(_))), "{done:?}");
    }

    async fn sealed_values_do_not_open_elsewhere(backend) {
        let world = with_second_factor(backend).await;
        let ada = world.sign_up("ada@example.com").await;
        world.sign_up("eve@example.com").await;
        enrolled(&world, "ada@example.com").await;
        enrolled(&world, "eve@example.com").await;
        assert!(!crate::second_factor::cannot_open(&world, ada).await);
        crate::second_factor::swap_secrets(&world).await;
        assert!(crate::second_factor::cannot_open(&world, ada).await);
    }
}

#[derive(Debug, serde::Serialize)]
struct Noted;

impl AuditEvent for Noted {
    const KIND: &'static str = "noted";
    const ACT: authkit_core::Act = authkit_core::Act::Grants;

    fn about(&self) -> authkit_core::About {
        authkit_core::About::new(authkit_core::Outcome::Success)
    }
}

/// Receives messages and events, and can be told to fail.
#[derive(Clone, Default)]
struct Courier(Arc<CourierState>);

#[derive(Default)]
struct CourierState {
    failures: AtomicUsize,
    parcels: std::sync::Mutex<Vec<String>>,
    entries: std::sync::Mutex<Vec<String>>,
}

impl Courier {
    fn fail(&self, deliveries: usize) {
        self.0.failures.store(deliveries, Ordering::SeqCst);
    }

    fn seen(&self) -> usize {
        self.0.parcels.lock().unwrap().len()
    }

    fn token(&self) -> String {
        self.0.parcels.lock().unwrap()[0].clone()
    }

    fn heard(&self) -> Vec<String> {
        self.0.entries.lock().unwrap().clone()
    }
}

impl Plugin for Courier {
    fn manifest(&self) -> Manifest {
        Manifest::new("courier", "0.1.0").event::<Noted>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.outbox("courier.link", Arc::new(self.clone()));
        registrar.subscribe::<LoginFailure>(Arc::new(self.clone()));
        registrar.subscribe::<Logout>(Arc::new(self.clone()));
        Ok(())
    }
}

#[async_trait]
impl Deliver for Courier {
    async fn deliver(&self, _: &RequestContext, parcel: &Parcel) -> Result<(), BoxError> {
        if self.0.failures.load(Ordering::SeqCst) > 0 {
            self.0.failures.fetch_sub(1, Ordering::SeqCst);
            return Err("the courier fell ill".into());
        }
        let token = parcel.token.as_ref().map(|token| token.expose().to_owned()).unwrap_or_default();
        self.0.parcels.lock().unwrap().push(token);
        Ok(())
    }
}

#[async_trait]
impl Subscriber for Courier {
    async fn notice(&self, _: &RequestContext, entry: &AuditEntry) -> Result<(), BoxError> {
        self.0.entries.lock().unwrap().push(entry.kind.clone());
        Ok(())
    }
}

/// A required logger.
#[derive(Clone, Default)]
struct Sink {
    refuse: Arc<AtomicUsize>,
    settled: Arc<AtomicUsize>,
}

impl Plugin for Sink {
    fn manifest(&self) -> Manifest {
        Manifest::new("sink", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.audit_logger(Arc::new(self.clone()), LoggerRole::Required);
        Ok(())
    }
}

#[async_trait]
impl AuditLogger for Sink {
    fn id(&self) -> &'static str {
        "sink"
    }

    async fn prepare(&self, _: &AuditEntry) -> Result<(), BoxError> {
        if self.refuse.load(Ordering::SeqCst) == 0 { Ok(()) } else { Err("the sink is full".into()) }
    }

    async fn settled(&self, _: &AuditEntry, settlement: Settlement) -> Result<(), BoxError> {
        if settlement == Settlement::Committed {
            self.settled.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}
