#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(all(feature = "mysql", feature = "postgres", feature = "sqlite")),
    expect(dead_code, reason = "each database uses a part of what they share")
)]

mod again;
mod catalogue;
mod commit;
mod config;
mod connections;
mod ddl;
mod driver;
mod effect;
mod error;
mod migrate;
#[cfg(feature = "mysql")]
mod mysql;
mod names;
#[cfg(test)]
mod planned;
#[cfg(feature = "postgres")]
mod postgres;
mod reads;
#[cfg(test)]
#[path = "../tests/it/server.rs"]
mod server;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod tables;

pub use crate::{
    config::SqlxConfig,
    store::{SqlxPool, SqlxStore},
};
