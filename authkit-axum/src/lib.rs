//! authkit axum.
