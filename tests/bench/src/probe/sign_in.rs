//! What a sign-in costs when its hash costs nothing, and what a refresh costs.

use std::time::Instant;

use anyhow::{Result, ensure};
use authkit_session::Algorithm;
use serde::{Deserialize, Serialize};

use crate::{
    apps::{self, LOGIN, PASSWORD, PEOPLE, authkit, credentials, identifier},
    backend::Backend,
    effort::Effort,
    machine,
    serve::{log_as_usual, runtime},
    stats,
};

/// Of one kind of request, through the router of an application.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct RequestCost {
    /// Processor time of the application, all threads, in microseconds.
    pub(crate) processor: f64,
    /// Median of how long it took.
    pub(crate) milliseconds: f64,
}

pub(super) fn sign_in(backend: Backend, effort: Effort) -> Result<RequestCost> {
    log_as_usual();
    runtime()?.block_on(async {
        let (store, _scratch) = authkit::open(backend).await?;
        let auth = authkit::assemble(store, authkit::Setup::cheap()).await?;
        let router = authkit::router(&auth);
        apps::populate(&router, PEOPLE).await?;
        cost(effort.sign_ins(), async |client| {
            let body = credentials(&identifier(client % PEOPLE), PASSWORD);
            let answer = apps::post(&router, PEOPLE + client, LOGIN, &body).await?;
            ensure!(answer.status.is_success(), "a sign-in was answered {}", answer.status);
            Ok(())
        })
        .await
    })
}

pub(super) fn refresh(backend: Backend, effort: Effort) -> Result<RequestCost> {
    log_as_usual();
    runtime()?.block_on(async {
        let (store, _scratch) = authkit::open(backend).await?;
        let auth = authkit::assemble(store, authkit::Setup::signing(Algorithm::EdDsa)).await?;
        let router = authkit::router(&auth);
        let mut tokens: Vec<String> =
            apps::populate_with_tokens(&router, PEOPLE).await?.into_iter().map(|tokens| tokens.refresh).collect();
        cost(effort.refreshes(), async |client| {
            let token = &mut tokens[client % PEOPLE];
            *token = apps::refresh(&router, client, token).await?;
            Ok(())
        })
        .await
    })
}

/// Sends so many requests, one after the other.
async fn cost(requests: usize, mut request: impl AsyncFnMut(usize) -> Result<()>) -> Result<RequestCost> {
    let pid = std::process::id();
    let mut times = Vec::with_capacity(requests);
    let before = machine::processor_time(pid)?;
    for number in 0..requests {
        let begun = Instant::now();
        request(number).await?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    let spent = machine::processor_time(pid)? - before;
    Ok(RequestCost { processor: spent as f64 / 1000.0 / requests as f64, milliseconds: stats::median(times) })
}
