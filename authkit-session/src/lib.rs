//! authkit session.
