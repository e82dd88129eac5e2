//! authkit account.
