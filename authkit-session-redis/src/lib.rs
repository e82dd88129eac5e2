#![doc = include_str!("../README.md")]

mod arguments;
mod commit;
mod config;
mod connection;
mod encoding;
mod error;
mod guarantee;
mod migrate;
mod read;
mod reply;
mod schema;
mod script;
mod store;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;

pub use crate::{config::RedisConfig, store::RedisStore};
