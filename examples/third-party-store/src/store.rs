//! The store: each call becomes one transaction of redb, on a thread that may block.

use crate::migrate::migrate;
use crate::rows::{ROWS, Reader, Rows, Writer};
use crate::space::Catalogue;
use crate::{Result, failed};
use async_trait::async_trait;
use authkit_core::{Capabilities, Def, Done, Get, Migration, Op, Query, Row, Scope, Store, StoreError, Timestamp};
use redb::{Database, DatabaseError, ReadableDatabase, WriteTransaction, backends::InMemoryBackend};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// Keeps the rows of authkit in one redb database. Clones share it.
///
/// Its calls need a runtime of tokio, whose threads for blocking work they run on.
#[derive(Clone, Debug)]
pub struct RedbStore {
    database: Arc<Database>,
    /// Calls hold it for reading until they are done, so that no migration comes in between.
    catalogue: Arc<RwLock<Catalogue>>,
}

impl RedbStore {
    /// Opens the database in a file, which is made if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if redb cannot open it, such as while another process has it open.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::new(Database::create(path))
    }

    /// Makes a database that lives as long as the store: for tests and trials.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if redb cannot set it up.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::new(Database::builder().create_with_backend(InMemoryBackend::new()))
    }

    fn new(database: Result<Database, DatabaseError>) -> Result<Self> {
        let store = Self { database: Arc::new(database.map_err(failed)?), catalogue: Arc::default() };
        store.transaction(|txn| txn.open_table(ROWS).map(drop).map_err(failed))?;
        Ok(store)
    }

    /// Does work that may block, on a thread for that. Dropping the future does not stop it, so a commit that nobody
    /// waits for any more still lands as a whole or not at all.
    async fn run<R: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<R> + Send + 'static) -> Result<R> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store)).await.unwrap_or(Err(StoreError::Unknown))
    }

    fn read<R>(&self, now: Timestamp, work: impl FnOnce(Reader<'_>) -> Result<R>) -> Result<R> {
        let catalogue = &*self.catalogue.read().unwrap_or_else(PoisonError::into_inner);
        let txn = self.database.begin_read().map_err(failed)?;
        work(Rows { entries: txn.open_table(ROWS).map_err(failed)?, catalogue, now })
    }

    fn write<R>(&self, now: Timestamp, work: impl FnOnce(Writer<'_, '_>) -> Result<R>) -> Result<R> {
        let catalogue = &*self.catalogue.read().unwrap_or_else(PoisonError::into_inner);
        self.transaction(|txn| work(Rows { entries: txn.open_table(ROWS).map_err(failed)?, catalogue, now }))
    }

    fn transaction<R>(&self, work: impl FnOnce(&WriteTransaction) -> Result<R>) -> Result<R> {
        let txn = self.database.begin_write().map_err(failed)?;
        let result = work(&txn)?;
        txn.commit().or(Err(StoreError::Unknown)).map(|()| result)
    }
}

#[async_trait]
impl Store for RedbStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL
    }

    fn statements(&self, _: &[Migration]) -> Vec<String> {
        Vec::new()
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<()> {
        let (steps, defs) = (steps.to_vec(), defs.to_vec());
        self.run(move |store| {
            let mut catalogue = store.catalogue.write().unwrap_or_else(PoisonError::into_inner);
            let mut known = catalogue.clone();
            store.transaction(|txn| migrate(txn, &mut known, &steps, &defs))?;
            *catalogue = known;
            Ok(())
        })
        .await
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>> {
        let (scope, get) = (*scope, get.clone());
        self.run(move |store| store.read(get.now, |rows| rows.get(scope, &get))).await
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>> {
        let (scope, query) = (*scope, query.clone());
        self.run(move |store| store.read(query.now, |rows| rows.query(scope, &query))).await
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>> {
        let (scope, ops) = (*scope, ops.to_vec());
        self.run(move |store| store.write(now, |mut rows| rows.commit(scope, &ops))).await
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64> {
        let table = def.table;
        self.run(move |store| store.write(now, |mut rows| rows.sweep(table, limit))).await
    }
}
