//! Connections, of the store's own or of an application's pool.
//!
//! A connection of its own goes back without a word. The driver's pool would ask the database whether it is alive, when
//! it is taken and when it comes back: more than a read costs.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use authkit_core::StoreError;
use sqlx::{ConnectOptions as _, Connection as _, Database, Pool, pool::PoolConnection};
use tokio::{
    sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use crate::{
    driver::{Access, Connection, Driver, Failure},
    error::Fault,
};

type Options<D> = <Connection<D> as sqlx::Connection>::Options;

/// A bounded number of connections, opened when they are first needed.
pub(crate) struct Connections<D: Driver> {
    source: Source<D>,
    access: Access,
    permits: Semaphore,
    /// How long a call waits for a connection.
    patience: Duration,
    /// How many connections were closed because they may not work.
    closed: AtomicU64,
}

enum Source<D: Driver> {
    /// One place for each connection.
    Own {
        options: Box<Options<D>>,
        places: Vec<Mutex<Option<Kept<D>>>>,
    },
    Pool(Pool<D::Database>),
}

struct Kept<D: Driver> {
    connection: Connection<D>,
    /// When it was last seen to work, and how many others were closed before that.
    proved: (Instant, u64),
}

impl<D: Driver> Connections<D> {
    pub(crate) fn own(options: Options<D>, access: Access, most: usize, patience: Duration) -> Self {
        let places = (0..most).map(|_| Mutex::new(None)).collect();
        let source = Source::Own { options: Box::new(options), places };
        Self { source, access, permits: Semaphore::new(most), patience, closed: AtomicU64::new(0) }
    }

    pub(crate) fn of_pool(pool: Pool<D::Database>, access: Access, most: usize, patience: Duration) -> Self {
        let source = Source::Pool(pool);
        Self { source, access, permits: Semaphore::new(most), patience, closed: AtomicU64::new(0) }
    }

    /// Waits for a connection that nobody uses.
    pub(crate) async fn lease<'a>(&'a self, driver: &'a D) -> Result<Lease<'a, D>, StoreError> {
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_taken) => {
                let permit = timeout(self.patience, self.permits.acquire()).await;
                permit.map_err(|_elapsed| StoreError::Busy)?.map_err(|_closed| StoreError::Busy)?
            }
        };
        let leased = match &self.source {
            Source::Pool(pool) => Leased::Pool { pool, connection: None },
            Source::Own { options, places } => {
                // As many places as permits, so one of them is free. The first free one is the one used last.
                let free = places.iter().find_map(|place| place.try_lock().ok());
                Leased::Own { place: free.ok_or(StoreError::Busy)?, options }
            }
        };
        let (access, closed, doubtful) = (self.access, &self.closed, !D::ENDS_DROPPED_CALLS);
        let patience = self.patience;
        Ok(Lease { driver, leased, access, patience, closed, doubtful, _permit: permit })
    }
}

/// A connection for one call. It is kept if the call says at its end that it trusts it.
pub(crate) struct Lease<'a, D: Driver> {
    driver: &'a D,
    leased: Leased<'a, D>,
    access: Access,
    patience: Duration,
    closed: &'a AtomicU64,
    doubtful: bool,
    _permit: SemaphorePermit<'a>,
}

enum Leased<'a, D: Driver> {
    Own { place: MutexGuard<'a, Option<Kept<D>>>, options: &'a Options<D> },
    Pool { pool: &'a Pool<D::Database>, connection: Option<PoolConnection<D::Database>> },
}

impl<D: Driver> Lease<'_, D> {
    /// The connection, which may have been lost since it was last used.
    pub(crate) async fn connection(&mut self) -> Result<&mut Connection<D>, StoreError> {
        let unavailable = |error| self.driver.failure(error).told();
        match &mut self.leased {
            Leased::Pool { connection: Some(connection), .. } => Ok(connection),
            Leased::Pool { pool, connection } => {
                let mut taken = take(self.driver, self.access, pool, connection).await;
                if let Err(Failure::Lost(_)) = taken {
                    // It was lost while nobody used it.
                    close(connection);
                    taken = take(self.driver, self.access, pool, connection).await;
                }
                if let Err(refused) = taken {
                    close(connection);
                    return Err(refused.told());
                }
                connection.as_deref_mut().ok_or(StoreError::Busy)
            }
            Leased::Own { place, options } => match &mut **place {
                Some(kept) => Ok(&mut kept.connection),
                absent @ None => {
                    let (driver, access) = (self.driver, self.access);
                    let opening = async {
                        let mut connection = options.connect().await.map_err(unavailable)?;
                        driver.prepare(&mut connection, access).await.map_err(unavailable)?;
                        Ok(connection)
                    };
                    let connection = opened_in_time(self.patience, opening).await?;
                    let proved = (Instant::now(), self.closed.load(Ordering::Relaxed));
                    Ok(&mut absent.insert(Kept { connection, proved }).connection)
                }
            },
        }
    }

    /// The connection; one that was idle, or of which others were closed meanwhile, is asked whether it is alive, and
    /// opened anew if it is not.
    ///
    /// A commit that is sent on a lost connection may have landed or not. This makes that rare.
    pub(crate) async fn live_connection(&mut self) -> Result<&mut Connection<D>, StoreError> {
        if let Leased::Own { place, .. } = &mut self.leased
            && let Some(kept) = place.as_mut()
            && (kept.proved.0.elapsed() > TRUSTED || kept.proved.1 != self.closed.load(Ordering::Relaxed))
            && kept.connection.ping().await.is_err()
        {
            **place = None;
        }
        self.connection().await
    }

    /// The connection works and has nothing left to do.
    pub(crate) fn trust(&mut self) {
        self.doubtful = false;
        if let Leased::Own { place, .. } = &mut self.leased
            && let Some(kept) = place.as_mut()
        {
            kept.proved = (Instant::now(), self.closed.load(Ordering::Relaxed));
        }
    }

    /// Closes the connection; the next use opens another.
    pub(crate) fn discard(&mut self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
        match &mut self.leased {
            Leased::Own { place, .. } => **place = None,
            Leased::Pool { connection, .. } => close(connection),
        }
    }
}

impl<D: Driver> Drop for Lease<'_, D> {
    fn drop(&mut self) {
        if self.doubtful {
            self.discard();
        }
    }
}

fn close<D: Database>(place: &mut Option<PoolConnection<D>>) {
    place.take().iter_mut().for_each(PoolConnection::close_on_drop);
}

/// Takes a connection of a pool and looks at it. It is in its place meanwhile: a call that is dropped closes it.
async fn take<D: Driver>(
    driver: &D,
    access: Access,
    pool: &Pool<D::Database>,
    place: &mut Option<PoolConnection<D::Database>>,
) -> Result<(), Failure> {
    let taken = pool.acquire().await.map_err(|error| driver.failure(error))?;
    driver.inspect(place.insert(taken), access).await
}

/// What opening a connection comes to, or that the database did not answer in time.
pub(crate) async fn opened_in_time<T>(
    patience: Duration,
    opening: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = |_elapsed| StoreError::Unavailable(Fault::Driver(LATE).into());
    timeout(patience.saturating_add(OPENING), opening).await.map_err(late)?
}

/// How much longer than for a free connection a call waits until one is opened.
const OPENING: Duration = Duration::from_secs(5);
const LATE: &str = "the database did not answer in time when a connection was opened";
/// For how long a connection that worked is taken to work.
const TRUSTED: Duration = Duration::from_secs(1);
