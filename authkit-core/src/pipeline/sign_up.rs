//! New principals.

use serde_json::Value as JsonValue;

use super::hex;
use crate::{
    batch::Batch,
    charge::Counter,
    context::RequestContext,
    error::{AuthError, Class, codes},
    event::{SignUpRefused, SignedUp},
    evidence::MethodId,
    flow::Purpose,
    principal::{Identifier, Principal},
    stage::StepKind,
};

/// Somebody who signs up.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is a list of arguments")]
pub struct SignUp {
    /// Who it will be: [`Principal::new`], so that rows of the batch may refer to it.
    pub principal: Principal,
    /// By what it is found; at least one.
    pub identifiers: Vec<Identifier>,
    /// The method that it enrols.
    pub method: MethodId,
    /// The answer that enrols it.
    pub response: JsonValue,
    /// What lands in the same commit, after the principal: an invitation that is taken, a profile.
    pub batch: Batch,
}

impl RequestContext {
    /// Makes a principal that proves itself with a newly enrolled method. Issues nothing: it signs in afterwards.
    ///
    /// # Errors
    ///
    /// [`codes::CONFLICT`] if an identifier is taken; errors of the enroller that name what to change.
    pub async fn sign_up(&self, sign_up: SignUp) -> Result<Principal, AuthError> {
        let SignUp { principal, identifiers, method, response, batch: besides } = sign_up;
        let enroller = self.engine.enroller(&method)?;
        let typed = identifiers.first().map(|identifier| identifier.canonical.clone());
        let step = self.admit(Purpose::SignUp, StepKind::Enrol, &method, None, None, typed).await?;
        let mut cx = step.context(Some(&principal));
        let confirmed = enroller.confirm(&mut cx, None, response).await;
        let staged = cx.batch;
        let effect = match confirmed {
            Ok(effect) => effect,
            Err(error) => return Err(self.turn_down(step, None, error).await),
        };
        let mut batch = staged;
        batch.add_principal(self, &principal);
        let mut kept = Batch::new(self);
        self.engine.users.insert(self, &principal, &identifiers, &mut kept)?;
        batch.absorb(kept);
        let mut applied = Batch::new(self);
        self.engine.verifier(&method)?.apply(self, &principal, &effect, &mut applied)?;
        batch.absorb(applied);
        batch.absorb(besides);
        // Looked up in every case, so that a taken identifier costs what a free one does; the commit is what decides.
        let mut taken = false;
        for identifier in &identifiers {
            taken |= self.find_principal(identifier).await?.is_some();
        }
        if taken {
            self.refuse_sign_up(identifiers.first(), self.decoys(batch.len())).await?;
            return Err(AuthError::new(&codes::CONFLICT).because("the identifier is taken"));
        }
        let event = SignedUp { principal: principal.id, principal_kind: principal.kind, method };
        match self.commit(event, batch).await {
            Ok(_) => Ok(principal),
            Err(error) if error.code().class == Class::Conflict => {
                self.refuse_sign_up(identifiers.first(), Batch::new(self)).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn refuse_sign_up(&self, identifier: Option<&Identifier>, batch: Batch) -> Result<(), AuthError> {
        let pseudonym = |id: &Identifier| hex(&self.engine.identifier_pseudonym(Some(id), ""));
        let event = SignUpRefused { reason: "taken", identifier: identifier.map(pseudonym) };
        self.commit(event, batch).await.map(drop)
    }

    /// Rows that mean nothing and are gone at once: they take the time that as many real ones would.
    pub(super) fn decoys(&self, count: usize) -> Batch {
        let mut batch = Batch::new(self);
        for _ in 0..count {
            let row = Counter { id: self.new_id(), key: self.random(), value: 0, expires_at: self.now() };
            batch.insert(&self.engine.counters, row).or(&codes::CONFLICT);
        }
        batch
    }
}
