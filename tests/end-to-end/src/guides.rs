//! The first page and the guides that hold Rust code, here so that it is compiled.

#[doc = include_str!("../../../README.md")]
pub mod readme {}

#[doc = include_str!("../../../docs/guide/moving-in/firebase.md")]
pub mod moving_in_from_firebase {}

#[doc = include_str!("../../../docs/guide/production.md")]
pub mod production {}

#[doc = include_str!("../../../docs/guide/protect-a-route.md")]
pub mod protect_a_route {}

#[doc = include_str!("../../../docs/guide/protect-login.md")]
pub mod protect_login {}

#[doc = include_str!("../../../docs/guide/test-your-application.md")]
pub mod test_your_application {}

#[doc = include_str!("../../../docs/guide/validate-passwords.md")]
pub mod validate_passwords {}

#[doc = include_str!("../../../docs/guide/write-a-plugin.md")]
pub mod write_a_plugin {}

#[doc = include_str!("../../../docs/guide/write-a-store.md")]
pub mod write_a_store {}

#[doc = include_str!("../../../docs/guide/write-a-verifier.md")]
pub mod write_a_verifier {}
