//! Kinds of histories, and how the seeds of one kind are run.

use std::{
    collections::BTreeMap,
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    breach::{Breach, breach},
    coverage::Coverage,
    ground::{Ground, Grounds, Memory},
    house::House,
    shrink::shortest,
};

/// A kind of history.
pub(crate) trait Plot: Sized {
    /// What is the same for a whole history.
    type Setup: Copy + Ord + fmt::Debug;
    /// One thing that happens.
    type Step: Copy + PartialEq;

    /// The test that runs it.
    const TEST: &'static str;
    /// What has to happen in ten thousand histories, and at least how often.
    const FLOORS: &'static [(&'static str, u64)];

    /// The history of a seed.
    fn of_seed(seed: u64) -> History<Self>;

    /// The application for histories of this setup.
    fn house(setup: Self::Setup, ground: Arc<dyn Ground>) -> House;

    /// Runs a history in a house.
    fn run(house: &mut House, history: &History<Self>, telling: Telling, coverage: &mut Coverage) -> Outcome;

    /// The same step with less that is special about it.
    fn simpler(step: Self::Step) -> Vec<Self::Step>;
}

/// A seed, a setup, and what happens. Steps can be left out: each makes do with what there is.
pub(crate) struct History<P: Plot> {
    pub(crate) seed: u64,
    pub(crate) setup: P::Setup,
    pub(crate) steps: Vec<P::Step>,
}

impl<P: Plot> History<P> {
    /// The same history with other steps.
    pub(crate) const fn with(&self, steps: Vec<P::Step>) -> Self {
        Self { seed: self.seed, setup: self.setup, steps }
    }
}

/// What became of a history.
pub(crate) struct Outcome {
    /// What was broken, and by which step.
    pub(crate) breach: Option<(usize, Breach)>,
    /// What happened, if it was to be told.
    pub(crate) told: Vec<String>,
}

/// Whether what happens is put into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    Silent,
    Aloud,
}

/// A history in which something happened that must not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The test that finds it: `histories`, `families`.
    pub test: &'static str,
    /// The seed of the history.
    pub seed: u64,
    /// Which invariant was broken: `I1`.
    pub invariant: &'static str,
    /// What was wrong, and the shortest history that shows it.
    pub story: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { test, seed, invariant, story } = self;
        write!(
            f,
            "{invariant} is broken (seed {seed})\n{story}\n\
             Again: SIMULATION_SEED={seed} cargo test -p simulation --test {test} -- --nocapture"
        )
    }
}

/// The houses that histories of one setup are run in: one over a store in memory, and maybe one over another store, in
/// which the same has to happen.
pub(crate) struct Rig<P: Plot> {
    memory: House,
    other: Option<House>,
    plot: PhantomData<P>,
}

impl<P: Plot> Rig<P> {
    pub(crate) fn new(setup: P::Setup, grounds: Option<Grounds<'_>>) -> Self {
        let memory = P::house(setup, Arc::new(Memory::default()));
        Self { memory, other: grounds.map(|ground| P::house(setup, ground())), plot: PhantomData }
    }

    /// How many histories are tried at most to find a shorter one.
    pub(crate) const fn tries(&self) -> usize {
        if self.other.is_some() { 150 } else { 3000 }
    }

    pub(crate) fn run(&mut self, history: &History<P>, telling: Telling, coverage: &mut Coverage) -> Outcome {
        let Some(other) = &mut self.other else {
            return P::run(&mut self.memory, history, telling, coverage);
        };
        let usual = P::run(&mut self.memory, history, Telling::Aloud, coverage);
        if usual.breach.is_some() {
            return usual;
        }
        let mut outcome = P::run(other, history, Telling::Aloud, &mut Coverage::default());
        if outcome.breach.is_none() {
            outcome.breach = difference(&usual, &outcome).map(|text| (history.steps.len(), breach("S", text)));
        }
        outcome
    }
}

/// The first thing that happened otherwise in another store than in memory.
fn difference(memory: &Outcome, other: &Outcome) -> Option<String> {
    let end = "nothing more".to_owned();
    let [here, there] = [&memory.told, &other.told].map(|told| told.iter().chain([&end]));
    let (here, there) = here.zip(there).find(|(here, there)| here != there)?;
    Some(format!("in memory: {}; in this store: {}", here.trim(), there.trim()))
}

/// Runs the histories of so many seeds from the first on, on so many threads.
pub(crate) fn simulate<P: Plot>(
    first: u64,
    histories: u64,
    threads: usize,
    grounds: Option<Grounds<'_>>,
) -> Result<Coverage, Failure> {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (total, failure) = (Mutex::new(Coverage::new(P::FLOORS)), Mutex::new(None));
    let work = || {
        let mut rigs = BTreeMap::new();
        let mut coverage = Coverage::new(P::FLOORS);
        while !stop.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= histories {
                break;
            }
            let history = P::of_seed(first.wrapping_add(n));
            let rig = rigs.entry(history.setup).or_insert_with(|| Rig::<P>::new(history.setup, grounds));
            let outcome = catch_unwind(AssertUnwindSafe(|| rig.run(&history, Telling::Silent, &mut coverage).breach));
            coverage.histories += 1;
            let told = match outcome {
                Ok(None) => continue,
                Ok(Some((at, breach))) => tell(&history, at, &breach, grounds),
                Err(_) => {
                    let story = "something panicked; what it said stands above".to_owned();
                    Failure { test: P::TEST, seed: history.seed, invariant: "A", story }
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
pub(crate) fn replay<P: Plot>(seed: u64, grounds: Option<Grounds<'_>>) -> Result<String, Failure> {
    let history = P::of_seed(seed);
    let outcome = Rig::new(history.setup, grounds).run(&history, Telling::Aloud, &mut Coverage::default());
    match outcome.breach {
        Some((at, breach)) => Err(tell(&history, at, &breach, grounds)),
        None => Ok(outcome.told.join("\n")),
    }
}

/// Puts a failure into words, with the shortest history that shows it.
fn tell<P: Plot>(history: &History<P>, at: usize, breach: &Breach, grounds: Option<Grounds<'_>>) -> Failure {
    let mut rig = Rig::new(history.setup, grounds);
    let shortest = shortest(&mut rig, history, at, breach);
    let outcome = rig.run(&shortest, Telling::Aloud, &mut Coverage::default());
    let shown = outcome.breach.map_or_else(|| breach.clone(), |(_, shown)| shown);
    let text =
        format!("{}\n{:?}, {} of {} steps:\n", shown.text, history.setup, shortest.steps.len(), history.steps.len());
    let story = text + &outcome.told.join("\n");
    Failure { test: P::TEST, seed: history.seed, invariant: shown.invariant, story }
}
