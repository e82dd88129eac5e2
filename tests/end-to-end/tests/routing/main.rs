//! One entity in a second store: the act is decided in the first, done in the other, and told truthfully, whoever fails.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod crash;
mod hang;
mod logger;
mod outage;
mod redis;
mod schema;
mod sessions;
mod setup;
mod shelf;
mod stores;
mod unknown;
mod verdict;
