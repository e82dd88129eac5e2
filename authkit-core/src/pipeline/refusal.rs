//! How a step ends that issues nothing.

use super::{Step, hex};
use crate::{
    batch::Batch,
    collection::At,
    context::RequestContext,
    error::{AuthError, Class, codes},
    event::LoginFailure,
    flow::{Challenge, FlowRow, Offer},
    principal::Principal,
    stage::{Aftermath, End},
};

impl RequestContext {
    pub(super) async fn after(&self, end: &End<'_>, aftermath: &mut Aftermath) -> Result<(), AuthError> {
        for stage in &self.engine.stages {
            let mut left = Aftermath::new(self);
            stage.after(self, end, &mut left).await.inspect_err(|_| self.turned_away(stage.id()))?;
            aftermath.join(stage.id(), left);
        }
        Ok(())
    }

    /// Ends a step on an error: what was judged is recorded and stays charged, what was not is given back.
    pub(super) async fn turn_down(&self, step: Step<'_>, principal: Option<Principal>, error: AuthError) -> AuthError {
        if error.code().class == Class::Rejected {
            return self.refuse(step, principal, error).await;
        }
        // What the client got wrong stays charged, or asking wrongly would be free.
        if matches!(error.code().class, Class::Internal | Class::Limited | Class::Unavailable) {
            self.refund(&step.charges).await;
        }
        error
    }

    /// Records a refusal and moves the flow on to a new token.
    pub(super) async fn refuse(&self, step: Step<'_>, principal: Option<Principal>, error: AuthError) -> AuthError {
        match self.record_refusal(step, principal, &error).await {
            Ok(Some(challenge)) => error.retry(challenge),
            Ok(None) => error,
            Err(failure) => failure,
        }
    }

    pub(super) async fn record_refusal(
        &self,
        step: Step<'_>,
        principal: Option<Principal>,
        error: &AuthError,
    ) -> Result<Option<Challenge>, AuthError> {
        tracing::debug!(code = error.code().code, reason = error.internal(), "a proof was refused");
        let mut aftermath = Aftermath::new(self);
        let known =
            principal.or_else(|| error.whose().cloned()).or_else(|| step.bound.clone()).or_else(|| step.found.clone());
        let attempt = step.attempt();
        let end = End::Refused { attempt: &attempt, principal: known.as_ref(), charged: &step.charged };
        let failed = self.after(&end, &mut aftermath).await.err();
        // What was judged is recorded, whatever a stage has to add.
        let mut batch = if failed.is_none() { aftermath.batch } else { Batch::new(self) };
        let pseudonym = |typed: &String| hex(&self.engine.identifier_pseudonym(step.identifier.as_ref(), typed));
        let event = || LoginFailure {
            principal: known.as_ref().map(|principal| principal.id),
            flow: step.flow.as_ref().map(|flow| flow.id),
            method: step.method.clone(),
            purpose: step.purpose.clone(),
            error: error.code().code,
            identifier: if known.is_none() { step.typed.as_ref().map(pseudonym) } else { None },
        };
        let Some(flow) = &step.flow else {
            self.commit(event(), batch).await?;
            return failed.map_or(Ok(None), Err);
        };
        let secret = batch.secret(self);
        let flows = &self.engine.flows;
        let change = FlowRow::secret_hash.set(secret.hash());
        batch
            .update(flows, At::id(flow.id), [FlowRow::secret_hash.eq(flow.secret_hash)], [change])
            .or(&codes::FLOW_INVALID);
        let receipt = match self.commit(event(), batch).await {
            Err(lost) if *lost.code() == codes::FLOW_INVALID => {
                // Another answer was faster and used the token up; this one was judged all the same.
                let mut aftermath = Aftermath::new(self);
                self.after(&end, &mut aftermath).await?;
                self.commit(event(), aftermath.batch).await?;
                return Err(lost);
            }
            committed => committed?,
        };
        let challenge = Challenge {
            flow: receipt.token(&self.engine.flow_tokens, flow.id, &secret)?,
            reason: flow.state.reason.clone(),
            offers: flow.state.offers.iter().map(Offer::from).collect(),
            expires_at: flow.expires_at,
        };
        match failed {
            Some(error) => Err(error.retry(challenge)),
            None => Ok(Some(challenge)),
        }
    }
}
