#![doc = include_str!("../README.md")]
#![expect(clippy::expect_used, clippy::panic, reason = "it is a test, which ends where something is not as expected")]

mod ask;
mod breach;
mod choice;
mod coverage;
pub mod families;
mod ground;
mod history;
mod house;
mod model;
mod plot;
mod plugin;
mod request;
mod rows;
mod run;
mod schedule;
mod shrink;
mod store;
mod token;

use crate::history::Accounts;
pub use crate::{
    coverage::Coverage,
    ground::{Emptied, Ground, Grounds},
    plot::Failure,
};

/// Runs the histories of accounts of so many seeds from the first on, on so many threads.
///
/// # Errors
///
/// The first failure that was found.
pub fn simulate(first: u64, histories: u64, threads: usize) -> Result<Coverage, Failure> {
    plot::simulate::<Accounts>(first, histories, threads, None)
}

/// Runs them over a store in memory and over another one, in which the same has to happen.
///
/// # Errors
///
/// The first failure that was found, or the first difference.
pub fn compare(first: u64, histories: u64, threads: usize, grounds: Grounds<'_>) -> Result<Coverage, Failure> {
    plot::simulate::<Accounts>(first, histories, threads, Some(grounds))
}

/// What happens in the history of accounts of a seed, in readable lines.
///
/// # Errors
///
/// The failure, if it has one.
pub fn replay(seed: u64) -> Result<String, Failure> {
    plot::replay::<Accounts>(seed, None)
}
