#![doc = include_str!("../README.md")]

mod admin;
mod commands;
mod common;
mod config;
mod enroller;
mod entity;
mod error;
mod event;
mod foreign;
mod hash;
mod imported;
mod importer;
mod keeper;
mod operations;
mod plain;
mod plugin;
mod policy;
mod pool;
#[cfg(feature = "strength")]
mod strength;
mod verifier;

pub use crate::{
    admin::PasswordAdmin,
    config::{Algorithm, Argon2Config, BcryptConfig, PasswordConfig, PepperSource},
    error::codes,
    event::{PasswordChanged, PasswordSet},
    hash::{Argon2Params, BcryptCost, HashError, ParamsError, SALT_BYTES, Scheme, Unreadable, Verification},
    imported::ImportedHash,
    plain::{PlainPassword, PlainPasswordError},
    plugin::Passwords,
    policy::{Policy, PolicyError, Weakness},
    pool::{ClientKey, HashPool, PoolConfig, PoolError, PoolProblem},
};

#[cfg(feature = "imports")]
pub use crate::foreign::firebase::{FirebaseKeys, FirebaseKeysError};
