use authkit_core::{About, Act, AuditEvent, Outcome, Timestamp};
use serde::Serialize;

use super::key::Algorithm;

/// A key that signs access tokens was made.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct SigningKeyCreated {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// From when it signs; it is published at once.
    pub signs_from: Timestamp,
    /// Whether the keys before it were dropped at the same time, because somebody else may have them.
    pub replaces: bool,
}

impl AuditEvent for SigningKeyCreated {
    const KIND: &'static str = "signing_key_created";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}
