//! Flows: stored between two steps, and taken up again.

use super::{FLOW_LIFE, OpenFlow, Step};
use crate::{
    batch::Batch,
    collection::At,
    context::RequestContext,
    error::{AuthError, codes},
    event::{ChallengeIssued, LoginFailure},
    evidence::MethodId,
    flow::{Challenge, FlowRow, FlowState, Offer},
    principal::{Principal, Status},
};

impl RequestContext {
    /// Stores the flow and gives out its next token. A token that was used by somebody else loses.
    pub(super) async fn suspend(
        &self,
        step: Step<'_>,
        principal: Option<&Principal>,
        mut state: FlowState,
        mut batch: Batch,
    ) -> Result<Challenge, AuthError> {
        state.epoch = principal.map(|principal| principal.epoch);
        let id = step.flow.as_ref().map_or_else(|| self.new_id(), |flow| flow.id);
        let expires_at = step.flow.as_ref().map_or_else(|| self.now().plus(FLOW_LIFE), |flow| flow.expires_at);
        let secret = batch.secret(self);
        let event = ChallengeIssued {
            principal: principal.map(|principal| principal.id),
            flow: id,
            method: step.method.clone(),
            reason: state.reason.clone(),
            offers: state.offers.iter().map(|offer| offer.method.clone()).collect(),
        };
        let (reason, offers) = (state.reason.clone(), state.offers.iter().map(Offer::from).collect());
        let flows = &self.engine.flows;
        let sealed = flows.seal(self, FlowRow::state, id, &state)?;
        match &step.flow {
            Some(flow) => {
                let changes = [
                    FlowRow::secret_hash.set(secret.hash()),
                    FlowRow::principal_id.set(principal.map(|principal| principal.id)),
                    FlowRow::state.set(sealed),
                ];
                batch
                    .update(flows, At::id(id), [FlowRow::secret_hash.eq(flow.secret_hash)], changes)
                    .or(&codes::FLOW_INVALID);
            }
            None => {
                let row = FlowRow {
                    id,
                    secret_hash: secret.hash(),
                    principal_id: principal.map(|principal| principal.id),
                    state: sealed,
                    created_at: self.now(),
                    expires_at,
                };
                batch.insert(flows, row).or(&codes::CONFLICT);
            }
        }
        let receipt = self.commit(event, batch).await?;
        let flow = receipt.token(&self.engine.flow_tokens, id, &secret)?;
        Ok(Challenge { flow, reason, offers, expires_at })
    }

    pub(super) async fn open_flow(
        &self,
        token: &str,
        method: &MethodId,
    ) -> Result<(OpenFlow, Option<Principal>), AuthError> {
        let Some(claim) = self.engine.flow_tokens.parse(token) else {
            self.turned_away("core.flow_token");
            return Err(AuthError::new(&codes::FLOW_INVALID));
        };
        let flows = &self.engine.flows;
        let row = flows.get(self, At::id(claim.id.into())).await?.filter(|row| claim.proves(&row.secret_hash));
        let row = row.ok_or(AuthError::new(&codes::FLOW_INVALID))?;
        let state = flows.open(self, FlowRow::state, row.id, &row.state)?;
        let bound = match row.principal_id {
            Some(id) => Some(self.principal(id).await?.ok_or(AuthError::new(&codes::FLOW_INVALID))?),
            None => None,
        };
        let flow = OpenFlow { id: row.id, secret_hash: row.secret_hash, state, expires_at: row.expires_at };
        let stale = |bound: &&Principal| bound.status != Status::Active || Some(bound.epoch) != flow.state.epoch;
        if let Some(principal) = bound.as_ref().filter(stale) {
            return Err(self.abandon(&flow, principal, method).await);
        }
        Ok((flow, bound))
    }

    /// Ends a flow that cannot succeed any more, before anything is begun or judged in it.
    async fn abandon(&self, flow: &OpenFlow, principal: &Principal, method: &MethodId) -> AuthError {
        let error = AuthError::new(&codes::FLOW_INVALID).because("the principal changed since the flow began");
        let event = LoginFailure {
            principal: Some(principal.id),
            flow: Some(flow.id),
            method: method.clone(),
            purpose: flow.state.purpose.clone(),
            error: error.code().code,
            identifier: None,
        };
        let mut batch = Batch::new(self);
        let guards = [FlowRow::secret_hash.eq(flow.secret_hash)];
        batch.take(&self.engine.flows, At::id(flow.id), guards).or(&codes::FLOW_INVALID);
        match self.commit(event, batch).await {
            Ok(_) => error,
            Err(failure) => failure,
        }
    }
}
