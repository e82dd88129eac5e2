//! The first page and the guides for authors, here so that their examples are compiled.

#[doc = include_str!("../../../README.md")]
pub mod readme {}

#[doc = include_str!("../../../docs/guide/write-a-plugin.md")]
pub mod write_a_plugin {}

#[doc = include_str!("../../../docs/guide/write-a-store.md")]
pub mod write_a_store {}

#[doc = include_str!("../../../docs/guide/write-a-verifier.md")]
pub mod write_a_verifier {}
