use std::{error::Error, time::Duration};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::plain::PlainPassword;

/// Length in bytes of the salt which the caller draws for each new hash (NIST SP 800-63B-4 §3.1.1.2 asks for 4).
pub const SALT_BYTES: usize = 16;

/// What one Argon2id hash costs.
///
/// The default is 19 456 KiB of memory, two passes and one lane, the first choice of the OWASP password storage cheat
/// sheet. The default is also the minimum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argon2Params(Params);

impl Argon2Params {
    /// Chooses memory in KiB (19 456 to 1 048 576), passes (2 to 64) and lanes (1 to 16).
    ///
    /// # Errors
    ///
    /// [`ParamsError`] names the first number out of its range.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, ParamsError> {
        if !(Params::DEFAULT_M_COST..=MAX_MEMORY_KIB).contains(&memory_kib) {
            return Err(ParamsError::Memory);
        }
        if !(Params::DEFAULT_T_COST..=MAX_PASSES).contains(&passes) {
            return Err(ParamsError::Passes);
        }
        Self::dangerously_weak(memory_kib, passes, lanes)
    }

    /// Allows costs below the minimum, for tests that hash often.
    ///
    /// # Errors
    ///
    /// [`ParamsError`] for numbers with which Argon2 does not work, or above the limits of [`Argon2Params::new`].
    ///
    /// # Security
    ///
    /// A stolen table of such hashes is read in hours.
    pub fn dangerously_weak(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, ParamsError> {
        if !(1..=MAX_LANES).contains(&lanes) {
            return Err(ParamsError::Lanes);
        }
        if !(8 * lanes..=MAX_MEMORY_KIB).contains(&memory_kib) {
            return Err(ParamsError::Memory);
        }
        if !(1..=MAX_PASSES).contains(&passes) {
            return Err(ParamsError::Passes);
        }
        Params::new(memory_kib, passes, lanes, None).map(Self).or(Err(ParamsError::Memory))
    }

    /// Makes a stored form of this cost which no password matches.
    ///
    /// # Security
    ///
    /// Verifying against it takes the time of a real account, so that time does not tell which accounts exist.
    #[must_use]
    pub fn decoy(&self) -> String {
        let (m, t, p) = (self.0.m_cost(), self.0.t_cost(), self.0.p_cost());
        format!("$argon2id$v=19$m={m},t={t},p={p}${ZERO_SALT}${ZERO_OUTPUT}")
    }

    /// Says whether a stored hash is unreadable, cheaper than this, or has other lanes.
    ///
    /// A hash which costs more in memory and passes is kept.
    #[must_use]
    pub fn needs_rehash(&self, phc: &str) -> bool {
        Stored::parse(phc, self).is_none_or(|stored| stored.is_outdated(self))
    }

    /// Reads the costs of a stored hash, or nothing where they exceed what a stored hash may cost us.
    fn of_stored(written: &ParamsString, configured: &Self) -> Option<Self> {
        if written.iter().count() != 3 {
            return None;
        }
        let memory_kib = written.get_decimal("m")?;
        let passes = written.get_decimal("t")?;
        let lanes = written.get_decimal("p")?;
        let affordable = memory_kib <= configured.0.m_cost().max(MAX_STORED_MEMORY_KIB)
            && passes <= configured.0.t_cost().max(MAX_STORED_PASSES);
        affordable.then(|| Self::dangerously_weak(memory_kib, passes, lanes).ok())?
    }

    fn is_below(&self, other: &Self) -> bool {
        self.0.m_cost() < other.0.m_cost() || self.0.t_cost() < other.0.t_cost() || self.0.p_cost() != other.0.p_cost()
    }
}

impl Default for Argon2Params {
    fn default() -> Self {
        Self(Params::DEFAULT)
    }
}

/// Which cost is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// The number of lanes.
    #[error("the lanes of a password hash must be 1 to {MAX_LANES}")]
    Lanes,
    /// The memory.
    #[error("the memory of a password hash must be {} to {MAX_MEMORY_KIB} KiB", Params::DEFAULT_M_COST)]
    Memory,
    /// The number of passes.
    #[error("the passes of a password hash must be {} to {MAX_PASSES}", Params::DEFAULT_T_COST)]
    Passes,
}

/// Outcome of comparing a password with a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verification {
    /// The password is the one that was hashed.
    Match {
        /// Whether the hash is cheaper than the configured one, so that a new one should replace it.
        rehash: bool,
    },
    /// The password is another one.
    Mismatch,
}

/// Why there is no hash or no verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// Too much is waiting; the caller answers 503 and names the delay.
    #[error("too many password hashes are waiting")]
    Busy {
        /// Estimate of when a place is free, 1 to 30 seconds.
        retry_after: Duration,
    },
    /// The stored hash cannot be read; the caller denies and reports it.
    ///
    /// As much work was spent as on a readable one.
    #[error("a stored password hash is not a readable argon2id hash")]
    Corrupt,
    /// The hash function or its thread failed; the caller may try again.
    #[error("a password could not be hashed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// Hashes a password with a fresh salt into a PHC string.
pub(crate) fn hash(
    params: &Argon2Params,
    password: &PlainPassword,
    salt: &[u8; SALT_BYTES],
    memory: &mut Memory,
) -> Result<String, HashError> {
    let mut output = [0; OUTPUT_BYTES];
    memory.argon2id(params, password, salt, &mut output)?;
    phc(params, salt, &output)
}

/// Compares a password with a stored hash in constant time.
pub(crate) fn verify(
    params: &Argon2Params,
    password: &PlainPassword,
    phc: &str,
    memory: &mut Memory,
) -> Result<Verification, HashError> {
    let Some(stored) = Stored::parse(phc, params) else {
        let mut unused = Zeroizing::new([0; OUTPUT_BYTES]);
        memory.argon2id(params, password, &[0; SALT_BYTES], &mut *unused)?;
        return Err(HashError::Corrupt);
    };
    let mut computed = Zeroizing::new(vec![0; stored.output.len()]);
    memory.argon2id(&stored.params, password, stored.salt.as_ref(), &mut computed)?;
    if bool::from(computed.ct_eq(stored.output.as_bytes())) {
        return Ok(Verification::Match { rehash: stored.is_outdated(params) });
    }
    Ok(Verification::Mismatch)
}

/// Working memory of one hashing thread, kept from hash to hash.
///
/// It is made at the first hash, so that a service which hashes nothing holds none.
#[derive(Default)]
pub(crate) struct Memory {
    blocks: Vec<Block>,
    used: usize,
}

impl Memory {
    fn argon2id(
        &mut self,
        params: &Argon2Params,
        password: &PlainPassword,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), HashError> {
        let needed = params.0.block_count();
        if let Some(missing) = needed.checked_sub(self.blocks.len()) {
            self.blocks.reserve_exact(missing);
            self.blocks.resize(needed, Block::new());
        }
        self.used = self.used.max(needed);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params.0.clone())
            .hash_password_into_with_memory(password.as_bytes(), salt, output, self.blocks.as_mut_slice())
            .map_err(failed)
    }

    /// Zeroes what the last hash wrote, and gives back what exceeds the need of `params`.
    pub(crate) fn wipe(&mut self, params: &Argon2Params) {
        for block in self.blocks.iter_mut().take(self.used) {
            block.zeroize();
        }
        self.used = 0;
        self.blocks.truncate(params.0.block_count());
        self.blocks.shrink_to_fit();
    }
}

struct Stored {
    params: Argon2Params,
    salt: Salt,
    output: Output,
}

impl Stored {
    fn parse(phc: &str, configured: &Argon2Params) -> Option<Self> {
        let hash = PasswordHash::new(phc).ok()?;
        if hash.algorithm != ARGON2ID_IDENT || hash.version != Some(Version::V0x13.into()) {
            return None;
        }
        let params = Argon2Params::of_stored(&hash.params, configured)?;
        let output = hash.hash.filter(|output| output.len() >= MIN_OUTPUT_BYTES)?;
        Some(Self { params, salt: hash.salt?, output })
    }

    fn is_outdated(&self, configured: &Argon2Params) -> bool {
        self.params.is_below(configured) || self.salt.len() < SALT_BYTES || self.output.len() < OUTPUT_BYTES
    }
}

fn phc(params: &Argon2Params, salt: &[u8], output: &[u8]) -> Result<String, HashError> {
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params.0).map_err(failed)?,
        salt: Some(Salt::new(salt).map_err(failed)?),
        hash: Some(Output::new(output).map_err(failed)?),
    };
    Ok(hash.to_string())
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> HashError {
    HashError::Failed(error.into())
}

const OUTPUT_BYTES: usize = Params::DEFAULT_OUTPUT_LEN;

/// A shorter output is guessed rather than computed.
const MIN_OUTPUT_BYTES: usize = 16;

/// [`SALT_BYTES`] and `OUTPUT_BYTES` zeros in the base64 of PHC strings.
const ZERO_SALT: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const ZERO_OUTPUT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;
const MAX_LANES: u32 = 16;

/// A row in the database must not decide how much memory and time a sign-in takes.
const MAX_STORED_MEMORY_KIB: u32 = 64 * 1024;
const MAX_STORED_PASSES: u32 = 16;

#[cfg(test)]
mod tests;
