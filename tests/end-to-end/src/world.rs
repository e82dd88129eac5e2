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
    RequestContext, Rng, Store, TenantId, Timestamp,
};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_testkit::{Faulty, Mailbox, SeededRng, TestClock, TestSignIn};
use axum::Router;
use serde_json::{Value as JsonValue, json};

use crate::{Backend, Browser, PASSWORD, Place};

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
    /// The last field: it is removed when nothing is connected to it any more.
    place: Option<Place>,
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
    opaque: Option<Sessions>,
    around: Option<Around>,
    /// Whether randomness is that of the world.
    seeded: bool,
    events: Manifest,
}

/// What outlives one process of the application.
#[derive(Clone, Debug)]
struct Around {
    clock: TestClock,
    mailbox: Mailbox,
    rng: SeededRng,
    place: Option<Place>,
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
            opaque: Some(Sessions::opaque()),
            around: None,
            seeded: true,
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

    /// Everything that the store holds in the default tenant, and a file also what it held.
    ///
    /// # Panics
    ///
    /// If the store cannot be read.
    pub async fn everything(&self) -> String {
        let mut text = String::new();
        for def in self.auth.entities() {
            for row in self.rows(def.table, "id").await {
                text += &row.to_string();
            }
        }
        if let Some(file) = self.place.as_ref().and_then(Place::file) {
            for suffix in ["", "-wal"] {
                let bytes = std::fs::read(format!("{}{suffix}", file.display())).unwrap_or_default();
                text += &String::from_utf8_lossy(&bytes);
            }
        }
        text
    }

    /// The database file, if there is one.
    #[must_use]
    pub fn database(&self) -> Option<PathBuf> {
        self.place.as_ref().and_then(Place::file)
    }

    fn around(&self) -> Around {
        let Self { clock, mailbox, rng, place, .. } = self;
        Around { clock: clock.clone(), mailbox: mailbox.clone(), rng: rng.clone(), place: place.clone() }
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

    /// Draws randomness from there.
    pub fn rng(mut self, rng: impl Rng) -> Self {
        self.builder = self.builder.rng(rng);
        self.seeded = false;
        self
    }

    /// Adds routes of the application.
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = routes;
        self
    }

    /// Replaces the opaque sessions; `plugin` is the whole of it.
    pub fn sessions(mut self, plugin: impl Plugin) -> Self {
        self.opaque = None;
        self.plugin(plugin)
    }

    /// Starts again after a crash: everything is built anew over the store, the time and the mailbox of that world.
    pub fn after(mut self, crashed: World) -> Self {
        self.store = Some(crashed.store.clone());
        self.around = Some(crashed.around());
        self
    }

    /// Starts another node beside that one: on the same database, with connections of its own, at the same time.
    pub fn beside(mut self, node: &World) -> Self {
        self.around = Some(node.around());
        self
    }

    /// Builds and migrates the application.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    pub async fn build(self) -> World {
        let around = self.around.unwrap_or_else(|| Around {
            clock: TestClock::new(Timestamp::from_millis(1_800_000_000_000)),
            mailbox: Mailbox::new(),
            rng: SeededRng::new(7),
            place: None,
        });
        let (store, place) = match self.store {
            Some(store) => (store, around.place),
            None => {
                let place = match around.place {
                    Some(place) => place,
                    None => Place::new(self.backend).await,
                };
                (Faulty::over(place.store().await), Some(place))
            }
        };
        let Around { clock, mailbox, rng, .. } = around;
        let mut builder = self
            .builder
            .public_url("http://localhost:3000")
            .keys(keys())
            .store(store.clone())
            .clock(clock.clone())
            .notifier(mailbox.clone())
            .plugin(Events(self.events))
            .plugin(self.passwords)
            .plugin(TestSignIn::default());
        if self.seeded {
            builder = builder.rng(rng.clone());
        }
        if let Some(sessions) = self.opaque {
            builder = builder.plugin(sessions);
        }
        if let Some(accounts) = self.accounts {
            builder = builder.plugin(accounts);
        }
        if let Some(throttle) = self.throttle {
            builder = builder.plugin(throttle);
        }
        let auth = builder.build().expect("a complete setup");
        auth.migrate().await.expect("migrations");
        let router = self.routes.merge(authkit_axum::router(&auth)).layer(authkit_axum::layer(&auth));
        World { auth, store, clock, mailbox, router, rng, clients: AtomicU32::new(1), place }
    }
}
