//! Secrets: text that cannot be printed, and tokens that exist only once their commit has landed.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    id::Id,
    keys::{KeyRing, MacKey, base64url, from_base64url, sha256},
};

/// Text that is never printed, logged or serialized, and is zeroed on drop: a password, a token.
///
/// # Examples
///
/// A password of a request, which no log shows by accident:
///
/// ```
/// use authkit_core::SecretText;
///
/// #[derive(Debug, serde::Deserialize)]
/// struct Login { name: String, password: SecretText }
///
/// let login: Login = serde_json::from_str(r#"{"name":"ada","password":"correct horse"}"#)?;
/// assert_eq!(format!("{login:?}"), r#"Login { name: "ada", password: SecretText(..) }"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes over the text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "password" })
    }
}

/// 256 random bits that belong to one batch: only their hash can be stored, only that batch's receipt shows them.
#[derive(Clone, Copy)]
pub struct Secret {
    pub(crate) batch: Id,
    pub(crate) position: usize,
    hash: [u8; 32],
}

impl Secret {
    pub(crate) fn of(batch: Id, position: usize, bytes: &[u8; 32]) -> Self {
        Self { batch, position, hash: sha256(bytes) }
    }

    /// SHA-256 of the secret: what is stored.
    #[must_use]
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// One kind of token: `<prefix>_<base64url of id, secret and tag>`.
///
/// The tag (12 bytes of HMAC-SHA-256) binds kind, id and secret, so garbage and tokens of another kind die before any
/// store call. It is no proof: the stored hash of the secret is.
///
/// # Examples
///
/// Whatever was not made here dies before any store call:
///
/// ```
/// use authkit_core::{KeyRing, TokenKind};
///
/// let kind = TokenKind::new(&KeyRing::new([std::array::from_fn(|at| at as u8 * 7)])?, "shl");
/// assert!(kind.parse("shl_bWFkZSB1cA").is_none());
/// # Ok::<(), authkit_core::KeyRingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenKind {
    prefix: &'static str,
    mac: MacKey,
}

/// What a well-formed token says: which row it names, and what its secret hashes to.
#[derive(Clone)]
pub struct TokenClaim {
    /// Primary key of the row.
    pub id: Id,
    hash: [u8; 32],
}

const ID: usize = 16;
const SECRET: usize = 32;
const TAG: usize = 12;

impl TokenKind {
    /// Declares a kind; the prefix is made of lower-case letters. Core has `akf` and `akg`; nobody checks that others
    /// differ, but a token of one prefix never passes for one of another.
    #[must_use]
    pub fn new(keys: &KeyRing, prefix: &'static str) -> Self {
        Self { prefix, mac: keys.mac(&format!("token {prefix}")) }
    }

    pub(crate) fn encode(&self, id: Id, secret: &[u8; 32]) -> SecretText {
        let tag = self.mac.tag(&[id.as_bytes(), secret]);
        let mut bytes = Zeroizing::new(Vec::with_capacity(ID + SECRET + TAG));
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(secret);
        bytes.extend_from_slice(tag.get(..TAG).unwrap_or(&tag));
        let mut encoded = base64url(&bytes);
        let text = format!("{}_{encoded}", self.prefix);
        encoded.zeroize();
        SecretText::new(text)
    }

    /// Reads a presented token; none if it was not made by this application or is of another kind.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<TokenClaim> {
        let encoded = text.strip_prefix(self.prefix)?.strip_prefix('_')?;
        if encoded.len() != (ID + SECRET + TAG) / 3 * 4 {
            return None;
        }
        let bytes = Zeroizing::new(from_base64url(encoded)?);
        let (id, rest) = bytes.split_first_chunk::<ID>()?;
        let (secret, tag) = rest.split_first_chunk::<SECRET>()?;
        self.mac.verify(&[id, secret], tag).then(|| TokenClaim { id: Id::from_bytes(*id), hash: sha256(secret) })
    }
}

impl TokenClaim {
    /// Whether the secret is the one whose hash is stored; takes the same time either way.
    #[must_use]
    pub fn proves(&self, stored: &[u8; 32]) -> bool {
        self.hash.ct_eq(stored).into()
    }

    /// SHA-256 of the presented secret, for the guard of a write.
    #[must_use]
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }
}

impl fmt::Debug for TokenClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenClaim({}, ..)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(seed: u8) -> KeyRing {
        KeyRing::new([std::array::from_fn(|i| (i as u8).wrapping_mul(37).wrapping_add(seed))]).unwrap()
    }

    #[test]
    fn token_names_its_row_and_proves_its_secret() {
        let kind = TokenKind::new(&ring(1), "aks");
        let id = Id::from_bytes([7; 16]);
        let text = kind.encode(id, &[9; 32]);
        let claim = kind.parse(text.expose()).unwrap();
        assert_eq!(claim.id, id);
        assert!(claim.proves(&sha256(&[9; 32])));
        assert!(!claim.proves(&sha256(&[8; 32])));
    }

    #[test]
    fn garbage_and_tokens_of_another_kind_or_key_are_not_read() {
        let kind = TokenKind::new(&ring(1), "aks");
        let text = kind.encode(Id::from_bytes([7; 16]), &[9; 32]);
        let text = text.expose();
        assert!(TokenKind::new(&ring(2), "aks").parse(text).is_none());
        assert!(TokenKind::new(&ring(1), "akf").parse(&text.replace("aks", "akf")).is_none());
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(kind.parse(&String::from_utf8(bytes).unwrap()).is_none(), "byte {at}");
            assert!(kind.parse(&text[..at]).is_none(), "first {at} bytes");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let shown = format!("{:?} {:?}", SecretText::new("hunter2".into()), Secret::of(Id::NIL, 0, &[1; 32]));
        assert_eq!(shown, "SecretText(..) Secret(..)");
    }
}
