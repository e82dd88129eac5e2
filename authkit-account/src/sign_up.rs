use std::sync::Arc;

use authkit_core::{
    Access, AuthError, Batch, Call, HttpMethod, MethodId, Operation, Principal, PrincipalKind, Reply, RequestContext,
    SecretText, SignUp, codes as core_codes,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;

use crate::{
    config::{Disclosure, SignUpPolicy},
    error::codes,
    invitation::{Invitation, Invitations},
};

/// Lets people make accounts of their own.
pub(crate) struct SignUps {
    pub(crate) policy: SignUpPolicy,
    pub(crate) disclosure: Disclosure,
    pub(crate) invitations: Arc<Invitations>,
}

#[derive(Deserialize, JsonSchema)]
struct SignUpInput {
    /// The e-mail address.
    identifier: String,
    /// The method that is set up; `password` if absent.
    #[serde(default = "password")]
    method: MethodId,
    /// Needed where sign-up is by invitation.
    invitation: Option<SecretText>,
    /// What the method takes to be set up.
    #[serde(flatten)]
    response: serde_json::Map<String, JsonValue>,
}

fn password() -> MethodId {
    MethodId::from_static("password")
}

#[derive(Serialize, JsonSchema)]
struct SignUpOutput {
    /// Who was made; absent where sign-up does not tell whether anybody was.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
}

pub(crate) fn operation(sign_ups: SignUps) -> Operation {
    let sign_ups = Arc::new(sign_ups);
    let handler = move |call: Call, input: SignUpInput| {
        let sign_ups = sign_ups.clone();
        async move { sign_ups.sign_up(&call.cx, input).await }
    };
    Operation::new(HttpMethod::Post, "/auth/signup", Access::Public, "Makes an account.", handler).answers(&[201, 202])
}

impl SignUps {
    async fn sign_up(&self, cx: &RequestContext, input: SignUpInput) -> Result<Reply<SignUpOutput>, AuthError> {
        if self.policy == SignUpPolicy::Closed {
            cx.turned_away("account.sign_up_closed");
            return Err(AuthError::new(&codes::SIGN_UP_CLOSED));
        }
        let invalid = AuthError::new(&core_codes::INVALID_INPUT).field("identifier", "Give a valid e-mail address.");
        let identifier = cx.identifier(&input.identifier).ok_or(invalid)?;
        // Read before anything else: nobody without a valid invitation learns whether an address is taken.
        let invitation = match self.policy {
            SignUpPolicy::Invite => Some(self.invitations.open(cx, input.invitation.as_ref(), &identifier).await?),
            SignUpPolicy::Closed | SignUpPolicy::Open => None,
        };
        let mut batch = Batch::new(cx);
        if let Some(invitation) = &invitation {
            let redeemed = self.invitations.take(invitation, &mut batch);
            batch.record(&redeemed);
        }
        let sign_up = SignUp {
            principal: Principal::new(cx, PrincipalKind::Human),
            identifiers: vec![identifier],
            method: input.method,
            response: JsonValue::Object(input.response),
            batch,
        };
        match (cx.sign_up(sign_up).await, self.disclosure) {
            (Ok(principal), Disclosure::Reveal) => {
                Ok(Reply::ok(SignUpOutput { principal: Some(principal) }).status(201))
            }
            (Ok(_), Disclosure::Conceal) => Ok(concealed()),
            (Err(error), _) if *error.code() != core_codes::CONFLICT => Err(error),
            (Err(error), Disclosure::Reveal) => Err(AuthError::new(&codes::IDENTIFIER_TAKEN).caused_by(error)),
            (Err(_), Disclosure::Conceal) => {
                self.spend(cx, invitation.as_ref()).await?;
                Ok(concealed())
            }
        }
    }

    /// Uses the invitation up although nothing was made: whether it still works would tell that the address is taken.
    async fn spend(&self, cx: &RequestContext, invitation: Option<&Invitation>) -> Result<(), AuthError> {
        let Some(invitation) = invitation else {
            return Ok(());
        };
        let mut batch = Batch::new(cx);
        let redeemed = self.invitations.take(invitation, &mut batch);
        cx.commit(redeemed, batch).await.map(drop)
    }
}

fn concealed() -> Reply<SignUpOutput> {
    Reply::ok(SignUpOutput { principal: None }).status(202)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_split_between_sign_up_and_its_method() {
        let body =
            serde_json::json!({ "identifier": "a@b.example", "password": "correct horse", "invitation": "aki_x" });
        let input: SignUpInput = serde_json::from_value(body).unwrap();
        assert_eq!(input.method, password());
        assert_eq!(input.invitation.unwrap().expose(), "aki_x");
        assert_eq!(JsonValue::Object(input.response), serde_json::json!({ "password": "correct horse" }));
    }

    #[test]
    fn several_addresses_are_not_read_as_one() {
        for identifier in [
            serde_json::json!(["a@b.example", "eve@evil.example"]),
            serde_json::json!({ "0": "a@b.example" }),
            serde_json::json!(1),
            serde_json::json!(null),
        ] {
            let body = serde_json::json!({ "identifier": identifier, "password": "correct horse" });
            assert!(serde_json::from_value::<SignUpInput>(body).is_err());
        }
    }

    #[test]
    fn concealed_reply_says_nothing() {
        let reply = concealed();
        assert_eq!((reply.status, serde_json::to_string(&reply.body).unwrap().as_str()), (202, "{}"));
    }
}
