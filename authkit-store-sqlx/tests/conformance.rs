//! Runs every clause of the store contract against SQLite, in memory and in a file.

mod memory {
    use authkit_store_sqlx::SqlxStore;

    authkit_testkit::store_suite!(SqlxStore::connect("sqlite::memory:").await.unwrap());
}

mod file {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

    use std::{
        fs,
        path::{Path, PathBuf},
        sync::{
            LazyLock,
            atomic::{AtomicUsize, Ordering},
        },
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

    /// Emptied by the next run, so that a failed test leaves its database to look at.
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
        fs::remove_dir_all(&directory).ok();
        fs::create_dir_all(&directory).unwrap();
        directory
    });

    fn new_url() -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}.db", NUMBER.fetch_add(1, Ordering::Relaxed));
        format!("sqlite://{}", DIRECTORY.join(name).display())
    }
}
