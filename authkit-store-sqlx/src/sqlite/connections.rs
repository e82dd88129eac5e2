//! Connections, of the store's own or of an application's pool.
//!
//! A connection of its own goes back without a word. The driver's pool would start a task for it, which asks the
//! connection's thread whether it is alive: half the cost of a read.

use std::time::Duration;

use authkit_core::StoreError;
use sqlx::{
    ConnectOptions as _, Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection, sqlite::SqliteConnectOptions,
};
use tokio::{
    sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::error::store_error;

/// A bounded number of connections, opened when they are first needed.
#[derive(Debug)]
pub(super) struct Connections {
    source: Source,
    permits: Semaphore,
    /// How long a call waits for a connection.
    patience: Duration,
}

#[derive(Debug)]
enum Source {
    /// One place for each connection.
    Own {
        options: Box<SqliteConnectOptions>,
        places: Vec<Mutex<Option<SqliteConnection>>>,
    },
    Pool(SqlitePool),
}

impl Connections {
    pub(super) fn own(options: SqliteConnectOptions, most: usize, patience: Duration) -> Self {
        let places = (0..most).map(|_| Mutex::new(None)).collect();
        Self { source: Source::Own { options: Box::new(options), places }, permits: Semaphore::new(most), patience }
    }

    pub(super) fn of_pool(pool: SqlitePool, most: usize, patience: Duration) -> Self {
        Self { source: Source::Pool(pool), permits: Semaphore::new(most), patience }
    }

    /// Waits for a connection that nobody uses.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_taken) => {
                let permit = timeout(self.patience, self.permits.acquire()).await;
                permit.map_err(|_elapsed| StoreError::Busy)?.map_err(|_closed| StoreError::Busy)?
            }
        };
        let connection = match &self.source {
            Source::Pool(pool) => Leased::Pool(pool.acquire().await.map_err(store_error)?),
            Source::Own { options, places } => {
                // As many places as permits, so one of them is free. The first free one is the one used last.
                let free = places.iter().find_map(|place| place.try_lock().ok());
                Leased::Own { place: free.ok_or(StoreError::Busy)?, options }
            }
        };
        Ok(Lease { connection, _permit: permit })
    }
}

/// A connection for one call. What a dropped call has sent is worked off before whatever the next call sends.
pub(super) struct Lease<'a> {
    connection: Leased<'a>,
    _permit: SemaphorePermit<'a>,
}

enum Leased<'a> {
    Own { place: MutexGuard<'a, Option<SqliteConnection>>, options: &'a SqliteConnectOptions },
    Pool(PoolConnection<Sqlite>),
}

impl Lease<'_> {
    pub(super) async fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        match &mut self.connection {
            Leased::Pool(connection) => Ok(connection),
            Leased::Own { place, options } => match &mut **place {
                Some(connection) => Ok(connection),
                absent @ None => Ok(absent.insert(options.connect().await.map_err(store_error)?)),
            },
        }
    }

    /// Closes the connection; the next call opens another.
    pub(super) fn discard(&mut self) {
        match &mut self.connection {
            Leased::Own { place, .. } => **place = None,
            Leased::Pool(connection) => connection.close_on_drop(),
        }
    }
}
