//! Sign-up, login and sessions on the database that `DATABASE_URL` names.

use std::net::SocketAddr;

use anyhow::Context as _;
use authkit_account::Accounts;
use authkit_core::{AuthManager, KeyRing};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_sqlx::SqlxStore;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "the program reads its settings, and greets")]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let database = std::env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite://multi-database.db".to_owned());
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("--print-migrations") {
        print!("{}", setup(&database, "http://127.0.0.1").await?.migration_sql());
        return Ok(());
    }

    let address = argument.as_deref().unwrap_or("127.0.0.1:3002");
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("{address} is taken; give another address"))?;
    let auth = setup(&database, &format!("http://{}", listener.local_addr()?)).await?;
    auth.migrate().await?;
    for entity in auth.entities() {
        println!("table {}", entity.table);
    }
    tokio::spawn(auth.clone().run_jobs(tokio::time::sleep));

    println!("The API is at {}", auth.public_url());
    axum::serve(listener, authkit_axum::router(&auth).into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
        .await?;
    Ok(())
}

/// The same for every database.
async fn setup(database: &str, public_url: &str) -> anyhow::Result<AuthManager> {
    let auth = AuthManager::builder()
        .public_url(public_url)
        .keys(KeyRing::dev_file("authkit.key")?)
        .store(SqlxStore::connect(database).await?)
        .plugin(Accounts::default())
        .plugin(Sessions::opaque())
        .plugin(Passwords::default().service_name("Multi-database"))
        .plugin(Throttle::default())
        .build()?;
    Ok(auth)
}
