#![doc = include_str!("../README.md")]

mod arguments;
mod console;
mod escape;
mod failure;
mod run;
mod secret;
mod table;

pub use crate::run::run;
