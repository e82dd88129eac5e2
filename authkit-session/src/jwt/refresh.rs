//! Refresh tokens: numbered, and made again from what the session's row holds.

use std::time::Duration;

use authkit_core::{
    Id, Kept, KeyRing, MacKey, RefreshState, ReuseEnds, SecretText, SessionId, Timestamp, base64url, from_base64url,
};
use zeroize::Zeroizing;

use super::config::JwtConfig;

/// Makes and judges refresh tokens: `akr_` and base64url of session id, number, proof and tag.
///
/// The proof is a MAC over id, number and the hash of the session's secret, so it can be made again, and is dead once the
/// secret is another. It cannot be judged without the row; the tag, a MAC over the rest, can, so what was not made here
/// costs no store call and ends nobody's session.
pub(crate) struct RefreshTokens {
    proof: MacKey,
    tag: MacKey,
    /// Whether tokens follow each other.
    rotation: bool,
    reuse_ends: ReuseEnds,
}

/// What a refresh token that was made here says.
pub(crate) struct RefreshClaim {
    pub(crate) id: SessionId,
    number: i64,
    proof: [u8; PROOF],
}

const PREFIX: &str = "akr_";
const ID: usize = 16;
const NUMBER: usize = 8;
const PROOF: usize = 32;
const TAG: usize = 12;
/// Length of the whole text.
const LENGTH: usize = PREFIX.len() + ((ID + NUMBER + PROOF + TAG) * 8).div_ceil(6);

/// For how long after the first use of a token the one before it still works; a request may be so long on its way.
const GRACE: Duration = Duration::from_secs(10);

impl RefreshTokens {
    pub(crate) fn new(keys: &KeyRing, config: &JwtConfig) -> Self {
        let (proof, tag) = (keys.mac("refresh"), keys.mac("refresh tag"));
        Self { proof, tag, rotation: config.rotation, reuse_ends: config.reuse_ends }
    }

    /// The token of this number.
    pub(crate) fn token(&self, session: SessionId, number: i64, secret_hash: &[u8; 32]) -> SecretText {
        let id: Id = session.into();
        let number = number.to_be_bytes();
        let proof = Zeroizing::new(self.proof.tag(&[id.as_bytes(), &number, secret_hash]));
        let tag = self.tag.tag(&[id.as_bytes(), &number, proof.as_slice()]);
        let mut bytes = Zeroizing::new(Vec::with_capacity(ID + NUMBER + PROOF + TAG));
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(&number);
        bytes.extend_from_slice(proof.as_slice());
        bytes.extend(tag.iter().take(TAG));
        let encoded = Zeroizing::new(base64url(&bytes));
        SecretText::new(format!("{PREFIX}{}", *encoded))
    }

    /// Reads a token; none if it was not made by this application.
    pub(crate) fn parse(&self, text: &str) -> Option<RefreshClaim> {
        if text.len() != LENGTH {
            return None;
        }
        let bytes = Zeroizing::new(from_base64url(text.strip_prefix(PREFIX)?)?);
        let (id, rest) = bytes.split_first_chunk::<ID>()?;
        let (number, rest) = rest.split_first_chunk::<NUMBER>()?;
        let (proof, tag) = rest.split_first_chunk::<PROOF>()?;
        let ours = self.tag.verify(&[id, number, proof], tag);
        let claim =
            || RefreshClaim { id: Id::from_bytes(*id).into(), number: i64::from_be_bytes(*number), proof: *proof };
        ours.then(claim)
    }

    /// What the token means to the session that it names.
    pub(crate) fn judge(&self, claim: &RefreshClaim, kept: Kept, now: Timestamp) -> RefreshState {
        let id: Id = claim.id.into();
        let number = claim.number.to_be_bytes();
        let message = [id.as_bytes(), number.as_slice(), &kept.secret_hash];
        if kept.session.id != claim.id || !self.proof.verify(&message, &claim.proof) {
            return RefreshState::Dead;
        }
        let behind = kept.refreshes.saturating_sub(claim.number);
        // Where tokens do not follow each other, the last use does not tell when the newest one was made.
        let fresh = self.rotation && kept.refreshes > 0 && now.since(kept.session.last_seen_at) < GRACE;
        // A fresh token is never followed, so two steps behind one means exactly that the successor was first used less
        // than `GRACE` ago, and three steps behind means that it was used before that, however fast the client asks.
        match behind {
            ..=-1 => RefreshState::Dead,
            0 if !self.rotation => RefreshState::Lasting(kept),
            0 if !fresh => RefreshState::Newest(kept),
            0 | 1 => RefreshState::Replaced(kept),
            2 if fresh => RefreshState::Replaced(kept),
            _ => RefreshState::Reused(kept, self.reuse_ends),
        }
    }
}
