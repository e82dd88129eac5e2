//! Argon2: the default for new passwords, and every kind of it that others made (RFC 9106).

use argon2::{
    ARGON2D_IDENT, ARGON2I_IDENT, ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    hash::{
        HashError, SALT_BYTES,
        recipe::{Cost, Derived, Family, Read, Recipe, Stored, Unreadable},
        scheme::Scheme,
    },
    plain::PlainPassword,
};

/// What one Argon2id hash costs.
///
/// The default is 19 456 KiB of memory, two passes and one lane, the first choice of the OWASP password storage cheat
/// sheet. The default is also the minimum.
///
/// # Examples
///
/// More memory than the least:
///
/// ```
/// use authkit_password::{Argon2Params, HashPool, PoolConfig, Scheme};
///
/// let scheme = Scheme::from(Argon2Params::new(64 * 1024, 3, 1)?);
/// let config = PoolConfig::default().scheme(scheme);
/// assert!(Argon2Params::new(1024, 1, 1).is_err());
/// # Ok::<(), authkit_password::ParamsError>(())
/// ```
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

    /// Blocks of memory that one hash takes.
    pub(crate) fn blocks(&self) -> usize {
        self.0.block_count()
    }

    /// Computes a new hash, as its output.
    pub(crate) fn derive(
        &self,
        password: &PlainPassword,
        salt: &[u8; SALT_BYTES],
        memory: &mut Memory,
    ) -> Result<Zeroizing<Vec<u8>>, HashError> {
        let mut output = Zeroizing::new(vec![0; OUTPUT_BYTES]);
        memory.fill(&argon2(Algorithm::Argon2id, Version::V0x13, self), password, salt, &mut output)?;
        Ok(output)
    }

    /// The PHC string of an output.
    pub(crate) fn write(&self, salt: &[u8; SALT_BYTES], output: &[u8]) -> Result<String, HashError> {
        let hash = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&self.0).map_err(HashError::failed)?,
            salt: Some(Salt::new(salt).map_err(HashError::failed)?),
            hash: Some(Output::new(output).map_err(HashError::failed)?),
        };
        Ok(hash.to_string())
    }

    /// Reads the costs of a stored hash.
    fn of_stored(written: &ParamsString, configured: &Self) -> Read<Self> {
        let numbers = ["m", "t", "p"].map(|name| written.get_decimal(name));
        let [Some(memory_kib), Some(passes), Some(lanes)] = numbers else {
            return Err(Unreadable::Malformed);
        };
        if written.iter().count() != numbers.len() {
            return Err(Unreadable::Malformed);
        }
        let area = u64::from(memory_kib) * u64::from(passes);
        let affordable = memory_kib <= configured.0.m_cost().max(MAX_STORED_MEMORY_KIB)
            && area <= (u64::from(configured.0.m_cost()) * u64::from(configured.0.t_cost())).max(MAX_STORED_AREA)
            && lanes <= MAX_LANES;
        if !affordable {
            return Err(Unreadable::TooCostly);
        }
        Self::dangerously_weak(memory_kib, passes, lanes).or(Err(Unreadable::Malformed))
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
    /// The cost of bcrypt.
    #[error("the cost of bcrypt must be {} to {}", crate::hash::bcrypt::MIN_COST, crate::hash::bcrypt::MAX_COST)]
    BcryptCost,
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

/// Working memory of one hashing thread, kept from hash to hash.
///
/// It is made at the first hash, so that a service which hashes nothing holds none.
#[derive(Default)]
pub(crate) struct Memory {
    blocks: Vec<Block>,
    used: usize,
}

impl Memory {
    fn fill(
        &mut self,
        argon2: &Argon2<'_>,
        password: &PlainPassword,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), HashError> {
        let needed = argon2.params().block_count();
        if let Some(missing) = needed.checked_sub(self.blocks.len()) {
            self.blocks.reserve_exact(missing);
            self.blocks.resize(needed, Block::new());
        }
        self.used = self.used.max(needed);
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, output, self.blocks.as_mut_slice())
            .map_err(HashError::failed)
    }

    /// Zeroes what the last hash wrote, and gives back all blocks beyond the number to `keep`.
    pub(crate) fn wipe(&mut self, keep: usize) {
        for block in self.blocks.iter_mut().take(self.used) {
            block.zeroize();
        }
        self.used = 0;
        self.blocks.truncate(keep);
        self.blocks.shrink_to_fit();
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.blocks.capacity()
    }

    #[cfg(test)]
    pub(crate) fn is_zero(&self) -> bool {
        self.blocks.iter().all(|block| AsRef::<[u64]>::as_ref(block).iter().all(|&word| word == 0))
    }
}

/// Reads PHC strings of Argon2, as this crate and most others write them, and as Django stores them.
#[derive(Debug)]
pub(crate) struct Argon2Family {
    /// A stored hash may cost what is configured, even where that is beyond the limits.
    pub(crate) configured: Argon2Params,
}

impl Family for Argon2Family {
    fn read<'f>(&'f self, text: &str) -> Option<Read<Stored<'f>>> {
        let django = text.strip_prefix("argon2$argon2").map(|rest| format!("$argon2{rest}"));
        let phc = django.as_deref().unwrap_or(text);
        phc.starts_with("$argon2").then(|| self.read_phc(phc))
    }
}

impl Argon2Family {
    fn read_phc<'f>(&self, phc: &str) -> Read<Stored<'f>> {
        let hash = PasswordHash::new(phc).or(Err(Unreadable::Malformed))?;
        let algorithm = match hash.algorithm {
            ARGON2D_IDENT => Algorithm::Argon2d,
            ARGON2I_IDENT => Algorithm::Argon2i,
            ARGON2ID_IDENT => Algorithm::Argon2id,
            _ => return Err(Unreadable::Malformed),
        };
        let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).or(Err(Unreadable::Malformed))?;
        let params = Argon2Params::of_stored(&hash.params, &self.configured)?;
        let salt = hash.salt.ok_or(Unreadable::Malformed)?;
        let output = hash.hash.ok_or(Unreadable::Malformed)?;
        let recipe = Argon2Recipe { algorithm, version, params, salt, output_bytes: output.len() };
        Stored::new(recipe, output.as_bytes().to_vec())
    }
}

struct Argon2Recipe {
    algorithm: Algorithm,
    version: Version,
    params: Argon2Params,
    salt: Salt,
    output_bytes: usize,
}

impl Recipe for Argon2Recipe {
    fn cost(&self) -> Cost {
        Cost("argon2", [self.params.0.m_cost(), self.params.0.t_cost(), self.params.0.p_cost()])
    }

    fn is_current(&self, scheme: &Scheme) -> bool {
        let Scheme::Argon2id(configured) = scheme else {
            return false;
        };
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && !self.params.is_below(configured)
            && self.salt.len() >= SALT_BYTES
            && self.output_bytes >= OUTPUT_BYTES
    }

    fn derive(&self, password: &PlainPassword, memory: &mut Memory) -> Result<Derived, HashError> {
        let mut output = Zeroizing::new(vec![0; self.output_bytes]);
        let argon2 = argon2(self.algorithm, self.version, &self.params);
        memory.fill(&argon2, password, self.salt.as_ref(), &mut output)?;
        Ok(Derived::of_whole(output))
    }
}

fn argon2(algorithm: Algorithm, version: Version, params: &Argon2Params) -> Argon2<'static> {
    Argon2::new(algorithm, version, params.0.clone())
}

const OUTPUT_BYTES: usize = Params::DEFAULT_OUTPUT_LEN;

/// [`SALT_BYTES`] and `OUTPUT_BYTES` zeros in the base64 of PHC strings.
const ZERO_SALT: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const ZERO_OUTPUT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;
const MAX_LANES: u32 = 16;

/// A row in the database must not decide how much memory and time a sign-in takes.
///
/// Django takes 100 MiB and two passes, PHP 64 MiB and four.
const MAX_STORED_MEMORY_KIB: u32 = 128 * 1024;
/// KiB times passes: sixteen passes over 64 MiB.
const MAX_STORED_AREA: u64 = 1024 * 1024;
