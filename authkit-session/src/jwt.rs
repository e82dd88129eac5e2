//! Signed access tokens (RFC 9068) that need no store call, and the refresh tokens that follow each other.

mod claims;
mod commands;
mod config;
mod custom;
mod entity;
mod event;
mod json;
mod key;
mod operations;
mod plugin;
mod refresh;
mod signing_keys;
mod token;
mod token_strategy;

pub use self::{
    config::JwtConfig,
    event::SigningKeyCreated,
    key::{Algorithm, Jwk, Jwks, PublicKeyMaterial},
    plugin::JwtSessions,
    signing_keys::SigningKeys,
};

#[cfg(test)]
mod tests;
