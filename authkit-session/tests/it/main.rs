//! Sessions as applications and clients see them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code, and a test fails by panicking"
)]

mod acts;
mod claims;
mod free_running;
mod histories;
mod introspection;
mod keys;
mod lasting;
mod lifetimes;
mod operations;
mod refresh;
mod resource_server;
mod reuse;
mod shown;
mod theft;
mod world;
