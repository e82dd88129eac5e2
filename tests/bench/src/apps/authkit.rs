//! The application with authkit, set up as the quickstart is.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use authkit_account::{Accounts, Disclosure};
use authkit_axum::Session;
use authkit_core::{
    AuthManager, Def, EntityDef, Get, Id, Join, KeyRing, Lookup, Shape, Store, Timestamp, TokenKind, Value,
};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_memory::MemoryStore;
use authkit_store_sqlx::SqlxStore;
use axum::{Json, Router, routing::get};
use tempfile::TempDir;

use crate::{
    apps::{Application, Backend, PEOPLE, STORMING, populate, session_cookie},
    machine,
};

/// What differs between the applications.
#[derive(Clone)]
pub(crate) struct Setup {
    accounts: Accounts,
    passwords: Passwords,
    throttle: Option<Throttle>,
}

impl Setup {
    /// Everything that the quickstart has, but for the cost of a hash.
    pub(crate) fn cheap() -> Self {
        let passwords = Passwords::default().dangerously_weak_hashing();
        Self { accounts: Accounts::default(), passwords, throttle: Some(Throttle::default()) }
    }

    /// Hashes cost what they cost by default, and nobody is told to slow down.
    fn storm() -> Self {
        Self { passwords: Passwords::default(), throttle: None, ..Self::cheap() }
    }

    /// For timing: nobody is told to slow down, and sign-up does not tell which addresses are taken.
    pub(crate) fn concealing() -> Self {
        Self { accounts: Accounts::default().disclosure(Disclosure::Conceal), throttle: None, ..Self::cheap() }
    }
}

/// A store that is empty, and the directory that it needs.
pub(crate) async fn open(backend: Backend) -> Result<(Arc<dyn Store>, Option<Arc<TempDir>>)> {
    match backend {
        Backend::Memory => Ok((Arc::new(MemoryStore::new()), None)),
        Backend::Sqlite => {
            let directory = Arc::new(tempfile::tempdir()?);
            let store = SqlxStore::connect(&database_url(&directory)).await?;
            Ok((Arc::new(store), Some(directory)))
        }
    }
}

pub(super) fn database_url(directory: &TempDir) -> String {
    format!("sqlite://{}?mode=rwc", directory.path().join("bench.db").display())
}

pub(crate) async fn assemble(store: Arc<dyn Store>, setup: Setup) -> Result<AuthManager> {
    let mut builder = AuthManager::builder()
        .public_url("http://localhost:3000")
        .keys(keys()?)
        .shared_store(store)
        .plugin(setup.accounts)
        .plugin(Sessions::opaque())
        .plugin(setup.passwords);
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
    let (store, directory) = open(backend).await?;
    let auth = assemble(store, setup).await?;
    let router = router(&auth);
    let idle_kib = machine::resident_kib(std::process::id())?;
    let cookies = populate(&router, people).await?;
    tokio::spawn(auth.run_jobs(tokio::time::sleep));
    Ok(Application { router, cookies, idle_kib, directory })
}

/// Some people who have signed in, and what their sessions are read by.
pub(crate) struct Population {
    pub(crate) auth: AuthManager,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) directory: Option<Arc<TempDir>>,
    pub(crate) cookies: Vec<String>,
    /// What is read of a session and its principal, for a request.
    pub(crate) hot: Arc<Shape>,
}

impl Population {
    pub(crate) async fn new(backend: Backend) -> Result<Self> {
        let (store, directory) = open(backend).await?;
        let auth = assemble(store.clone(), Setup::cheap()).await?;
        let cookies = populate(&router(&auth), PEOPLE).await?;
        let hot = Arc::new(hot(&auth)?);
        Ok(Self { auth, store, directory, cookies, hot })
    }

    /// The session that a `Cookie` header shows.
    pub(crate) fn session(&self, cookie: &str) -> Result<Id> {
        let (_, token) = session_cookie(cookie)?;
        let claim = TokenKind::new(&keys()?, "aks").parse(token);
        Ok(claim.context("a token of authkit")?.id)
    }

    /// The read that authenticates a request, as the session plugin makes it.
    pub(crate) fn read_of(&self, session: Id, now: Timestamp) -> Get {
        let at = Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(session)] };
        Get { shape: self.hot.clone(), at, now }
    }
}

/// The columns that authkit-session reads, in its order.
fn hot(auth: &AuthManager) -> Result<Shape> {
    let sessions = table(auth, "auth_sessions")?;
    let principals = table(auth, "auth_principals")?;
    let own = ["secret_hash", "principal_id", "epoch", "aal", "amr", "evidence", "created_at", "expires_at"];
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
