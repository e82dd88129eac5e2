//! What the store does beyond the contract's clauses: connecting, attacks, lost connections, killed servers.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

/// Leaves a test out where Redis is not installed, and says so. In CI that never happens.
macro_rules! needs_redis {
    () => {
        if !crate::server::is_here() {
            return;
        }
    };
}

mod connect;
mod corrupt;
mod hostile;
mod killed;
mod lost;
mod migrations;
mod numbers;
mod proxy;
mod refusing;
mod server;
mod tls;
mod world;
