//! Places of a test's own on the server of the tests.

use std::{
    process,
    sync::atomic::{AtomicUsize, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use authkit_session_redis::{RedisConfig, RedisStore};
use servers::Database;

/// Whether Redis is installed.
pub(crate) fn is_here() -> bool {
    servers::test_url(Database::Redis).unwrap().is_some()
}

/// A place that nobody used before.
pub(crate) fn place() -> RedisConfig {
    RedisConfig::new(url()).prefix(own_prefix())
}

/// An empty store.
pub(crate) async fn store() -> RedisStore {
    RedisStore::connect_with(place()).await.unwrap()
}

/// The server of the tests.
pub(crate) fn url() -> String {
    servers::test_url(Database::Redis).unwrap().unwrap()
}

/// What an earlier run left is not removed, so a number of this run is not enough.
#[expect(clippy::disallowed_methods, reason = "a name that no run before had")]
pub(crate) fn own_prefix() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("test-{now:x}-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}
