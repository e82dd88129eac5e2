//! Holds the store to every clause of the contract, in memory and in a file.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use third_party_store::RedbStore;

mod in_memory {
    use super::RedbStore;

    authkit_testkit::store_suite!(RedbStore::in_memory().unwrap());
}

mod in_a_file {
    use super::{Place, RedbStore};

    authkit_testkit::store_suite!(
        make = RedbStore::open(&Place::new().0).unwrap(),
        reopen = {
            let place = Place::new();
            move || {
                let store = RedbStore::open(&place.0);
                async { store.unwrap() }
            }
        },
    );
}

/// A path that no other test uses. The file there is removed with it; a store that has it open keeps it until it closes.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("redb-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}
