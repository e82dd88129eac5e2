//! The plugin as an application sees it, over the in-memory store.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot be arranged has failed")]

mod admin;
mod build;
mod change;
mod home;
mod importer;
mod moving_in;
mod sign_in;
mod sign_up;
mod strength;
mod suite;
