//! Another service: it takes the access tokens of the token API, by its published keys and nothing else of it.

use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::get,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde::Deserialize;
use tokio::net::TcpListener;

/// How often the keys are read again. A key is published an hour before it signs, so none comes as a surprise.
const READ_EVERY: Duration = Duration::from_secs(60);

struct Issuer {
    url: String,
    keys: RwLock<JwkSet>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    acr: String,
}

impl Issuer {
    /// The claims of an access token that the issuer signed for us; none for any other token.
    fn claims(&self, token: &str) -> Option<Claims> {
        let header = decode_header(token).ok()?;
        // RFC 9068 §4: not an ID token, nor anything else that the issuer may sign.
        header.typ.filter(|kind| kind == "at+jwt")?;
        let key = self.keys.read().ok()?.find(&header.kid?).map(DecodingKey::from_jwk)?.ok()?;
        // What signs is decided here, never by the token.
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[&self.url]);
        // The token API names no other audience than itself; see `Sessions::jwt().audience(…)`.
        rules.set_audience(&[&self.url]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        decode(token, &key, &rules).ok().map(|token| token.claims)
    }

    async fn published(url: &str) -> anyhow::Result<JwkSet> {
        let answer = reqwest::get(format!("{url}/.well-known/jwks.json")).await?.error_for_status()?;
        Ok(answer.json().await?)
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the program says where it is")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:3001".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3003".to_owned());

    let keys = Issuer::published(&url).await.with_context(|| format!("no keys at {url}; start the token API first"))?;
    let issuer = Arc::new(Issuer { url, keys: RwLock::new(keys) });
    tokio::spawn(read_again(issuer.clone()));

    let app = Router::new().route("/hello", get(hello)).with_state(issuer);
    let listener = TcpListener::bind(address).await?;
    println!("The other service is at http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn hello(State(issuer): State<Arc<Issuer>>, headers: HeaderMap) -> Result<String, StatusCode> {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let claims = shown.and_then(|token| issuer.claims(token)).ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(format!("Hello {}, signed in at {}.\n", claims.sub, claims.acr))
}

async fn read_again(issuer: Arc<Issuer>) {
    let mut turns = tokio::time::interval(READ_EVERY);
    loop {
        turns.tick().await;
        // While the issuer does not answer, the keys that are known go on.
        if let (Ok(read), Ok(mut keys)) = (Issuer::published(&issuer.url).await, issuer.keys.write()) {
            *keys = read;
        }
    }
}
