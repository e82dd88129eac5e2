#![doc = include_str!("../README.md")]

mod config;
mod entity;
mod plugin;
mod session_store;
mod token_strategy;

pub use crate::{config::SessionConfig, plugin::Sessions};
