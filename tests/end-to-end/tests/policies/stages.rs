//! Stages of several plugins: they turn away, add, deny, fail and try to weaken, in every order.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{
    Aal, Admission, Aftermath, Attempt, AuthError, Class, Clause, Condition, End, ErrorCode, FlowView, Manifest,
    OfferAction, Order, Plugin, Problem, Purpose, Registrar, RequestContext, Requirement, Signals, Stage, StageId,
    codes,
};
use authkit_risk::Throttle;
use authkit_testkit::{Counted, Fault};
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde_json::json;

use crate::{
    numbers::{CARD, KEY, SecondFactors},
    policy::Policy,
    steps::{
        ADA, BY_PASSWORD, answer, answer_password, challenged, give, granted, offered, recorded, sessions, shown,
        sign_in, signed_in,
    },
};

/// What is wrong with a stage's own backend.
pub(crate) static GONE: ErrorCode = ErrorCode::new("fragile.gone", Class::Unavailable, "Try again later.");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    Admit,
    Assess,
    Decide,
    After,
}

/// A stage that turns away or fails when told, and otherwise only leaves a signal of its name.
#[derive(Clone, Debug)]
pub(crate) struct Fragile {
    id: StageId,
    order: Order,
    turns_away: Arc<Mutex<bool>>,
    fails: Arc<Mutex<Option<Hook>>>,
}

impl Fragile {
    pub(crate) fn new(id: StageId) -> Self {
        Self { id, order: Order::ANY, turns_away: Arc::default(), fails: Arc::default() }
    }

    fn after(mut self, stages: &'static [StageId]) -> Self {
        self.order = Order::after(stages);
        self
    }

    pub(crate) fn fail_at(&self, hook: impl Into<Option<Hook>>) {
        *self.fails.lock().unwrap() = hook.into();
    }

    fn reach(&self, hook: Hook) -> Result<(), AuthError> {
        if *self.fails.lock().unwrap() == Some(hook) { Err(AuthError::new(&GONE)) } else { Ok(()) }
    }
}

impl Plugin for Fragile {
    fn manifest(&self) -> Manifest {
        let manifest = Manifest::new(self.id, "0.1.0");
        if self.id == "fragile" { manifest.error(&GONE) } else { manifest }
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(self.clone()));
        Ok(())
    }
}

#[async_trait]
impl Stage for Fragile {
    fn id(&self) -> StageId {
        self.id
    }

    fn order(&self) -> Order {
        self.order
    }

    async fn admit(&self, _: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> {
        self.reach(Hook::Admit)?;
        if *self.turns_away.lock().unwrap() {
            let error = AuthError::new(&codes::LIMITED).retry_after(Duration::from_secs(7));
            return Ok(Admission::TurnAway(error));
        }
        Ok(Admission::Pass(Vec::new()))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, signals: &mut Signals) -> Result<(), AuthError> {
        signals.add(self.id, 1);
        self.reach(Hook::Assess)
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        self.reach(Hook::Decide).map(|()| Requirement::none())
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        self.reach(Hook::After)
    }
}

fn strict() -> Policy {
    Policy::new("strict", |_, _| Requirement::of("strict", Condition::level(Aal::Aal2)))
}

fn lenient() -> Policy {
    Policy::new("lenient", |_, _| Requirement::of("lenient", Condition::level(Aal::Aal1)))
}

fn careless() -> Policy {
    Policy::new("careless", |_, _| Requirement::none())
}

/// A world in which ada has both numbers, and nobody gets in below the highest level.
async fn with_highest(backend: Backend) -> World {
    let highest = Policy::new("highest", |_, _| Requirement::of("highest", Condition::level(Aal::Aal3)));
    let world = World::builder(backend).plugin(SecondFactors).plugin(highest).build().await;
    let ada = world.sign_up(ADA).await;
    give(&world, ada, CARD, "1234").await;
    give(&world, ada, KEY, "5678").await;
    world
}

/// How many sums were recorded of what this reason turned away, as of now.
async fn in_sum(world: &World, reason: &str) -> usize {
    world.auth.run_due_jobs().await;
    world.audit().await.iter().filter(|event| event["data"]["reason"] == reason).count()
}

async fn with_fragile(backend: Backend) -> (World, Fragile) {
    let fragile = Fragile::new("fragile");
    let world = World::builder(backend).plugin(SecondFactors).plugin(fragile.clone()).build().await;
    world.sign_up(ADA).await;
    (world, fragile)
}

on_each_store! {
    async fn who_is_turned_away_is_not_judged_and_is_recorded_in_sum(backend) {
        let (world, fragile) = with_fragile(backend).await;
        *fragile.turns_away.lock().unwrap() = true;
        let (calls, records) = (world.store.commits(), world.audit().await.len());
        for password in [PASSWORD, "wrong", "wrong again"] {
            let answer = world.browser().at([203, 0, 113, 9]).login(ADA, password).await;
            assert_eq!((answer.status, answer.code().as_str()), (429, "core.limited"));
            assert_eq!(answer.headers["retry-after"], "7");
        }
        assert_eq!((world.store.commits(), world.audit().await.len()), (calls, records), "nothing is written");
        world.auth.run_due_jobs().await;
        let audit = world.audit().await;
        let sum: Vec<_> = audit.iter().filter(|event| event["kind"] == "rate_limited").collect();
        assert_eq!(sum.len(), 1, "{sum:?}");
        assert_eq!(sum[0]["data"]["reason"], "fragile");
        assert_eq!(sum[0]["data"]["count"], 3);
        *fragile.turns_away.lock().unwrap() = false;
        assert_eq!(world.browser().login(ADA, PASSWORD).await.status, 200);
    }

    async fn a_denial_is_told_to_whoever_proved_himself_and_recorded(backend) {
        let closed = Policy::new("closed", |_, flow| match flow.purpose {
            Purpose::SignIn => Requirement::deny("closed at night"),
            _ => Requirement::none(),
        });
        let world = World::builder(backend).plugin(closed).plugin(careless()).build().await;
        let ada = world.sign_up(ADA).await;
        let denied = world.browser().login(ADA, PASSWORD).await;
        assert_eq!((denied.status, denied.code().as_str()), (403, "core.denied"));
        let wrong = world.browser().login(ADA, "wrong").await;
        assert_eq!((wrong.status, wrong.code().as_str()), (401, "core.rejected"));
        assert!(sessions(&world).await.is_empty());
        assert_eq!(world.events_of(ada).await, ["signup", "login_failure", "login_failure"]);
    }

    async fn no_stage_weakens_what_another_one_demands_in_whatever_order(backend) {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut builder = World::builder(backend).plugin(SecondFactors);
            for position in order {
                builder = builder.plugin([strict(), lenient(), careless()][position]);
            }
            let world = builder.build().await;
            let ada = world.sign_up(ADA).await;
            give(&world, ada, CARD, "1234").await;
            let challenge = challenged(sign_in(&world, ADA).await);
            assert_eq!(challenge.reason, "strict", "{order:?}");
            signed_in(answer(&world, &challenge, &CARD, "1234").await);
        }
    }

    async fn a_stage_that_fails_before_the_outcome_closes_the_door(backend) {
        let (world, fragile) = with_fragile(backend).await;
        let session = shown(&world, &world.signed_in(ADA).await.cookies["authkit_session"]).await.unwrap();
        for hook in [Hook::Admit, Hook::Assess, Hook::Decide, Hook::After] {
            fragile.fail_at(hook);
            let right = world.browser().login(ADA, PASSWORD).await;
            assert_eq!((right.status, right.code().as_str()), (503, "fragile.gone"), "{hook:?}");
            assert_eq!(sessions(&world).await.len(), 1, "{hook:?}: the one from before");
            let refused = world.cx().step_up(&session, "wire.money").await.unwrap_err();
            assert_eq!(*refused.code(), GONE, "{hook:?}");
            // Nothing is issued to a session that proved enough, so nothing comes after it.
            if hook != Hook::After {
                assert_eq!(*world.cx().raise(&session, Aal::Aal1).await.unwrap_err().code(), GONE, "{hook:?}");
            }
            let password = json!({ "password": PASSWORD });
            let proved = world.cx().prove(&session, &BY_PASSWORD, password, "password.change").await;
            assert_eq!(*proved.unwrap_err().code(), GONE, "{hook:?}");
        }
        assert_eq!(recorded(&world, "action_granted").await + recorded(&world, "session_raised").await, 0);
        fragile.fail_at(None);
        assert_eq!(world.browser().login(ADA, PASSWORD).await.status, 200);
    }

    async fn a_flow_outlives_the_failure_of_a_stage_and_a_proof_is_not_spent(backend) {
        let fragile = Fragile::new("fragile");
        let world = World::builder(backend).plugin(SecondFactors).plugin(strict()).plugin(fragile.clone()).build().await;
        let ada = world.sign_up(ADA).await;
        give(&world, ada, CARD, "1234").await;
        let challenge = challenged(sign_in(&world, ADA).await);
        for hook in [Hook::Admit, Hook::Assess, Hook::Decide, Hook::After] {
            fragile.fail_at(hook);
            let failed = answer(&world, &challenge, &CARD, "1234").await.unwrap_err();
            assert_eq!(*failed.code(), GONE, "{hook:?}");
            assert_eq!(world.rows("test_numbers", "by_method").await[0]["used"], 0, "{hook:?}");
        }
        fragile.fail_at(None);
        signed_in(answer(&world, &challenge, &CARD, "1234").await);
    }

    async fn a_right_password_is_no_failed_guess_while_a_stage_fails(backend) {
        let fragile = Fragile::new("fragile");
        let world = World::builder(backend).plugin(fragile.clone()).throttle(Throttle::default()).build().await;
        world.sign_up(ADA).await;
        let mut browser = world.signed_in(ADA).await;
        browser.cookies.remove("authkit_device");
        for hook in [Hook::Assess, Hook::Decide, Hook::After] {
            fragile.fail_at(hook);
            for _ in 0..4 {
                world.clock.advance(Duration::from_secs(13));
                assert_eq!(world.browser().at([203, 0, 113, 9]).login(ADA, PASSWORD).await.status, 503, "{hook:?}");
            }
        }
        fragile.fail_at(None);
        assert_eq!(world.browser().at([203, 0, 113, 9]).login(ADA, PASSWORD).await.status, 200);
    }

    async fn a_right_password_of_a_session_is_no_failed_guess_while_a_stage_fails(backend) {
        let fragile = Fragile::new("fragile");
        let world = World::builder(backend).plugin(fragile.clone()).throttle(Throttle::default()).build().await;
        world.sign_up(ADA).await;
        let mut browser = world.signed_in(ADA).await;
        browser.cookies.remove("authkit_device");
        for hook in [Hook::Assess, Hook::Decide, Hook::After] {
            fragile.fail_at(hook);
            for _ in 0..4 {
                world.clock.advance(Duration::from_secs(13));
                let failed = browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
                assert_eq!(failed.status, 503, "{hook:?}: {failed:?}");
            }
        }
        fragile.fail_at(None);
        let changed = browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
        assert_eq!(changed.status, 204, "{changed:?}");
    }

    async fn a_right_password_of_a_session_is_no_failed_guess_wherever_the_store_fails(backend) {
        let mut locked = Vec::new();
        'calls: for call in 1..20 {
            let world = World::builder(backend).throttle(Throttle::default()).build().await;
            world.sign_up(ADA).await;
            let mut browser = world.signed_in(ADA).await;
            browser.cookies.remove("authkit_device");
            for _ in 0..6 {
                world.clock.advance(Duration::from_secs(13));
                world.store.inject(Counted::Calls, call, Fault::Fails);
                let failed = browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
                world.store.heal();
                if failed.status == 204 {
                    continue 'calls;
                }
            }
            if browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await.status != 204 {
                locked.push(call);
            }
        }
        assert_eq!(locked, [0; 0], "store calls whose failure counts as a failed guess");
    }

    async fn a_wrong_guess_is_recorded_though_a_stage_fails_after_it(backend) {
        let (world, fragile) = with_fragile(backend).await;
        fragile.fail_at(Hook::After);
        assert_ne!(world.browser().login(ADA, "wrong").await.status, 200);
        assert_eq!(recorded(&world, "login_failure").await, 1);
    }

    async fn a_wrong_guess_uses_its_token_up_though_a_stage_fails_after_it(backend) {
        let fragile = Fragile::new("fragile");
        let world = World::builder(backend).plugin(SecondFactors).plugin(strict()).plugin(fragile.clone()).build().await;
        let ada = world.sign_up(ADA).await;
        give(&world, ada, CARD, "1234").await;
        let challenge = challenged(sign_in(&world, ADA).await);
        fragile.fail_at(Hook::After);
        let failed = answer(&world, &challenge, &CARD, "a guess").await.unwrap_err();
        assert_eq!(*failed.code(), GONE);
        assert_eq!(recorded(&world, "login_failure").await, 1);
        fragile.fail_at(None);
        let again = answer(&world, &challenge, &CARD, "1234").await.unwrap_err();
        assert_eq!(*again.code(), codes::FLOW_INVALID, "one token, one guess");
        let next = failed.challenge().expect("the flow goes on");
        signed_in(answer(&world, next, &CARD, "1234").await);
    }

    async fn a_right_proof_that_a_failing_stage_refuses_leaves_a_trace(backend) {
        let (world, fragile) = with_fragile(backend).await;
        for (before, hook) in [Hook::Assess, Hook::Decide].into_iter().enumerate() {
            fragile.fail_at(hook);
            world.browser().login(ADA, PASSWORD).await;
            assert_eq!(in_sum(&world, "fragile").await, before + 1, "{hook:?}");
        }
    }

    async fn a_right_proof_after_which_a_stage_fails_leaves_a_trace(backend) {
        let (world, fragile) = with_fragile(backend).await;
        fragile.fail_at(Hook::After);
        world.browser().login(ADA, PASSWORD).await;
        assert_eq!(in_sum(&world, "fragile").await, 1);
    }

    async fn stages_run_in_the_order_that_they_ask_for(backend) {
        let builder = World::builder(backend).plugin(Fragile::new("anton").after(&["dora", "berta"]));
        let builder = builder.plugin(Fragile::new("berta").after(&["caesar"])).plugin(Fragile::new("dora"));
        let world = builder.plugin(Fragile::new("caesar")).build().await;
        world.sign_up(ADA).await;
        world.signed_in(ADA).await;
        let audit = world.audit().await;
        let login = audit.iter().find(|event| event["kind"] == "login_success").unwrap();
        assert_eq!(login["data"]["signals"], json!([["caesar", 1], ["berta", 1], ["dora", 1], ["anton", 1]]));
    }

    async fn either_of_two_ways_meets_one_clause(backend) {
        let either = Policy::new("either", |_, _| {
            let ways = [Condition::level(Aal::Aal1).phishing_resistant(), Condition::level(Aal::Aal2)];
            Requirement::none().and(Clause::any("key_or_two_factors", ways))
        });
        let world = World::builder(backend).plugin(SecondFactors).plugin(either).build().await;
        let ada = world.sign_up(ADA).await;
        give(&world, ada, CARD, "1234").await;
        give(&world, ada, KEY, "5678").await;
        let alone = world.cx().sign_in(&KEY, json!({ "identifier": ADA, "number": "5678" })).await;
        assert_eq!(signed_in(alone).session.aal, Aal::Aal1);
        for (method, number) in [(&CARD, "1234"), (&KEY, "5678")] {
            let challenge = challenged(sign_in(&world, ADA).await);
            assert_eq!(challenge.reason, "key_or_two_factors");
            assert_eq!(offered(&challenge, OfferAction::Verify), ["card", "key"]);
            signed_in(answer(&world, &challenge, method, number).await);
        }
        let card_alone = world.cx().sign_in(&CARD, json!({ "identifier": ADA, "number": "1234" })).await;
        challenged(card_alone);
    }

    async fn two_factors_at_any_time_and_one_within_five_minutes(backend) {
        let careful = Policy::new("careful", |_, flow| match flow.purpose {
            Purpose::StepUp { action, .. } if action == "wire.money" => {
                let fresh = Condition::level(Aal::Aal1).within(Duration::from_secs(5 * 60));
                Requirement::of("two_factors", Condition::level(Aal::Aal2)).and(Clause::any("fresh", [fresh]))
            }
            _ => Requirement::none(),
        });
        let world = World::builder(backend).plugin(SecondFactors).plugin(careful).build().await;
        let ada = world.sign_up(ADA).await;
        give(&world, ada, CARD, "1234").await;
        let token = world.signed_in(ADA).await.cookies["authkit_session"].clone();

        let session = shown(&world, &token).await.unwrap();
        let challenge = challenged(world.cx().step_up(&session, "wire.money").await);
        assert_eq!((challenge.reason.as_str(), offered(&challenge, OfferAction::Verify)), ("two_factors", vec!["card"]));
        granted(answer(&world, &challenge, &CARD, "1234").await);
        let raised = signed_in(answer(
            &world,
            &challenged(world.cx().raise(&session, Aal::Aal2).await),
            &CARD,
            "1234",
        ).await);

        let token = raised.tokens.access.expose().to_owned();
        world.clock.advance(Duration::from_secs(60 * 60));
        let session = shown(&world, &token).await.unwrap();
        for by_card in [true, false] {
            let challenge = challenged(world.cx().step_up(&session, "wire.money").await);
            assert_eq!(offered(&challenge, OfferAction::Verify), ["password", "card"], "one of them is enough");
            granted(if by_card {
                answer(&world, &challenge, &CARD, "1234").await
            } else {
                answer_password(&world, &challenge).await
            });
        }
    }

    async fn the_highest_level_is_reached_with_the_password_and_the_key(backend) {
        let world = with_highest(backend).await;
        let challenge = challenged(sign_in(&world, ADA).await);
        let signed = signed_in(answer(&world, &challenge, &KEY, "5678").await);
        assert_eq!((signed.session.aal, signed.session.amr.as_str()), (Aal::Aal3, "pwd hwk mfa"));
    }

    async fn the_highest_level_is_in_reach_after_the_card_too(backend) {
        let world = with_highest(backend).await;
        let challenge = challenged(sign_in(&world, ADA).await);
        let further = challenged(answer(&world, &challenge, &CARD, "1234").await);
        assert_eq!(offered(&further, OfferAction::Verify), ["key"]);
        assert_eq!(signed_in(answer(&world, &further, &KEY, "5678").await).session.aal, Aal::Aal3);
    }

    async fn nothing_is_offered_that_cannot_lead_to_what_is_demanded(backend) {
        let by_mail = Policy::new("by_mail", |_, _| {
            let mail = authkit_core::MethodId::from_static("mail");
            Requirement::of("mail", Condition::level(Aal::Aal1).method(mail))
        });
        let world = World::builder(backend).plugin(SecondFactors).plugin(by_mail).build().await;
        world.sign_up(ADA).await;
        let refused = sign_in(&world, ADA).await.map(drop);
        assert_eq!(*refused.unwrap_err().code(), codes::UNREACHABLE, "no number is a mail");
    }
}
