//! The simplest policy: one condition for every step.

use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{
    Admission, Aftermath, Attempt, AuthError, Condition, End, FlowView, Manifest, Order, Plugin, Problem, Registrar,
    RequestContext, Requirement, Signals, Stage, StageId,
};

/// Demands one condition of whatever is authenticated.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests make it")]
pub struct Demand(pub Condition);

impl Plugin for Demand {
    fn manifest(&self) -> Manifest {
        Manifest::new("demand", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(self.clone()));
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

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(Requirement::of("demanded", self.0.clone()))
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}
