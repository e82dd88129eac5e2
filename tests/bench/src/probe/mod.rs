//! What is counted or timed inside one process, which then prints it as JSON.

mod core_share;
mod count;
mod sign_in;
mod timing;

use std::{fmt, str::FromStr};

use anyhow::{Context as _, Result};
use serde::Serialize;

pub(crate) use crate::probe::{core_share::CoreShare, count::Counts, sign_in::SignInCost, timing::Timing};
use crate::{apps::Backend, effort::Effort};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// [`Counts`].
    Count,
    /// [`CoreShare`].
    CoreShare,
    /// [`SignInCost`].
    SignIn(Backend),
    /// Of sign-in and of sign-up: [`Timing`].
    Timing(Backend),
}

impl Probe {
    const ALL: [Self; 6] = [
        Self::Count,
        Self::CoreShare,
        Self::SignIn(Backend::Memory),
        Self::SignIn(Backend::Sqlite),
        Self::Timing(Backend::Memory),
        Self::Timing(Backend::Sqlite),
    ];
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::CoreShare => f.write_str("core-share"),
            Self::SignIn(backend) => write!(f, "sign-in-{backend}"),
            Self::Timing(backend) => write!(f, "timing-{backend}"),
        }
    }
}

impl FromStr for Probe {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|probe| probe.to_string() == text);
        named.with_context(|| format!("there is no probe {text}"))
    }
}

/// Runs a probe and prints what it found.
pub(crate) fn run(probe: Probe, effort: Effort) -> Result<()> {
    match probe {
        Probe::Count => print(&count::run()?),
        Probe::CoreShare => print(&core_share::run(effort)?),
        Probe::SignIn(backend) => print(&sign_in::run(backend, effort)?),
        Probe::Timing(backend) => print(&timing::run(backend, effort)?),
    }
}

fn print(found: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(found)?);
    Ok(())
}
