//! What is measured, in order.

mod me;
mod storm;

use anyhow::Result;
use serde::de::DeserializeOwned;

pub(crate) use crate::measure::{
    me::{CONNECTIONS, MeRun},
    storm::{PAUSE, StormRun},
};
use crate::{
    backend::Backend,
    child::probe,
    effort::Effort,
    machine,
    probe::{ALGORITHMS, Commits, CoreShare, Counts, JwtCost, Layers, Probe, RequestCost, Timing},
};

/// Everything that was found.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Load of the machine before it began and after it ended.
    pub(crate) load: [String; 2],
    pub(crate) counts: Vec<(Backend, Counts)>,
    pub(crate) me: Vec<MeRun>,
    pub(crate) core_share: CoreShare,
    pub(crate) layers: Vec<(Backend, Layers)>,
    /// Beside the server, and a millisecond away.
    pub(crate) commits: Vec<(Backend, [Commits; 2])>,
    pub(crate) sign_in: Vec<(Backend, RequestCost)>,
    pub(crate) jwt: Vec<(&'static str, JwtCost)>,
    pub(crate) refresh: Vec<(Backend, RequestCost)>,
    pub(crate) timing: Vec<(Backend, [Timing; 2])>,
    pub(crate) storm: Vec<StormRun>,
}

pub(crate) async fn all(effort: Effort) -> Result<Findings> {
    let load = machine::load();
    let (databases, every) = (Backend::databases()?, Backend::every()?);
    let said = |what| eprintln!("bench: {what}");
    said("calls, statements and round trips");
    let counts = on_each(&databases, Probe::Count, effort).await?;
    said("/me");
    let me = me::run(effort).await?;
    said("core's own share");
    let core_share = probe(Probe::CoreShare, effort).await?;
    said("where the time of a request goes");
    let layers = on_each(&databases, Probe::Layers, effort).await?;
    said("commits");
    let commits = on_each(&Backend::servers()?, Probe::Commit, effort).await?;
    said("sign-in");
    let sign_in = on_each(&every, Probe::SignIn, effort).await?;
    said("signed tokens");
    let mut jwt = Vec::new();
    for algorithm in ALGORITHMS {
        jwt.push((algorithm.as_str(), probe(Probe::Jwt(algorithm), effort).await?));
    }
    said("refresh");
    let refresh = on_each(&every, Probe::Refresh, effort).await?;
    said("known and unknown accounts");
    let timing = on_each(&[Backend::Memory, Backend::Sqlite], Probe::Timing, effort).await?;
    said("the storm");
    let storm = storm::run(effort).await?;
    let load = [load, machine::load()];
    Ok(Findings { load, counts, me, core_share, layers, commits, sign_in, jwt, refresh, timing, storm })
}

async fn on_each<T: DeserializeOwned>(
    backends: &[Backend],
    what: fn(Backend) -> Probe,
    effort: Effort,
) -> Result<Vec<(Backend, T)>> {
    let mut found = Vec::with_capacity(backends.len());
    for backend in backends {
        found.push((*backend, probe(what(*backend), effort).await?));
    }
    Ok(found)
}
