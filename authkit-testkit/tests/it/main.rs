//! The suites, and what they catch.

#![expect(clippy::expect_used, reason = "a test that cannot be arranged has failed")]

mod challenge;
mod plugins;
mod ticket;
mod verdicts;
