#![doc = include_str!("../README.md")]

mod admin;
mod commands;
mod config;
mod device;
mod entity;
mod event;
mod lockout;
#[cfg(test)]
mod model;
mod plugin;
mod throttle;

pub use crate::{
    admin::{LockSummary, LockoutAdmin},
    config::{Limit, LockStep, Lockout, ThrottleConfig},
    entity::{LockId, LockScope},
    event::{AccountLocked, AccountUnlocked},
    plugin::Throttle,
};
