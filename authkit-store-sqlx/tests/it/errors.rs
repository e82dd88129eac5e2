//! What an error says to do when there is no connection, and that it says no password.

use authkit_core::StoreError;
use authkit_store_sqlx::SqlxStore;
use servers::Database;
use tokio::net::TcpListener;

use crate::{server, world::told};

/// Connecting is refused with a text that has this part.
async fn check(url: &str, part: &str) {
    let refused = SqlxStore::connect(url).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    for text in [told(&refused), format!("{refused:?}")] {
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(told(&refused).contains(part), "{part}: {}", told(&refused));
}

#[tokio::test]
async fn a_url_that_is_not_understood() {
    let known = "none of mariadb://, mysql://, postgres://, postgresql://, sqlite:; a SQLite file is sqlite://app.db";
    for url in [
        "",
        " ",
        "app-secret.db",
        "/var/lib/secret.db",
        "./secret.db",
        "mongodb://app:secret@host/db",
        "mssql://app:secret@host/db",
        "postgresql:/secret",
        "postgres:app:secret@host/db",
        "mysql:/app:secret@host/db",
        " postgres://app:secret@host/db",
        "\"postgres://app:secret@host/db\"",
        "app:secret@host:5432/db",
        "postgres//app:secret@host/db",
    ] {
        check(url, known).await;
    }
    check("postgres://app:secret/1@host/db", "percent-encoded").await;
    check("mysql://app:secret#1@host/db", "percent-encoded").await;
    check("postgres://app:secret@host/db?sslmode=secret", "cannot be read").await;
    check("mysql://app:secret@host", "names no database: mysql://user:password@host:3306/database").await;
    check("mariadb://app:secret@host/", "names no database").await;
    check("sqlite:///there/is/no/such/folder/auth.db", "is its folder there").await;
}

#[tokio::test]
async fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://app:secret@127.0.0.1:{port}/app");
        check(&url, "is it running at the host and port of the URL?: Connection refused").await;
    }
}

/// A place on each server that is installed.
async fn places() -> Vec<String> {
    let is_here = |database| servers::test_url(database).unwrap().is_some();
    let mut places = Vec::new();
    if is_here(Database::Postgres) {
        places.push(server::postgres().await);
    }
    if is_here(Database::MariaDb) {
        places.push(server::mariadb().await);
    }
    places
}

#[tokio::test]
async fn a_database_that_is_absent() {
    let absent = |url: String| {
        let (before, after) = url.rsplit_once('/').unwrap();
        let parameters = after.split_once('?').map(|(_, parameters)| parameters).unwrap_or_default();
        format!("{before}/absent_secret?{parameters}")
    };
    for url in places().await {
        check(&absent(url), "no database of the URL's name; create it first").await;
    }
}

#[tokio::test]
async fn a_user_whom_the_server_does_not_know() {
    for url in places().await {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (_, rest) = rest.split_once('@').unwrap();
        let url = format!("{scheme}://stranger:secret@{rest}");
        check(&url, "refuses the user or the password of the URL").await;
    }
}

/// The clock of the test runs ahead while nobody has anything to do but wait.
#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    for scheme in ["mariadb", "postgres"] {
        let url = format!("{scheme}://somebody:secret@{address}/app");
        check(&url, "did not answer in time when a connection was opened").await;
    }
}

#[tokio::test]
async fn every_spelling_of_a_sqlite_file_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    for url in
        [format!("sqlite://{path}/a.db"), format!("sqlite:{path}/b.db"), format!("sqlite://{path}/c.db?mode=rwc")]
    {
        SqlxStore::connect(&url).await.unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().filter(|file| !is_aside(file)).count(), 3);
}

/// Whether it lies beside a database.
fn is_aside(file: &std::io::Result<std::fs::DirEntry>) -> bool {
    let name = file.as_ref().unwrap().file_name();
    name.to_string_lossy().contains(".db-")
}
