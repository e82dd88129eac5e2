//! Serves the routes, with everything in memory.

use std::net::SocketAddr;

use anyhow::Context as _;
use authkit_core::{AuthManager, KeyRing};
use authkit_store_memory::MemoryStore;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "the program decides how to wait, and greets")]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3004".to_owned());
    let listener =
        TcpListener::bind(&address).await.with_context(|| format!("{address} is taken; give another address"))?;
    let builder = AuthManager::builder()
        .public_url(format!("http://{}", listener.local_addr()?))
        .keys(KeyRing::dev_file("authkit.key")?)
        .store(MemoryStore::new());
    let auth = protected_routes::auth(builder)?;
    auth.migrate().await?;
    tokio::spawn(auth.clone().run_jobs(tokio::time::sleep));

    println!("The routes are at {}", auth.public_url());
    let app = protected_routes::app(&auth);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
        .await?;
    Ok(())
}
