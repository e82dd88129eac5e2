#![doc = include_str!("../README.md")]

mod client;
mod cookie;
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
mod reply;
mod router;
mod settings;

pub use crate::{
    edge::{Edge, layer, router},
    extract::{Context, OptionalSession, Session},
    layer::{AuthLayer, AuthService},
    problem::HttpError,
    settings::{SettingsError, settings},
};
