//! What is demanded of whom: policies, step-up and calls of programs, by plugins that know nothing of each other.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod enrolment;
mod machine;
mod numbers;
mod policy;
mod risk;
mod stages;
mod step_up;
mod steps;
