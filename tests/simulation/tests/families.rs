//! Families of refresh tokens: histories, the protocol as a whole, and walks through it.

use simulation::families::{replay, search, simulate, walk};

/// A number that whoever runs the tests asks for.
#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests, not configuration")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// What a build without optimization gets through in seconds. `SIMULATION_HISTORIES` asks for five times as many as are
/// run, since each takes as long as several of those of accounts.
const USUAL: u64 = 300;

#[test]
fn no_history_of_a_family_breaks_an_invariant() {
    if let Some(seed) = asked("SIMULATION_SEED") {
        match replay(seed) {
            Ok(told) => println!("{told}"),
            Err(failure) => panic!("{failure}"),
        }
        return;
    }
    let histories = asked("SIMULATION_HISTORIES").map_or(USUAL, |histories| histories / 5);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let coverage = simulate(asked("SIMULATION_FIRST").unwrap_or(1), histories, threads)
        .unwrap_or_else(|failure| panic!("{failure}"));
    println!("{coverage}");
    assert_eq!(coverage.hollow(), [""; 0], "too little happened to say anything");
}

#[test]
fn a_seed_is_one_history_of_a_family() {
    for seed in (1..300).step_by(7) {
        let told = || replay(seed).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(told(), told(), "seed {seed}");
    }
}

#[test]
fn no_state_of_the_protocol_logs_the_owner_out_or_lets_an_old_token_pass() {
    let states = search(1_000_000).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{states} states");
    assert!(states > 100_000, "only {states} states were reached");
}

#[test]
fn the_application_does_what_the_protocol_says() {
    let shown = walk(1_000).unwrap_or_else(|difference| panic!("{difference}"));
    println!("{shown} tokens shown");
    assert!(shown > 5_000, "only {shown} tokens were shown");
}
