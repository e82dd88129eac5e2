#![doc = include_str!("../README.md")]

mod config;
mod ddl;
mod error;
mod migrate;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use crate::{
    config::SqlxConfig,
    store::{SqlxPool, SqlxStore},
};
