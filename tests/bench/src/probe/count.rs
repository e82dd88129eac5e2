//! Calls of the store and statements of SQLite, per request.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use authkit_core::Store;
use authkit_testkit::Faulty;
use axum::Router;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

use crate::{
    apps::{self, Backend, PASSWORD, authkit, credentials, identifier},
    serve::{Variant, runtime},
};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) authkit_me: Calls,
    pub(crate) by_hand_me_statements: f64,
    pub(crate) axum_login_me_statements: f64,
    pub(crate) sign_in: Calls,
}

/// Of authkit, over SQLite, per request.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Calls {
    /// Calls of the store, commits included.
    pub(crate) calls: f64,
    pub(crate) commits: f64,
    /// Statements, but for `BEGIN` and `COMMIT`.
    pub(crate) statements: f64,
}

/// Requests that are counted, and as many before them that are not: connections are set up then.
const REQUESTS: usize = 50;

pub(super) fn run() -> Result<Counts> {
    tracing_subscriber::registry().with(CountStatements).init();
    runtime()?.block_on(async {
        let (store, _directory) = authkit::open(Backend::Sqlite).await?;
        let store = Faulty::over(store);
        let auth = authkit::assemble(std::sync::Arc::new(store.clone()), authkit::Setup::cheap()).await?;
        let router = authkit::router(&auth);
        let cookies = apps::populate(&router, REQUESTS).await?;
        let cookie = cookies.first().context("nobody")?;
        Ok(Counts {
            authkit_me: counted(&store, async |_| me(&router, cookie).await).await?,
            sign_in: counted(&store, async |person| sign_in(&router, person).await).await?,
            by_hand_me_statements: statements_of_me(Variant::ByHand(Backend::Sqlite)).await?,
            axum_login_me_statements: statements_of_me(Variant::AxumLogin(Backend::Sqlite)).await?,
        })
    })
}

async fn counted(store: &Faulty<dyn Store>, request: impl AsyncFn(usize) -> Result<()>) -> Result<Calls> {
    let so_far = || [store.calls(), store.commits(), STATEMENTS.load(Ordering::SeqCst)];
    let mut before = [0; 3];
    for round in 0..2 {
        before = so_far();
        for person in 0..REQUESTS {
            // Another address each time, so that nobody is told to slow down.
            request(round * REQUESTS + person).await?;
        }
    }
    let per_request = |(before, after): (usize, usize)| (after - before) as f64 / REQUESTS as f64;
    let [calls, commits, statements] = so_far();
    let [calls, commits, statements] =
        [(before[0], calls), (before[1], commits), (before[2], statements)].map(per_request);
    Ok(Calls { calls, commits, statements })
}

async fn statements_of_me(variant: Variant) -> Result<f64> {
    let application = apps::build(variant).await?;
    let cookie = application.cookies.first().context("nobody")?;
    let mut before = 0;
    for _ in 0..2 {
        before = STATEMENTS.load(Ordering::SeqCst);
        for _ in 0..REQUESTS {
            me(&application.router, cookie).await?;
        }
    }
    Ok((STATEMENTS.load(Ordering::SeqCst) - before) as f64 / REQUESTS as f64)
}

async fn me(router: &Router, cookie: &str) -> Result<()> {
    let answer = apps::get(router, "/me", cookie).await?;
    ensure!(answer.status.is_success(), "/me was answered {}", answer.status);
    Ok(())
}

async fn sign_in(router: &Router, client: usize) -> Result<()> {
    let body = credentials(&identifier(client % REQUESTS), PASSWORD);
    let answer = apps::post(router, 1000 + client, "/v1/auth/login", &body).await?;
    ensure!(answer.status.is_success(), "a sign-in was answered {}", answer.status);
    Ok(())
}

static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

/// sqlx logs every statement.
struct CountStatements;

impl<S: tracing::Subscriber> Layer<S> for CountStatements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            STATEMENTS.fetch_add(1, Ordering::SeqCst);
        }
    }
}
