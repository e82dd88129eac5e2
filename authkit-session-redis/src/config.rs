//! What the application may choose.

use std::{fmt, time::Duration};

use redis::{Client, IntoConnectionInfo as _, io::tcp::TcpSettings};

use crate::{error::Fault, tls};

/// How a [`RedisStore`](crate::RedisStore) connects, and what it asks of the server.
#[derive(Clone)]
pub struct RedisConfig {
    place: Place,
    pub(crate) prefix: String,
    pub(crate) timeout: Duration,
    pub(crate) promise: Promise,
}

#[derive(Clone)]
enum Place {
    Url(String),
    Client(Box<Client>),
}

/// On what the store rests its promise to keep what it acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The settings of the server.
    Asked,
    /// It makes none.
    None,
    /// The word of the application.
    Vouched,
}

impl RedisConfig {
    /// Connects to the server at this URL, such as `redis://auth:password@redis.example.com:6379/0`.
    ///
    /// `rediss` in place of `redis` is TLS and needs the Cargo feature `tls`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self::of(Place::Url(url.into()))
    }

    /// Connects as a client of the application does, for what a URL cannot say, such as a certificate of its own.
    #[must_use]
    pub fn from_client(client: Client) -> Self {
        Self::of(Place::Client(Box::new(client)))
    }

    fn of(place: Place) -> Self {
        let prefix = "authkit".to_owned();
        Self { place, prefix, timeout: Duration::from_secs(5), promise: Promise::Asked }
    }

    /// Sets what all keys begin with; `authkit` unless told. Applications that share a Redis need one each.
    ///
    /// It has 1 to 64 ASCII letters, digits, `-`, `_` or `.`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long a connection may take to be made, and an answer to come; 5 seconds unless told.
    ///
    /// After that a read fails with [`StoreError::Unavailable`](authkit_core::StoreError::Unavailable) and a commit with
    /// [`StoreError::Unknown`](authkit_core::StoreError::Unknown).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Accepts a server that may forget what it acknowledged, for tables that can bear it, such as counters.
    ///
    /// `build()` then refuses to put sessions and other durable tables into this store.
    #[must_use]
    pub fn may_lose_writes(mut self) -> Self {
        self.promise = Promise::None;
        self
    }

    /// Does not ask the server whether it keeps what it acknowledges: the application vouches for it.
    ///
    /// For a managed Redis that does not show its settings.
    ///
    /// # Security
    ///
    /// A server that forgets its last writes, in a crash or a failover, brings sessions back that were ended.
    #[must_use]
    pub fn dangerously_vouch_for_durability(mut self) -> Self {
        self.promise = Promise::Vouched;
        self
    }

    pub(crate) fn client(&self) -> Result<Client, Fault> {
        match &self.place {
            Place::Client(client) => {
                tls::prepare("")?;
                Ok((**client).clone())
            }
            Place::Url(url) => {
                tls::prepare(url)?;
                let info = url.as_str().into_connection_info().map_err(|_error| Fault::Url)?;
                // Questions are small, and each is waited for.
                let wire = bounded(TcpSettings::default().set_nodelay(true), self.timeout);
                Client::open(info.set_tcp_settings(wire)).map_err(|_error| Fault::Url)
            }
        }
    }

    pub(crate) fn check_prefix(&self) -> Result<(), Fault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let fits = (1..=64).contains(&self.prefix.len()) && self.prefix.chars().all(plain);
        fits.then_some(()).ok_or(Fault::Prefix)
    }
}

/// Gives a connection up whose other end is gone without a word, so that a new one is made.
#[cfg(target_os = "linux")]
fn bounded(settings: TcpSettings, timeout: Duration) -> TcpSettings {
    settings.set_user_timeout(timeout)
}

/// Elsewhere the operating system decides when that is.
#[cfg(not(target_os = "linux"))]
fn bounded(settings: TcpSettings, _timeout: Duration) -> TcpSettings {
    settings
}

impl fmt::Debug for RedisConfig {
    /// Leaves out the URL: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("promise", &self.promise)
            .finish_non_exhaustive()
    }
}
