//! A store whose calls run to their end while the thread that asks waits.

use async_trait::async_trait;
use authkit_core::{Capabilities, Def, Done, Get, Migration, Op, Query, Row, Scope, Store, StoreError, Timestamp};
use authkit_store_sqlx::SqlxStore;
use tokio::runtime::Handle;

/// Waits for a store that needs a runtime, where there is none.
pub(crate) struct Remote {
    pub(crate) runtime: Handle,
    pub(crate) store: SqlxStore,
}

#[async_trait]
impl Store for Remote {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn statements(&self, steps: &[Migration]) -> Vec<String> {
        self.store.statements(steps)
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        self.runtime.block_on(self.store.migrate(steps, defs))
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        self.runtime.block_on(self.store.get(scope, get))
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        self.runtime.block_on(self.store.query(scope, query))
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        self.runtime.block_on(self.store.commit(scope, ops, now))
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.runtime.block_on(self.store.sweep(def, now, limit))
    }
}
