//! An API for a mobile app and a single-page application: signed access tokens, refresh tokens, SQLite.

mod notes;
mod site;

use std::net::SocketAddr;

use anyhow::Context as _;
use authkit_account::Accounts;
use authkit_core::{AuthManager, KeyRing};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_sqlx::SqlxStore;
use axum::Router;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "the program decides how to wait, and greets")]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match std::env::var("LOG_FORMAT").as_deref() {
        Ok("json") => log.json().init(),
        _ => log.init(),
    }

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3001".to_owned());
    let listener =
        TcpListener::bind(&address).await.with_context(|| format!("{address} is taken; give another address"))?;
    let url = format!("http://{}", listener.local_addr()?);
    let file = SqliteConnectOptions::new().filename("token-api.db").create_if_missing(true);
    let database = SqlitePool::connect_with(file.journal_mode(SqliteJournalMode::Wal)).await?;

    let auth = AuthManager::builder()
        .public_url(&url)
        .keys(KeyRing::dev_file("authkit.key")?)
        .store(SqlxStore::from_pool(database.clone()).await?)
        .plugin(Accounts::default())
        .plugin(Sessions::jwt())
        .plugin(Passwords::default().service_name("Notes"))
        .plugin(Throttle::default())
        .build()?;
    auth.migrate().await?;
    tokio::spawn(auth.clone().run_jobs(tokio::time::sleep));

    let app = Router::new()
        .merge(site::router())
        .merge(notes::router(database).await?)
        .merge(authkit_axum::router(&auth))
        .layer(authkit_axum::layer(&auth));
    println!("The token API is at {}", auth.public_url());
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
        .await?;
    Ok(())
}
