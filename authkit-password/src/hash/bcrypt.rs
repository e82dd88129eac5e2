//! bcrypt, for new passwords where it is chosen, and as others made it.

use authkit_core::SecretText;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

use crate::{
    hash::{
        HashError, ParamsError, SALT_BYTES,
        argon2::Memory,
        recipe::{Basis, Cost, Derived, Family, Read, Recipe, Stored, Unreadable},
        scheme::Scheme,
    },
    imported::DEVISE,
    plain::PlainPassword,
};

/// What one bcrypt hash costs: two to the power of so many rounds.
///
/// The default is 12, which is also the minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BcryptCost(u32);

impl BcryptCost {
    /// Chooses the cost, 12 to 16. Each step takes twice as long.
    ///
    /// # Errors
    ///
    /// [`ParamsError::BcryptCost`] beyond these limits.
    pub fn new(cost: u32) -> Result<Self, ParamsError> {
        if !(MIN_COST..=MAX_COST).contains(&cost) {
            return Err(ParamsError::BcryptCost);
        }
        Ok(Self(cost))
    }

    /// The least that bcrypt knows, for tests that hash often.
    ///
    /// # Security
    ///
    /// A stolen table of such hashes is read in hours.
    #[must_use]
    pub const fn dangerously_weak() -> Self {
        Self(LEAST_COST)
    }

    pub(crate) fn decoy(self) -> String {
        write("2b", self, &[0; SALT_BYTES], &[0; OUTPUT_BYTES])
    }
}

impl Default for BcryptCost {
    fn default() -> Self {
        Self(MIN_COST)
    }
}

/// Hashes a new password.
///
/// bcrypt knows 72 bytes and no zero byte. A password beyond that is not cut but hashed by HMAC-SHA-256 before, in the
/// form that passlib calls `bcrypt_sha256`.
pub(crate) fn hash(
    cost: BcryptCost,
    password: &PlainPassword,
    salt: &[u8; SALT_BYTES],
    season: impl FnOnce(Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>>,
) -> String {
    let form = if password.as_bytes().len() <= MAX_BYTES && !has_nul(password) { Form::Plain } else { Form::Sha256 };
    let key = match form {
        Form::Sha256 => hmac_sha256(password, salt),
        _ => terminated(password.as_bytes()),
    };
    let output = season(output(cost, salt, &key));
    match form {
        Form::Sha256 => {
            let (salt, output) = (BCRYPT64.encode(salt), BCRYPT64.encode(&*output));
            format!("$bcrypt-sha256$v=2,t=2b,r={}${salt}${output}", cost.0)
        }
        _ => write("2b", cost, salt, &output),
    }
}

fn write(version: &str, cost: BcryptCost, salt: &[u8], output: &[u8]) -> String {
    format!("${version}${:02}${}{}", cost.0, BCRYPT64.encode(salt), BCRYPT64.encode(output))
}

/// Reads bcrypt as crypt(3) writes it, and what passlib, Django and Devise make of it.
#[derive(Clone, Default)]
pub(crate) struct BcryptFamily {
    /// Devise appends it to the password.
    pub(crate) devise_pepper: Option<Arc<SecretText>>,
    pub(crate) long: LongPasswords,
    /// A stored hash may cost what is configured, even where that is beyond the limits.
    pub(crate) configured: Option<BcryptCost>,
}

/// What becomes of a password of more than 72 bytes before a plain bcrypt hash, which knows no more of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LongPasswords {
    /// Its first 72 bytes are compared, as the old system did.
    Cut,
    /// It matches nothing.
    #[default]
    Refuse,
}

impl fmt::Debug for BcryptFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BcryptFamily").field("long", &self.long).finish_non_exhaustive()
    }
}

impl Family for BcryptFamily {
    fn read<'f>(&'f self, text: &str) -> Option<Read<Stored<'f>>> {
        if let Some(parts) = text.strip_prefix("$bcrypt-sha256$") {
            return Some(self.read_passlib(parts));
        }
        let (form, crypt) = if let Some(crypt) = text.strip_prefix(DEVISE) {
            (Form::Devise, crypt)
        } else if let Some(crypt) = text.strip_prefix("bcrypt_sha256$") {
            (Form::DjangoSha256, crypt)
        } else {
            (Form::Plain, text.strip_prefix("bcrypt$").unwrap_or(text))
        };
        crypt.starts_with("$2").then(|| self.read_crypt(form, crypt))
    }
}

impl BcryptFamily {
    /// `$2b$12$`, 22 characters of salt and 31 of output.
    ///
    /// `$2x$` marks hashes of a broken implementation, in which many passwords match; `$2$` is older than the zero byte
    /// at the end.
    pub(crate) fn read_crypt<'f>(&'f self, form: Form, crypt: &str) -> Read<Stored<'f>> {
        let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|version| crypt.strip_prefix(version));
        let (cost, rest) = rest.and_then(|rest| rest.split_once('$')).ok_or(Unreadable::Malformed)?;
        let (salt, output) = rest.split_at_checked(SALT_CHARS).ok_or(Unreadable::Malformed)?;
        if cost.len() != 2 {
            return Err(Unreadable::Malformed);
        }
        self.stored(form, cost, salt, output)
    }

    /// `v=2,t=2b,r=12$salt$output`, or of the first version `2b,12$salt$output`.
    fn read_passlib<'f>(&'f self, parts: &str) -> Read<Stored<'f>> {
        let mut fields = parts.split('$');
        let (Some(head), Some(salt), Some(output), None) = (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Unreadable::Malformed);
        };
        let first = ["2a,", "2b,", "2y,"].iter().find_map(|version| head.strip_prefix(version));
        match (head.strip_prefix("v=2,t=2b,r="), first) {
            (Some(cost), _) => self.stored(Form::Sha256, cost, salt, output),
            (None, Some(cost)) => self.stored(Form::Sha256V1, cost, salt, output),
            (None, None) => Err(Unreadable::Malformed),
        }
    }

    fn stored<'f>(&'f self, form: Form, cost: &str, salt: &str, output: &str) -> Read<Stored<'f>> {
        let digits = Some(cost).filter(|cost| cost.len() <= 2 && cost.bytes().all(|byte| byte.is_ascii_digit()));
        let cost = digits.and_then(|digits| digits.parse().ok()).filter(|&cost| cost >= LEAST_COST);
        let cost: u32 = cost.ok_or(Unreadable::Malformed)?;
        if cost > MAX_STORED_COST.max(self.configured.map_or(0, |cost| cost.0)) {
            return Err(Unreadable::TooCostly);
        }
        if form == Form::Devise && self.devise_pepper.is_none() {
            return Err(Unreadable::NotConfigured);
        }
        let salt = BCRYPT64.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(Unreadable::Malformed)?;
        let output = BCRYPT64.decode(output).ok().filter(|output| output.len() == OUTPUT_BYTES);
        let recipe = BcryptRecipe { family: self, form, cost: BcryptCost(cost), salt };
        Stored::new(recipe, output.ok_or(Unreadable::Malformed)?)
    }
}

/// What bcrypt is given in place of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The password followed by a pepper.
    Devise,
    /// SHA-256 in hex.
    DjangoSha256,
    /// The password itself.
    Plain,
    /// HMAC-SHA-256 keyed with the salt, in base64.
    Sha256,
    /// SHA-256 in base64.
    Sha256V1,
    /// HMAC-SHA-384 in base64.
    #[cfg(feature = "wordpress")]
    WordPress,
}

struct BcryptRecipe<'f> {
    family: &'f BcryptFamily,
    form: Form,
    cost: BcryptCost,
    salt: [u8; SALT_BYTES],
}

impl Recipe for BcryptRecipe<'_> {
    fn cost(&self) -> Cost {
        Cost("bcrypt", [self.cost.0, 0, 0])
    }

    fn is_current(&self, scheme: &Scheme) -> bool {
        let native = matches!(self.form, Form::Plain | Form::Sha256);
        matches!(scheme, Scheme::Bcrypt(configured) if native && self.cost.0 >= configured.0)
    }

    fn derive(&self, password: &PlainPassword, _: &mut Memory) -> Result<Derived, HashError> {
        let (key, basis) = match self.form {
            Form::Devise => self.cut(password, self.family.devise_pepper.as_deref().map_or("", SecretText::expose)),
            Form::Plain => self.cut(password, ""),
            Form::DjangoSha256 => (terminated(hex(&Sha256::digest(password.as_bytes())).as_bytes()), Basis::Whole),
            Form::Sha256 => (hmac_sha256(password, &self.salt), Basis::Whole),
            Form::Sha256V1 => {
                let digest = Zeroizing::new(BASE64_STANDARD.encode(Sha256::digest(password.as_bytes())));
                (terminated(digest.as_bytes()), Basis::Whole)
            }
            #[cfg(feature = "wordpress")]
            Form::WordPress => crate::foreign::wordpress::bcrypt_key(password),
        };
        Ok(Derived { output: output(self.cost, &self.salt, &key), basis })
    }
}

impl BcryptRecipe<'_> {
    /// The first 72 bytes of a password and what is appended to it.
    ///
    /// Only the appendix may be cut without a word; it is no part of what was typed. C implementations end a password at
    /// a zero byte, and others let it collide with a shorter one, so that it matches nothing.
    fn cut(&self, password: &PlainPassword, appendix: &str) -> (Zeroizing<Vec<u8>>, Basis) {
        let typed = password.as_bytes();
        let basis = match self.family.long {
            _ if has_nul(password) => Basis::Refused,
            _ if typed.len() <= MAX_BYTES => Basis::Whole,
            LongPasswords::Cut => Basis::Part,
            LongPasswords::Refuse => Basis::Refused,
        };
        (terminated(&Zeroizing::new([typed, appendix.as_bytes()].concat())), basis)
    }
}

fn output(cost: BcryptCost, salt: &[u8; SALT_BYTES], key: &[u8]) -> Zeroizing<Vec<u8>> {
    let whole = Zeroizing::new(bcrypt::bcrypt(cost.0, *salt, key));
    Zeroizing::new(whole.iter().copied().take(OUTPUT_BYTES).collect())
}

/// The key that bcrypt makes of a text: a zero byte at its end, and 72 bytes at most.
pub(crate) fn terminated(text: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.iter().copied().chain([0]).take(MAX_BYTES).collect())
}

fn hmac_sha256(password: &PlainPassword, salt: &[u8; SALT_BYTES]) -> Zeroizing<Vec<u8>> {
    let salt = BCRYPT64.encode(salt);
    let tag = mac::<Hmac<Sha256>>(salt.as_bytes(), password.as_bytes());
    terminated(Zeroizing::new(BASE64_STANDARD.encode(tag)).as_bytes())
}

/// One HMAC. The key is public here; nothing but a digest is wanted.
#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
pub(crate) fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> impl AsRef<[u8]> + use<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes()
}

fn has_nul(password: &PlainPassword) -> bool {
    password.as_bytes().contains(&0)
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Some writers leave random bits in the last character, which every reader ignores.
const BCRYPT64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

const OUTPUT_BYTES: usize = 23;
const SALT_CHARS: usize = 22;
const MAX_BYTES: usize = 72;

pub(crate) const MIN_COST: u32 = 12;
pub(crate) const MAX_COST: u32 = 16;
const LEAST_COST: u32 = 4;

/// A row in the database must not decide how long a sign-in takes; 14 takes about a second.
const MAX_STORED_COST: u32 = 14;
