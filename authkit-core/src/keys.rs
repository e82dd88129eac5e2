//! The key ring: what signs, authenticates and seals. Cryptography is that of the RustCrypto crates.

use std::{fmt, io::Write as _, marker::PhantomData, path::Path};

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    slot::{OsRng, Rng},
    value::{ColumnKind, DecodeError, Field, Value},
};

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The application's root secrets, newest first: the newest signs and seals, the older ones still verify and open.
///
/// Everything is derived from them by HKDF-SHA-256 (RFC 5869), one key per purpose. They never enter a store. Rotate by
/// putting a new secret in front; drop an old one when nothing made with it is alive.
///
/// # Examples
///
/// From the secret store of the application, or from a file while it is developed:
///
/// ```
/// use authkit_core::{KeyRing, KeyRingError};
///
/// fn keys(in_production: bool) -> Result<KeyRing, KeyRingError> {
///     if in_production { KeyRing::from_env() } else { KeyRing::dev_file("authkit.key") }
/// }
/// ```
#[derive(Clone)]
pub struct KeyRing {
    roots: Vec<Root>,
    origin: Origin,
    /// Whose derived keys these are; empty for core and the application.
    owner: &'static str,
}

#[derive(Clone)]
struct Root {
    id: [u8; 4],
    secret: Zeroizing<[u8; 32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Given,
    DevelopmentFile,
}

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// The environment variable is not set.
    #[error("the environment variable {name} is not set; give it 32 random bytes in base64 (openssl rand -base64 32)")]
    Missing {
        /// Name of the variable.
        name: &'static str,
    },
    /// A secret is not 32 bytes in base64.
    #[error("key {position} is not 32 bytes in base64 (openssl rand -base64 32 makes one)")]
    Malformed {
        /// Which one, from 1.
        position: usize,
    },
    /// A secret is a pattern, not random.
    #[error("key {position} is a pattern and not random (openssl rand -base64 32 makes a good one)")]
    Weak {
        /// Which one, from 1.
        position: usize,
    },
    /// The same secret stands twice.
    #[error("key {position} stands in the list twice")]
    Repeated {
        /// Which one, from 1.
        position: usize,
    },
    /// The development file cannot be read or made.
    #[error("the key file cannot be read or made")]
    File(#[source] std::io::Error),
    /// The development file can be read by others.
    #[error("the key file can be read by others; restrict it to its owner (chmod 600)")]
    Exposed,
}

impl KeyRing {
    /// The variable that [`KeyRing::from_env`] reads.
    pub const ENV: &'static str = "AUTHKIT_KEYS";

    /// Takes secrets of 32 random bytes, newest first.
    ///
    /// # Errors
    ///
    /// [`KeyRingError::Weak`] or [`KeyRingError::Repeated`]; an empty list is [`KeyRingError::Missing`].
    pub fn new(secrets: impl IntoIterator<Item = [u8; 32]>) -> Result<Self, KeyRingError> {
        let mut roots: Vec<Root> = Vec::new();
        for (at, secret) in secrets.into_iter().enumerate() {
            let secret = Zeroizing::new(secret);
            let mut seen = *secret;
            seen.sort_unstable();
            let distinct = seen.chunk_by(|a, b| a == b).count();
            if distinct < 8 {
                return Err(KeyRingError::Weak { position: at + 1 });
            }
            let mut id = [0; 4];
            derive(&secret, "key id", &mut id);
            if roots.iter().any(|root| root.id == id) {
                return Err(KeyRingError::Repeated { position: at + 1 });
            }
            roots.push(Root { id, secret });
        }
        if roots.is_empty() {
            return Err(KeyRingError::Missing { name: Self::ENV });
        }
        Ok(Self { roots, origin: Origin::Given, owner: "" })
    }

    /// Reads the environment variable `AUTHKIT_KEYS`: base64 secrets of 32 bytes, newest first, separated by commas.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`] says which of them is wrong, and never shows it.
    #[expect(clippy::disallowed_methods, reason = "reading the environment is what was asked for")]
    pub fn from_env() -> Result<Self, KeyRingError> {
        let text =
            Zeroizing::new(std::env::var(Self::ENV).map_err(|_error| KeyRingError::Missing { name: Self::ENV })?);
        Self::parse(&text)
    }

    /// Reads a file of secrets, or makes it with a fresh one, readable by its owner only.
    ///
    /// For development: `build()` accepts it only if `public_url` is on this machine.
    ///
    /// # Errors
    ///
    /// [`KeyRingError::File`] and [`KeyRingError::Exposed`], besides those of the content.
    pub fn dev_file(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = path.as_ref();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => {
                refuse_exposed(path)?;
                Zeroizing::new(text)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_file(path)?,
            Err(error) => return Err(KeyRingError::File(error)),
        };
        Ok(Self { origin: Origin::DevelopmentFile, ..Self::parse(&text)? })
    }

    fn parse(text: &str) -> Result<Self, KeyRingError> {
        let mut secrets = Zeroizing::new(Vec::new());
        for (at, part) in text.split(',').map(str::trim).filter(|part| !part.is_empty()).enumerate() {
            let malformed = KeyRingError::Malformed { position: at + 1 };
            let Ok(bytes) = BASE64_STANDARD.decode(part).map(Zeroizing::new) else {
                return Err(malformed);
            };
            let Ok(secret) = <[u8; 32]>::try_from(bytes.as_slice()) else {
                return Err(malformed);
            };
            secrets.push(secret);
        }
        Self::new(secrets.iter().copied())
    }

    /// The same keys for one plugin.
    pub(crate) fn of(&self, plugin: &'static str) -> Self {
        Self { owner: plugin, ..self.clone() }
    }

    pub(crate) fn is_for_development(&self) -> bool {
        self.origin == Origin::DevelopmentFile
    }

    /// A key for authenticating messages of one purpose. Derive it once, not per request.
    #[must_use]
    pub fn mac(&self, purpose: &str) -> MacKey {
        let derived = |root: &Root| {
            let mut key = Zeroizing::new([0; 32]);
            derive(&root.secret, &format!("mac {} {purpose}", self.owner), key.as_mut());
            (root.id, hmac_of(&key))
        };
        MacKey { keys: self.roots.iter().map(derived).collect() }
    }

    pub(crate) fn seal(&self, context: &[u8], plain: &[u8], rng: &dyn Rng) -> Result<Vec<u8>, DecodeError> {
        let root = self.roots.first().ok_or(DecodeError::new("key ring"))?;
        let mut nonce = [0; NONCE];
        rng.fill(&mut nonce);
        let sealed = cipher(root)
            .encrypt(&nonce.into(), Payload { msg: plain, aad: context })
            .map_err(|_error| DecodeError::new("sealable value"))?;
        Ok([&root.id[..], &nonce, &sealed].concat())
    }

    pub(crate) fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
        const FOREIGN: DecodeError = DecodeError { expected: "sealed value of this row" };
        let (id, rest) = sealed.split_first_chunk::<4>().ok_or(FOREIGN)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE>().ok_or(FOREIGN)?;
        let root = self.roots.iter().find(|root| root.id == *id).ok_or(FOREIGN)?;
        let plain = cipher(root).decrypt(&(*nonce).into(), Payload { msg: text, aad: context });
        plain.map(Zeroizing::new).map_err(|_error| FOREIGN)
    }
}

const NONCE: usize = 12;

fn cipher(root: &Root) -> Aes256Gcm {
    let mut key = Zeroizing::new([0; 32]);
    derive(&root.secret, "seal", key.as_mut());
    Aes256Gcm::new(&(*key).into())
}

fn derive(secret: &[u8; 32], purpose: &str, out: &mut [u8]) {
    let expanded = Hkdf::<Sha256>::new(Some(b"authkit"), secret).expand(purpose.as_bytes(), out);
    debug_assert!(expanded.is_ok(), "HKDF gives up to 8160 bytes");
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn hmac_of(key: &[u8; 32]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length")
}

/// The text of a new root secret.
pub(crate) fn fresh_root(rng: &dyn Rng) -> Zeroizing<String> {
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill(secret.as_mut());
    Zeroizing::new(BASE64_STANDARD.encode(secret.as_slice()))
}

fn make_file(path: &Path) -> Result<Zeroizing<String>, KeyRingError> {
    let text = fresh_root(&OsRng);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(KeyRingError::File)?;
    file.write_all(text.as_bytes()).map_err(KeyRingError::File)?;
    Ok(text)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), KeyRingError> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = std::fs::metadata(path).map_err(KeyRingError::File)?.mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyRingError::Exposed) }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path) -> Result<(), KeyRingError> {
    Ok(())
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.roots.len())
    }
}

/// HMAC-SHA-256 for one purpose, under every key of the ring.
///
/// # Examples
///
/// A link that nobody else can write, which also stands after the ring got a newer secret:
///
/// ```
/// use authkit_core::KeyRing;
///
/// let secret = |seed: u8| std::array::from_fn(|at| (at as u8).wrapping_mul(7).wrapping_add(seed));
/// let tag = KeyRing::new([secret(1)])?.mac("unsubscribe").tag(&[b"ada@example.com"]);
///
/// let rotated = KeyRing::new([secret(2), secret(1)])?.mac("unsubscribe");
/// assert!(rotated.verify(&[b"ada@example.com"], &tag));
/// assert!(!rotated.verify(&[b"bob@example.com"], &tag));
/// # Ok::<(), authkit_core::KeyRingError>(())
/// ```
#[derive(Clone)]
pub struct MacKey {
    keys: Vec<([u8; 4], Hmac<Sha256>)>,
}

impl MacKey {
    /// The tag under the newest key. The parts are framed by their lengths.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.keys.first().map_or([0; 32], |(_, key)| tag(key, parts))
    }

    /// Whether the leading bytes of a tag under any key of the ring are these; at least 8 have to be given.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], presented: &[u8]) -> bool {
        let matches = |key: &Hmac<Sha256>| match tag(key, parts).get(..presented.len()) {
            Some(expected) if presented.len() >= 8 => bool::from(expected.ct_eq(presented)),
            _ => false,
        };
        self.keys.iter().any(|(_, key)| matches(key))
    }

    /// The tag under the oldest key: the same before and after a rotation, until that key is dropped.
    ///
    /// For pseudonyms that must not change with a rotation, such as the key of a counter.
    #[must_use]
    pub fn pseudonym(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.keys.last().map_or([0; 32], |(_, key)| tag(key, parts))
    }
}

fn tag(key: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = key.clone();
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

/// A column that is encrypted with the key ring: AES-256-GCM, bound to table, column, tenant and row.
///
/// A value moved to another row, column or tenant does not open. Seal and open it through the entity's
/// [`Collection`](crate::Collection).
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed<T> {
    bytes: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Sealed<T> {
    pub(crate) fn seal(keys: &KeyRing, context: &[u8], value: &T, rng: &dyn Rng) -> Result<Self, DecodeError> {
        let plain = serde_json::to_vec(value).map_err(|_error| DecodeError::new("JSON value"))?;
        let bytes = keys.seal(context, &Zeroizing::new(plain), rng)?;
        Ok(Self { bytes, of: PhantomData })
    }

    pub(crate) fn open(&self, keys: &KeyRing, context: &[u8]) -> Result<T, DecodeError> {
        let plain = keys.open(context, &self.bytes)?;
        serde_json::from_slice(&plain).map_err(|_error| DecodeError::new("sealed JSON value"))
    }
}

impl<T> Field for Sealed<T> {
    const KIND: ColumnKind = ColumnKind::Bytes;
    const NULLABLE: bool = false;

    fn into_value(self) -> Value {
        Value::Bytes(self.bytes)
    }

    fn from_value(value: Value) -> Result<Self, DecodeError> {
        match value {
            Value::Bytes(bytes) => Ok(Self { bytes, of: PhantomData }),
            _ => Err(DecodeError::new("sealed value")),
        }
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}

/// Base64 without padding, URL alphabet.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads [`base64url`] text; none if it is not in that form exactly.
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests;
