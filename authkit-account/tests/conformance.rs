//! Holds the plugin to what every plugin has to keep, in each of its modes.

use authkit_account::{Accounts, Disclosure};
use authkit_store_memory::MemoryStore;

mod revealing {
    use super::{Accounts, MemoryStore};

    authkit_testkit::plugin_suite!(store = MemoryStore::new(), plugin = Accounts::default());
}

mod concealing {
    use super::{Accounts, Disclosure, MemoryStore};

    authkit_testkit::plugin_suite!(
        store = MemoryStore::new(),
        plugin = Accounts::default().disclosure(Disclosure::Conceal)
    );
}
