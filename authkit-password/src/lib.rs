//! Password credentials: hashing on threads of its own, and the policy for new passwords.
//!
//! Argon2id costs about 20 ms and 19 MiB a time. [`HashPool`] keeps that away from the threads which answer requests,
//! bounds how much may wait, and shares the waiting places among clients. [`Policy`] refuses what an attacker would
//! try first. A [`PlainPassword`] is the only form in which either takes a password.

mod common;
mod hash;
mod plain;
mod policy;
mod pool;

pub use crate::hash::{Argon2Params, HashError, ParamsError, SALT_BYTES, Verification};
pub use crate::plain::{PlainPassword, PlainPasswordError};
pub use crate::policy::{Policy, PolicyError, Weakness};
pub use crate::pool::{ClientKey, HashPool, PoolConfig, PoolError, PoolProblem};
