//! Runs every clause of the store contract against SQLite, in memory and in a file.

mod memory {
    use authkit_store_sqlx::SqlxStore;

    authkit_testkit::store_suite!(SqlxStore::connect("sqlite::memory:").await.unwrap());
}

mod file {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

    use std::{
        fs,
        path::Path,
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use authkit_store_sqlx::SqlxStore;

    authkit_testkit::store_suite!(
        make = SqlxStore::connect(&new_url()).await.unwrap(),
        reopen = {
            let url = new_url();
            move || {
                let url = url.clone();
                async move { SqlxStore::connect(&url).await.unwrap() }
            }
        },
    );

    /// A database of this test's own, in place of what its last run left to look at. Every test may be a process.
    fn new_url() -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let thread = thread::current();
        let test = thread.name().unwrap_or("unnamed").replace("::", "-");
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
        fs::create_dir_all(&directory).unwrap();
        let path =
            directory.join(format!("{test}-{}.db", NUMBER.fetch_add(1, Ordering::Relaxed))).display().to_string();
        for file in ["", "-wal", "-shm"] {
            fs::remove_file(format!("{path}{file}")).ok();
        }
        format!("sqlite://{path}")
    }
}
