//! The plugin as an application sees it, over the in-memory store.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot be arranged has failed")]

mod build;
mod device;
mod home;
mod lockout;
