//! Hashes that other systems made, beyond Argon2 and bcrypt.

use std::sync::Arc;

use crate::hash::recipe::Family;

#[cfg(feature = "imports")]
mod codec;
#[cfg(feature = "imports")]
pub(crate) mod firebase;
#[cfg(feature = "imports")]
mod pbkdf2;
#[cfg(feature = "imports")]
mod scrypt;
#[cfg(feature = "wordpress")]
pub(crate) mod wordpress;

/// The kinds of hash that the Cargo features add.
pub(crate) fn families() -> impl Iterator<Item = Arc<dyn Family>> {
    FAMILIES.iter().map(|family| family())
}

const FAMILIES: &[fn() -> Arc<dyn Family>] = &[
    #[cfg(feature = "imports")]
    || Arc::new(pbkdf2::Pbkdf2Family),
    #[cfg(feature = "imports")]
    || Arc::new(scrypt::ScryptFamily),
    #[cfg(feature = "imports")]
    || Arc::new(firebase::FirebaseFamily(None)),
    #[cfg(feature = "wordpress")]
    || Arc::new(wordpress::WordPressFamily::default()),
];

#[cfg(test)]
mod tests;
