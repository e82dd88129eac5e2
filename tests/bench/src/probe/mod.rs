//! What is counted or timed inside one process, which then prints it as JSON.

mod call;
mod commit;
mod core_share;
mod count;
mod jwt;
mod layers;
mod sign_in;
mod timing;

use std::{fmt, str::FromStr};

use anyhow::{Context as _, Result};
use authkit_session::Algorithm;
use serde::Serialize;

pub(crate) use crate::probe::{
    commit::Commits, core_share::CoreShare, count::Counts, jwt::JwtCost, layers::Layers, sign_in::RequestCost,
    timing::Timing,
};
use crate::{backend::Backend, effort::Effort};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// On a server, beside it and apart: [`Commits`].
    Commit(Backend),
    /// [`CoreShare`].
    CoreShare,
    /// On a database: [`Counts`].
    Count(Backend),
    /// [`JwtCost`].
    Jwt(Algorithm),
    /// On a database: [`Layers`].
    Layers(Backend),
    /// [`RequestCost`].
    Refresh(Backend),
    /// [`RequestCost`].
    SignIn(Backend),
    /// Of sign-in and of sign-up: [`Timing`].
    Timing(Backend),
}

impl Probe {
    fn all() -> impl Iterator<Item = Self> {
        let on_each = Backend::ALL.into_iter().flat_map(|backend| {
            [
                Self::Commit(backend),
                Self::Count(backend),
                Self::Layers(backend),
                Self::Refresh(backend),
                Self::SignIn(backend),
                Self::Timing(backend),
            ]
        });
        on_each.chain(ALGORITHMS.map(Self::Jwt)).chain([Self::CoreShare])
    }
}

pub(crate) const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(backend) => write!(f, "commit-{backend}"),
            Self::CoreShare => f.write_str("core-share"),
            Self::Count(backend) => write!(f, "count-{backend}"),
            Self::Jwt(algorithm) => write!(f, "jwt-{}", algorithm.as_str()),
            Self::Layers(backend) => write!(f, "layers-{backend}"),
            Self::Refresh(backend) => write!(f, "refresh-{backend}"),
            Self::SignIn(backend) => write!(f, "sign-in-{backend}"),
            Self::Timing(backend) => write!(f, "timing-{backend}"),
        }
    }
}

impl FromStr for Probe {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::all().find(|probe| probe.to_string() == text);
        named.with_context(|| format!("there is no probe {text}"))
    }
}

/// Runs a probe and prints what it found.
pub(crate) fn run(probe: Probe, effort: Effort) -> Result<()> {
    match probe {
        Probe::Commit(backend) => print(&commit::run(backend, effort)?),
        Probe::CoreShare => print(&core_share::run(effort)?),
        Probe::Count(backend) => print(&count::run(backend)?),
        Probe::Jwt(algorithm) => print(&jwt::run(algorithm, effort)?),
        Probe::Layers(backend) => print(&layers::run(backend, effort)?),
        Probe::Refresh(backend) => print(&sign_in::refresh(backend, effort)?),
        Probe::SignIn(backend) => print(&sign_in::sign_in(backend, effort)?),
        Probe::Timing(backend) => print(&timing::run(backend, effort)?),
    }
}

fn print(found: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(found)?);
    Ok(())
}
