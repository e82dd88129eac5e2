//! What an application does around authkit: its own users, its own columns, its audit sinks, its operators.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod audit_logger;
mod columns;
mod existing_users;
mod jobs;
mod operators;
mod own_users;
