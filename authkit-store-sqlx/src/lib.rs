#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "used by the databases, and none is compiled in"))]

mod catalogue;
mod config;
mod ddl;
mod effect;
mod error;
mod migrate;
mod names;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use crate::{
    config::SqlxConfig,
    store::{SqlxPool, SqlxStore},
};
