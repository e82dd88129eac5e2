//! Who sent the request, as far as can be believed.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Once,
};

use authkit_core::{Client, SecretText};
use axum::extract::ConnectInfo;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use ipnet::IpNet;

use crate::{edge::Edge, given::Given, presented::Presented};

/// Says once that the server does not tell where requests come from.
static NO_ADDRESS: Once = Once::new();

pub(crate) fn describe(edge: &Edge, parts: &Parts) -> Client {
    let headers = &parts.headers;
    let mut client = match Given::header(headers, "x-request-id") {
        Given::Once(id) if is_request_id(id) => Client::default().request_id(id),
        _ => Client::default(),
    };
    match parts.extensions.get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(peer)) => client = client.ip(address(headers, peer.ip(), &edge.proxies)),
        None => NO_ADDRESS.call_once(|| {
            tracing::warn!(
                "clients have no address, so limits cannot tell them apart; \
                 serve app.into_make_service_with_connect_info::<SocketAddr>()"
            );
        }),
    }
    if let Some(Ok(agent)) = headers.get(header::USER_AGENT).map(HeaderValue::to_str) {
        client = client.user_agent(agent);
    }
    match Presented::read(headers, edge.cookies).device() {
        Some(mark) => client.device(SecretText::new(mark.to_owned())),
        None => client,
    }
}

/// What goes into logs and back into a header: at most 64 characters that mean nothing there.
fn is_request_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// The rightmost address of `X-Forwarded-For` that is no trusted proxy, if the peer is one.
///
/// Every proxy appends whom it was asked by, so everything further left may be made up. A list that cannot be read up
/// to there is not believed at all: the peer stands for whoever is behind it.
fn address(headers: &HeaderMap, peer: IpAddr, proxies: &[IpNet]) -> IpAddr {
    let trusts = |ip: &IpAddr| proxies.iter().any(|network| network.contains(ip));
    let peer = peer.to_canonical();
    if !trusts(&peer) {
        return peer;
    }
    let mut farthest = peer;
    for line in headers.get_all("x-forwarded-for").iter().rev() {
        let Ok(line) = line.to_str() else { return peer };
        for entry in line.rsplit(',') {
            let Ok(ip) = entry.trim().parse::<IpAddr>() else { return peer };
            farthest = ip.to_canonical();
            if !trusts(&farthest) {
                return farthest;
            }
        }
    }
    farthest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, lines: &[&'static str], expected: &str) {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let found = address(&headers, peer.parse().unwrap(), &proxies);
        assert_eq!(found.to_string(), expected, "{peer} {lines:?}");
    }

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        check("203.0.113.9", &[], "203.0.113.9");
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1");
        check("fd00::1", &["2001:db8::1"], "2001:db8::1");
    }

    #[test]
    fn the_rightmost_address_that_is_not_trusted_counts() {
        check("10.0.0.1", &["192.0.2.66, 198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.1,10.0.0.2 , 10.0.0.3"], "198.51.100.1");
        check("10.0.0.1", &["192.0.2.66", "198.51.100.1, 10.0.0.2"], "198.51.100.1");
        check("10.0.0.1", &["garbage, 198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["10.0.0.7, 10.0.0.8"], "10.0.0.7");
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_believed() {
        for line in
            ["garbage", "198.51.100.1:80", "[2001:db8::1]", "unknown", "", "198.51.100.1,", "0x7f.1", "010.0.0.1"]
        {
            check("10.0.0.1", &[line], "10.0.0.1");
        }
    }

    #[test]
    fn a_request_id_is_short_and_plain() {
        assert!(is_request_id("0190-abc.DEF_9") && is_request_id(&"a".repeat(64)));
        for bad in ["", "a b", "a\"b", "a<b", "a,b", "é", &"a".repeat(65)] {
            assert!(!is_request_id(bad), "{bad}");
        }
    }
}
