#![doc = include_str!("../README.md")]

mod config;
mod entity;
mod introspection;
#[cfg(feature = "jwt")]
mod jwt;
mod plugin;
mod session_store;
mod token_strategy;

#[cfg(feature = "jwt")]
pub use crate::jwt::{Algorithm, Jwk, Jwks, JwtConfig, JwtSessions, PublicKeyMaterial, SigningKeyCreated, SigningKeys};
pub use crate::{
    config::SessionConfig,
    introspection::{ActiveToken, Introspected, Introspection, TokenUse},
    plugin::Sessions,
};
