#![doc = include_str!("../README.md")]
#![expect(clippy::expect_used, reason = "it is a test, which ends where something is not as expected")]

mod place;
mod remote;

pub use crate::place::{Kind, Place};
