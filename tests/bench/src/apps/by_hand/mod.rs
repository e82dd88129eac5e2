//! The same work by hand: no framework, the same columns of the same rows, the same checks.

mod connections;
mod rows;
mod tables;

use std::{
    collections::HashMap,
    hint::black_box,
    sync::{Arc, PoisonError, RwLock},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash};
use authkit_core::{MacKey, OsRng, Rng as _};
use axum::{
    Json, Router,
    extract::{FromRequestParts, State},
    http::{StatusCode, header, request::Parts},
    middleware,
    response::IntoResponse,
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use uuid::Uuid;

pub(crate) use crate::apps::by_hand::rows::Rows;
use crate::{
    apps::{
        Application, Hashing, PASSWORD, Pooling, STORMING,
        authkit::{self, Population},
        by_hand::tables::{Caller, PrincipalRow, SessionRow},
        edge, identifier, session_cookie,
    },
    backend::Backend,
    machine,
};

/// What the handlers share.
struct Shared {
    mac: MacKey,
    rows: Rows,
    /// Phc strings and ids by identifier.
    passwords: HashMap<String, (String, Uuid)>,
    hashing: Hashing,
    permits: Semaphore,
}

#[derive(Serialize)]
struct Me {
    id: Uuid,
    kind: String,
    status: String,
}

pub(super) async fn build(backend: Backend, pooling: Pooling) -> Result<Application> {
    let idle_kib = machine::resident_kib(std::process::id())?;
    // authkit makes the rows, so that both read the same.
    let population = Population::new(backend).await?;
    let shared = Shared {
        mac: authkit::keys()?.mac("by hand"),
        rows: Rows::of(&population, backend, pooling).await?,
        passwords: HashMap::new(),
        hashing: Hashing::Unbounded,
        permits: Semaphore::new(2),
    };
    let mut cookies = Vec::with_capacity(population.cookies.len());
    for cookie in &population.cookies {
        let (_, token) = session_cookie(cookie)?;
        let (id, secret) = authkit::id_and_secret(token)?;
        // As many cookies as authkit sets, so that as much is read.
        cookies.push(cookie.replace(token, &spell(&shared.mac, &id, &secret)));
    }
    Ok(Application::new(router(shared), cookies, idle_kib, population.scratch))
}

pub(super) async fn build_for_storm(hashing: Hashing) -> Result<Application> {
    let mut shared = Shared {
        mac: authkit::keys()?.mac("by hand"),
        rows: Rows::Memory(RwLock::default()),
        passwords: HashMap::new(),
        hashing,
        permits: Semaphore::new(2),
    };
    let idle_kib = machine::resident_kib(std::process::id())?;
    for person in 0..STORMING {
        let hash = argon2().hash_password(PASSWORD.as_bytes()).map(|phc| phc.to_string());
        shared.passwords.insert(identifier(person), (hash.context("a hash")?, Uuid::new_v4()));
    }
    let first = shared.passwords.values().next().context("nobody")?.1;
    let cookies = vec![format!("{COOKIE}={}", issue(&shared, first))];
    Ok(Application::new(router(shared), cookies, idle_kib, None))
}

/// Name of the cookie of a session, authkit's.
const COOKIE: &str = "authkit_session";

fn router(shared: Shared) -> Router {
    let shared = Arc::new(shared);
    Router::new()
        .route("/me", get(me))
        .route("/v1/auth/login", post(login))
        .layer(middleware::from_fn(edge::around))
        .with_state(shared)
}

async fn me(caller: Caller) -> Json<Me> {
    let Caller { session, principal } = caller;
    tracing::Span::current().record("principal", tracing::field::display(session.principal_id));
    Json(Me { id: session.principal_id, kind: principal.kind, status: principal.status })
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, StatusCode> {
        let token = edge::cookie(&parts.headers, COOKIE).ok_or(StatusCode::UNAUTHORIZED)?;
        let (id, secret_hash) = parse(&shared.mac, token).ok_or(StatusCode::UNAUTHORIZED)?;
        let found = shared.rows.find(id, now()).await.map_err(|_error| StatusCode::INTERNAL_SERVER_ERROR)?;
        // Otherwise the compiler might leave out columns that nothing uses.
        let caller = black_box(found).ok_or(StatusCode::UNAUTHORIZED)?;
        let proved: bool = caller.session.secret_hash.ct_eq(&secret_hash).into();
        let alive = caller.principal.status == "active" && caller.session.epoch >= caller.principal.sessions_from;
        if proved && alive { Ok(caller) } else { Err(StatusCode::UNAUTHORIZED) }
    }
}

/// The session that a token names, and the SHA-256 of its secret.
fn parse(mac: &MacKey, token: &str) -> Option<(Uuid, [u8; 32])> {
    let mut bytes = [0; 60];
    let encoded = token.strip_prefix("aks_").filter(|encoded| encoded.len() == 80)?;
    BASE64_URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).ok()?;
    let (id, rest) = bytes.split_first_chunk::<16>()?;
    let (secret, tag) = rest.split_first_chunk::<32>()?;
    mac.verify(&[id, secret], tag).then(|| (Uuid::from_bytes(*id), Sha256::digest(secret).into()))
}

/// Signs in, with a blocking task for the hash.
async fn login(State(shared): State<Arc<Shared>>, Json(input): Json<Credentials>) -> impl IntoResponse {
    let Some((phc, principal)) = shared.passwords.get(&input.identifier).cloned() else {
        return Err(StatusCode::UNAUTHORIZED);
    };
    let permit = match shared.hashing {
        Hashing::Semaphore => shared.permits.acquire().await.ok(),
        Hashing::Unbounded => None,
    };
    let verified = tokio::task::spawn_blocking(move || verify(&phc, &input.password)).await;
    drop(permit);
    if !verified.unwrap_or(false) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let token = issue(&shared, principal);
    let set = format!("{COOKIE}={token}; HttpOnly; SameSite=Lax; Path=/");
    Ok(([(header::SET_COOKIE, set)], Json(Me { id: principal, kind: "human".into(), status: "active".into() })))
}

#[derive(Deserialize)]
struct Credentials {
    identifier: String,
    password: String,
}

/// Keeps a new session and returns its token.
fn issue(shared: &Shared, principal_id: Uuid) -> String {
    let (id, mut secret) = (Uuid::new_v4(), [0; 32]);
    OsRng.fill(&mut secret);
    let session = SessionRow {
        secret_hash: Sha256::digest(secret).into(),
        principal_id,
        epoch: 0,
        aal: "aal1".into(),
        amr: "pwd".into(),
        evidence: "[]".into(),
        generation: 0,
        refreshes: 0,
        created_at: now(),
        ends_at: now() + 30 * DAY,
        last_seen_at: now(),
        expires_at: now() + DAY,
    };
    let principal = PrincipalRow { kind: "human".into(), status: "active".into(), epoch: 0, sessions_from: 0 };
    if let Rows::Memory(tables) = &shared.rows {
        tables.write().unwrap_or_else(PoisonError::into_inner).insert(id, session, principal);
    }
    spell(&shared.mac, id.as_bytes(), &secret)
}

/// The token of a session, as long as authkit's and checked in the same way.
fn spell(mac: &MacKey, id: &[u8; 16], secret: &[u8; 32]) -> String {
    let tag = mac.tag(&[id, secret]);
    let token = [&id[..], secret, tag.first_chunk::<12>().map_or(&[][..], |tag| tag)].concat();
    format!("aks_{}", BASE64_URL_SAFE_NO_PAD.encode(token))
}

fn verify(phc: &str, password: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Argon2id of 19 456 KiB, two passes, one lane: authkit's default.
fn argon2() -> Argon2<'static> {
    Argon2::default()
}

/// In milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Milliseconds since the Unix epoch.
fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps;

    #[tokio::test]
    async fn whom_authkit_signed_in_is_known() {
        for backend in [Backend::Memory, Backend::Sqlite] {
            let application = build(backend, Pooling::Driver).await.unwrap();
            let answer = apps::get(&application.router, "/me", &application.credentials[0]).await.unwrap();
            assert_eq!(answer.status, StatusCode::OK, "{backend}");
        }
    }
}
