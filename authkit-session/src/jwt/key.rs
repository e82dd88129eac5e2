//! Keys that sign access tokens. The cryptography is that of AWS-LC.

use std::fmt;

use authkit_core::{base64url, from_base64url, text_enum};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{entity::Pkcs8, token::Parts};

text_enum! {
    /// How a key signs (RFC 7518 §3.1, RFC 8037 §3.1).
    pub enum Algorithm {
        /// Ed25519: short keys, short signatures, fast.
        EdDsa = "EdDSA",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// RSA PKCS#1 v1.5 of 3072 bits with SHA-256, for verifiers that know nothing else.
        Rs256 = "RS256",
    }
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// The header of a token up to the key id. There is one spelling of a header, so nothing else can stand in it.
    fn header_start(self) -> String {
        format!("{{\"alg\":\"{}\",\"typ\":\"at+jwt\",\"kid\":\"", self.as_str())
    }
}

/// The key was not accepted by the cryptography, or could not be made.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a signing key is not usable")]
pub(crate) struct BadKey;

/// A key pair that signs access tokens, and verifies them.
pub(crate) struct SigningKey {
    private: Private,
    public: PublicKey,
    jwk: Jwk,
    /// The first part of every token that it signs.
    header: String,
}

enum Private {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl SigningKey {
    /// Makes a key. An Ed25519 key is its seed; the others are drawn by AWS-LC's own generator, since both reject some
    /// of what they draw. RSA takes up to a second.
    pub(crate) fn generate(algorithm: Algorithm, seed: &[u8; 32]) -> Result<Self, BadKey> {
        Self::of(match algorithm {
            Algorithm::EdDsa => Private::EdDsa(Ed25519KeyPair::from_seed_unchecked(seed).map_err(bad)?),
            Algorithm::Es256 => Private::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(bad)?),
            Algorithm::Rs256 => Private::Rs256(RsaKeyPair::generate(KeySize::Rsa3072).map_err(bad)?),
        })
    }

    /// Reads what [`SigningKey::to_pkcs8`] wrote; refuses the key of another algorithm.
    pub(crate) fn from_pkcs8(algorithm: Algorithm, pkcs8: &Pkcs8) -> Result<Self, BadKey> {
        Self::of(match algorithm {
            Algorithm::EdDsa => Private::EdDsa(Ed25519KeyPair::from_pkcs8(&pkcs8.0).map_err(bad)?),
            Algorithm::Es256 => {
                Private::Es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8.0).map_err(bad)?)
            }
            Algorithm::Rs256 => Private::Rs256(RsaKeyPair::from_pkcs8(&pkcs8.0).map_err(bad)?),
        })
    }

    pub(crate) fn to_pkcs8(&self) -> Result<Pkcs8, BadKey> {
        let document = match &self.private {
            Private::EdDsa(pair) => pair.to_pkcs8().map_err(bad)?.as_ref().to_vec(),
            Private::Es256(pair) => pair.to_pkcs8v1().map_err(bad)?.as_ref().to_vec(),
            Private::Rs256(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(bad)?.as_ref().to_vec(),
        };
        Ok(Pkcs8(Zeroizing::new(document)))
    }

    fn of(private: Private) -> Result<Self, BadKey> {
        let material = private.material()?;
        let public = PublicKey::of(&material)?;
        let jwk = Jwk { kid: material.thumbprint(), alg: public.algorithm, usage: "sig", material };
        let header = base64url(format!("{}{}\"}}", public.algorithm.header_start(), jwk.kid).as_bytes());
        Ok(Self { private, public, jwk, header })
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.public.algorithm
    }

    /// RFC 7638 thumbprint of the public key.
    pub(crate) fn kid(&self) -> &str {
        &self.jwk.kid
    }

    /// Whether those of its algorithm are made longer now.
    pub(crate) const fn is_short(&self) -> bool {
        matches!(self.public.algorithm, Algorithm::Rs256) && self.public.signature_length < RSA_LENGTH
    }

    pub(crate) const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    /// The token that says this.
    pub(crate) fn sign(&self, payload: &[u8]) -> Result<String, BadKey> {
        self.sign_under(&self.header, payload)
    }

    /// A token under a header of the caller's choice, which no verifier here takes unless it is the key's own.
    pub(crate) fn sign_under(&self, header: &str, payload: &[u8]) -> Result<String, BadKey> {
        let signed = format!("{header}.{}", base64url(payload));
        let signature = self.private.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", base64url(&signature)))
    }

    /// Whether this key signed the token.
    pub(crate) fn signed(&self, token: Parts<'_>) -> bool {
        token.header == self.header && self.public.verifies(token.signed.as_bytes(), token.signature)
    }

    /// The key id in a header that this application may have written; none in any other.
    pub(crate) fn kid_in(header: &str) -> Option<String> {
        let decoded = String::from_utf8(from_base64url(header)?).ok()?;
        let rest = Algorithm::ALL.iter().find_map(|algorithm| decoded.strip_prefix(&algorithm.header_start()))?;
        let kid = rest.strip_suffix("\"}")?;
        let thumbprint = kid.len() == 43 && from_base64url(kid).is_some();
        thumbprint.then(|| kid.to_owned())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm().as_str(), self.kid())
    }
}

impl Private {
    fn material(&self) -> Result<PublicKeyMaterial, BadKey> {
        Ok(match self {
            Self::EdDsa(pair) => {
                PublicKeyMaterial::Okp { crv: "Ed25519".to_owned(), x: base64url(pair.public_key().as_ref()) }
            }
            Self::Es256(pair) => {
                // SEC 1 §2.3.3: 4 stands for an uncompressed point, both coordinates in full.
                let coordinates = pair.public_key().as_ref().strip_prefix(&[4]).ok_or(BadKey)?;
                let (x, y) = coordinates.split_at_checked(32).ok_or(BadKey)?;
                PublicKeyMaterial::Ec { crv: "P-256".to_owned(), x: base64url(x), y: base64url(y) }
            }
            Self::Rs256(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                PublicKeyMaterial::Rsa {
                    e: base64url(e.big_endian_without_leading_zero()),
                    n: base64url(n.big_endian_without_leading_zero()),
                }
            }
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BadKey> {
        match self {
            Self::EdDsa(pair) => Ok(pair.try_sign(message).map_err(bad)?.as_ref().to_vec()),
            Self::Es256(pair) => Ok(pair.sign(&SystemRandom::new(), message).map_err(bad)?.as_ref().to_vec()),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(bad)?;
                Ok(signature)
            }
        }
    }
}

/// What verifies signatures, in the one way that fits the key.
struct PublicKey {
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
    /// In bytes.
    signature_length: usize,
}

/// Length of a signature by an elliptic curve of 256 bits, in bytes.
const CURVE_LENGTH: usize = 64;
/// Length of a signature by an RSA key that is made now, in bytes.
const RSA_LENGTH: usize = 3072 / 8;

impl PublicKey {
    fn of(material: &PublicKeyMaterial) -> Result<Self, BadKey> {
        let bytes = |text: &str| from_base64url(text).ok_or(BadKey);
        let (algorithm, signature_length, parsed) = match material {
            PublicKeyMaterial::Okp { crv, x } if crv == "Ed25519" => {
                (Algorithm::EdDsa, CURVE_LENGTH, ParsedPublicKey::new(&ED25519, bytes(x)?))
            }
            PublicKeyMaterial::Ec { crv, x, y } if crv == "P-256" => {
                let point = [&[4], bytes(x)?.as_slice(), bytes(y)?.as_slice()].concat();
                (Algorithm::Es256, CURVE_LENGTH, ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
            }
            PublicKeyMaterial::Rsa { e, n } => {
                let components = RsaPublicKeyComponents { n: bytes(n)?, e: bytes(e)? };
                let parsed = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
                (Algorithm::Rs256, components.n.len(), parsed)
            }
            PublicKeyMaterial::Okp { .. } | PublicKeyMaterial::Ec { .. } => return Err(BadKey),
        };
        Ok(Self { algorithm, parsed: parsed.map_err(|_error| BadKey)?, signature_length })
    }

    /// Whether the signature, in base64url, is that of the message.
    fn verifies(&self, message: &[u8], signature: &str) -> bool {
        signature.len() == (self.signature_length * 8).div_ceil(6)
            && from_base64url(signature).is_some_and(|bytes| self.parsed.verify_sig(message, &bytes).is_ok())
    }
}

/// A public key as others read it (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Jwk {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// The only algorithm that it verifies.
    pub alg: Algorithm,
    /// `sig`: it verifies signatures and does nothing else.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The key itself.
    #[serde(flatten)]
    pub material: PublicKeyMaterial,
}

/// What a public key consists of; numbers are base64url of big-endian bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kty")]
#[non_exhaustive]
pub enum PublicKeyMaterial {
    /// A point of an elliptic curve (RFC 7518 §6.2).
    #[serde(rename = "EC")]
    Ec {
        /// `P-256`.
        crv: String,
        /// First coordinate, 32 bytes.
        x: String,
        /// Second coordinate, 32 bytes.
        y: String,
    },
    /// An Edwards curve's key (RFC 8037 §2).
    #[serde(rename = "OKP")]
    Okp {
        /// `Ed25519`.
        crv: String,
        /// The key, 32 bytes.
        x: String,
    },
    /// Modulus and exponent (RFC 7518 §6.3).
    #[serde(rename = "RSA")]
    Rsa {
        /// Exponent.
        e: String,
        /// Modulus.
        n: String,
    },
}

impl PublicKeyMaterial {
    /// SHA-256 of the members that RFC 7638 §3.2 names, in its order, as base64url.
    fn thumbprint(&self) -> String {
        let text = match self {
            Self::Ec { crv, x, y } => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Okp { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
            Self::Rsa { e, n } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        base64url(&Sha256::digest(text))
    }
}

/// The keys by which others verify access tokens (RFC 7517 §5).
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Jwks {
    /// The keys, newest first; one that does not sign yet is among them.
    pub keys: Vec<Jwk>,
}

impl Jwks {
    pub(crate) const fn new(keys: Vec<Jwk>) -> Self {
        Self { keys }
    }
}

fn bad<E>(_: E) -> BadKey {
    BadKey
}

#[cfg(test)]
#[path = "key/rfc_examples.rs"]
mod rfc_examples;
