//! How a hand-written application keeps its connections.

use std::ops::{Deref, DerefMut};

use sqlx::{ConnectOptions, Connection, Database, Pool, pool::PoolConnection};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

pub(crate) enum Connections<D: Database> {
    /// The driver's pool. It asks the server whether a connection is alive when it comes back.
    Pool(Pool<D>),
    /// As many as there are permits, which go back without a word.
    Own { connections: Vec<Mutex<D::Connection>>, permits: Semaphore },
}

impl<D: Database> Connections<D> {
    pub(super) async fn own(options: &<D::Connection as Connection>::Options, most: usize) -> Result<Self, sqlx::Error>
    where
        <D::Connection as Connection>::Options: ConnectOptions<Connection = D::Connection>,
    {
        let mut connections = Vec::with_capacity(most);
        for _ in 0..most {
            connections.push(Mutex::new(options.connect().await?));
        }
        Ok(Self::Own { connections, permits: Semaphore::new(most) })
    }

    /// Waits for a connection that nobody uses.
    pub(super) async fn lease(&self) -> Result<Lease<'_, D>, sqlx::Error> {
        match self {
            Self::Pool(pool) => Ok(Lease::Pool(pool.acquire().await?)),
            Self::Own { connections, permits } => {
                let permit = permits.acquire().await.map_err(|_closed| sqlx::Error::PoolClosed)?;
                let free = connections.iter().find_map(|connection| connection.try_lock().ok());
                Ok(Lease::Own(free.ok_or(sqlx::Error::PoolTimedOut)?, permit))
            }
        }
    }
}

/// A connection for one statement.
pub(super) enum Lease<'c, D: Database> {
    Pool(PoolConnection<D>),
    Own(MutexGuard<'c, D::Connection>, #[expect(dead_code, reason = "it is held")] SemaphorePermit<'c>),
}

impl<D: Database> Deref for Lease<'_, D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        match self {
            Self::Pool(connection) => connection,
            Self::Own(connection, _) => connection,
        }
    }
}

impl<D: Database> DerefMut for Lease<'_, D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        match self {
            Self::Pool(connection) => connection,
            Self::Own(connection, _) => connection,
        }
    }
}
