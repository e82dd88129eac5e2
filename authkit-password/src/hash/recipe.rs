//! What all stored hashes have in common, whoever made them.

use zeroize::Zeroizing;

use crate::{
    hash::{HashError, argon2::Memory, scheme::Scheme},
    plain::PlainPassword,
};

/// Reads the texts of one kind of hash.
pub(crate) trait Family: std::fmt::Debug + Send + Sync {
    /// Reads a text, or leaves it to other families. Any text may come; all limits are checked before any work.
    fn read<'f>(&'f self, text: &str) -> Option<Read<Stored<'f>>>;
}

pub(crate) type Read<T> = Result<T, Unreadable>;

/// Why a stored hash is not computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// It begins like a known kind, but is damaged, too short or of a variant that is refused.
    #[error("the password hash is damaged or of a variant that is not accepted")]
    Malformed,
    /// What it needs besides was not given: the pepper of Devise, the keys of Firebase.
    #[error("the password hash needs a key of the old system that is not configured")]
    NotConfigured,
    /// Computing it would take more time or memory than a stored hash may take.
    #[error("the password hash costs more than is accepted")]
    TooCostly,
    /// It is of no kind that is known, or its kind is a Cargo feature that is off.
    #[error("the password hash is of an unknown kind")]
    Unknown,
}

/// How a stored hash was made: what that costs, and how to do it again.
pub(crate) trait Recipe {
    /// What one computation costs.
    fn cost(&self) -> Cost;

    /// Whether a new hash would be made in this way, or in a cheaper one.
    fn is_current(&self, scheme: &Scheme) -> bool;

    /// Computes the output for a password.
    fn derive(&self, password: &PlainPassword, memory: &mut Memory) -> Result<Derived, HashError>;
}

/// A stored hash that was read.
pub(crate) struct Stored<'f> {
    pub(crate) recipe: Box<dyn Recipe + 'f>,
    pub(crate) expected: Vec<u8>,
}

impl<'f> Stored<'f> {
    /// Pairs a recipe with the output that was stored.
    ///
    /// A short output is refused: it would be guessed rather than computed.
    pub(crate) fn new(recipe: impl Recipe + 'f, expected: Vec<u8>) -> Read<Self> {
        if expected.len() < MIN_OUTPUT_BYTES {
            return Err(Unreadable::Malformed);
        }
        Ok(Self { recipe: Box::new(recipe), expected })
    }
}

/// A kind of work and its numbers. Two computations of equal cost take equally long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost(pub(crate) &'static str, pub(crate) [u32; 3]);

/// What was computed, and from how much of what was typed.
pub(crate) struct Derived {
    pub(crate) output: Zeroizing<Vec<u8>>,
    pub(crate) basis: Basis,
}

/// What an output was computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Something to which other texts lead as well: cut, trimmed or folded as the old system did.
    ///
    /// A match signs in, but the hash is not renewed: that would make the part that was not proved, perhaps a slip of
    /// the finger, a part of the password.
    Part,
    /// Something that is no answer: the work was done, and nothing matches.
    Refused,
    /// Exactly what was typed.
    Whole,
}

impl Derived {
    pub(crate) fn of_whole(output: Zeroizing<Vec<u8>>) -> Self {
        Self { output, basis: Basis::Whole }
    }

    /// What HMAC made of a password as its key.
    ///
    /// RFC 2104 §2 fills a key up with zero bytes, so that one which ends with them is the same key without them.
    #[cfg(feature = "imports")]
    pub(crate) fn of_hmac_key(password: &PlainPassword, output: Zeroizing<Vec<u8>>, basis: Basis) -> Self {
        Self { output, basis: if password.as_bytes().ends_with(&[0]) { Basis::Refused } else { basis } }
    }
}

const MIN_OUTPUT_BYTES: usize = 16;
