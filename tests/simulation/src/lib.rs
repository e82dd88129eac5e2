#![doc = include_str!("../README.md")]
#![expect(clippy::expect_used, clippy::panic, reason = "it is a test, which ends where something is not as expected")]

mod ask;
mod choice;
mod coverage;
mod history;
mod house;
mod model;
mod plugin;
mod request;
mod rows;
mod run;
mod schedule;
mod shrink;
mod store;
mod token;

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

pub use crate::coverage::Coverage;
use crate::{
    history::History,
    house::House,
    run::{Telling, run},
};

/// A history in which something happened that must not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The seed of the history.
    pub seed: u64,
    /// Which invariant was broken: `I1`.
    pub invariant: &'static str,
    /// What was wrong, and the shortest history that shows it.
    pub story: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, invariant, story } = self;
        write!(
            f,
            "{invariant} is broken (seed {seed})\n{story}\nAgain: SIMULATION_SEED={seed} cargo test -p simulation"
        )
    }
}

/// Runs the histories of so many seeds from the first on, on so many threads.
///
/// # Errors
///
/// The first failure that was found.
pub fn simulate(first: u64, histories: u64, threads: usize) -> Result<Coverage, Failure> {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (total, failure) = (Mutex::new(Coverage::default()), Mutex::new(None));
    let work = || {
        let mut houses = BTreeMap::new();
        let mut coverage = Coverage::default();
        while !stop.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= histories {
                break;
            }
            let history = History::of_seed(first.wrapping_add(n));
            let house = houses.entry(history.setup).or_insert_with(|| House::new(history.setup));
            let outcome =
                catch_unwind(AssertUnwindSafe(|| run(house, &history, Telling::Silent, &mut coverage).breach));
            coverage.histories += 1;
            let told = match outcome {
                Ok(None) => continue,
                Ok(Some((at, breach))) => tell(&history, at, &breach),
                Err(_) => {
                    let story = "something panicked; what it said stands above".to_owned();
                    Failure { seed: history.seed, invariant: "A", story }
                }
            };
            stop.store(true, Ordering::Relaxed);
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(told);
        }
        total.lock().unwrap_or_else(PoisonError::into_inner).add(&coverage);
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None => Ok(total.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

/// What happens in the history of a seed, in readable lines.
///
/// # Errors
///
/// The failure, if it has one.
pub fn replay(seed: u64) -> Result<String, Failure> {
    let history = History::of_seed(seed);
    let mut house = House::new(history.setup);
    let outcome = run(&mut house, &history, Telling::Aloud, &mut Coverage::default());
    match outcome.breach {
        Some((at, breach)) => Err(tell(&history, at, &breach)),
        None => Ok(outcome.told.join("\n")),
    }
}

/// Puts a failure into words, with the shortest history that shows it.
fn tell(history: &History, at: usize, breach: &model::Breach) -> Failure {
    let shortest = shrink::shortest(history, at, breach);
    let mut house = House::new(history.setup);
    let outcome = run(&mut house, &shortest, Telling::Aloud, &mut Coverage::default());
    let shown = outcome.breach.map_or_else(|| breach.clone(), |(_, shown)| shown);
    let text =
        format!("{}\n{:?}, {} of {} steps:\n", shown.text, history.setup, shortest.steps.len(), history.steps.len());
    Failure { seed: history.seed, invariant: shown.invariant, story: text + &outcome.told.join("\n") }
}
