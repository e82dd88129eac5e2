use std::sync::Arc;

use authkit_core::{Ability, AuthError, Effect, Enroller, Factors, Prompt, SecretText, StepContext, codes};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    keeper::{Keeper, METHOD, NewPassword},
    verifier::evidence,
};

/// Takes the first password of a principal.
pub(crate) struct PasswordEnroller(pub(crate) Arc<Keeper>);

/// A new password.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FirstPassword {
    /// The password.
    password: SecretText,
}

impl Enroller for PasswordEnroller {
    type Begin = ();
    type State = ();
    type Response = FirstPassword;

    fn ability(&self) -> Ability {
        Ability::new(METHOD, Factors::KNOWLEDGE)
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD).because("a password has nothing to begin"))
    }

    async fn confirm(
        &self,
        cx: &mut StepContext<'_>,
        _: Option<()>,
        response: FirstPassword,
    ) -> Result<Effect, AuthError> {
        let principal =
            cx.principal.ok_or_else(|| AuthError::new(&codes::INTERNAL).because("an enrolment for nobody"))?;
        let known: Vec<&str> = cx.identifier.iter().map(|identifier| identifier.canonical.as_str()).collect();
        let password = self.0.accept("password", &response.password, &known)?;
        let hash = self.0.hash(cx, &password).await?;
        let effect = Effect::new(METHOD, &NewPassword { hash, channel: None })?;
        Ok(effect.proving(evidence(cx, principal)))
    }
}
