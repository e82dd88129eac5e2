//! Requests to `/me`, by turns to every application.

use std::{net::Ipv4Addr, time::Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use crate::{
    backend::Backend,
    child::Server,
    client::{self, Connection},
    effort::Effort,
    machine,
    serve::Variant,
    stats,
};

/// One application, and what it did in each round.
#[derive(Debug)]
pub(crate) struct MeRun {
    pub(crate) variant: Variant,
    pub(crate) rounds: Vec<Figures>,
}

/// Of one round, per request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Processor time of the application, in microseconds.
    pub(crate) processor: f64,
    /// Requests a second.
    pub(crate) rate: f64,
    /// Microseconds that half of the requests took at most.
    pub(crate) p50: f64,
    /// Microseconds that 99 in 100 requests took at most.
    pub(crate) p99: f64,
}

impl MeRun {
    /// The median over the rounds.
    pub(crate) fn median(&self, figure: impl Fn(&Figures) -> f64) -> f64 {
        stats::median(self.rounds.iter().map(figure))
    }

    /// The median of how much processor time this took in a round, compared with another in the same round.
    pub(crate) fn ratio_to(&self, other: &Self) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        stats::median(pairs.map(|(own, other)| own.processor / other.processor))
    }
}

/// Everything that this machine has what it needs for.
fn variants() -> Result<Vec<Variant>> {
    let mut variants = vec![Variant::Bare, Variant::AuthkitJwt];
    for backend in Backend::every()? {
        variants.push(Variant::Authkit(backend));
        variants.extend(Variant::others(backend));
    }
    Ok(variants)
}

/// Connections that are kept, each with one request at a time.
pub(crate) const CONNECTIONS: usize = 8;

pub(super) async fn run(effort: Effort) -> Result<Vec<MeRun>> {
    let mut servers = Vec::new();
    for variant in variants()? {
        servers.push((Server::start(variant).await?, MeRun { variant, rounds: Vec::new() }));
    }
    for (server, _) in &servers {
        round(server, effort.me_requests() / 2).await?;
    }
    for _ in 0..effort.me_rounds() {
        for (server, run) in &mut servers {
            run.rounds.push(round(server, effort.me_requests()).await?);
        }
    }
    Ok(servers.into_iter().map(|(_, run)| run).collect())
}

async fn round(server: &Server, requests: usize) -> Result<Figures> {
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for credential in server.hello.credentials.iter().cycle().take(CONNECTIONS) {
        let connection = Connection::open(Ipv4Addr::LOCALHOST, server.hello.port).await?;
        connections.push((connection, client::get("/me", credential)));
    }
    let before = machine::processor_time(server.pid)?;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for (connection, request) in connections {
        clients.spawn(ask(connection, request, requests / CONNECTIONS));
    }
    let mut times = Vec::with_capacity(requests);
    while let Some(client) = clients.join_next().await {
        times.extend(client??);
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let spent = machine::processor_time(server.pid)? - before;
    let count = times.len() as f64;
    Ok(Figures {
        processor: spent as f64 / 1000.0 / count,
        rate: count / elapsed,
        p50: stats::percentile(&times, 50.0),
        p99: stats::percentile(&times, 99.0),
    })
}

/// Asks so often; returns the microseconds of each request.
async fn ask(mut connection: Connection, request: Vec<u8>, requests: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(requests);
    for _ in 0..requests {
        let (status, took) = connection.send(&request).await?;
        ensure!(status == 200, "/me was answered {status}");
        times.push(took.as_secs_f64() * 1_000_000.0);
    }
    Ok(times)
}
