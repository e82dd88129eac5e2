//! Many sign in without pause, while one client uses the application.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout_at},
};

use crate::{
    apps::{Hashing, LOGIN, PASSWORD, STORMING, credentials, identifier},
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
pub(crate) struct StormRun {
    pub(crate) variant: Variant,
    pub(crate) rounds: Vec<StormFigures>,
}

/// Of one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StormFigures {
    /// Sign-ins a second.
    pub(crate) rate: f64,
    /// Sign-ins that were told to come back later.
    pub(crate) refused: f64,
    /// Milliseconds that half of the requests to `/me` took at most.
    pub(crate) p50: f64,
    /// Milliseconds that 99 in 100 requests to `/me` took at most.
    pub(crate) p99: f64,
    /// Most resident memory, less what it was before the first hash, in MiB.
    pub(crate) memory: f64,
}

impl StormRun {
    /// The median over the rounds.
    pub(crate) fn median(&self, figure: impl Fn(&StormFigures) -> f64) -> f64 {
        stats::median(self.rounds.iter().map(figure))
    }
}

const VARIANTS: [Variant; 4] = [
    Variant::StormByHand(Hashing::Unbounded),
    Variant::StormByHand(Hashing::Semaphore),
    Variant::Storm(Backend::Memory),
    Variant::Storm(Backend::Sqlite),
];

/// How long the client that uses the application waits between requests.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

pub(super) async fn run(effort: Effort) -> Result<Vec<StormRun>> {
    let mut runs = VARIANTS.map(|variant| StormRun { variant, rounds: Vec::new() });
    for _ in 0..effort.storm_rounds() {
        for run in &mut runs {
            run.rounds.push(round(run.variant, effort.storm_span()).await?);
        }
    }
    Ok(runs.into())
}

async fn round(variant: Variant, span: Duration) -> Result<StormFigures> {
    let server = Server::start(variant).await?;
    let port = server.hello.port;
    let credential = server.hello.credentials.first().map_or("", String::as_str);
    let until = Instant::now() + span;
    let mut signing_in = JoinSet::new();
    for client in 0..STORMING {
        signing_in.spawn(sign_in(port, client, until));
    }
    let times = use_it(port, credential, until).await?;
    let (mut signed_in, mut refused) = (0, 0);
    while let Some(client) = signing_in.join_next().await {
        let (own, turned_away) = client??;
        signed_in += own;
        refused += turned_away;
    }
    let used = machine::peak_kib(server.pid)?.saturating_sub(server.hello.idle_kib);
    Ok(StormFigures {
        rate: f64::from(signed_in) / span.as_secs_f64(),
        refused: f64::from(refused),
        p50: stats::percentile(&times, 50.0),
        p99: stats::percentile(&times, 99.0),
        memory: used as f64 / 1024.0,
    })
}

/// Signs in again and again, from an address of its own; returns how often it did and how often it was turned away.
async fn sign_in(port: u16, client: usize, until: Instant) -> Result<(u32, u32)> {
    let address = Ipv4Addr::new(127, 0, 1, u8::try_from(client + 1)?);
    let mut connection = Connection::open(address, port).await?;
    let request = client::post(LOGIN, &credentials(&identifier(client), PASSWORD));
    let (mut signed_in, mut refused) = (0, 0);
    // What is not answered in time does not count.
    while let Ok(answer) = timeout_at(until.into(), connection.send(&request)).await {
        match answer?.0 {
            200 => signed_in += 1,
            503 => refused += 1,
            status => anyhow::bail!("a sign-in was answered {status}"),
        }
    }
    Ok((signed_in, refused))
}

/// Asks for `/me` every few milliseconds; returns the milliseconds of each request.
async fn use_it(port: u16, credential: &str, until: Instant) -> Result<Vec<f64>> {
    let mut connection = Connection::open(Ipv4Addr::LOCALHOST, port).await?;
    let request = client::get("/me", credential);
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = Vec::new();
    while Instant::now() < until {
        ticks.tick().await;
        let (status, took) = connection.send(&request).await?;
        ensure!(status == 200, "/me was answered {status}");
        times.push(took.as_secs_f64() * 1000.0);
    }
    Ok(times)
}
