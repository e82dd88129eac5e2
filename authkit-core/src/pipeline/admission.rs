//! What an attempt costs, before anything is judged.

use std::time::Duration;

use super::{FLOW_ANSWERS, FLOW_LIFE, OpenFlow, Step};
use crate::{
    batch::{Batch, Bump, EphemeralBatch},
    context::RequestContext,
    error::{AuthError, codes},
    evidence::MethodId,
    flow::{Owed, Purpose},
    principal::Principal,
    stage::{Admission, Charge, Charged, Counter, Settle, StepKind},
    store::{Done, Op, StoreError, Write},
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

    /// Raises all counters in one commit of its own, or none.
    pub(super) async fn charge(&self, charges: &[Charge]) -> Result<Vec<Charged>, AuthError> {
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        if charges.iter().any(|charge| charge.by < 0) {
            return Err(AuthError::new(&codes::INTERNAL).because("a charge that counts down"));
        }
        let def = &self.engine.counters.table.def;
        let bump = |charge: &Charge| {
            let counter =
                Counter { id: self.new_id(), key: charge.key, value: 0, expires_at: self.now().plus(charge.life) };
            let write = Write::Bump {
                index: Counter::by_key.position(),
                values: crate::entity::Entity::into_values(counter),
                column: Counter::value.position(),
                by: charge.by,
                floor: charge.floor,
                max: Some(charge.max),
            };
            Op { def: def.clone(), write }
        };
        let ops: Vec<Op> = charges.iter().map(bump).collect();
        let done = match self.engine.store.commit(&self.scope(), &ops, self.now()).await {
            Ok(done) => done,
            Err(StoreError::Guard { op }) => {
                let Some(full) = charges.get(op) else {
                    return Err(AuthError::new(&codes::LIMITED));
                };
                self.turned_away(full.name);
                let error = AuthError::new(full.refusal).because(full.name);
                return Err(match full.retry_after {
                    Some(wait) => error.retry_after(wait),
                    None => error,
                });
            }
            Err(error) => return Err(error.into()),
        };
        let value = |done: &Done| if let Done::Bumped(value) = done { *value } else { 0 };
        let charged =
            |(charge, done): (&Charge, &Done)| Charged { name: charge.name, value: value(done), max: charge.max };
        Ok(charges.iter().zip(&done).map(charged).collect())
    }

    /// Gives back what was charged for a step that was not judged.
    pub(crate) async fn refund(&self, charges: &[Charge]) {
        let owed: Vec<Owed> = charges.iter().filter(|charge| charge.settle != Settle::Keep).map(Owed::from).collect();
        if owed.is_empty() {
            return;
        }
        let mut batch = EphemeralBatch::new(self);
        for owed in owed {
            let (row, bump) = owed.undo(self);
            batch.bump(&self.engine.counters, Counter::by_key, row, Counter::value, bump);
        }
        if let Err(error) = self.commit_ephemeral(batch).await {
            tracing::warn!(?error, "charges could not be given back");
        }
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

impl Batch {
    /// Starts the counter of a [`Charge`] afresh; one that is absent is no error.
    pub fn clear_counter(&mut self, cx: &RequestContext, key: [u8; 32]) {
        self.purge(&cx.engine.counters, Counter::by_key, (key,), []);
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

impl From<&Charge> for Owed {
    fn from(charge: &Charge) -> Self {
        Self { key: charge.key, by: charge.by, floor: charge.floor, settle: charge.settle }
    }
}

impl Owed {
    /// Takes the charge back, never below what an untouched counter stands at.
    pub(super) fn undo(&self, cx: &RequestContext) -> (Counter, Bump) {
        let floor = self.floor.unwrap_or(0).saturating_add(self.by);
        let row =
            Counter { id: cx.new_id(), key: self.key, value: 0, expires_at: cx.now().plus(Duration::from_secs(1)) };
        (row, Bump { by: self.by.saturating_neg(), floor: Some(floor), max: None })
    }
}
