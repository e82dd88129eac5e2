//! `app`, as the guides call the reader's application: it has the commands, and verifies the hashes of every system that
//! they name.

use std::{env, net::SocketAddr, process::ExitCode};

use authkit_account::Accounts;
use authkit_core::{AuthManager, KeyRing, SecretText};
use authkit_password::{FirebaseKeys, Passwords};
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_sqlx::SqlxStore;
use tokio::net::TcpListener;

/// Those with which the hashes of `data` were made; the signer key is public, from the documentation of firebase/scrypt.
const DEVISE_PEPPER: [&str; 8] = ["0123456789abcdef"; 8];
const FIREBASE_SIGNER_KEY: &str =
    "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";
const FIREBASE_SALT_SEPARATOR: &str = "Bw==";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let passwords = Passwords::default()
        .devise_pepper(SecretText::new(DEVISE_PEPPER.concat()))
        .firebase(FirebaseKeys::new(FIREBASE_SIGNER_KEY, FIREBASE_SALT_SEPARATOR, 8, 14)?);
    let auth = AuthManager::builder()
        .public_url("http://localhost:3005")
        .keys(KeyRing::dev_file("authkit.key")?)
        .store(SqlxStore::connect("sqlite://app.db").await?)
        .plugin(Accounts::default())
        .plugin(Sessions::opaque())
        .plugin(passwords)
        .plugin(Throttle::default())
        .build()?;
    if let Some(code) = authkit_cli::run(&auth, env::args_os()).await {
        return Ok(code);
    }
    auth.migrate().await?;

    let listener = TcpListener::bind("127.0.0.1:3005").await?;
    axum::serve(listener, authkit_axum::router(&auth).into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(ExitCode::SUCCESS)
}
