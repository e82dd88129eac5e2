//! The plugin among the others of a setup.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is test code, and a test fails by panicking"
)]

mod build;
mod home;
mod import;
