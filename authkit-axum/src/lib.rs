#![doc = include_str!("../README.md")]

mod address;
mod client;
mod cookie;
mod cors;
mod csrf;
mod edge;
mod extract;
mod given;
mod input;
mod layer;
mod openapi;
mod operation;
mod presented;
mod problem;
mod rate;
mod reply;
mod router;
mod settings;

pub use crate::{
    address::AddressHeader,
    cors::{CorsLayer, CorsService},
    edge::{Edge, layer, router},
    extract::{ConfirmedSession, Context, FreshSession, OptionalSession, Session, require_session},
    layer::{AuthLayer, AuthService},
    problem::HttpError,
    rate::{RateLimit, WithinLimit, rate_limit},
    settings::{SettingsError, settings},
};
