use std::fmt;

use authkit_core::{Entity, Sealed, Timestamp, base64url, from_base64url, id_type};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

use super::key::Algorithm;

id_type! {
    /// One key that signs access tokens.
    pub(crate) struct SigningKeyId;
}

/// The row of a signing key. What is public of it is derived from what is sealed, so a row that somebody else wrote into
/// the table is no key.
#[derive(Debug, Entity)]
#[entity(table = "auth_signing_keys", durable, global, unique(by_serial: serial), expires(expires_at))]
pub(crate) struct SigningKeyRow {
    pub(crate) id: SigningKeyId,
    /// From 1. Of several nodes that make the next key, one wins.
    pub(crate) serial: i64,
    /// RFC 7638 thumbprint, for people who read the table.
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) private: Sealed<Pkcs8>,
    pub(crate) created_at: Timestamp,
    /// Published from `created_at`, used from here.
    pub(crate) signs_from: Timestamp,
    /// When every token that it signed is past; [`Timestamp::MAX`] as long as no other key follows.
    pub(crate) expires_at: Timestamp,
}

/// A private key as RFC 5958 writes it. Zeroed on drop.
pub(crate) struct Pkcs8(pub(crate) Zeroizing<Vec<u8>>);

impl Serialize for Pkcs8 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(base64url(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Pkcs8 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = from_base64url(&text).ok_or_else(|| D::Error::custom("a private key is base64url"))?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl fmt::Debug for Pkcs8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs8(..)")
    }
}
