//! Sessions for tests, issued by the same gate as all others.

use std::sync::Arc;

use authkit_core::{
    AuthError, AuthManager, Batch, Client, CredentialVerifier, Effect, Evidence, Factors, Manifest, MethodId, Plugin,
    Principal, PrincipalId, Problem, Progress, Prompt, Registrar, RequestContext, SignedIn, StepContext, Verdict,
    codes,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Lets tests sign anybody in, without a credential: register it in the setup of a test, never elsewhere.
///
/// Everything else is as in production: stages look on, the session is issued in one audited commit, and a principal
/// that is not active gets none.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TestSignIn;

const METHOD: MethodId = MethodId::from_static("testkit");

/// Signs a principal in, as if it had proved knowledge and possession.
///
/// The setup has the plugin [`TestSignIn`].
///
/// # Errors
///
/// What the pipeline says: an unknown or inactive principal is refused.
///
/// # Panics
///
/// If a registered stage demands even more than two factors.
///
/// # Examples
///
/// A test of the application that is about something else than signing in:
///
/// ```
/// use authkit_core::{AuthError, AuthManager, PrincipalId};
/// use authkit_testkit::sign_in_as;
///
/// async fn bearer_of(auth: &AuthManager, principal: PrincipalId) -> Result<String, AuthError> {
///     let signed_in = sign_in_as(auth, principal).await?;
///     Ok(format!("Bearer {}", signed_in.tokens.access.expose()))
/// }
/// ```
#[expect(clippy::panic, reason = "a test whose setup demands more has to be told")]
pub async fn sign_in_as(auth: &AuthManager, principal: PrincipalId) -> Result<SignedIn, AuthError> {
    let cx = auth.request(Client::default());
    match cx.sign_in(&METHOD, serde_json::json!({ "principal": principal })).await? {
        Progress::SignedIn(signed_in) => Ok(*signed_in),
        other => panic!("a stage demands more than two factors of the test: {other:?}"),
    }
}

impl Plugin for TestSignIn {
    fn manifest(&self) -> Manifest {
        Manifest::new("testkit", env!("CARGO_PKG_VERSION"))
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.verifier(Arc::new(Anybody));
        Ok(())
    }
}

struct Anybody;

#[derive(Deserialize, JsonSchema)]
struct Claim {
    principal: PrincipalId,
}

impl CredentialVerifier for Anybody {
    type Begin = ();
    type State = ();
    type Response = Claim;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, _: &'r Claim) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, claim: Claim) -> Result<Verdict, AuthError> {
        let principal = cx.principal(claim.principal).await?.ok_or(AuthError::new(&codes::REJECTED))?;
        let factors = Factors::KNOWLEDGE.and(Factors::POSSESSION);
        let evidence = Evidence::new(METHOD, factors, cx.now(), principal.epoch);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&codes::INTERNAL).because("the method has no effects"))
    }
}
