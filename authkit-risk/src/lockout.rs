//! The stage "lockout": how often an account may be tried, and what happens to whoever fails too often.

mod plan;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use authkit_core::{
    Admission, Aftermath, Attempt, AuthError, Charged, Collection, End, FlowView, Order, Principal, Purpose,
    RequestContext, Requirement, Signals, Stage, StageId, StepKind,
};

pub(crate) use crate::lockout::plan::{Group, Place, Plan};
use crate::{
    device::{DeviceId, Devices, STAGE},
    entity::{LockRow, LockScope},
    event::AccountLocked,
};

/// Limits attempts on one account and counts failures, at sign-in and step-up.
pub(crate) struct Lockouts {
    pub(crate) plan: Arc<Plan>,
    pub(crate) devices: Devices,
    pub(crate) rows: Collection<LockRow>,
}

impl Lockouts {
    /// The credential that can be guessed at this attempt, if there is one.
    ///
    /// Each method of an account counts for itself: whoever has the password would else clear, by signing in with it,
    /// the failures at the second factor. A review of a session's proofs judges no credential.
    fn guessable(&self, attempt: &Attempt<'_>) -> Option<[u8; 32]> {
        let subject = attempt.subject.filter(|_| attempt.step == StepKind::Answer)?;
        Some(self.plan.subject(&subject, attempt.method))
    }

    /// The device, if whoever the attempt is about is known on it.
    fn device(&self, cx: &RequestContext, attempt: &Attempt<'_>) -> Option<DeviceId> {
        let known = self.devices.read(cx);
        if known.is_empty() {
            return None;
        }
        attempt.principal.and_then(|principal| self.devices.of(cx, &known, principal.id))
    }

    /// Records a lock in the commit of the failure that brought it about, with the same writes whether or not the
    /// identifier leads to somebody.
    fn record(
        &self,
        cx: &RequestContext,
        subject: &[u8; 32],
        principal: Option<&Principal>,
        charged: &[Charged],
        aftermath: &mut Aftermath,
    ) {
        for scope in [LockScope::Account, LockScope::Client, LockScope::Device] {
            let Some(step) = self.plan.filled(scope, charged) else {
                continue;
            };
            let client = client(cx);
            let device = principal.and_then(|principal| self.devices.of(cx, &self.devices.read(cx), principal.id));
            let place = match (scope, &device) {
                (LockScope::Device, Some(device)) => Place::Device(device),
                _ => Place::Client(&client),
            };
            let until = cx.now().plus(step.wait);
            let principal_id = principal.map(|principal| principal.id);
            let row = LockRow {
                id: cx.new_id(),
                principal_id,
                scope,
                subject: *subject,
                counters: self.plan.group(scope, subject, place).id,
                failures: i64::from(step.failures),
                locked_at: cx.now(),
                until,
                unlocked_at: None,
                unlocked_by: None,
                expires_at: if principal.is_some() { cx.now().plus(HISTORY) } else { until },
            };
            aftermath.batch.insert(&self.rows, row);
            let event = AccountLocked { principal: principal_id, scope, failures: step.failures, until };
            aftermath.batch.record(&event);
        }
    }
}

#[async_trait]
impl Stage for Lockouts {
    fn id(&self) -> StageId {
        STAGE
    }

    fn order(&self) -> Order {
        Order::ANY
    }

    async fn admit(&self, cx: &RequestContext, attempt: &Attempt<'_>) -> Result<Admission, AuthError> {
        let Some(subject) = self.guessable(attempt) else {
            return Ok(Admission::Pass(Vec::new()));
        };
        let charges = match self.device(cx, attempt) {
            Some(device) => self.plan.charges(&subject, Place::Device(&device), cx.now()),
            None => self.plan.charges(&subject, Place::Client(&client(cx)), cx.now()),
        };
        Ok(Admission::Pass(charges))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, _: &mut Signals) -> Result<(), AuthError> {
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(Requirement::none())
    }

    async fn after(&self, cx: &RequestContext, end: &End<'_>, aftermath: &mut Aftermath) -> Result<(), AuthError> {
        match end {
            End::Issued { attempt, principal, .. } if *attempt.purpose == Purpose::SignIn => {
                aftermath.mark = Some(self.devices.mark(cx, principal.id));
            }
            End::Refused { attempt, principal, charged } => {
                if let Some(subject) = self.guessable(attempt) {
                    self.record(cx, &subject, *principal, charged, aftermath);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The client prefix as bytes; empty without an address, so that such clients count together.
fn client(cx: &RequestContext) -> Vec<u8> {
    cx.client().prefix().map(|prefix| prefix.to_string().into_bytes()).unwrap_or_default()
}

/// How long a lock of somebody stays in the history; as long as the audit log keeps its record.
const HISTORY: Duration = Duration::from_secs(365 * 24 * 60 * 60);
