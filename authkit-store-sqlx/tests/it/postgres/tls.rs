//! Connections that nobody between the store and the server can read.

use authkit_core::Store as _;
use authkit_store_sqlx::SqlxStore;
use servers::{Database, Durability, MAKE_CERTIFICATES, Server};
use sqlx::{Connection as _, PgConnection};

use crate::world::{NOW, OWNERS, SCOPE, defs, find, owner, steps, told};

#[tokio::test]
async fn a_certificate_is_checked_where_the_url_says_so() {
    if servers::test_url(Database::Postgres).unwrap().is_none() {
        return;
    }
    let server = Server::start(Database::Postgres, Durability::Fast).unwrap();
    let mut admin = PgConnection::connect(&server.url()).await.unwrap();
    let verified = format!("{}?sslmode=verify-full", server.url());
    let refused = SqlxStore::connect(&verified).await.unwrap_err();
    assert!(told(&refused).contains("no encrypted connection"), "{}", told(&refused));

    // Run in the folder of data by the account to whom it belongs, which then has the right to read them.
    let make = format!("COPY (SELECT 1) TO PROGRAM '({MAKE_CERTIFICATES} && chmod 600 server.key) > openssl.log 2>&1'");
    let make = sqlx::AssertSqlSafe(make);
    sqlx::raw_sql(make).execute(&mut admin).await.unwrap();
    sqlx::raw_sql("ALTER SYSTEM SET ssl = on").execute(&mut admin).await.unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&mut admin).await.unwrap();
    let authority: String =
        sqlx::query_scalar("SELECT pg_read_file('authority.crt')").fetch_one(&mut admin).await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority).unwrap();

    // The settings are read again when the server comes to it.
    let trusting = format!("{verified}&sslrootcert={}", file.path().display());
    let store = loop {
        match SqlxStore::connect(&trusting).await {
            Ok(store) => break store,
            Err(early) => assert!(told(&early).contains("no encrypted connection"), "{}", told(&early)),
        }
    };
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();
    assert!(find(&store, &OWNERS, 1).await.is_some());
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity a USING (pid) \
                 WHERE NOT ssl AND a.backend_type = 'client backend' AND pid <> pg_backend_pid()";
    assert_eq!(sqlx::query_scalar::<_, i64>(plain).fetch_one(&mut admin).await.unwrap(), 0);

    let strange = SqlxStore::connect(&verified).await.unwrap_err();
    assert!(told(&strange).contains("certificate"), "{}", told(&strange));
}
