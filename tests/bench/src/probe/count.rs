//! Calls of the store, and what they send to the database, per request.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};
use authkit_core::{AuthManager, Store};
use authkit_session::Algorithm;
use authkit_testkit::Faulty;
use axum::Router;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

use crate::{
    apps::{self, LOGIN, PASSWORD, authkit, credentials, identifier},
    backend::{Backend, Scratch},
    proxy::Proxy,
    serve::{Variant, runtime},
};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) me: Calls,
    pub(crate) sign_in: Calls,
    pub(crate) refresh: Calls,
    /// What others send for `/me`.
    pub(crate) others: Vec<(String, f64)>,
}

/// Of authkit, per request.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Calls {
    /// Calls of the store, commits included.
    pub(crate) calls: f64,
    pub(crate) commits: f64,
    /// Round trips to a server. On SQLite statements, but for `BEGIN` and `COMMIT`.
    pub(crate) sent: f64,
}

/// Requests that are counted, and as many before them that are not: connections are set up then.
const REQUESTS: usize = 50;

pub(super) fn run(backend: Backend) -> Result<Counts> {
    tracing_subscriber::registry().with(CountStatements).init();
    let sent = match backend {
        Backend::Memory | Backend::Sqlite => Sent::Statements,
        Backend::Postgres | Backend::MariaDb => Sent::Trips(backend.observe()?),
    };
    runtime()?.block_on(async {
        let application = Counted::new(backend, sent, authkit::Setup::cheap()).await?;
        let cookies = apps::populate(&application.router, REQUESTS).await?;
        let credential = format!("cookie: {}", cookies.first().context("nobody")?);
        let me = application.per_request(async |_| me(&application.router, &credential).await).await?;
        let sign_in = application.per_request(async |person| sign_in(&application.router, person).await).await?;

        let application = Counted::new(backend, sent, authkit::Setup::signing(Algorithm::EdDsa)).await?;
        let tokens = apps::populate_with_tokens(&application.router, REQUESTS).await?;
        let tokens: Vec<_> = tokens.into_iter().map(|tokens| RefCell::new(tokens.refresh)).collect();
        let refresh = async |client: usize| {
            let token = tokens[client % REQUESTS].take();
            tokens[client % REQUESTS].replace(apps::refresh(&application.router, client, &token).await?);
            Ok(())
        };
        let refresh = application.per_request(refresh).await?;

        let mut others = Vec::new();
        for variant in Variant::others(backend) {
            others.push((variant.to_string(), sent_for_me(variant, sent).await?));
        }
        Ok(Counts { me, sign_in, refresh, others })
    })
}

/// What is counted beside calls.
#[derive(Clone, Copy)]
enum Sent {
    Statements,
    Trips(&'static Proxy),
}

impl Sent {
    fn so_far(self) -> usize {
        match self {
            Self::Statements => STATEMENTS.load(Ordering::SeqCst),
            Self::Trips(proxy) => proxy.trips(),
        }
    }
}

/// An application of which the calls of the store are counted.
struct Counted {
    router: Router,
    store: Faulty<dyn Store>,
    sent: Sent,
    _auth: AuthManager,
    _scratch: Option<Arc<Scratch>>,
}

impl Counted {
    async fn new(backend: Backend, sent: Sent, setup: authkit::Setup) -> Result<Self> {
        let (store, scratch) = authkit::open(backend).await?;
        let store = Faulty::over(store);
        let auth = authkit::assemble(Arc::new(store.clone()), setup).await?;
        Ok(Self { router: authkit::router(&auth), store, sent, _auth: auth, _scratch: scratch })
    }

    async fn per_request(&self, request: impl AsyncFn(usize) -> Result<()>) -> Result<Calls> {
        let so_far = || [self.store.calls(), self.store.commits(), self.sent.so_far()];
        let mut before = [0; 3];
        for round in 0..2 {
            before = so_far();
            for person in 0..REQUESTS {
                // Another address each time, so that nobody is told to slow down.
                request(round * REQUESTS + person).await?;
            }
        }
        let after = so_far();
        let per_request = |which: usize| (after[which] - before[which]) as f64 / REQUESTS as f64;
        Ok(Calls { calls: per_request(0), commits: per_request(1), sent: per_request(2) })
    }
}

async fn sent_for_me(variant: Variant, sent: Sent) -> Result<f64> {
    let application = apps::build(variant).await?;
    let credential = application.credentials.first().context("nobody")?;
    let mut before = 0;
    for _ in 0..2 {
        before = sent.so_far();
        for _ in 0..REQUESTS {
            me(&application.router, credential).await?;
        }
    }
    Ok((sent.so_far() - before) as f64 / REQUESTS as f64)
}

async fn me(router: &Router, credential: &str) -> Result<()> {
    let answer = apps::get(router, "/me", credential).await?;
    ensure!(answer.status.is_success(), "/me was answered {}", answer.status);
    Ok(())
}

async fn sign_in(router: &Router, client: usize) -> Result<()> {
    let body = credentials(&identifier(client % REQUESTS), PASSWORD);
    let answer = apps::post(router, 1000 + client, LOGIN, &body).await?;
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
