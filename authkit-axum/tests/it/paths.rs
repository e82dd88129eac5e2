//! Paths as no client library would send them: each reaches what it names exactly, or nothing.

use std::{collections::BTreeSet, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::app::{App, ORIGIN, build};

const OWN: &str = "the application's own";

/// Serves the application over a socket, so that nothing normalizes what is sent to it.
async fn serve(app: App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app.router).await });
    address
}

/// Status and body; `lines` are further header lines, with a line break after each.
async fn send(address: SocketAddr, method: &str, target: &str, lines: &str) -> (u16, String) {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: example.com\r\norigin: {ORIGIN}\r\ncontent-type: application/json\r\n\
         content-length: 2\r\nconnection: close\r\n{lines}\r\n{{}}",
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8(answer).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

/// Other spellings of a path, under each of which some server or proxy finds the same.
fn spellings(path: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut add = |text: String| _ = all.insert(text);
    for tail in [
        "/",
        "//",
        "/.",
        "/..",
        "/./",
        "%2f",
        "%2F",
        "%5c",
        "\\",
        ";",
        ";a=b",
        "%3b",
        "%00",
        "%0a",
        "%20",
        "%09",
        ".",
        "..;/",
        "/%2e",
        "/%2e%2e",
        "%3f",
        "%23",
        ".json",
        "*",
        "%",
        "%zz",
        "%c0%af",
        "%ef%bc%8f",
        "&",
        "+",
    ] {
        add(format!("{path}{tail}"));
    }
    for head in ["/", "//", "/./", "/../", "/%2e/", "/%2e%2e/", "/x/../", "/x/%2e%2e/", "/%2f", "\\", "/;/", "%2f"] {
        add(format!("{head}{}", &path[1..]));
        add(format!("{head}{path}"));
    }
    for (at, byte) in path.bytes().enumerate() {
        let (before, after) = (&path[..at], &path[at + 1..]);
        if byte == b'/' && at > 0 {
            for other in ["//", "/./", "/x/../", "/%2e/", "%2f", "%2F", "/%2f", "\\", "%5c", "/;/", "%252f", "/%20"] {
                add(format!("{before}{other}{after}"));
            }
        } else if byte != b'/' {
            add(format!("{before}%{byte:02x}{after}"));
            add(format!("{before}%{byte:02X}{after}"));
            add(format!("{before}%25{byte:02x}{after}"));
            add(format!("{before}{}{after}", byte.to_ascii_uppercase() as char));
        }
    }
    all.remove(path);
    all
}

const ALIVE: &str = "authorization: Bearer alive\r\n";

#[tokio::test]
async fn no_other_spelling_of_a_path_reaches_an_operation() {
    let address = serve(App::new()).await;
    let (auth, _) = build();
    for operation in auth.operations().iter().filter(|operation| !operation.path.contains('{')) {
        let (method, path) = (operation.method.as_str(), operation.path_below(auth.prefix()));
        let (status, body) = send(address, method, &path, ALIVE).await;
        assert!(status != 404 && body != OWN, "{method} {path}: {status} {body}");
        for target in spellings(&path) {
            let (status, body) = send(address, method, &target, ALIVE).await;
            let is_nothing = match status {
                200 => body == OWN,
                400 => body.is_empty(),
                404 => body.contains("core.not_found"),
                // The place of a part, where this method has no operation.
                405 => body.contains("axum.method_not_allowed"),
                _ => false,
            };
            assert!(is_nothing, "{method} {target}: {status} {body}");
        }
    }
}

#[tokio::test]
async fn what_is_no_part_of_the_path_changes_nothing() {
    let address = serve(App::new()).await;
    for path in ["/v1/tiny/parts/0", "/v1/tiny/own"] {
        for target in [
            format!("{path}?"),
            format!("{path}?a=/../b"),
            format!("{path}#x"),
            format!("{path}?#/v1/tiny/echo"),
            format!("http://example.com{path}"),
            format!("http://evil.example:1{path}"),
            format!("http://user@evil.example{path}?a"),
        ] {
            let other = "x-original-url: /v1/tiny/echo\r\nx-rewrite-url: /v1/tiny/echo\r\nx-forwarded-prefix: /x\r\n\
                         x-http-method-override: DELETE\r\nx-method-override: DELETE\r\n";
            assert_eq!(send(address, "GET", &target, other).await.0, 401, "{target}");
            let with = send(address, "GET", &target, &format!("{ALIVE}{other}")).await;
            assert_eq!(with, send(address, "GET", path, ALIVE).await, "{target}");
        }
    }
}

#[tokio::test]
async fn a_part_of_a_path_passes_the_same_rule_however_it_is_written() {
    let address = serve(App::new()).await;
    for (part, read) in [
        ("0", "0"),
        ("%30", "0"),
        ("a%2Fb", "a/b"),
        ("%2e%2e", ".."),
        ("..", ".."),
        ("%2F", "/"),
        ("a;b", "a;b"),
        ("%5c", "\\"),
        ("%252f", "%2f"),
        ("A", "A"),
        ("%c3%a9", "é"),
    ] {
        let target = format!("/v1/tiny/parts/{part}");
        let refused = send(address, "GET", &target, "").await;
        assert!(refused.0 == 401 && refused.1.contains("core.unauthenticated"), "{target}: {refused:?}");
        let (status, body) = send(address, "GET", &target, ALIVE).await;
        assert_eq!((status, body), (200, serde_json::json!(read).to_string()), "{target}");
    }
    // What another operation is named by is no part: `DELETE /sessions/%61ll` does not end all sessions.
    for part in ["%61ll", "al%6c", "ALL", "all%20", "all%00", "%ff"] {
        let (status, body) = send(address, "DELETE", &format!("/v1/sessions/{part}"), ALIVE).await;
        assert!(status == 404 && body.contains("core.not_found"), "{part}: {status} {body}");
    }
}

#[tokio::test]
async fn a_method_is_what_it_is_called_exactly() {
    let address = serve(App::new()).await;
    for method in ["get", "Get", "GETS", "PATCH", "TRACE", "CONNECT", "X", "PROPFIND", "OPTIONS"] {
        let (status, body) = send(address, method, "/v1/tiny/own", ALIVE).await;
        assert!([400, 405].contains(&status), "{method}: {status} {body}");
    }
    assert_eq!(send(address, "HEAD", "/v1/tiny/own", "").await.0, 401);
}
