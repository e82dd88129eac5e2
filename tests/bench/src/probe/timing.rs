//! Whether the time of an answer tells that an account exists.

use std::time::Instant;

use anyhow::{Result, ensure};
use axum::Router;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;

use crate::{
    apps::{self, LOGIN, PASSWORD, PEOPLE, authkit, credentials, identifier},
    backend::Backend,
    effort::Effort,
    serve::{log_as_usual, runtime},
    stats,
};

/// Of one entrance.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Timing {
    pub(crate) entrance: String,
    pub(crate) pairs: usize,
    /// Median of answers about accounts that exist, in milliseconds.
    pub(crate) known: f64,
    /// Median of answers about accounts that do not.
    pub(crate) unknown: f64,
    /// Welch's t of the two samples.
    pub(crate) t: f64,
}

pub(super) fn run(backend: Backend, effort: Effort) -> Result<[Timing; 2]> {
    log_as_usual();
    runtime()?.block_on(async {
        let (store, _scratch) = authkit::open(backend).await?;
        let auth = authkit::assemble(store, authkit::Setup::concealing()).await?;
        let router = authkit::router(&auth);
        for person in 0..PEOPLE {
            apps::post(&router, person, SIGN_UP, &credentials(&identifier(person), PASSWORD)).await?;
        }
        let login = |person: usize| {
            let (known, unknown) = (identifier(person % PEOPLE), stranger(person % PEOPLE));
            [known, unknown].map(|identifier| credentials(&identifier, "a guess that is wrong"))
        };
        let sign_up = |person: usize| {
            let (taken, free) = (identifier(person % PEOPLE), stranger(person));
            [taken, free].map(|identifier| credentials(&identifier, PASSWORD))
        };
        Ok([
            compare(&router, "sign-in with a wrong password", LOGIN, effort.pairs(), login).await?,
            compare(&router, "sign-up that conceals", SIGN_UP, effort.pairs(), sign_up).await?,
        ])
    })
}

const SIGN_UP: &str = "/v1/auth/signup";

/// Nobody, with a name as long as anybody's.
fn stranger(n: usize) -> String {
    format!("nobody{n:05}@example.com")
}

/// Sends pairs about a known and an unknown account, in an order drawn for each pair.
async fn compare(
    router: &Router,
    entrance: &str,
    path: &str,
    pairs: usize,
    bodies: impl Fn(usize) -> [JsonValue; 2],
) -> Result<Timing> {
    let mut coin = Coin(0x9e37_79b9_7f4a_7c15);
    let warm_up = pairs / 20;
    let mut times = [Vec::with_capacity(pairs), Vec::with_capacity(pairs)];
    for pair in 0..warm_up + pairs {
        let bodies = bodies(pair);
        let order = if coin.toss() { [0, 1] } else { [1, 0] };
        let mut statuses = [None; 2];
        for which in order {
            let begun = Instant::now();
            let answer = apps::post(router, pair, path, &bodies[which]).await?;
            let elapsed = begun.elapsed().as_secs_f64() * 1000.0;
            statuses[which] = Some(answer.status);
            if pair >= warm_up {
                times[which].push(elapsed);
            }
        }
        ensure!(statuses[0] == statuses[1], "{path} tells the two apart: {statuses:?}");
    }
    let [known, unknown] = times;
    let t = stats::welch_t(&known, &unknown);
    Ok(Timing { entrance: entrance.to_owned(), pairs, known: stats::median(known), unknown: stats::median(unknown), t })
}

/// Xorshift: fair enough to order pairs.
struct Coin(u64);

impl Coin {
    fn toss(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 & 1 == 0
    }
}
