//! Something to sign up with, in setups that have no passwords.

use std::sync::Arc;

use authkit_core::{
    Ability, AuthError, Batch, CredentialVerifier, Effect, Enroller, Evidence, Factors, Manifest, MethodId, Plugin,
    Principal, Problem, Prompt, Registrar, RequestContext, StepContext, Verdict, codes,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Takes any text as a first password, forgets it, and lets nobody in by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words;

/// The method that clients mean if they name none.
const METHOD: MethodId = MethodId::from_static("password");

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Word {
    identifier: Option<String>,
    password: String,
}

impl Plugin for Words {
    fn manifest(&self) -> Manifest {
        Manifest::new("testkit-words", env!("CARGO_PKG_VERSION"))
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.verifier(Arc::new(*self));
        registrar.enroller(Arc::new(*self));
        Ok(())
    }
}

impl CredentialVerifier for Words {
    type Begin = ();
    type State = ();
    type Response = Word;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, response: &'r Word) -> Option<&'r str> {
        response.identifier.as_deref()
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, _: &mut StepContext<'_>, _: Option<()>, _: Word) -> Result<Verdict, AuthError> {
        Err(AuthError::new(&codes::REJECTED))
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
        Ok(())
    }
}

impl Enroller for Words {
    type Begin = ();
    type State = ();
    type Response = Word;

    fn ability(&self) -> Ability {
        Ability::new(METHOD, Factors::KNOWLEDGE)
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn confirm(&self, cx: &mut StepContext<'_>, _: Option<()>, word: Word) -> Result<Effect, AuthError> {
        if word.password.is_empty() {
            return Err(AuthError::new(&codes::INVALID_INPUT).field("password", "This field is needed."));
        }
        let epoch = cx.principal.map_or(0, |principal| principal.epoch);
        Ok(Effect::new(METHOD, &())?.proving(Evidence::new(METHOD, Factors::KNOWLEDGE, cx.now(), epoch)))
    }
}
