//! The application: every plugin of this phase over one store, with a clock that is moved by hand.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use authkit_account::Accounts;
use authkit_core::{
    AuditEvent, AuthManager, Builder, Client, KeyRing, Manifest, Plugin, PrincipalId, Problem, Registrar,
    RequestContext, Store, TenantId, Timestamp,
};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_memory::MemoryStore;
use authkit_store_sqlx::SqlxStore;
use authkit_testkit::{Faulty, Mailbox, SeededRng, TestClock, TestSignIn};
use axum::Router;
use serde_json::{Value as JsonValue, json};
use tempfile::TempDir;

use crate::{Browser, PASSWORD};

/// Which store is under the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests name them all")]
pub enum Backend {
    /// In memory.
    Memory,
    /// SQLite, in a file.
    Sqlite,
}

/// A running application.
#[derive(Debug)]
#[non_exhaustive]
pub struct World {
    /// The whole.
    pub auth: AuthManager,
    /// The store, to be broken and counted.
    pub store: Faulty<dyn Store>,
    /// The time.
    pub clock: TestClock,
    /// What was sent to people.
    pub mailbox: Mailbox,
    pub(crate) router: Router,
    rng: SeededRng,
    clients: AtomicU32,
    directory: Option<TempDir>,
}

/// Chooses what differs from the usual application.
#[must_use]
#[derive(Debug)]
pub struct WorldBuilder {
    backend: Backend,
    builder: Builder,
    store: Option<Faulty<dyn Store>>,
    accounts: Option<Accounts>,
    throttle: Option<Throttle>,
    routes: Router,
    passwords: Passwords,
    crashed: Option<World>,
    events: Manifest,
}

/// The events that a test records by itself.
struct Events(Manifest);

impl Plugin for Events {
    fn manifest(&self) -> Manifest {
        self.0.clone()
    }

    fn register(&self, _: &mut Registrar<'_>) -> Result<(), Problem> {
        Ok(())
    }
}

/// The key ring of every test: fixed, so that runs are alike.
#[must_use]
pub fn keys() -> KeyRing {
    let secret = std::array::from_fn(|at| (at as u8).wrapping_mul(29).wrapping_add(7));
    KeyRing::new([secret]).expect("a good key")
}

impl World {
    /// The usual application.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    pub async fn new(backend: Backend) -> Self {
        Self::builder(backend).build().await
    }

    /// Starts an application that is not the usual one.
    pub fn builder(backend: Backend) -> WorldBuilder {
        WorldBuilder {
            backend,
            builder: AuthManager::builder(),
            store: None,
            accounts: Some(Accounts::default()),
            throttle: None,
            routes: Router::new(),
            passwords: Passwords::default().dangerously_weak_hashing(),
            crashed: None,
            events: Manifest::new("tests", "0.1.0"),
        }
    }

    /// A request without a browser.
    #[must_use]
    pub fn cx(&self) -> RequestContext {
        self.auth.request(Client::default())
    }

    /// A request to another tenant.
    #[must_use]
    pub fn cx_of(&self, tenant: TenantId) -> RequestContext {
        self.auth.request_to(tenant, Client::default())
    }

    /// A browser with an address of its own.
    pub fn browser(&self) -> Browser<'_> {
        let n = self.clients.fetch_add(1, Ordering::Relaxed);
        let [_, b, c, d] = n.to_be_bytes();
        Browser::new(self, std::net::IpAddr::from([10, b, c, d]))
    }

    /// Signs somebody up with [`PASSWORD`], and says who it is.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn sign_up(&self, identifier: &str) -> PrincipalId {
        let answer = self.browser().post("/v1/auth/signup", credentials(identifier, PASSWORD)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        serde_json::from_value(answer.json()["principal"]["id"].clone()).expect("an id")
    }

    /// A browser in which somebody has signed in with [`PASSWORD`].
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn signed_in(&self, identifier: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let answer = browser.login(identifier, PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        browser
    }

    /// The kinds of all records of somebody, oldest first, read around the application.
    pub async fn events_of(&self, principal: PrincipalId) -> Vec<String> {
        let events = self.audit().await.into_iter();
        let own = events.filter(|event| event["principal_id"] == json!(principal));
        own.map(|event| event["kind"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// All records, oldest first, read around the application.
    ///
    /// # Panics
    ///
    /// If the store cannot be read.
    pub async fn audit(&self) -> Vec<JsonValue> {
        self.rows("auth_audit_log", "by_time").await
    }

    /// All rows of a table in the default tenant as JSON, along an index, read around the application.
    ///
    /// # Panics
    ///
    /// If the store cannot be read.
    pub async fn rows(&self, table: &str, index: &str) -> Vec<JsonValue> {
        self.rows_in(self.store.inner().as_ref(), table, index).await
    }

    /// As [`World::rows`], of a table that lives in this store.
    ///
    /// # Panics
    ///
    /// If the store cannot be read.
    pub async fn rows_in(&self, store: &dyn Store, table: &str, index: &str) -> Vec<JsonValue> {
        use authkit_core::{Direction, Query, Scope, Shape, Value};
        let defs = self.auth.entities();
        let def = defs.iter().find(|def| def.table == table).expect("a table of that name");
        let index = def.indexes.iter().position(|i| i.name == index).expect("an index of that name");
        let query = Query {
            shape: Arc::new(Shape::whole(def)),
            index,
            prefix: Vec::new(),
            from: std::ops::Bound::Unbounded,
            to: std::ops::Bound::Unbounded,
            filters: Vec::new(),
            direction: Direction::Ascending,
            after: None,
            limit: 100_000,
            now: authkit_core::Clock::now(&self.clock),
        };
        let rows = store.query(&Scope::Tenant(TenantId::DEFAULT), &query).await.expect("rows");
        let shown = |value: &Value| match value {
            Value::Null => JsonValue::Null,
            Value::Bool(b) => json!(b),
            Value::Int(i) => json!(i),
            Value::Time(at) => json!(at),
            Value::Id(id) => json!(id),
            Value::Text(text) => json!(text),
            Value::Json(text) => serde_json::from_str(text).expect("JSON"),
            Value::Bytes(bytes) => json!(bytes),
        };
        rows.iter()
            .map(|row| def.columns.iter().zip(&row.values).map(|(c, v)| (c.name.to_owned(), shown(v))).collect())
            .collect()
    }

    /// The database file, if there is one.
    #[must_use]
    pub fn database(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.path().join("test.db"))
    }
}

/// The body of a login or sign-up.
#[must_use]
pub(crate) fn credentials(identifier: &str, password: &str) -> JsonValue {
    json!({ "identifier": identifier, "password": password })
}

impl WorldBuilder {
    /// Declares an event that the test records by itself.
    pub fn event<E: AuditEvent>(mut self) -> Self {
        self.events = self.events.event::<E>();
        self
    }

    /// Adds a plugin.
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.builder = self.builder.plugin(plugin);
        self
    }

    /// Replaces the accounts.
    pub fn accounts(mut self, accounts: Accounts) -> Self {
        self.accounts = Some(accounts);
        self
    }

    /// Leaves the accounts out: a plugin of the test finds the principals.
    pub fn without_accounts(mut self) -> Self {
        self.accounts = None;
        self
    }

    /// Runs over this store, which the test or another application may share.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(Faulty::over(store));
        self
    }

    /// Keeps these tables in another store.
    pub fn route(mut self, tables: impl IntoIterator<Item = &'static str>, store: impl Store) -> Self {
        self.builder = self.builder.route(tables, store);
        self
    }

    /// Replaces the passwords.
    pub fn passwords(mut self, passwords: Passwords) -> Self {
        self.passwords = passwords;
        self
    }

    /// Turns limits and lockout on.
    pub fn throttle(mut self, throttle: Throttle) -> Self {
        self.throttle = Some(throttle);
        self
    }

    /// Adds routes of the application.
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = routes;
        self
    }

    /// Starts again after a crash: everything is built anew over the store, the time and the mailbox of that world.
    pub fn after(mut self, crashed: World) -> Self {
        self.store = Some(crashed.store.clone());
        self.crashed = Some(crashed);
        self
    }

    /// Builds and migrates the application.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    pub async fn build(self) -> World {
        let (store, directory) = match (self.store, self.backend) {
            (Some(store), _) => (store, None),
            (None, Backend::Memory) => (Faulty::over(Arc::new(MemoryStore::new()) as Arc<dyn Store>), None),
            (None, Backend::Sqlite) => {
                let directory = tempfile::tempdir().expect("a directory");
                let url = format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display());
                let store = SqlxStore::connect(&url).await.expect("a database");
                (Faulty::over(Arc::new(store) as Arc<dyn Store>), Some(directory))
            }
        };
        let (clock, mailbox, rng, directory) = match self.crashed {
            Some(World { clock, mailbox, rng, directory, .. }) => (clock, mailbox, rng, directory),
            None => {
                let clock = TestClock::new(Timestamp::from_millis(1_800_000_000_000));
                (clock, Mailbox::new(), SeededRng::new(7), directory)
            }
        };
        let mut builder = self
            .builder
            .public_url("http://localhost:3000")
            .keys(keys())
            .store(store.clone())
            .clock(clock.clone())
            .rng(rng.clone())
            .notifier(mailbox.clone())
            .plugin(Events(self.events))
            .plugin(Sessions::opaque())
            .plugin(self.passwords)
            .plugin(TestSignIn::default());
        if let Some(accounts) = self.accounts {
            builder = builder.plugin(accounts);
        }
        if let Some(throttle) = self.throttle {
            builder = builder.plugin(throttle);
        }
        let auth = builder.build().expect("a complete setup");
        auth.migrate().await.expect("migrations");
        let router = self.routes.merge(authkit_axum::router(&auth)).layer(authkit_axum::layer(&auth));
        World { auth, store, clock, mailbox, router, rng, clients: AtomicU32::new(1), directory }
    }
}
