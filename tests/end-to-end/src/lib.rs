//! A whole application in a box, over every store, for the tests in which several plugins meet.

#![expect(clippy::expect_used, reason = "it is part of tests, which end where something is not as expected")]

mod browser;
mod demand;
pub mod guides;
mod log;
mod place;
pub mod proofs;
mod world;

pub use crate::{
    browser::{Answer, Browser, change},
    demand::Demand,
    log::Log,
    place::{Backend, Place},
    world::{World, WorldBuilder, keys},
};

/// A password that the policy accepts.
pub const PASSWORD: &str = "tangerine ferry 48 lamps";
/// Another one.
pub const OTHER_PASSWORD: &str = "granite violin 17 clouds";

/// Runs a test over every store: `on_each_store!(async fn name(backend: Backend) { … })`.
#[macro_export]
macro_rules! on_each_store {
    ($($(#[$meta:meta])* async fn $name:ident($backend:ident) $body:block)+) => { $(
        mod $name {
            #[allow(unused_imports, reason = "a body may need none of them")]
            use super::*;

            async fn body($backend: $crate::Backend) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb() {
                if $crate::Backend::MariaDb.is_here() {
                    body($crate::Backend::MariaDb).await;
                }
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory() {
                body($crate::Backend::Memory).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if $crate::Backend::Postgres.is_here() {
                    body($crate::Backend::Postgres).await;
                }
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body($crate::Backend::Sqlite).await;
            }
        }
    )+ };
}
