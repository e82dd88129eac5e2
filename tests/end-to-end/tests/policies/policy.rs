//! A stage that demands what a function says, and does nothing else.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use authkit_core::{
    Admission, Aftermath, Attempt, AuthError, End, FlowView, Manifest, Order, Plugin, Problem, Registrar,
    RequestContext, Requirement, Signals, Stage, StageId,
};

/// What is demanded of whom.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    id: StageId,
    demand: fn(&RequestContext, &FlowView<'_>) -> Requirement,
}

impl Policy {
    pub(crate) fn new(id: StageId, demand: fn(&RequestContext, &FlowView<'_>) -> Requirement) -> Self {
        Self { id, demand }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({})", self.id)
    }
}

impl Plugin for Policy {
    fn manifest(&self) -> Manifest {
        Manifest::new(self.id, "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(*self));
        Ok(())
    }
}

#[async_trait]
impl Stage for Policy {
    fn id(&self) -> StageId {
        self.id
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

    async fn decide(&self, cx: &RequestContext, flow: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok((self.demand)(cx, flow))
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}
