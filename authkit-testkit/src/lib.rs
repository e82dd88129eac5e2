#![doc = include_str!("../README.md")]

mod drop_at;
mod faulty;
mod kill;
mod no_sessions;
#[doc(hidden)]
pub mod plugin_suite;
mod sign_in;
mod slots;
#[doc(hidden)]
pub mod store_suite;
#[doc(hidden)]
pub mod verifier_suite;

pub use crate::{
    drop_at::drop_at_every_await,
    faulty::{Answer, Counted, Fault, Faulty},
    kill::{commit_until_killed, verify_after_kill},
    no_sessions::NoSessions,
    sign_in::{TestSignIn, sign_in_as},
    slots::{Mailbox, SeededRng, TestClock},
    verifier_suite::{Asked, Opening, Person, Uses, VerifierCase, World},
};

/// For the macros.
#[doc(hidden)]
pub mod __private {
    pub use authkit_core::Store;
    pub use tokio;
}
