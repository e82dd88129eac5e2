//! Reads tokens without the application's keys: which row they name, and what their secret hashes to.

use authkit_core::{Id, from_base64url};
use sha2::{Digest as _, Sha256};

/// One kind of token, by its prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind(&'static str);

/// What a token says.
pub(crate) struct Claim {
    pub(crate) id: Id,
    hash: [u8; 32],
}

/// The kinds of tokens that clients get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds {
    pub(crate) session: Kind,
    pub(crate) flow: Kind,
    pub(crate) grant: Kind,
}

pub(crate) const KINDS: Kinds = Kinds { session: Kind("aks_"), flow: Kind("akf_"), grant: Kind("akg_") };

impl Kind {
    pub(crate) fn parse(self, text: &str) -> Option<Claim> {
        let bytes = from_base64url(text.strip_prefix(self.0)?)?;
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (secret, _tag) = rest.split_first_chunk::<32>()?;
        Some(Claim { id: Id::from_bytes(*id), hash: Sha256::digest(secret).into() })
    }
}

impl Claim {
    pub(crate) const fn hash(&self) -> [u8; 32] {
        self.hash
    }
}

/// What a refresh token says.
pub(crate) struct RefreshClaim {
    pub(crate) id: Id,
    /// Which one of its session's it is, from 0.
    pub(crate) number: i64,
}

/// How long a refresh token is, in bytes: id, number, proof and tag.
pub(crate) const REFRESH_LENGTH: usize = 16 + 8 + 32 + 12;
/// What a refresh token begins with.
pub(crate) const REFRESH: &str = "akr_";

pub(crate) fn refresh_token(text: &str) -> Option<RefreshClaim> {
    let bytes = from_base64url(text.strip_prefix(REFRESH)?).filter(|bytes| bytes.len() == REFRESH_LENGTH)?;
    let (id, rest) = bytes.split_first_chunk::<16>()?;
    let (number, _) = rest.split_first_chunk::<8>()?;
    Some(RefreshClaim { id: Id::from_bytes(*id), number: i64::from_be_bytes(*number) })
}
