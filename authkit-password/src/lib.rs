#![doc = include_str!("../README.md")]

mod admin;
mod common;
mod config;
mod enroller;
mod entity;
mod error;
mod event;
mod hash;
mod keeper;
mod operations;
mod plain;
mod plugin;
mod policy;
mod pool;
mod verifier;

pub use crate::{
    admin::PasswordAdmin,
    config::{Argon2Config, PasswordConfig},
    error::codes,
    event::{PasswordChanged, PasswordSet},
    hash::{Argon2Params, HashError, ParamsError, SALT_BYTES, Verification},
    plain::{PlainPassword, PlainPasswordError},
    plugin::Passwords,
    policy::{Policy, PolicyError, Weakness},
    pool::{ClientKey, HashPool, PoolConfig, PoolError, PoolProblem},
};
