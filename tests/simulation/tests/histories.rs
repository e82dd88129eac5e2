//! The histories that every run checks.

use simulation::{Coverage, replay, simulate};

/// A number that whoever runs the tests asks for.
#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests, not configuration")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// What a build without optimization gets through in seconds; `cargo xtask test` asks for a hundred thousand.
const USUAL: u64 = 1_000;

#[test]
fn no_history_breaks_an_invariant() {
    if let Some(seed) = asked("SIMULATION_SEED") {
        match replay(seed) {
            Ok(told) => println!("{told}"),
            Err(failure) => panic!("{failure}"),
        }
        return;
    }
    let histories = asked("SIMULATION_HISTORIES").unwrap_or(USUAL);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let coverage = simulate(asked("SIMULATION_FIRST").unwrap_or(1), histories, threads)
        .unwrap_or_else(|failure| panic!("{failure}"));
    println!("{coverage}");
    assert_eq!(coverage.hollow(), [""; 0], "too little happened to say anything");
}

#[test]
fn a_seed_is_one_history() {
    for seed in (1..1000).step_by(7) {
        let (one, other) = (replay(seed), replay(seed));
        let told =
            |replayed: Result<String, simulation::Failure>| replayed.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(told(one), told(other), "seed {seed}");
    }
}

#[test]
fn a_run_of_nothing_is_hollow() {
    assert!(!Coverage::default().hollow().is_empty());
}
