//! The application with authkit, set up as the quickstart is.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use authkit_account::{Accounts, Disclosure};
use authkit_axum::Session;
use authkit_core::{
    AuthManager, Def, EntityDef, Get, Id, Join, KeyRing, Lookup, Shape, Store, Timestamp, Value, from_base64url,
};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::{Algorithm, Sessions};
use authkit_store_memory::MemoryStore;
use authkit_store_sqlx::SqlxStore;
use axum::{Json, Router, routing::get};

use crate::{
    apps::{Application, PEOPLE, STORMING, populate, populate_with_tokens, session_cookie},
    backend::{Backend, Scratch},
    machine,
};

/// What differs between the applications.
#[derive(Clone)]
pub(crate) struct Setup {
    accounts: Accounts,
    passwords: Passwords,
    throttle: Option<Throttle>,
    /// Opaque ones unless there is one.
    signed: Option<Algorithm>,
}

impl Setup {
    /// Everything that the quickstart has, but for the cost of a hash.
    pub(crate) fn cheap() -> Self {
        let passwords = Passwords::default().dangerously_weak_hashing();
        Self { accounts: Accounts::default(), passwords, throttle: Some(Throttle::default()), signed: None }
    }

    /// Hashes cost what they cost by default, and nobody is told to slow down.
    fn storm() -> Self {
        Self { passwords: Passwords::default(), throttle: None, ..Self::cheap() }
    }

    /// Clients that keep their tokens themselves get signed ones.
    pub(crate) fn signing(algorithm: Algorithm) -> Self {
        Self { signed: Some(algorithm), ..Self::cheap() }
    }

    /// For timing: nobody is told to slow down, and sign-up does not tell which addresses are taken.
    pub(crate) fn concealing() -> Self {
        Self { accounts: Accounts::default().disclosure(Disclosure::Conceal), throttle: None, ..Self::cheap() }
    }
}

/// A store that is empty, and the database that it is in.
pub(crate) async fn open(backend: Backend) -> Result<(Arc<dyn Store>, Option<Arc<Scratch>>)> {
    if backend == Backend::Memory {
        return Ok((Arc::new(MemoryStore::new()), None));
    }
    let scratch = Arc::new(Scratch::new(backend).await?);
    let store = SqlxStore::connect(&scratch.url).await?;
    Ok((Arc::new(store), Some(scratch)))
}

pub(crate) async fn assemble(store: Arc<dyn Store>, setup: Setup) -> Result<AuthManager> {
    let mut builder = AuthManager::builder()
        .public_url("http://localhost:3000")
        .keys(keys()?)
        .shared_store(store)
        .plugin(setup.accounts)
        .plugin(setup.passwords);
    builder = match setup.signed {
        Some(algorithm) => builder.plugin(Sessions::jwt().algorithm(algorithm)),
        None => builder.plugin(Sessions::opaque()),
    };
    if let Some(throttle) = setup.throttle {
        builder = builder.plugin(throttle);
    }
    let auth = builder.build()?;
    auth.migrate().await?;
    Ok(auth)
}

pub(super) fn keys() -> Result<KeyRing> {
    Ok(KeyRing::new([std::array::from_fn(|at| (at as u8).wrapping_mul(29).wrapping_add(7))])?)
}

pub(crate) fn router(auth: &AuthManager) -> Router {
    Router::new()
        .route("/me", get(|session: Session| async move { Json(session.principal.clone()) }))
        .merge(authkit_axum::router(auth))
        .layer(authkit_axum::layer(auth))
}

pub(super) async fn build(backend: Backend) -> Result<Application> {
    application(backend, Setup::cheap(), PEOPLE).await
}

pub(super) async fn build_for_storm(backend: Backend) -> Result<Application> {
    application(backend, Setup::storm(), STORMING).await
}

async fn application(backend: Backend, setup: Setup, people: usize) -> Result<Application> {
    let (store, scratch) = open(backend).await?;
    let auth = assemble(store, setup).await?;
    let router = router(&auth);
    let idle_kib = machine::resident_kib(std::process::id())?;
    let cookies = populate(&router, people).await?;
    tokio::spawn(auth.run_jobs(tokio::time::sleep));
    Ok(Application::new(router, cookies, idle_kib, scratch))
}

/// Of people who are known by signed tokens, which no store is asked about.
pub(super) async fn build_with_jwt() -> Result<Application> {
    let (store, scratch) = open(Backend::Memory).await?;
    let auth = assemble(store, Setup::signing(Algorithm::EdDsa)).await?;
    let router = router(&auth);
    let idle_kib = machine::resident_kib(std::process::id())?;
    let tokens = populate_with_tokens(&router, PEOPLE).await?;
    tokio::spawn(auth.run_jobs(tokio::time::sleep));
    let credentials = tokens.iter().map(|tokens| format!("authorization: Bearer {}", tokens.access)).collect();
    Ok(Application { router, credentials, idle_kib, scratch })
}

/// Some people who have signed in, and what their sessions are read by.
pub(crate) struct Population {
    pub(crate) auth: AuthManager,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) scratch: Option<Arc<Scratch>>,
    pub(crate) cookies: Vec<String>,
    /// What is read of a session and its principal, for a request.
    pub(crate) hot: Arc<Shape>,
}

impl Population {
    pub(crate) async fn new(backend: Backend) -> Result<Self> {
        let (store, scratch) = open(backend).await?;
        let auth = assemble(store.clone(), Setup::cheap()).await?;
        let cookies = populate(&router(&auth), PEOPLE).await?;
        let hot = Arc::new(hot(&auth)?);
        Ok(Self { auth, store, scratch, cookies, hot })
    }

    /// The session that a `Cookie` header shows.
    pub(crate) fn session(&self, cookie: &str) -> Result<Id> {
        let (_, token) = session_cookie(cookie)?;
        let (id, _) = id_and_secret(token)?;
        Ok(Id::from_bytes(id))
    }

    /// The read that authenticates a request, as the session plugin makes it.
    pub(crate) fn read_of(&self, session: Id, now: Timestamp) -> Get {
        let at = Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(session)] };
        Get { shape: self.hot.clone(), at, now }
    }
}

/// What a token of a session says; its tag is left alone, since only the session plugin has the key.
pub(crate) fn id_and_secret(token: &str) -> Result<([u8; 16], [u8; 32])> {
    let bytes = token.strip_prefix("aks_").and_then(from_base64url).context("a token of a session")?;
    let (id, rest) = bytes.split_first_chunk().context("an id")?;
    Ok((*id, *rest.first_chunk().context("a secret")?))
}

/// The columns that authkit-session reads, in its order.
fn hot(auth: &AuthManager) -> Result<Shape> {
    let sessions = table(auth, "auth_sessions")?;
    let principals = table(auth, "auth_principals")?;
    let own = [
        "secret_hash",
        "principal_id",
        "epoch",
        "aal",
        "amr",
        "evidence",
        "generation",
        "refreshes",
        "created_at",
        "ends_at",
        "last_seen_at",
        "expires_at",
    ];
    let joined = ["kind", "status", "epoch", "sessions_from"];
    let join = Join {
        via: position(&sessions, "principal_id")?,
        columns: joined.iter().map(|name| position(&principals, name)).collect::<Result<_>>()?,
        def: principals,
    };
    let columns = own.iter().map(|name| position(&sessions, name)).collect::<Result<_>>()?;
    Ok(Shape { def: sessions, columns, join: Some(join) })
}

fn table(auth: &AuthManager, name: &str) -> Result<Def> {
    auth.entities().iter().find(|def| def.table == name).cloned().with_context(|| format!("no table {name}"))
}

fn position(def: &EntityDef, name: &str) -> Result<usize> {
    let position = def.columns.iter().position(|column| column.name == name);
    position.with_context(|| format!("{} has no column {name}", def.table))
}
