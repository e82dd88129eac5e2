//! A policy: who has to prove two factors, and for what.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use authkit_core::{
    Aal, Admission, Aftermath, Attempt, AuthError, Condition, End, FlowView, Manifest, Order, Plugin, Problem, Purpose,
    Registrar, RequestContext, Requirement, Signals, Stage, StageId,
};

use crate::{
    plugin::BADGE,
    request::{Action, Tenant},
};

/// Demands two factors in the north, of those who have a badge, and fresh ones for a grave action.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand;

impl Plugin for Demand {
    fn manifest(&self) -> Manifest {
        Manifest::new("demand", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(*self));
        Ok(())
    }
}

#[async_trait]
impl Stage for Demand {
    fn id(&self) -> StageId {
        "demand"
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

    async fn decide(&self, cx: &RequestContext, view: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        let everybody = cx.tenant() == Tenant::North.id();
        let mut demanded = Requirement::none();
        if everybody || view.enrolments.iter().any(|enrolment| enrolment.method == BADGE) {
            demanded = demanded.join(Requirement::of("two_factors", Condition::level(Aal::Aal2)));
        }
        if let Purpose::StepUp { action, .. } = view.purpose
            && action == Action::Grave.name()
        {
            let fresh = Condition::level(Aal::Aal2).within(Duration::from_secs(5 * 60));
            demanded = demanded.join(Requirement::of("grave_action", fresh));
        }
        Ok(demanded)
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}
