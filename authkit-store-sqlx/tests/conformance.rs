//! Runs every clause of the store contract against SQLite, in memory and in a file, and against the servers.

#[path = "it/server.rs"]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]
mod server;

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

mod postgres {
    use authkit_store_sqlx::SqlxStore;

    use crate::server;

    authkit_testkit::store_suite!(
        make = SqlxStore::connect(&server::postgres().await).await.unwrap(),
        reopen = {
            let url = server::postgres().await;
            move || {
                let url = url.clone();
                async move { SqlxStore::connect(&url).await.unwrap() }
            }
        },
    );
}

/// On a pool, commits are transactions of prepared statements.
mod postgres_pool {
    use authkit_store_sqlx::SqlxStore;
    use sqlx::postgres::PgPoolOptions;

    use crate::server;

    authkit_testkit::store_suite!({
        let pool = PgPoolOptions::new().max_connections(8).connect(&server::postgres().await).await.unwrap();
        SqlxStore::from_pool(pool).await.unwrap()
    });
}

mod mariadb {
    use authkit_store_sqlx::SqlxStore;

    use crate::server;

    authkit_testkit::store_suite!(
        make = SqlxStore::connect(&server::mariadb().await).await.unwrap(),
        reopen = {
            let url = server::mariadb().await;
            move || {
                let url = url.clone();
                async move { SqlxStore::connect(&url).await.unwrap() }
            }
        },
    );
}

mod mariadb_pool {
    use authkit_store_sqlx::SqlxStore;
    use sqlx::mysql::MySqlPoolOptions;

    use crate::server;

    authkit_testkit::store_suite!({
        let pool = MySqlPoolOptions::new().max_connections(8).connect(&server::mariadb().await).await.unwrap();
        SqlxStore::from_pool(pool).await.unwrap()
    });
}
