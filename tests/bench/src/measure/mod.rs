//! What is measured, in order.

mod me;
mod storm;

use anyhow::Result;

pub(crate) use crate::measure::{
    me::{CONNECTIONS, MeRun},
    storm::{PAUSE, StormRun},
};
use crate::{
    apps::Backend,
    child::probe,
    effort::Effort,
    machine,
    probe::{CoreShare, Counts, Probe, SignInCost, Timing},
};

/// Everything that was found.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Load of the machine before it began and after it ended.
    pub(crate) load: [String; 2],
    pub(crate) counts: Counts,
    pub(crate) me: Vec<MeRun>,
    pub(crate) core_share: CoreShare,
    /// On memory and on SQLite.
    pub(crate) sign_in: [SignInCost; 2],
    /// On memory and on SQLite.
    pub(crate) timing: [[Timing; 2]; 2],
    pub(crate) storm: Vec<StormRun>,
}

pub(crate) async fn all(effort: Effort) -> Result<Findings> {
    let load = machine::load();
    let said = |what| eprintln!("bench: {what}");
    said("calls and statements");
    let counts = probe(Probe::Count, effort).await?;
    said("/me");
    let me = me::run(effort).await?;
    said("core's own share");
    let core_share = probe(Probe::CoreShare, effort).await?;
    said("sign-in");
    let sign_in =
        [probe(Probe::SignIn(Backend::Memory), effort).await?, probe(Probe::SignIn(Backend::Sqlite), effort).await?];
    said("known and unknown accounts");
    let timing =
        [probe(Probe::Timing(Backend::Memory), effort).await?, probe(Probe::Timing(Backend::Sqlite), effort).await?];
    said("the storm");
    let storm = storm::run(effort).await?;
    Ok(Findings { load: [load, machine::load()], counts, me, core_share, sign_in, timing, storm })
}
