//! Which store the application of a history stands on.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use authkit_core::Store;
use authkit_store_memory::MemoryStore;

/// A store that is emptied from one history to the next. It belongs to one house.
pub trait Ground: Send + Sync + 'static {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// Removes all rows.
    fn empty(&self) -> Emptied;
}

/// What is left of a ground that was emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Emptied {
    /// The tables.
    Rows,
    /// Nothing: it has to be migrated.
    Everything,
}

/// Makes a ground for one house.
pub type Grounds<'g> = &'g (dyn Fn() -> Arc<dyn Ground> + Sync);

/// The store in memory: a new one for every history.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Arc<MemoryStore>>);

impl Ground for Memory {
    fn store(&self) -> Arc<dyn Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn empty(&self) -> Emptied {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        Emptied::Everything
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}
