//! The same work by hand: no framework, the same columns of the same rows, the same checks.

use std::{
    collections::HashMap,
    hint::black_box,
    sync::{Arc, PoisonError, RwLock},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash};
use authkit_core::{MacKey, OsRng, Rng as _, Row, Scope, TenantId, Timestamp, Value};
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
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    apps::{
        Application, Backend, Hashing, PASSWORD, STORMING,
        authkit::{self, Population},
        edge, identifier, session_cookie,
    },
    machine,
};

/// What the handlers share.
struct Shared {
    mac: MacKey,
    /// Name of the cookie of a session.
    cookie: String,
    rows: Rows,
    /// Phc strings and ids by identifier.
    passwords: HashMap<String, (String, Uuid)>,
    hashing: Hashing,
    permits: Semaphore,
}

enum Rows {
    Memory(RwLock<Tables>),
    Sqlite(SqlitePool),
}

#[derive(Default)]
struct Tables {
    sessions: HashMap<Uuid, SessionRow>,
    principals: HashMap<Uuid, PrincipalRow>,
}

#[derive(Clone)]
#[expect(dead_code, reason = "what authkit reads is read here too")]
struct SessionRow {
    secret_hash: [u8; 32],
    principal_id: Uuid,
    epoch: i64,
    aal: String,
    amr: String,
    evidence: String,
    created_at: i64,
    expires_at: i64,
}

#[derive(Clone)]
#[expect(dead_code, reason = "what authkit reads is read here too")]
struct PrincipalRow {
    kind: String,
    status: String,
    epoch: i64,
    sessions_from: i64,
}

/// Who sends a request.
#[derive(Clone)]
struct Caller {
    session: SessionRow,
    principal: PrincipalRow,
}

#[derive(Serialize)]
struct Me {
    id: Uuid,
    kind: String,
    status: String,
}

pub(super) async fn build(backend: Backend) -> Result<Application> {
    let idle_kib = machine::resident_kib(std::process::id())?;
    // authkit makes the rows, so that both read the same.
    let population = Population::new(backend).await?;
    let first = population.cookies.first().context("nobody")?;
    let (cookie, _) = session_cookie(first)?;
    let rows = match (&population.directory, backend) {
        (Some(directory), Backend::Sqlite) => Rows::Sqlite(pool(&authkit::database_url(directory))?),
        _ => Rows::Memory(RwLock::new(tables_of(&population).await?)),
    };
    let shared = Shared {
        mac: authkit::keys()?.mac("token aks"),
        cookie: cookie.to_owned(),
        rows,
        passwords: HashMap::new(),
        hashing: Hashing::Unbounded,
        permits: Semaphore::new(2),
    };
    let Population { cookies, directory, .. } = population;
    Ok(Application { router: router(shared), cookies, idle_kib, directory })
}

pub(super) async fn build_for_storm(hashing: Hashing) -> Result<Application> {
    let mut shared = Shared {
        mac: authkit::keys()?.mac("token aks"),
        cookie: "session".to_owned(),
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
    let cookies = vec![format!("{}={}", shared.cookie, issue(&shared, first))];
    Ok(Application { router: router(shared), cookies, idle_kib, directory: None })
}

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
        let token = edge::cookie(&parts.headers, &shared.cookie).ok_or(StatusCode::UNAUTHORIZED)?;
        let (id, secret_hash) = parse(&shared.mac, token).ok_or(StatusCode::UNAUTHORIZED)?;
        let found = find(&shared.rows, id, now()).await.map_err(|_error| StatusCode::INTERNAL_SERVER_ERROR)?;
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

async fn find(rows: &Rows, id: Uuid, now: i64) -> Result<Option<Caller>, sqlx::Error> {
    match rows {
        Rows::Memory(tables) => {
            let tables = tables.read().unwrap_or_else(PoisonError::into_inner);
            let session = tables.sessions.get(&id).filter(|session| session.expires_at > now);
            Ok(session.and_then(|session| {
                let principal = tables.principals.get(&session.principal_id)?;
                Some(Caller { session: session.clone(), principal: principal.clone() })
            }))
        }
        Rows::Sqlite(pool) => {
            let tenant = Uuid::nil();
            let row: Option<SqlRow> = sqlx::query_as(SELECT)
                .bind(tenant.to_string())
                .bind(id.to_string())
                .bind(now)
                .fetch_optional(pool)
                .await?;
            Ok(row.and_then(Caller::from_row))
        }
    }
}

const SELECT: &str = "SELECT s.secret_hash, s.principal_id, s.epoch, s.aal, s.amr, s.evidence, s.created_at, \
                      s.expires_at, p.kind, p.status, p.epoch, p.sessions_from FROM auth_sessions AS s \
                      JOIN auth_principals AS p ON p.tenant_id = s.tenant_id AND p.id = s.principal_id \
                      WHERE s.tenant_id = ? AND s.id = ? AND s.expires_at > ?";

type SqlRow = (Vec<u8>, String, i64, String, String, String, i64, i64, String, String, i64, i64);

impl Caller {
    fn from_row(row: SqlRow) -> Option<Self> {
        let (hash, principal, epoch, aal, amr, evidence, created_at, expires_at, kind, status, raised, from) = row;
        let session = SessionRow {
            secret_hash: hash.try_into().ok()?,
            principal_id: principal.parse().ok()?,
            epoch,
            aal,
            amr,
            evidence,
            created_at,
            expires_at,
        };
        Some(Self { session, principal: PrincipalRow { kind, status, epoch: raised, sessions_from: from } })
    }
}

/// Reads as authkit's store reads: four connections, statements kept prepared.
fn pool(url: &str) -> Result<SqlitePool> {
    let options: SqliteConnectOptions = url.parse()?;
    let options = options.foreign_keys(true).statement_cache_capacity(256).pragma("query_only", "ON");
    let pool = SqlitePoolOptions::new().max_connections(4).test_before_acquire(false);
    Ok(pool.idle_timeout(None).max_lifetime(None).connect_lazy_with(options))
}

/// What authkit made, as a hand-written application would keep it.
async fn tables_of(population: &Population) -> Result<Tables> {
    let mut tables = Tables::default();
    for cookie in &population.cookies {
        let id = population.session(cookie)?;
        let read = population.read_of(id, Timestamp::from_millis(now()));
        let row = population.store.get(&Scope::Tenant(TenantId::DEFAULT), &read).await?;
        let (session, principal) = split(row.context("a session")?)?;
        tables.principals.insert(session.principal_id, principal);
        tables.sessions.insert(Uuid::from_bytes(*id.as_bytes()), session);
    }
    Ok(tables)
}

fn split(row: Row) -> Result<(SessionRow, PrincipalRow)> {
    let joined = row.joined.context("a principal")?;
    let mut values = row.values.into_iter().chain(joined);
    let session = SessionRow {
        secret_hash: hash(values.next())?,
        principal_id: id(values.next())?,
        epoch: int(values.next())?,
        aal: text(values.next())?,
        amr: text(values.next())?,
        evidence: text(values.next())?,
        created_at: int(values.next())?,
        expires_at: int(values.next())?,
    };
    let principal = PrincipalRow {
        kind: text(values.next())?,
        status: text(values.next())?,
        epoch: int(values.next())?,
        sessions_from: int(values.next())?,
    };
    Ok((session, principal))
}

fn hash(value: Option<Value>) -> Result<[u8; 32]> {
    match value {
        Some(Value::Bytes(bytes)) => bytes.try_into().ok().context("32 bytes"),
        other => bail!("{other:?} is no hash"),
    }
}

fn id(value: Option<Value>) -> Result<Uuid> {
    match value {
        Some(Value::Id(id)) => Ok(Uuid::from_bytes(*id.as_bytes())),
        other => bail!("{other:?} is no id"),
    }
}

fn int(value: Option<Value>) -> Result<i64> {
    match value {
        Some(Value::Int(int)) => Ok(int),
        Some(Value::Time(at)) => Ok(at.millis()),
        other => bail!("{other:?} is no number"),
    }
}

fn text(value: Option<Value>) -> Result<String> {
    match value {
        Some(Value::Text(text) | Value::Json(text)) => Ok(text),
        other => bail!("{other:?} is no text"),
    }
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
    let set = format!("{}={token}; HttpOnly; SameSite=Lax; Path=/", shared.cookie);
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
    let tag = shared.mac.tag(&[id.as_bytes(), &secret]);
    let token = [&id.as_bytes()[..], &secret, tag.first_chunk::<12>().map_or(&[][..], |tag| tag)].concat();
    let session = SessionRow {
        secret_hash: Sha256::digest(secret).into(),
        principal_id,
        epoch: 0,
        aal: "aal1".into(),
        amr: "pwd".into(),
        evidence: "[]".into(),
        created_at: now(),
        expires_at: now() + 24 * 60 * 60 * 1000,
    };
    let principal = PrincipalRow { kind: "human".into(), status: "active".into(), epoch: 0, sessions_from: 0 };
    if let Rows::Memory(tables) = &shared.rows {
        let mut tables = tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.principals.insert(principal_id, principal);
        tables.sessions.insert(id, session);
    }
    format!("aks_{}", BASE64_URL_SAFE_NO_PAD.encode(token))
}

fn verify(phc: &str, password: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Argon2id of 19 456 KiB, two passes, one lane: authkit's default.
fn argon2() -> Argon2<'static> {
    Argon2::default()
}

fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
