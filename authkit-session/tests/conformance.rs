//! Holds the plugin to what every plugin has to keep.

mod opaque {
    use authkit_session::Sessions;
    use authkit_store_memory::MemoryStore;

    authkit_testkit::plugin_suite!(store = MemoryStore::new(), plugin = Sessions::opaque());
}

mod jwt {
    use authkit_session::Sessions;
    use authkit_store_memory::MemoryStore;

    authkit_testkit::plugin_suite!(store = MemoryStore::new(), plugin = Sessions::jwt());
}
