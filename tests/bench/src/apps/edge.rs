//! What stands around the hand-written handlers: the same that authkit's layer does for a route of the application.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;
use uuid::Uuid;

/// Who sent a request, for whoever handles it.
#[expect(dead_code, reason = "what authkit keeps is kept here too")]
struct Client {
    request_id: String,
    ip: Option<IpAddr>,
    user_agent: Option<String>,
    device: Option<String>,
}

pub(super) async fn around(mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let client = Client {
        request_id: text("x-request-id").map_or_else(|| Uuid::now_v7().to_string(), str::to_owned),
        ip: request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip()),
        user_agent: text("user-agent").map(|agent| agent.chars().take(255).collect()),
        device: cookie(headers, "authkit_device").map(str::to_owned),
    };
    let span = tracing::info_span!(
        "request",
        request_id = client.request_id,
        method = request.method().as_str(),
        path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str),
        tenant = %Uuid::nil(),
        principal = tracing::field::Empty,
    );
    request.extensions_mut().insert(Arc::new(client));
    next.run(request).instrument(span).await
}

pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}
