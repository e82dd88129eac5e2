//! Hard cases of signing in: each a small plugin that knows no other one, and the attacks on it, over every store.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod linking;
mod mailed_link;
mod passkey;
mod removal;
mod two_channel;
