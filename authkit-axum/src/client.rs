//! Who sent the request, as far as can be believed.

use std::{net::SocketAddr, sync::Once};

use authkit_core::{Client, SecretText};
use axum::extract::ConnectInfo;
use http::{HeaderValue, header, request::Parts};

use crate::{
    edge::Edge,
    given::Given,
    presented::{Presented, Transport},
};

/// Says once that the server does not tell where requests come from.
static NO_ADDRESS: Once = Once::new();

pub(crate) fn describe(edge: &Edge, parts: &Parts) -> Client {
    let headers = &parts.headers;
    let mut client = match Given::header(headers, "x-request-id") {
        Given::Once(id) if is_request_id(id) => Client::default().request_id(id),
        _ => Client::default(),
    };
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    match edge.proxies.client(headers, peer) {
        Some(ip) => client = client.ip(ip),
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
    let presented = Presented::read(headers, edge.cookies);
    let kept = |text: &str| SecretText::new(text.to_owned());
    client.bearer = presented.transport() != Transport::Cookie;
    client.device = presented.device().map(kept);
    client.refresh = presented.refresh().map(kept);
    client
}

/// What goes into logs and back into a header: at most 64 characters that mean nothing there.
fn is_request_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_short_and_plain() {
        assert!(is_request_id("0190-abc.DEF_9") && is_request_id(&"a".repeat(64)));
        for bad in ["", "a b", "a\"b", "a<b", "a,b", "é", &"a".repeat(65)] {
            assert!(!is_request_id(bad), "{bad}");
        }
    }
}
