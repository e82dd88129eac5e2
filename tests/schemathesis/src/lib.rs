//! An application with every plugin, served over a real socket, and what attacks it from outside.

mod program;
mod tool;
mod wire;

pub use crate::{
    program::Program,
    tool::install,
    wire::{Answer, exchange},
};
