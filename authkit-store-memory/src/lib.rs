#![doc = include_str!("../README.md")]

mod commit;
mod fault;
mod migrate;
mod read;
mod store;
mod table;

pub use crate::store::MemoryStore;
