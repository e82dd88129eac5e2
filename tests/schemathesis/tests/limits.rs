//! One client is one client, and one operation one operation, however they are spelled.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use schemathesis::{Program, exchange};

async fn guess(program: &Program, target: &str, address: &str, number: usize) -> u16 {
    let body = format!(r#"{{"identifier":"user{number}@example.com","password":"whatever it may be"}}"#);
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: x\r\norigin: http://{}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n{address}\r\n{body}",
        program.address,
        body.len(),
    );
    exchange(program.address, request.as_bytes()).await.unwrap().status
}

fn forwarded(address: &str) -> String {
    format!("x-forwarded-for: {address}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_path_or_address_gives_further_attempts() {
    let program = Program::start().await.unwrap();
    let path = "/v1/auth/login";
    for number in 0..10 {
        assert_eq!(guess(&program, path, &forwarded("203.0.113.9"), number).await, 401, "{number}");
    }
    assert_eq!(guess(&program, path, &forwarded("203.0.113.9"), 10).await, 429);

    for address in [
        "203.0.113.9:4711",
        "::ffff:203.0.113.9",
        "[::ffff:cb00:7109]:80",
        "198.51.100.7, 203.0.113.9",
        "198.51.100.7\r\nx-forwarded-for: 203.0.113.9",
        "\", é, 203.0.113.9",
        "203.0.113.9\r\nx-real-ip: 198.51.100.7\r\nforwarded: for=198.51.100.7",
    ] {
        assert_eq!(guess(&program, path, &forwarded(address), 11).await, 429, "{address}");
    }
    for target in [
        "//v1/auth/login",
        "/v1//auth/login",
        "/v1/auth/login/",
        "/v1/auth/%6cogin",
        "/v1/auth%2flogin",
        "/V1/auth/login",
        "/v1/auth/Login",
        "/v1/./auth/login",
        "/v1/x/../auth/login",
        "/v1/auth/login;a",
        "/v1/auth/login%00",
        "/v1/auth/login?",
        "/v1/auth/login?a=b",
        "/v1/auth/login#a",
        "http://example.com/v1/auth/login",
    ] {
        let status = guess(&program, target, &forwarded("203.0.113.9"), 12).await;
        assert!([404, 429].contains(&status), "{target}: {status}");
    }
    assert_eq!(guess(&program, path, &forwarded("203.0.113.10"), 13).await, 401, "another client");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_of_ipv6_addresses_is_one_client() {
    let program = Program::start().await.unwrap();
    for number in 0..10 {
        let address = format!("2001:db8:1:2:{number}::{number}");
        assert_eq!(guess(&program, "/v1/auth/login", &forwarded(&address), number).await, 401, "{number}");
    }
    for address in ["2001:db8:1:2::99", "[2001:DB8:1:2::98]:443", "2001:0db8:0001:0002::1%eth0"] {
        assert_eq!(guess(&program, "/v1/auth/login", &forwarded(address), 10).await, 429, "{address}");
    }
    assert_eq!(guess(&program, "/v1/auth/login", &forwarded("2001:db8:1:3::1"), 11).await, 401);
}
