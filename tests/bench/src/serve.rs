//! The side of a child process that serves one application.

use std::{fmt, net::SocketAddr, str::FromStr};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::{
    apps::{self, Hashing, Pooling},
    backend::Backend,
};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// axum alone, with a fixed answer.
    Bare,
    /// The same work by hand.
    ByHand(Backend, Pooling),
    Authkit(Backend),
    /// With signed tokens in place of opaque ones.
    AuthkitJwt,
    AxumLogin(Backend),
    /// authkit with the default cost of a hash.
    Storm(Backend),
    /// By hand, with that cost.
    StormByHand(Hashing),
}

impl Variant {
    fn all() -> impl Iterator<Item = Self> {
        let on_each = Backend::ALL.into_iter().flat_map(|backend| {
            [
                Self::ByHand(backend, Pooling::Driver),
                Self::ByHand(backend, Pooling::Own),
                Self::Authkit(backend),
                Self::AxumLogin(backend),
                Self::Storm(backend),
            ]
        });
        let storms = [Hashing::Unbounded, Hashing::Semaphore].map(Self::StormByHand);
        [Self::Bare, Self::AuthkitJwt].into_iter().chain(on_each).chain(storms)
    }
}

impl Variant {
    /// What authkit is compared with on a database.
    pub(crate) fn others(backend: Backend) -> Vec<Self> {
        let mut others = vec![Self::ByHand(backend, Pooling::Driver)];
        if matches!(backend, Backend::Postgres | Backend::MariaDb) {
            others.push(Self::ByHand(backend, Pooling::Own));
        }
        if backend != Backend::MariaDb {
            others.push(Self::AxumLogin(backend));
        }
        others
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare => f.write_str("bare"),
            Self::ByHand(backend, Pooling::Driver) => write!(f, "by-hand-{backend}"),
            Self::ByHand(backend, Pooling::Own) => write!(f, "by-hand-own-{backend}"),
            Self::Authkit(backend) => write!(f, "authkit-{backend}"),
            Self::AuthkitJwt => f.write_str("authkit-jwt"),
            Self::AxumLogin(backend) => write!(f, "axum-login-{backend}"),
            Self::Storm(backend) => write!(f, "storm-{backend}"),
            Self::StormByHand(Hashing::Unbounded) => f.write_str("storm-unbounded"),
            Self::StormByHand(Hashing::Semaphore) => f.write_str("storm-semaphore"),
        }
    }
}

impl FromStr for Variant {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::all().find(|variant| variant.to_string() == text);
        named.with_context(|| format!("there is no application {text}"))
    }
}

/// What a serving process says first, in one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) port: u16,
    /// Headers by which people who have signed in are known.
    pub(crate) credentials: Vec<String>,
    /// Resident memory before anybody signed up.
    pub(crate) idle_kib: u64,
}

/// Serves until the process is killed.
pub(crate) fn run(variant: Variant) -> Result<()> {
    log_as_usual();
    runtime()?.block_on(async {
        let application = apps::build(variant).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let hello = Hello { port, credentials: application.credentials, idle_kib: application.idle_kib };
        println!("{}", serde_json::to_string(&hello)?);
        let service = application.router.into_make_service_with_connect_info::<SocketAddr>();
        Ok(axum::serve(listener, service).await?)
    })
}

/// As applications have it; two workers whatever the machine.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// As the quickstart logs.
pub(crate) fn log_as_usual() {
    let filter = EnvFilter::new("info,sqlx=warn");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
