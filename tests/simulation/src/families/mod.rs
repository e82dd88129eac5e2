//! Histories of one family of refresh tokens: two tabs of its owner, a thief, and whoever can end it.

mod ask;
mod history;
mod house;
mod model;
mod protocol;
mod run;
mod walk;

use authkit_core::ReuseEnds;

use crate::{
    coverage::Coverage,
    ground::Grounds,
    plot::{self, Failure},
};

/// Histories of families.
pub(crate) struct Families;

/// What differs between histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Setup {
    tabs: Tabs,
    /// What an old token ends.
    ends: ReuseEnds,
}

/// Where the tabs keep their tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tabs {
    /// In one place, as browsers do: the latest answer wins.
    Jar,
    /// Each in its own memory, which is two holders of one token.
    Copies,
}

/// Runs the histories of families of so many seeds from the first on, on so many threads.
///
/// # Errors
///
/// The first failure that was found.
pub fn simulate(first: u64, histories: u64, threads: usize) -> Result<Coverage, Failure> {
    plot::simulate::<Families>(first, histories, threads, None)
}

/// Runs them over a store in memory and over another one, in which the same has to happen.
///
/// # Errors
///
/// The first failure that was found, or the first difference.
pub fn compare(first: u64, histories: u64, threads: usize, grounds: Grounds<'_>) -> Result<Coverage, Failure> {
    plot::simulate::<Families>(first, histories, threads, Some(grounds))
}

/// What happens in the history of a family of a seed, in readable lines.
///
/// # Errors
///
/// The failure, if it has one.
pub fn replay(seed: u64) -> Result<String, Failure> {
    plot::replay::<Families>(seed, None)
}

/// Looks at all states that the protocol can reach, at most so many, and says how many there were.
///
/// # Errors
///
/// What is wrong with one of them.
pub fn search(most: usize) -> Result<usize, String> {
    protocol::search(most)
}

/// Compares random walks through the protocol with the application; says how many tokens were shown in them.
///
/// # Errors
///
/// The first difference.
pub fn walk(walks: u64) -> Result<u64, String> {
    walk::walk(walks)
}
