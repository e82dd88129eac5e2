//! What WordPress stores: phpass until 6.8, bcrypt over HMAC-SHA-384 from then on.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::Hmac;
use md5::Md5;
use sha2::{Digest, Sha384};
use zeroize::Zeroizing;

use crate::{
    hash::{
        HashError, Scheme,
        argon2::Memory,
        bcrypt::{BcryptFamily, Form, mac, terminated},
        recipe::{Basis, Cost, Derived, Family, Read, Recipe, Stored, Unreadable},
    },
    plain::PlainPassword,
};

/// Reads `$P$` and `$H$` of phpass, and `$wp$2y$` of WordPress.
#[derive(Debug, Default)]
pub(super) struct WordPressFamily(BcryptFamily);

impl Family for WordPressFamily {
    fn read<'f>(&'f self, text: &str) -> Option<Read<Stored<'f>>> {
        if let Some(crypt) = text.strip_prefix("$wp").filter(|crypt| crypt.starts_with('$')) {
            return Some(self.0.read_crypt(Form::WordPress, crypt));
        }
        let portable = ["$P$", "$H$"].iter().find_map(|mark| text.strip_prefix(mark))?;
        Some(phpass(portable))
    }
}

/// The key of bcrypt in WordPress 6.8. Signing in trims a password there.
pub(crate) fn bcrypt_key(password: &PlainPassword) -> (Zeroizing<Vec<u8>>, Basis) {
    let (text, basis) = trimmed(password);
    let tag = mac::<Hmac<Sha384>>(b"wp-sha384", text.as_bytes());
    (terminated(Zeroizing::new(BASE64_STANDARD.encode(tag)).as_bytes()), basis)
}

/// One character for the rounds, eight of salt, 22 of output.
fn phpass(portable: &str) -> Read<Stored<'static>> {
    let (rounds, rest) = portable.split_at_checked(1).ok_or(Unreadable::Malformed)?;
    let (salt, output) = rest.split_at_checked(8).ok_or(Unreadable::Malformed)?;
    let log_rounds = rounds.chars().next().and_then(digit).ok_or(Unreadable::Malformed)?;
    if log_rounds > MAX_LOG_ROUNDS {
        return Err(Unreadable::TooCostly);
    }
    let output = decoded(output).filter(|output| output.len() == 16).ok_or(Unreadable::Malformed)?;
    Stored::new(PhpassRecipe { log_rounds, salt: salt.as_bytes().to_vec() }, output)
}

struct PhpassRecipe {
    log_rounds: u32,
    salt: Vec<u8>,
}

impl Recipe for PhpassRecipe {
    fn cost(&self) -> Cost {
        Cost("phpass", [self.log_rounds, 0, 0])
    }

    fn is_current(&self, _: &Scheme) -> bool {
        false
    }

    fn derive(&self, password: &PlainPassword, _: &mut Memory) -> Result<Derived, HashError> {
        let (text, basis) = trimmed(password);
        let mut digest = Md5::new_with_prefix(&self.salt).chain_update(text).finalize();
        for _ in 0..1_u32 << self.log_rounds {
            digest = Md5::new_with_prefix(digest).chain_update(text).finalize();
        }
        Ok(Derived { output: Zeroizing::new(digest.to_vec()), basis })
    }
}

fn trimmed(password: &PlainPassword) -> (&str, Basis) {
    let typed = password.as_str();
    let text = typed.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0b']);
    (text, if text.len() == typed.len() { Basis::Whole } else { Basis::Part })
}

/// Bytes in the base64 of phpass: groups of 24 bits, the least significant six first.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(digit).collect::<Option<_>>()?;
    let bytes = digits.chunks(4).flat_map(|group| {
        let bits = group.iter().rev().fold(0, |bits, digit| bits << 6 | digit);
        bits.to_le_bytes().into_iter().take(group.len() * 6 / 8)
    });
    Some(bytes.collect())
}

fn digit(c: char) -> Option<u32> {
    ITOA64.chars().zip(0..).find_map(|(letter, value)| (letter == c).then_some(value))
}

const ITOA64: &str = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A row in the database must not decide how long a sign-in takes; WordPress takes 2^13 rounds.
const MAX_LOG_ROUNDS: u32 = 14;
