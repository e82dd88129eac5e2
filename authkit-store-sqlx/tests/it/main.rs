//! What this store does beyond the contract, and how it keeps what the contract says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod cancellation;
mod crash;
mod dropped;
mod errors;
mod hostile;
mod in_the_way;
mod mariadb;
mod migrations;
mod nodes;
mod pool;
mod postgres;
mod secrecy;
#[expect(clippy::panic, reason = "a test fails by panicking, its helpers too")]
mod server;
mod tables;
mod world;
