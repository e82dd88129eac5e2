//! Sign-up, login, sessions and an audit log on SQLite, in one small program.

mod site;

use std::{io, net::SocketAddr, process::ExitCode};

use anyhow::Context as _;
use authkit_account::Accounts;
use authkit_axum::Session;
use authkit_core::{AuthManager, KeyRing};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_sqlx::SqlxStore;
use axum::{Json, Router, routing::get};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "the program decides how to wait, and greets")]
async fn main() -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();

    let auth = AuthManager::builder()
        .public_url("http://localhost:3000")
        .keys(KeyRing::dev_file("authkit.key")?)
        .store(SqlxStore::connect("sqlite://quickstart.db").await?)
        .plugin(Accounts::default())
        .plugin(Sessions::opaque())
        .plugin(Passwords::default().service_name("Quickstart"))
        .plugin(Throttle::default())
        .build()?;
    if let Some(code) = authkit_cli::run(&auth, std::env::args_os()).await {
        return Ok(code);
    }
    auth.migrate().await?;
    tokio::spawn(auth.clone().run_jobs(tokio::time::sleep));

    let app = Router::new()
        .merge(site::router())
        .route("/me", get(|session: Session| async move { Json(session.principal.clone()) }))
        .merge(authkit_axum::router(&auth))
        .layer(authkit_axum::layer(&auth));
    let address = "127.0.0.1:3000";
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("{address} is taken; stop what uses it"))?;
    println!("The quickstart is at {}", auth.public_url());
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
        .await?;
    Ok(ExitCode::SUCCESS)
}
