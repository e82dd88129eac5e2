//! The scrypt of Firebase Authentication: its output is a key, by which the project's signer key is enciphered.

use std::{fmt, sync::Arc};

use aes::Aes256;
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit, StreamCipher},
};
use scrypt::Params;
use zeroize::Zeroizing;

use crate::{
    foreign::{
        codec::{base64, fields},
        scrypt::{Work, cost},
    },
    hash::{
        HashError, Scheme, Unreadable,
        argon2::Memory,
        recipe::{Basis, Cost, Derived, Family, Read, Recipe, Stored},
    },
    imported::FIREBASE,
    plain::PlainPassword,
};

/// The password hash parameters of a Firebase project, as its console shows them.
///
/// `Debug` shows none of them. A clone shares the key.
#[derive(Clone)]
pub struct FirebaseKeys {
    signer_key: Arc<Zeroizing<Vec<u8>>>,
    salt_separator: Vec<u8>,
    params: Params,
}

impl FirebaseKeys {
    /// Takes `base64_signer_key`, `base64_salt_separator`, `rounds` (1 to 8) and `mem_cost` (1 to 14).
    ///
    /// # Errors
    ///
    /// [`FirebaseKeysError`] if one of them is not of this form.
    pub fn new(signer_key: &str, salt_separator: &str, rounds: u32, mem_cost: u32) -> Result<Self, FirebaseKeysError> {
        let signer_key = base64(signer_key).filter(|key| (16..=256).contains(&key.len()));
        let salt_separator = base64(salt_separator).filter(|separator| separator.len() <= 256);
        let params = Work { log_n: mem_cost, r: rounds, p: 1 }.params().ok();
        match (signer_key, salt_separator, params) {
            (Some(key), Some(salt_separator), Some(params)) => {
                Ok(Self { signer_key: Arc::new(Zeroizing::new(key)), salt_separator, params })
            }
            (None, ..) => Err(FirebaseKeysError::SignerKey),
            (_, None, _) => Err(FirebaseKeysError::SaltSeparator),
            (_, _, None) => Err(FirebaseKeysError::Costs),
        }
    }
}

impl fmt::Debug for FirebaseKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirebaseKeys(..)")
    }
}

/// Which password hash parameter of a Firebase project cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FirebaseKeysError {
    /// `rounds` or `mem_cost`.
    #[error("rounds and mem_cost of Firebase are no costs of scrypt, or too high")]
    Costs,
    /// `base64_salt_separator`.
    #[error("the salt separator of Firebase is not base64")]
    SaltSeparator,
    /// `base64_signer_key`.
    #[error("the signer key of Firebase is not 16 to 256 bytes in base64")]
    SignerKey,
}

/// Reads `$firebase-scrypt$salt$output`.
#[derive(Debug)]
pub(crate) struct FirebaseFamily(pub(crate) Option<FirebaseKeys>);

impl Family for FirebaseFamily {
    fn read<'f>(&'f self, text: &str) -> Option<Read<Stored<'f>>> {
        let rest = text.strip_prefix(FIREBASE)?;
        Some(self.read_parts(rest))
    }
}

impl FirebaseFamily {
    fn read_parts<'f>(&'f self, rest: &str) -> Read<Stored<'f>> {
        let keys = self.0.as_ref().ok_or(Unreadable::NotConfigured)?;
        let [salt, output] = fields(rest, '$').ok_or(Unreadable::Malformed)?;
        let (Some(salt), Some(output)) = (base64(salt), base64(output)) else {
            return Err(Unreadable::Malformed);
        };
        Stored::new(FirebaseRecipe { keys, salt: [salt, keys.salt_separator.clone()].concat() }, output)
    }
}

struct FirebaseRecipe<'f> {
    keys: &'f FirebaseKeys,
    salt: Vec<u8>,
}

impl Recipe for FirebaseRecipe<'_> {
    fn cost(&self) -> Cost {
        cost(&self.keys.params)
    }

    fn is_current(&self, _: &Scheme) -> bool {
        false
    }

    fn derive(&self, password: &PlainPassword, _: &mut Memory) -> Result<Derived, HashError> {
        let mut key = Zeroizing::new([0; 32]);
        scrypt::scrypt(password.as_bytes(), &self.salt, &self.keys.params, key.as_mut()).map_err(HashError::failed)?;
        let mut output = Zeroizing::new(self.keys.signer_key.to_vec());
        // The counter begins at zero each time; the key is of one salt and enciphers nothing else.
        Ctr128BE::<Aes256>::new((&*key).into(), &[0; 16].into()).apply_keystream(&mut output);
        Ok(Derived::of_hmac_key(password, output, Basis::Whole))
    }
}
