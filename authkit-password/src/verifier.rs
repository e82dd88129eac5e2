use std::sync::Arc;

use authkit_core::{
    AuthError, Batch, CredentialVerifier, Effect, Evidence, Factors, MethodId, Principal, Prompt, Purpose,
    RequestContext, SecretText, Status, StepContext, Verdict, codes,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    hash::{Alike, Verification},
    keeper::{Keeper, METHOD, NewPassword},
};

/// Verifies passwords. Two reads and the same work, whoever is named and whatever is wrong.
pub(crate) struct PasswordVerifier(pub(crate) Arc<Keeper>);

/// A password, and whose it is said to be.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PasswordResponse {
    /// By what the principal is found; needed only where nobody is signed in yet.
    identifier: Option<String>,
    /// The password.
    password: SecretText,
}

impl CredentialVerifier for PasswordVerifier {
    type Begin = ();
    type State = ();
    type Response = PasswordResponse;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, response: &'r PasswordResponse) -> Option<&'r str> {
        response.identifier.as_deref()
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD).because("a password has nothing to begin"))
    }

    async fn verify(
        &self,
        cx: &mut StepContext<'_>,
        _: Option<()>,
        response: PasswordResponse,
    ) -> Result<Verdict, AuthError> {
        if cx.principal.is_none() && response.identifier.is_none() {
            // The form of the request alone decides, so it tells nothing of any account.
            return Err(AuthError::new(&codes::INVALID_INPUT).field("identifier", "This field is needed."));
        }
        let principal = cx.principal.or(cx.found).cloned();
        let row = self.0.find(cx, principal.as_ref().map(|principal| principal.id)).await?;
        // Whoever is not active is refused with the right password, too, and that must not show.
        let active = principal.as_ref().is_some_and(|principal| principal.status == Status::Active);
        let alike = if active { Alike::Unmatched } else { Alike::Always };
        let verification = self.0.compare(cx, &response.password, row.as_ref(), alike).await?;
        let (principal, row, rehash) = match (principal, row, verification) {
            (Some(principal), Some(row), Verification::Match { rehash }) => (principal, row, rehash),
            (None, ..) => return Err(rejected("nobody has this identifier")),
            (_, None, _) => return Err(rejected("the principal has no password")),
            _ => return Err(rejected("the password is another one")),
        };
        // A change of password is about to replace the hash anyway, and whoever is not active gets no answer that
        // takes longer.
        if rehash && *cx.purpose == Purpose::SignIn && principal.status == Status::Active {
            self.0.renew(cx, &response.password, &row).await;
        }
        let evidence = evidence(cx, &principal).channel(row.channel);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        effect: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let new: NewPassword = effect.data()?;
        self.0.add(cx, principal, new, batch);
        Ok(())
    }
}

/// What a password proves (RFC 8176 names it `pwd`).
pub(crate) fn evidence(cx: &RequestContext, principal: &Principal) -> Evidence {
    Evidence::new(METHOD, Factors::KNOWLEDGE, cx.now(), principal.epoch).amr("pwd")
}

fn rejected(reason: &'static str) -> AuthError {
    AuthError::new(&codes::REJECTED).because(reason)
}
