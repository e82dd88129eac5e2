//! One suspended authentication: a row with a single-use token, never a stack frame.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;

use crate::{
    Entity,
    charge::Settle,
    evidence::{Aal, Evidence, MethodId},
    id::{FlowId, PrincipalId, SessionId},
    id_type,
    keys::Sealed,
    secret::SecretText,
    text_enum,
    timestamp::Timestamp,
    verifier::Effect,
};

/// What a step is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purpose {
    /// A session for whoever answers.
    SignIn,
    /// One call of a program, without a session.
    Machine,
    /// The next tokens of a session.
    Refresh {
        /// The session.
        session: SessionId,
    },
    /// A fresh proof of a session's principal, which the session keeps.
    Raise {
        /// The session.
        session: SessionId,
        /// The session's generation: the flow dies with the token that began it.
        generation: i64,
        /// What has to be proved afresh.
        level: Aal,
    },
    /// A new principal.
    SignUp,
    /// A fresh proof of a session's principal, for one action.
    StepUp {
        /// The session.
        session: SessionId,
        /// The action, named by its plugin: `password.change`.
        action: String,
    },
}

/// The row of a flow. Its token is `id` and a secret; every step changes the secret and leaves the row in place.
#[derive(Debug, Entity)]
#[entity(
    table = "auth_flows",
    ephemeral,
    index(by_principal: principal_id),
    references(principal_id -> auth_principals),
    expires(expires_at)
)]
pub(crate) struct FlowRow {
    pub(crate) id: FlowId,
    pub(crate) secret_hash: [u8; 32],
    pub(crate) principal_id: Option<PrincipalId>,
    pub(crate) state: Sealed<FlowState>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FlowState {
    pub(crate) purpose: Purpose,
    /// The epoch of its principal when it was last stored.
    pub(crate) epoch: Option<i64>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) offers: Vec<StoredOffer>,
    pub(crate) owed: Vec<Owed>,
    pub(crate) reason: String,
    /// Whether the client asked to be remembered.
    #[serde(default)]
    pub(crate) remember: bool,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StoredOffer {
    pub(crate) method: MethodId,
    pub(crate) action: OfferAction,
    pub(crate) prompt: JsonValue,
    /// What `begin` remembered; none before it.
    pub(crate) state: Option<JsonValue>,
}

/// A charge of an earlier step that is settled when something is issued.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Owed {
    pub(crate) key: [u8; 32],
    pub(crate) by: i64,
    pub(crate) floor: Option<i64>,
    pub(crate) settle: Settle,
}

id_type! {
    /// One grant of one action.
    pub struct ActionGrantId;
}

/// Permission for one action of one session, once.
#[derive(Debug, Entity)]
#[entity(table = "auth_action_grants", durable, references(principal_id -> auth_principals), expires(expires_at))]
pub(crate) struct ActionGrant {
    pub(crate) id: ActionGrantId,
    pub(crate) secret_hash: [u8; 32],
    pub(crate) principal_id: PrincipalId,
    pub(crate) session_id: SessionId,
    pub(crate) action: String,
    /// A permission does not outlive a change of credentials.
    pub(crate) epoch: i64,
    pub(crate) expires_at: Timestamp,
}

text_enum! {
    /// What a client can do about an offer.
    pub enum OfferAction {
        /// Set the method up.
        Enrol = "enrol",
        /// Answer with the method.
        Verify = "verify",
    }
}

/// What the client sees of a flow.
#[non_exhaustive]
pub struct Challenge {
    /// Continues the flow, once.
    pub flow: SecretText,
    /// Why more is demanded: `sign_in`, `new_device`.
    pub reason: String,
    /// What would help.
    pub offers: Vec<Offer>,
    /// When the flow ends.
    pub expires_at: Timestamp,
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// One method that would help.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Offer {
    /// The method.
    pub method: MethodId,
    /// Whether it is to be answered or to be set up.
    pub action: OfferAction,
    /// What the method shows; null if it has to be begun first.
    pub prompt: JsonValue,
}

impl From<&StoredOffer> for Offer {
    fn from(stored: &StoredOffer) -> Self {
        Self { method: stored.method.clone(), action: stored.action, prompt: stored.prompt.clone() }
    }
}
