//! What a sign-in costs when its hash costs nothing.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    apps::{self, Backend, PASSWORD, PEOPLE, authkit, credentials, identifier},
    effort::Effort,
    machine,
    serve::{log_as_usual, runtime},
};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SignInCost {
    /// Processor time, all threads.
    pub(crate) microseconds: f64,
}

pub(super) fn run(backend: Backend, effort: Effort) -> Result<SignInCost> {
    log_as_usual();
    runtime()?.block_on(async {
        let (store, _directory) = authkit::open(backend).await?;
        let auth = authkit::assemble(store, authkit::Setup::cheap()).await?;
        let router = authkit::router(&auth);
        apps::populate(&router, PEOPLE).await?;

        let pid = std::process::id();
        let before = machine::processor_time(pid)?;
        for client in 0..effort.sign_ins() {
            let body = credentials(&identifier(client % PEOPLE), PASSWORD);
            let answer = apps::post(&router, PEOPLE + client, "/v1/auth/login", &body).await?;
            ensure!(answer.status.is_success(), "a sign-in was answered {}", answer.status);
        }
        let spent = machine::processor_time(pid)? - before;
        Ok(SignInCost { microseconds: spent as f64 / 1000.0 / effort.sign_ins() as f64 })
    })
}
