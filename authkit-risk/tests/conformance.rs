//! Holds the plugin to what every plugin has to keep.

use authkit_risk::Throttle;
use authkit_store_memory::MemoryStore;

authkit_testkit::plugin_suite!(store = MemoryStore::new(), plugin = Throttle::default());
