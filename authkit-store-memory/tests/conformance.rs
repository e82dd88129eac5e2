//! Runs every clause of the store contract in memory.

use authkit_store_memory::MemoryStore;

authkit_testkit::store_suite!(MemoryStore::new());
