//! What applications keep their rows in.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use servers::Database;
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection};
use tempfile::TempDir;
use url::Url;

use crate::proxy::Proxy;

/// What is under an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Memory,
    Sqlite,
    Postgres,
    MariaDb,
}

impl Backend {
    pub(crate) const ALL: [Self; 4] = [Self::Memory, Self::Sqlite, Self::Postgres, Self::MariaDb];

    /// The databases, of which `cargo xtask bench` left out those that the machine does not have.
    pub(crate) fn databases() -> Result<Vec<Self>> {
        let mut here = vec![Self::Sqlite];
        here.extend(Self::servers()?);
        Ok(here)
    }

    /// The databases that are servers.
    pub(crate) fn servers() -> Result<Vec<Self>> {
        let mut here = Vec::new();
        for backend in [Self::Postgres, Self::MariaDb] {
            if backend.address()?.is_some() {
                here.push(backend);
            }
        }
        Ok(here)
    }

    /// Everything there is.
    pub(crate) fn every() -> Result<Vec<Self>> {
        Ok([vec![Self::Memory], Self::databases()?].concat())
    }

    /// Puts a proxy between this process and the server, for every database that it makes from now on.
    pub(crate) fn observe(self) -> Result<&'static Proxy> {
        let address = self.address()?.with_context(|| format!("there is no server of {self}"))?;
        let proxy = Proxy::before(&address, Duration::ZERO)?;
        Ok(PROXY.get_or_init(|| proxy))
    }

    fn address(self) -> Result<Option<String>> {
        let database = match self {
            Self::Memory | Self::Sqlite => return Ok(None),
            Self::Postgres => Database::Postgres,
            Self::MariaDb => Database::MariaDb,
        };
        servers::test_url(database).context("this program is started by `cargo xtask bench`")
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
        })
    }
}

/// What [`Backend::observe`] has put there.
static PROXY: OnceLock<Proxy> = OnceLock::new();

/// A database of this process's own, empty. Those on a server go with the server.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) url: String,
    /// Removed when dropped.
    _directory: Option<TempDir>,
}

impl Scratch {
    pub(crate) async fn new(backend: Backend) -> Result<Self> {
        if backend == Backend::Sqlite {
            let directory = tempfile::tempdir()?;
            let url = format!("sqlite://{}?mode=rwc", directory.path().join("bench.db").display());
            return Ok(Self { url, _directory: Some(directory) });
        }
        let address = backend.address()?.with_context(|| format!("there is no server of {backend}"))?;
        let address = PROXY.get().map_or(address, |proxy| proxy.url.clone());
        let name = name();
        let text = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        match backend {
            Backend::Postgres => {
                let mut connection = PgConnection::connect(&address).await?;
                sqlx::raw_sql(text).execute(&mut connection).await?;
                connection.close().await?;
            }
            Backend::MariaDb => {
                let mut connection = MySqlConnection::connect(&address).await?;
                sqlx::raw_sql(text).execute(&mut connection).await?;
                connection.close().await?;
            }
            Backend::Memory | Backend::Sqlite => bail!("{backend} is no server"),
        }
        let mut url = Url::parse(&address)?;
        url.set_path(&name);
        Ok(Self { url: url.into(), _directory: None })
    }
}

/// A name that no other database of this run has.
fn name() -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    format!("bench_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}
