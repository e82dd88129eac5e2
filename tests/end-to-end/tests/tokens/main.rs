//! Signed access tokens and refresh tokens in the whole application: what clients hold, over HTTP, on every store.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod browsers;
mod choices;
mod client;
mod ends;
mod forged;
mod interrupted;
mod keys;
mod lifetimes;
mod nodes;
mod refresh;
mod secrets;
mod setup;
mod stages;
mod step_up;
mod tenants;
