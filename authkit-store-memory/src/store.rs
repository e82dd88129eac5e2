//! The store: one lock over all tables.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use async_trait::async_trait;
use authkit_core::{Capabilities, Def, Done, Get, Migration, Op, Query, Row, Scope, Store, StoreError, Timestamp};

use crate::{commit, migrate, read, table::State};

/// Keeps all rows in memory. Clones share the same rows.
///
/// It keeps no promise beyond the life of the process; within it, every clause of [`Store`] holds.
///
/// # Examples
///
/// One store for two nodes of a test; each is set up on its own:
///
/// ```
/// use authkit_core::{AuthManager, Builder};
/// use authkit_store_memory::MemoryStore;
///
/// let store = MemoryStore::new();
/// let node = || AuthManager::builder().store(store.clone());
/// let nodes: [Builder; 2] = [node(), node()];
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<RwLock<State>>,
}

impl MemoryStore {
    /// Makes an empty store without tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // A commit undoes itself when it panics, and a migration replaces the state as its last act, so the state behind a
    // poisoned lock is whole.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore(..)")
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL
    }

    fn statements(&self, _steps: &[Migration]) -> Vec<String> {
        Vec::new()
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        migrate::migrate(&mut self.write(), steps, defs)
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        read::get(&self.read().tables, scope, get)
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        read::query(&self.read().tables, scope, query)
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        commit::commit(&mut self.write().tables, scope, ops, now)
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        commit::sweep(&mut self.write().tables, def, now, limit)
    }
}
