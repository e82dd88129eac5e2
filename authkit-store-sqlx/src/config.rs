//! What the application may choose.

use std::{fmt, time::Duration};

use authkit_core::Acknowledgement;

/// How a [`SqlxStore`](crate::SqlxStore) connects.
///
/// # Examples
///
/// A server with room for twenty readers, told to give up after two seconds:
///
/// ```
/// use std::time::Duration;
/// use authkit_core::StoreError;
/// use authkit_store_sqlx::{SqlxConfig, SqlxStore};
///
/// async fn connect(url: &str) -> Result<SqlxStore, StoreError> {
///     SqlxStore::connect_with(SqlxConfig::new(url).readers(20).busy_timeout(Duration::from_secs(2))).await
/// }
/// ```
#[derive(Clone)]
pub struct SqlxConfig {
    pub(crate) url: String,
    pub(crate) readers: Option<usize>,
    pub(crate) writers: Option<usize>,
    pub(crate) busy_timeout: Duration,
    pub(crate) acknowledged: Acknowledgement,
}

impl SqlxConfig {
    /// Connects to the database at this URL, such as `sqlite://auth.db` or `postgres://auth@db.example.com/auth`.
    ///
    /// A SQLite file that does not exist is made.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            readers: None,
            writers: None,
            busy_timeout: Duration::from_secs(5),
            acknowledged: Acknowledgement::Kept,
        }
    }

    /// Sets how many connections read at the same time; 4 on SQLite and 10 on a server unless told, at least 1.
    #[must_use]
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = Some(readers.max(1));
        self
    }

    /// Sets how many connections write at the same time; 10 unless told, at least 1. On SQLite it is always one.
    ///
    /// They are others than those that read, so commits that wait for one row keep nobody from reading.
    #[must_use]
    pub fn writers(mut self, writers: usize) -> Self {
        self.writers = Some(writers.max(1));
        self
    }

    /// Sets how long a call waits for a connection, and a statement for rows that others hold; 5 seconds unless told.
    ///
    /// After that it fails with [`StoreError::Busy`](authkit_core::StoreError::Busy). Opening a connection may take 5 seconds
    /// more, and fails with [`StoreError::Unavailable`](authkit_core::StoreError::Unavailable).
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Answers a commit before it is on the disk: faster, and a power failure takes the last commits back.
    ///
    /// A crash of the process loses nothing either way.
    ///
    /// # Security
    ///
    /// A one-time token that was redeemed just before the power failed can be redeemed again, and a session that was
    /// ended is alive again.
    #[must_use]
    pub fn dangerously_lose_commits_on_power_failure(mut self) -> Self {
        self.acknowledged = Acknowledgement::MayBeLost;
        self
    }
}

impl fmt::Debug for SqlxConfig {
    /// Leaves out the URL: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxConfig")
            .field("readers", &self.readers)
            .field("writers", &self.writers)
            .field("busy_timeout", &self.busy_timeout)
            .field("acknowledged", &self.acknowledged)
            .finish_non_exhaustive()
    }
}
