//! Runs every clause of the store contract against Redis.

#[path = "it/server.rs"]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]
mod server;

authkit_testkit::store_suite!(
    make = {
        if !server::is_here() {
            return;
        }
        server::store().await
    },
    reopen = {
        if !server::is_here() {
            return;
        }
        let place = server::place();
        move || {
            let place = place.clone();
            async move { authkit_session_redis::RedisStore::connect_with(place).await.unwrap() }
        }
    },
);
