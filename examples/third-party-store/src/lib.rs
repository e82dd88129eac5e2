#![doc = include_str!("../README.md")]

mod key;
mod migrate;
mod rows;
mod space;
mod store;
mod writer;

pub use store::RedbStore;

use authkit_core::{BoxError, StoreError};

type Result<T, E = StoreError> = std::result::Result<T, E>;

fn corrupt(what: impl Into<BoxError>) -> StoreError {
    StoreError::Corrupt(what.into())
}

/// redb failed before a commit: nothing was written.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        error @ (redb::Error::Corrupted(_) | redb::Error::TableTypeMismatch { .. }) => corrupt(error),
        error => StoreError::Unavailable(error.into()),
    }
}
