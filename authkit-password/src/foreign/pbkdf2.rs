//! PBKDF2 (RFC 8018 §5.2) as Django, werkzeug, passlib, Keycloak and ASP.NET Identity store it.

use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use crate::{
    foreign::codec::{base64, base64_passlib, decimal, fields, hex},
    hash::{
        HashError, Scheme,
        argon2::Memory,
        recipe::{Basis, Cost, Derived, Family, Read, Recipe, Stored, Unreadable},
    },
    plain::PlainPassword,
};

#[derive(Debug)]
pub(super) struct Pbkdf2Family;

impl Family for Pbkdf2Family {
    fn read<'f>(&'f self, text: &str) -> Option<Read<Stored<'f>>> {
        if let Some(rest) = text.strip_prefix("$pbkdf2") {
            return Some(passlib(rest));
        }
        if let Some(rest) = text.strip_prefix("pbkdf2_") {
            return Some(django(rest));
        }
        if let Some(rest) = text.strip_prefix("pbkdf2:") {
            return Some(werkzeug(rest));
        }
        // Nothing marks the hashes of ASP.NET but that they are base64 alone and begin with their version.
        let bytes = base64(text)?;
        match bytes.split_first()? {
            (0, rest) => Some(asp_net_2(rest)),
            (1, rest) => Some(asp_net_3(rest)),
            _ => None,
        }
    }
}

/// `-sha256$29000$salt$output`; no digest is SHA-1.
fn passlib(rest: &str) -> Read<Stored<'static>> {
    let [digest, rounds, salt, output] = fields(rest, '$').ok_or(Unreadable::Malformed)?;
    let prf = match digest {
        "" => Prf::Sha1,
        "-sha256" => Prf::Sha256,
        "-sha512" => Prf::Sha512,
        _ => return Err(Unreadable::Malformed),
    };
    stored(prf, decimal(rounds), base64_passlib(salt), base64_passlib(output))
}

/// `sha256$1000000$salt$output`; the salt is text.
fn django(rest: &str) -> Read<Stored<'static>> {
    let [digest, rounds, salt, output] = fields(rest, '$').ok_or(Unreadable::Malformed)?;
    stored(Prf::named(digest)?, decimal(rounds), Some(salt.into()), base64(output))
}

/// `sha256:1000000$salt$output`; the salt is text.
fn werkzeug(rest: &str) -> Read<Stored<'static>> {
    let [head, salt, output] = fields(rest, '$').ok_or(Unreadable::Malformed)?;
    let [digest, rounds] = fields(head, ':').ok_or(Unreadable::Malformed)?;
    stored(Prf::named(digest)?, decimal(rounds), Some(salt.into()), hex(output))
}

/// ASP.NET Identity 2: 16 bytes of salt and 32 of output.
fn asp_net_2(rest: &[u8]) -> Read<Stored<'static>> {
    let (salt, output) = rest.split_first_chunk::<16>().ok_or(Unreadable::Malformed)?;
    if output.len() != 32 {
        return Err(Unreadable::Malformed);
    }
    stored(Prf::Sha1, Some(1000), Some(salt.into()), Some(output.into()))
}

/// ASP.NET Core Identity 3: function, rounds and length of the salt as 32 bits each, salt, output.
fn asp_net_3(rest: &[u8]) -> Read<Stored<'static>> {
    let (head, rest) = rest.split_first_chunk::<12>().ok_or(Unreadable::Malformed)?;
    let ([prf, rounds, salt_bytes], _) = head.as_chunks::<4>() else {
        return Err(Unreadable::Malformed);
    };
    let prf = match u32::from_be_bytes(*prf) {
        0 => Prf::Sha1,
        1 => Prf::Sha256,
        2 => Prf::Sha512,
        _ => return Err(Unreadable::Malformed),
    };
    let salt_bytes = usize::try_from(u32::from_be_bytes(*salt_bytes)).or(Err(Unreadable::Malformed))?;
    let (salt, output) = rest.split_at_checked(salt_bytes).ok_or(Unreadable::Malformed)?;
    stored(prf, Some(u32::from_be_bytes(*rounds)), Some(salt.into()), Some(output.into()))
}

fn stored(prf: Prf, rounds: Option<u32>, salt: Option<Vec<u8>>, output: Option<Vec<u8>>) -> Read<Stored<'static>> {
    let (Some(rounds), Some(salt), Some(mut output)) = (rounds, salt, output) else {
        return Err(Unreadable::Malformed);
    };
    if rounds == 0 || salt.is_empty() {
        return Err(Unreadable::Malformed);
    }
    if rounds > MAX_ROUNDS {
        return Err(Unreadable::TooCostly);
    }
    // The blocks of an output are computed one by one, each by all rounds. The first has at least 160 bits and decides;
    // others cost time without being harder to guess.
    output.truncate(prf.block_bytes());
    Stored::new(Pbkdf2Recipe { prf, rounds, salt, output_bytes: output.len() }, output)
}

struct Pbkdf2Recipe {
    prf: Prf,
    rounds: u32,
    salt: Vec<u8>,
    output_bytes: usize,
}

impl Recipe for Pbkdf2Recipe {
    fn cost(&self) -> Cost {
        let kind = match self.prf {
            Prf::Sha1 => "pbkdf2-sha1",
            Prf::Sha256 => "pbkdf2-sha256",
            Prf::Sha512 => "pbkdf2-sha512",
        };
        Cost(kind, [self.rounds, 0, 0])
    }

    fn is_current(&self, _: &Scheme) -> bool {
        false
    }

    fn derive(&self, password: &PlainPassword, _: &mut Memory) -> Result<Derived, HashError> {
        let mut output = Zeroizing::new(vec![0; self.output_bytes]);
        let derive = match self.prf {
            Prf::Sha1 => pbkdf2_hmac::<Sha1>,
            Prf::Sha256 => pbkdf2_hmac::<Sha256>,
            Prf::Sha512 => pbkdf2_hmac::<Sha512>,
        };
        derive(password.as_bytes(), &self.salt, self.rounds, &mut output);
        Ok(Derived::of_hmac_key(password, output, Basis::Whole))
    }
}

#[derive(Clone, Copy)]
enum Prf {
    Sha1,
    Sha256,
    Sha512,
}

impl Prf {
    fn named(name: &str) -> Read<Self> {
        match name {
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(Unreadable::Malformed),
        }
    }

    const fn block_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A row in the database must not decide how long a sign-in takes; Django takes 1 500 000 and less.
const MAX_ROUNDS: u32 = 2_000_000;
