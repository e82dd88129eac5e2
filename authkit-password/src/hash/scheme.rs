use zeroize::Zeroizing;

use crate::{
    hash::{
        HashError, SALT_BYTES,
        argon2::{Argon2Params, Memory},
        bcrypt::{self, BcryptCost},
    },
    plain::PlainPassword,
};

/// How new passwords are hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// Argon2id, the default.
    Argon2id(Argon2Params),
    /// bcrypt, for those who are told to use it.
    Bcrypt(BcryptCost),
}

impl Scheme {
    /// Makes a stored form of this cost which no password matches.
    ///
    /// # Security
    ///
    /// Verifying against it takes the time of a real account, so that time does not tell which accounts exist.
    #[must_use]
    pub fn decoy(&self) -> String {
        match self {
            Self::Argon2id(params) => params.decoy(),
            Self::Bcrypt(cost) => cost.decoy(),
        }
    }

    /// Blocks of Argon2 memory that a hashing thread keeps.
    pub(crate) fn blocks(&self) -> usize {
        match self {
            Self::Argon2id(params) => params.blocks(),
            Self::Bcrypt(_) => 0,
        }
    }

    /// The costs of Argon2, where they bound what a stored hash may cost.
    pub(crate) fn argon2(&self) -> Argon2Params {
        match self {
            Self::Argon2id(params) => params.clone(),
            Self::Bcrypt(_) => Argon2Params::default(),
        }
    }

    /// The cost of bcrypt, where it bounds what a stored hash may cost.
    pub(crate) const fn bcrypt(&self) -> Option<BcryptCost> {
        match self {
            Self::Argon2id(_) => None,
            Self::Bcrypt(cost) => Some(*cost),
        }
    }

    /// Hashes a new password; `season` is what becomes of the output before it is written.
    pub(crate) fn hash(
        &self,
        password: &PlainPassword,
        salt: &[u8; SALT_BYTES],
        memory: &mut Memory,
        season: impl FnOnce(Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>>,
    ) -> Result<String, HashError> {
        match self {
            Self::Argon2id(params) => {
                let output = params.derive(password, salt, memory)?;
                params.write(salt, &season(output))
            }
            Self::Bcrypt(cost) => Ok(bcrypt::hash(*cost, password, salt, season)),
        }
    }
}

impl Default for Scheme {
    fn default() -> Self {
        Self::Argon2id(Argon2Params::default())
    }
}

impl From<Argon2Params> for Scheme {
    fn from(params: Argon2Params) -> Self {
        Self::Argon2id(params)
    }
}

impl From<BcryptCost> for Scheme {
    fn from(cost: BcryptCost) -> Self {
        Self::Bcrypt(cost)
    }
}
