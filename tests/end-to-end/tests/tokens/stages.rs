//! Stages look on when tokens are refreshed: they can demand more, deny or fail, and none of that signs anybody out.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use authkit_core::{
    Aal, Admission, Aftermath, Attempt, AuthError, Condition, End, FlowView, Manifest, Order, Plugin, Problem, Purpose,
    Registrar, RequestContext, Requirement, Signals, Stage, StageId, codes,
};
use end_to_end::{Backend, World, on_each_store};

use crate::{
    client::{after_steps, assert_alive, next, opened, refresh, sign_in},
    setup::{ADA, builder, recorded, sessions},
};

/// What the stage says to a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Nothing,
    SecondFactor,
    No,
    Fails,
}

/// A stage that concerns itself with refreshes only.
#[derive(Clone, Debug)]
struct Doorkeeper(Arc<Mutex<Says>>);

impl Doorkeeper {
    fn say(&self, says: Says) {
        *self.0.lock().unwrap() = says;
    }
}

impl Plugin for Doorkeeper {
    fn manifest(&self) -> Manifest {
        Manifest::new("doorkeeper", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(self.clone()));
        Ok(())
    }
}

#[async_trait]
impl Stage for Doorkeeper {
    fn id(&self) -> StageId {
        "doorkeeper"
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
        if !matches!(flow.purpose, Purpose::Refresh { .. }) {
            return Ok(Requirement::none());
        }
        match *self.0.lock().unwrap() {
            Says::Nothing => Ok(Requirement::none()),
            Says::SecondFactor => Ok(Requirement::of("two factors", Condition::level(Aal::Aal2))),
            Says::No => Ok(Requirement::deny("not now")),
            Says::Fails => Err(AuthError::new(&codes::UNAVAILABLE)),
        }
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}

async fn with_doorkeeper(backend: Backend) -> (World, Doorkeeper) {
    let doorkeeper = Doorkeeper(Arc::new(Mutex::new(Says::Nothing)));
    let world = builder(backend).plugin(doorkeeper.clone()).build().await;
    world.sign_up(ADA).await;
    (world, doorkeeper)
}

on_each_store! {
    async fn a_refresh_that_a_stage_refuses_changes_nothing_and_works_later(backend) {
        let (world, doorkeeper) = with_doorkeeper(backend).await;
        let tokens = sign_in(&world, ADA).await;
        let before = sessions(&world).await;
        for (says, status) in [(Says::SecondFactor, 401), (Says::No, 401), (Says::Fails, 503)] {
            doorkeeper.say(says);
            let refused = refresh(&world, &tokens.refresh).await;
            assert_eq!(refused.status, status, "{says:?}: {refused:?}");
            assert_eq!(sessions(&world).await, before, "{says:?}");
            assert_eq!(recorded(&world, "token_refreshed").await, 0, "{says:?}");
        }
        doorkeeper.say(Says::Nothing);
        assert_alive(opened(&world, &next(&world, &tokens).await.access).await);
    }

    async fn a_token_that_is_used_again_ends_its_session_whatever_a_stage_says(backend) {
        let (world, doorkeeper) = with_doorkeeper(backend).await;
        let first = sign_in(&world, ADA).await;
        after_steps(&world, &first, 3).await;
        doorkeeper.say(Says::Fails);
        assert_eq!(refresh(&world, &first.refresh).await.status, 401);
        assert!(sessions(&world).await.is_empty());
    }
}
