//! What several plugins do together, over every store.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod build;
mod commands;
mod contracts;
mod cookies;
mod documents;
mod drops;
mod enumeration;
mod events;
mod faults;
mod flows;
mod holes;
mod import;
mod input;
mod invitations;
mod limits;
mod logged;
mod operations;
mod races;
mod randomness;
mod sealed;
mod second_factor;
mod secrets;
mod tenants;
