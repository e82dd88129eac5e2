//! Calls of programs, which have no session.

use serde_json::Value as JsonValue;

use super::Proved;
use crate::{
    context::RequestContext,
    error::{AuthError, Class, codes},
    evidence::{Evidence, MethodId},
    flow::Purpose,
    principal::{Principal, Status},
    verifier::{StepContext, Verdict},
};

/// Whoever made one call, without a session.
#[derive(Debug)]
#[non_exhaustive]
pub struct Caller {
    /// Who, as of this call.
    pub principal: Principal,
    /// What was proved.
    pub evidence: Evidence,
}

impl RequestContext {
    /// Finds out who makes this call, by a method for programs; see
    /// [`Registrar::machine_verifier`](crate::Registrar::machine_verifier).
    ///
    /// Nothing is charged, written or recorded one by one: refusals are counted and recorded in sum. Stages say what
    /// has to be proved, as for a sign-in; what one response does not prove is denied.
    ///
    /// # Errors
    ///
    /// [`codes::REJECTED`] whatever was wrong with the response; [`codes::DENIED`] if more is demanded than it proves;
    /// [`codes::UNKNOWN_METHOD`] if it is no method for programs.
    pub async fn call(&self, method: &MethodId, response: JsonValue) -> Result<Caller, AuthError> {
        let verifier = self.engine.machines.get(method).ok_or(AuthError::new(&codes::UNKNOWN_METHOD))?;
        let response = verifier.read(response)?;
        let mut cx = StepContext::new(self, &Purpose::Machine, None, None, None);
        let verdict = verifier.verify(&mut cx, None, response).await;
        let batch = cx.batch;
        let refuse = |error: AuthError| {
            if matches!(error.code().class, Class::Forbidden | Class::Rejected) {
                self.turned_away("core.machine");
            }
            error
        };
        let (principal, evidence) = match verdict.map_err(refuse)? {
            Verdict::Proven { principal, evidence } => (principal, evidence),
            Verdict::ProveFirst { .. } => {
                return Err(AuthError::new(&codes::INTERNAL).because("a call cannot prove anything further"));
            }
        };
        if !batch.is_empty() {
            return Err(AuthError::new(&codes::INTERNAL).because("nothing is written when a program calls"));
        }
        if evidence.method != *method {
            return Err(AuthError::new(&codes::INTERNAL).because("a verdict in the name of another method"));
        }
        if principal.status != Status::Active || evidence.epoch != principal.epoch {
            return Err(refuse(AuthError::new(&codes::REJECTED).because("the principal is not as it was proved")));
        }
        let proved = Proved { principal, evidence: vec![evidence.clone()], effects: Vec::new(), batch, reason: "call" };
        let (requirement, _) = self.requirement(&Purpose::Machine, &proved, &[]).await?;
        match requirement.unmet(&proved.evidence, self.now()) {
            None => Ok(Caller { principal: proved.principal, evidence }),
            Some(unmet) => Err(refuse(AuthError::new(&codes::DENIED).because(unmet.reason))),
        }
    }
}
