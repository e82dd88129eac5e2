//! authkit risk.
