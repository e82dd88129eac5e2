//! What an attempt costs, before anything is judged.

use super::{FLOW_ANSWERS, FLOW_LIFE, OpenFlow, Step};
use crate::{
    batch::Batch,
    charge::{Charge, Counter, Settle},
    context::RequestContext,
    error::{AuthError, codes},
    evidence::MethodId,
    flow::{Owed, Purpose},
    principal::Principal,
    stage::{Admission, StepKind},
};

impl RequestContext {
    /// Turns the attempt away or makes its charges, before anything is judged.
    pub(super) async fn admit(
        &self,
        purpose: Purpose,
        kind: StepKind,
        method: &MethodId,
        flow: Option<OpenFlow>,
        bound: Option<Principal>,
        typed: Option<String>,
    ) -> Result<Step<'_>, AuthError> {
        let identifier = typed.as_deref().and_then(|text| self.identifier(text));
        // Limits are per account, not per spelling, so this comes before them; it costs the same for nobody.
        let found = match &identifier {
            Some(identifier) if purpose == Purpose::SignIn && bound.is_none() => {
                self.find_principal(identifier).await?
            }
            _ => None,
        };
        let mut step = Step {
            cx: self,
            purpose,
            kind,
            method: method.clone(),
            flow,
            bound,
            typed,
            identifier,
            found,
            charges: Vec::new(),
            charged: Vec::new(),
        };
        let mut charges = Vec::new();
        for stage in &self.engine.stages {
            match stage.admit(self, &step.attempt()).await? {
                Admission::Pass(demanded) => charges.extend(demanded),
                Admission::TurnAway(error) => {
                    self.turned_away(stage.id());
                    return Err(error);
                }
            }
        }
        if let Some(flow) = &step.flow {
            let id: crate::id::Id = flow.id.into();
            let key = self.engine.pseudonyms.pseudonym(&[b"flow", id.as_bytes()]);
            let charge = Charge::count("core.flow", key, FLOW_ANSWERS, FLOW_LIFE).settle(Settle::Keep);
            charges.push(charge.refusal(&codes::FLOW_INVALID, None));
        }
        step.charged = self.charge(&charges).await?;
        step.charges = charges;
        Ok(step)
    }

    /// Gives back or clears the counters of this and earlier steps.
    pub(super) fn settle(&self, step: &Step<'_>, batch: &mut Batch) {
        for owed in step.owed() {
            match owed.settle {
                Settle::Keep => {}
                Settle::Reset => batch.purge(&self.engine.counters, Counter::by_key, (owed.key,), []),
                Settle::Refund => {
                    let (row, bump) = owed.undo(self);
                    batch.bump(&self.engine.counters, Counter::by_key, row, Counter::value, bump).or(&codes::CONFLICT);
                }
            }
        }
    }
}

impl Step<'_> {
    /// The charges of this step and of the flow's earlier ones.
    pub(super) fn owed(&self) -> Vec<Owed> {
        let mut all: Vec<Owed> = self.flow.as_ref().map(|flow| flow.state.owed.clone()).unwrap_or_default();
        all.extend(self.charges.iter().filter(|charge| charge.settle != Settle::Keep).map(Owed::from));
        all
    }
}
