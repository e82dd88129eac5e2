use std::{array, fs, net::SocketAddr, path::Path};

use authkit_account::Accounts;
use authkit_axum::{Edge, Session};
use authkit_core::{AuthManager, KeyRing};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_sqlx::SqlxStore;
use axum::{Json, Router, routing::get};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Every plugin over SQLite in a directory of its own, behind a proxy on this machine.
///
/// Whoever connects is that proxy: it says in `X-Forwarded-For` which client it speaks for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Program {
    /// Where it listens.
    pub address: SocketAddr,
    /// The whole.
    pub auth: AuthManager,
    /// The last field: it is removed when nothing uses it any more.
    directory: TempDir,
}

impl Program {
    /// Serves it until the runtime ends.
    ///
    /// # Errors
    ///
    /// If it cannot be built or served.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let directory = tempfile::tempdir()?;
        let database = format!("sqlite://{}?mode=rwc", directory.path().join("app.db").display());
        let secret = array::from_fn(|at| (at as u8).wrapping_mul(29).wrapping_add(7));
        let auth = AuthManager::builder()
            .public_url(format!("http://{address}"))
            .keys(KeyRing::new([secret])?)
            .store(SqlxStore::connect(&database).await?)
            .plugin(Accounts::default())
            .plugin(Sessions::jwt())
            .plugin(Passwords::default().dangerously_weak_hashing())
            .plugin(Throttle::default())
            .build()?;
        auth.migrate().await?;

        let edge = Edge::new(&auth).trusted_proxies(["127.0.0.0/8".parse()?]);
        let app = Router::new()
            .route("/me", get(|session: Session| async move { Json(session.principal.clone()) }))
            .merge(edge.router())
            .layer(edge.layer())
            .into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, auth, directory })
    }

    /// Every byte that is stored.
    ///
    /// # Errors
    ///
    /// If the files cannot be read.
    pub fn stored(&self) -> anyhow::Result<Vec<u8>> {
        let mut all = Vec::new();
        for file in fs::read_dir(self.directory.path())? {
            all.extend(fs::read(file?.path())?);
        }
        Ok(all)
    }

    /// A directory for files of the test.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
