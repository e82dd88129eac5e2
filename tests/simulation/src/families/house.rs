//! The application of the histories of families.

use std::time::Duration;

use authkit_account::Accounts;
use authkit_core::{AuthManager, KeyRing, ReuseEnds};
use authkit_session::Sessions;

use crate::{house::Site, plugin::Words};

/// How long an access token is good for, in milliseconds.
pub(super) const ACCESS: i64 = 15 * 60_000;
/// How far clocks may differ, in milliseconds.
pub(super) const SKEW: i64 = 60_000;
/// A family that is not refreshed for so long ends.
pub(super) const IDLE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A family ends after so long.
pub(super) const ABSOLUTE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The application with so many keys, the latest in front.
pub(super) fn build(site: &Site, keys: u8, ends: ReuseEnds) -> AuthManager {
    let key = |n: u8| std::array::from_fn(|at| (at as u8).wrapping_mul(29).wrapping_add(n.wrapping_mul(17)));
    AuthManager::builder()
        .public_url("http://localhost:3000")
        .keys(KeyRing::new((1..=keys).rev().map(key)).expect("good keys"))
        .store(site.gate.clone())
        .clock(site.clock.clone())
        .rng(site.dice.clone())
        .plugin(Accounts::default())
        .plugin(Sessions::jwt().reuse_ends(ends))
        .plugin(Words)
        .build()
        .expect("a complete setup")
}
