//! Connections that nobody between the store and the server can read.

use std::{net::TcpListener, path::Path, process::Command};

use authkit_session_redis::{RedisConfig, RedisStore};
use redis::{Client, TlsCertificates};
use servers::MAKE_CERTIFICATES;

use crate::{
    connect::{command, own_server, said},
    world::{World, bump},
};

fn make_certificates(folder: &Path) {
    let made = Command::new("sh").args(["-c", MAKE_CERTIFICATES]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn a_certificate_is_checked() {
    needs_redis!();
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let server = own_server();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key, authority) = (file("server.crt"), file("server.key"), file("authority.crt"));
    let settings = format!(
        "CONFIG SET tls-port {port} tls-cert-file {certificate} tls-key-file {key} tls-ca-cert-file {authority} \
         tls-auth-clients no"
    );
    command(&server.url(), &settings).await;
    let url = format!("rediss://127.0.0.1:{port}/0");

    let error = RedisStore::connect(&url).await.unwrap_err();
    assert!(said(&error).contains("the connection to Redis failed"), "nobody knows the authority: {}", said(&error));

    let root = std::fs::read(authority).unwrap();
    let client = Client::build_with_tls(url.as_str(), TlsCertificates { client_tls: None, root_cert: Some(root) });
    let config = RedisConfig::from_client(client.unwrap());
    let world = World::new(RedisStore::connect_with(config).await.unwrap()).await;
    world.commit(&[bump(1, "counter", 1)]).await.unwrap();
    assert_eq!(world.titles().await.len(), 1);
}

#[tokio::test]
async fn a_server_without_tls_is_no_server_for_a_url_with_it() {
    needs_redis!();
    let url = own_server().url().replace("redis://", "rediss://");
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert!(said(&error).contains("the connection to Redis failed"), "{}", said(&error));
}
