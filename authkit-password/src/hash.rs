use std::{error::Error, sync::Arc, time::Duration};

use crate::{foreign, plain::PlainPassword};

pub(crate) mod argon2;
pub(crate) mod bcrypt;
pub(crate) mod pepper;
pub(crate) mod recipe;
mod scheme;

use self::{
    argon2::{Argon2Family, Memory},
    bcrypt::BcryptFamily,
    pepper::{Pepper, Seasoned},
    recipe::{Basis, Cost, Family, Read, Stored},
};
pub use self::{
    argon2::{Argon2Params, ParamsError},
    bcrypt::BcryptCost,
    recipe::Unreadable,
    scheme::Scheme,
};

/// Length in bytes of the salt which the caller draws for each new hash (NIST SP 800-63B-4 §3.1.1.2 asks for 4).
pub const SALT_BYTES: usize = 16;

/// Outcome of comparing a password with a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verification {
    /// The password is the one that was hashed.
    Match {
        /// Whether a new hash should replace this one: it is cheaper than configured, or of another kind.
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
    #[error("a stored password hash cannot be read")]
    Corrupt,
    /// The hash function or its thread failed; the caller may try again.
    #[error("a password could not be hashed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl HashError {
    pub(crate) fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }
}

/// When a comparison takes as long as any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alike {
    /// Also where the password is right, because the answer will not say so.
    Always,
    /// Where the answer is no.
    Unmatched,
}

/// Makes hashes in one way, and compares with those that were made in any of the known ones.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    scheme: Scheme,
    families: Vec<Arc<dyn Family>>,
    pepper: Pepper,
    decoys: Vec<String>,
}

impl Hasher {
    /// Reads Argon2, bcrypt and what the Cargo features add.
    pub(crate) fn new(scheme: Scheme, bcrypt: BcryptFamily) -> Self {
        let argon2 = Argon2Family { configured: scheme.argon2() };
        let bcrypt = BcryptFamily { configured: scheme.bcrypt(), ..bcrypt };
        let own: [Arc<dyn Family>; 2] = [Arc::new(argon2), Arc::new(bcrypt)];
        let families = own.into_iter().chain(foreign::families()).collect();
        Self { scheme, families, pepper: Pepper::default(), decoys: Vec::new() }
    }

    /// Reads these kinds before all others.
    pub(crate) fn families(mut self, families: impl IntoIterator<Item = Arc<dyn Family>>) -> Self {
        self.families.splice(..0, families);
        self
    }

    pub(crate) fn pepper(self, pepper: Pepper) -> Self {
        Self { pepper, ..self }
    }

    /// Does the work of these hashes wherever the answer is no.
    ///
    /// # Errors
    ///
    /// The first of them that cannot be read, and why.
    pub(crate) fn decoys(mut self, decoys: Vec<String>) -> Result<Self, (String, Unreadable)> {
        let mut known: Vec<Cost> = self.cost_of(&self.scheme.decoy()).into_iter().collect();
        for decoy in decoys {
            let cost = self.cost_of(&decoy).map_err(|error| (decoy.clone(), error))?;
            if !known.contains(&cost) {
                known.push(cost);
                self.decoys.push(decoy);
            }
        }
        Ok(self)
    }

    pub(crate) const fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Hashes a new password with a fresh salt.
    pub(crate) fn hash(
        &self,
        password: &PlainPassword,
        salt: &[u8; SALT_BYTES],
        memory: &mut Memory,
    ) -> Result<String, HashError> {
        let text = self.scheme.hash(password, salt, memory, |output| self.pepper.season(output))?;
        Ok(self.pepper.mark(text))
    }

    /// Compares a password with a stored hash in constant time.
    ///
    /// A password that was not typed in NFC is compared in both forms, because other systems hash it as it is typed.
    pub(crate) fn verify(
        &self,
        password: &PlainPassword,
        text: &str,
        alike: Alike,
        memory: &mut Memory,
    ) -> Result<Verification, HashError> {
        let mut outcome = self.compare(password, text, memory);
        if !is_match(&outcome) || alike == Alike::Always {
            self.work_off(password, text, memory)?;
        }
        let Some(typed) = password.as_typed() else {
            return outcome;
        };
        if !is_match(&outcome) {
            outcome = self.compare(&typed, text, memory);
        }
        if !is_match(&outcome) || alike == Alike::Always {
            self.work_off(&typed, text, memory)?;
        }
        outcome
    }

    /// Reads a stored text, whoever wrote it.
    pub(crate) fn read(&self, text: &str) -> Read<Stored<'_>> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(Unreadable::Unknown);
        }
        // Salts that are text could hold what not every store can.
        if text.contains(char::is_control) {
            return Err(Unreadable::Malformed);
        }
        self.families.iter().find_map(|family| family.read(text)).unwrap_or(Err(Unreadable::Unknown))
    }

    fn compare(&self, password: &PlainPassword, text: &str, memory: &mut Memory) -> Result<Verification, HashError> {
        let seasoned = Seasoned::of(text);
        let Ok(Stored { recipe, expected }) = self.read(seasoned.text()) else {
            self.work(&self.scheme.decoy(), password, memory)?;
            return Err(HashError::Corrupt);
        };
        let derived = recipe.derive(password, memory)?;
        let equal = self.pepper.matches(seasoned, &derived.output, &expected)?;
        Ok(match derived.basis {
            Basis::Whole if equal => {
                let seasoning = self.pepper.is_current(seasoned, &derived.output, &expected);
                Verification::Match { rehash: !(seasoning && recipe.is_current(&self.scheme)) }
            }
            Basis::Part if equal => Verification::Match { rehash: false },
            _ => Verification::Mismatch,
        })
    }

    /// Does the work that comparing with `text` has left out, of all that there is.
    fn work_off(&self, password: &PlainPassword, text: &str, memory: &mut Memory) -> Result<(), HashError> {
        if self.decoys.is_empty() {
            return Ok(());
        }
        let own = self.scheme.decoy();
        let done = self.cost_of(Seasoned::of(text).text()).or_else(|_| self.cost_of(&own)).ok();
        for decoy in std::iter::once(&own).chain(&self.decoys) {
            if self.cost_of(decoy).ok() != done {
                self.work(decoy, password, memory)?;
            }
        }
        Ok(())
    }

    fn work(&self, decoy: &str, password: &PlainPassword, memory: &mut Memory) -> Result<(), HashError> {
        let decoy = self.read(decoy).map_err(HashError::failed)?;
        decoy.recipe.derive(password, memory).map(drop)
    }

    fn cost_of(&self, text: &str) -> Read<Cost> {
        self.read(text).map(|stored| stored.recipe.cost())
    }
}

fn is_match(outcome: &Result<Verification, HashError>) -> bool {
    matches!(outcome, Ok(Verification::Match { .. }))
}

/// No known hash is half as long.
const MAX_TEXT_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
