//! A stand-in for what an application has besides: a first factor, and a stage that demands a second one.

use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{
    Aal, About, Act, Admission, Aftermath, Attempt, AuditEvent, AuthError, Batch, Condition, CredentialVerifier,
    Effect, End, Evidence, Factors, FlowView, Identifier, Manifest, MethodId, Order, Outcome, Plugin, Principal,
    PrincipalId, Problem, Prompt, Registrar, RequestContext, Requirement, Signals, Stage, StageId, StepContext,
    UserStore, Verdict, codes,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) const METHOD: MethodId = MethodId::from_static("name");

/// Believes everybody who says who they are, and demands two factors.
#[derive(Debug)]
pub(crate) struct Doors;

/// A principal was added.
#[derive(Debug, Serialize)]
pub(crate) struct Added {}

impl AuditEvent for Added {
    const KIND: &'static str = "added";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

impl Plugin for Doors {
    fn manifest(&self) -> Manifest {
        Manifest::new("doors", "1.0.0").event::<Added>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.user_store(Arc::new(Self));
        registrar.verifier(Arc::new(Self));
        registrar.stage(Arc::new(Self));
        Ok(())
    }
}

/// Nobody has an identifier.
#[async_trait]
impl UserStore for Doors {
    async fn find(&self, _: &RequestContext, _: &Identifier) -> Result<Option<Principal>, AuthError> {
        Ok(None)
    }

    fn insert(&self, _: &RequestContext, _: &Principal, _: &[Identifier], _: &mut Batch) -> Result<(), AuthError> {
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Name {
    principal: PrincipalId,
}

impl CredentialVerifier for Doors {
    type Begin = ();
    type State = ();
    type Response = Name;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, _: &'r Name) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, given: Name) -> Result<Verdict, AuthError> {
        let principal = cx.request().principal(given.principal).await?.ok_or(AuthError::new(&codes::REJECTED))?;
        let evidence = Evidence::new(METHOD, Factors::KNOWLEDGE, cx.now(), principal.epoch);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&codes::INTERNAL))
    }
}

#[async_trait]
impl Stage for Doors {
    fn id(&self) -> StageId {
        "doors"
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
        Ok(Requirement::of("two_factors", Condition::level(Aal::Aal2)))
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}
