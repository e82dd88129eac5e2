//! scrypt (RFC 7914) as werkzeug, Django, passlib and better-auth store it.

use scrypt::Params;
use unicode_normalization::{UnicodeNormalization, is_nfkc};
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
pub(super) struct ScryptFamily;

impl Family for ScryptFamily {
    fn read<'f>(&'f self, text: &str) -> Option<Read<Stored<'f>>> {
        if let Some(rest) = text.strip_prefix("$scrypt$") {
            return Some(passlib(rest).unwrap_or(Err(Unreadable::Malformed)));
        }
        if let Some(rest) = text.strip_prefix("scrypt$") {
            return Some(django(rest).unwrap_or(Err(Unreadable::Malformed)));
        }
        if let Some(rest) = text.strip_prefix("scrypt:") {
            return Some(werkzeug(rest).unwrap_or(Err(Unreadable::Malformed)));
        }
        better_auth(text)
    }
}

/// `ln=16,r=8,p=1$salt$output`.
fn passlib(rest: &str) -> Option<Read<Stored<'static>>> {
    let [params, salt, output] = fields(rest, '$')?;
    let [log_n, r, p] = fields(params, ',')?;
    let work = Work::of(decimal(log_n.strip_prefix("ln=")?), r.strip_prefix("r="), p.strip_prefix("p="));
    Some(stored(work, Form::Typed, base64_passlib(salt)?, base64_passlib(output)?))
}

/// `16384$salt$8$5$output`; the salt is text.
fn django(rest: &str) -> Option<Read<Stored<'static>>> {
    let [n, salt, r, p, output] = fields(rest, '$')?;
    Some(stored(Work::of(log2(n), Some(r), Some(p)), Form::Typed, salt.into(), base64(output)?))
}

/// `32768:8:1$salt$output`; the salt is text.
fn werkzeug(rest: &str) -> Option<Read<Stored<'static>>> {
    let [params, salt, output] = fields(rest, '$')?;
    let [n, r, p] = fields(params, ':')?;
    Some(stored(Work::of(log2(n), Some(r), Some(p)), Form::Typed, salt.into(), hex(output)?))
}

/// `salt:output`, 16 and 64 bytes in hex; the salt is the text of its hex.
fn better_auth(text: &str) -> Option<Read<Stored<'static>>> {
    let [salt, output] = fields(text, ':')?;
    hex(salt).filter(|salt| salt.len() == 16)?;
    let output = hex(output).filter(|output| output.len() == 64)?;
    Some(stored(Ok(Work { log_n: 14, r: 16, p: 1 }), Form::Nfkc, salt.into(), output))
}

fn stored(work: Read<Work>, form: Form, salt: Vec<u8>, output: Vec<u8>) -> Read<Stored<'static>> {
    let params = work?.params()?;
    if salt.is_empty() || output.len() > MAX_OUTPUT_BYTES {
        return Err(Unreadable::Malformed);
    }
    Stored::new(ScryptRecipe { params, form, salt, output_bytes: output.len() }, output)
}

/// The numbers of one computation.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub(super) log_n: u32,
    pub(super) r: u32,
    pub(super) p: u32,
}

impl Work {
    fn of(log_n: Option<u32>, r: Option<&str>, p: Option<&str>) -> Read<Self> {
        match (log_n, r.and_then(decimal), p.and_then(decimal)) {
            (Some(log_n), Some(r), Some(p)) => Ok(Self { log_n, r, p }),
            _ => Err(Unreadable::Malformed),
        }
    }

    /// The numbers as the crate takes them, within the limits.
    pub(super) fn params(self) -> Read<Params> {
        let Self { log_n, r, p } = self;
        if log_n == 0 || r == 0 || p == 0 {
            return Err(Unreadable::Malformed);
        }
        // Beyond 2^20 no block size leaves the memory within its limit.
        let memory = if log_n > 20 { u64::MAX } else { (128 << log_n) * u64::from(r) };
        if memory > MAX_MEMORY_BYTES || memory.saturating_mul(p.into()) > MAX_WORK_BYTES {
            return Err(Unreadable::TooCostly);
        }
        let log_n = u8::try_from(log_n).or(Err(Unreadable::Malformed))?;
        Params::new(log_n, r, p).or(Err(Unreadable::Malformed))
    }
}

/// What one computation costs.
pub(super) fn cost(params: &Params) -> Cost {
    Cost("scrypt", [params.log_n().into(), params.r(), params.p()])
}

/// The logarithm of a power of two.
fn log2(n: &str) -> Option<u32> {
    decimal(n).filter(|n| n.is_power_of_two()).map(u32::ilog2)
}

struct ScryptRecipe {
    params: Params,
    form: Form,
    salt: Vec<u8>,
    output_bytes: usize,
}

impl Recipe for ScryptRecipe {
    fn cost(&self) -> Cost {
        cost(&self.params)
    }

    fn is_current(&self, _: &Scheme) -> bool {
        false
    }

    fn derive(&self, password: &PlainPassword, _: &mut Memory) -> Result<Derived, HashError> {
        let (text, basis) = self.form.of(password);
        let mut output = Zeroizing::new(vec![0; self.output_bytes]);
        scrypt::scrypt(text.as_bytes(), &self.salt, &self.params, &mut output).map_err(HashError::failed)?;
        Ok(Derived::of_hmac_key(password, output, basis))
    }
}

/// What becomes of a password before it is hashed.
#[derive(Clone, Copy)]
enum Form {
    /// It is brought to NFKC, so that `ﬁ` is `fi`.
    Nfkc,
    /// Nothing.
    Typed,
}

impl Form {
    fn of(self, password: &PlainPassword) -> (Zeroizing<String>, Basis) {
        let typed = password.as_str();
        match self {
            Self::Nfkc if !is_nfkc(typed) => (Zeroizing::new(typed.nfkc().collect()), Basis::Part),
            _ => (Zeroizing::new(typed.to_owned()), Basis::Whole),
        }
    }
}

const MAX_OUTPUT_BYTES: usize = 64;

/// A row in the database must not decide how much memory and time a sign-in takes.
///
/// passlib takes 64 MiB, Django 16 MiB five times over.
const MAX_MEMORY_BYTES: u64 = 128 * 1024 * 1024;
/// Memory times `p`.
const MAX_WORK_BYTES: u64 = 256 * 1024 * 1024;
