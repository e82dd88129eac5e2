//! Two stores under one application, a gate before each, and what is to be seen of routing in them.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{
    AuditId, Capabilities, Def, Direction, Done, Entity, Get, Migration, Op, Query, Row, Scope, Shape, Store,
    StoreError, TenantId, Timestamp,
};
use authkit_testkit::{Counted, Fault, Faulty};
use end_to_end::{Backend, Browser, PASSWORD, Place, World, WorldBuilder};
use serde_json::{Value as JsonValue, json};
use tokio::sync::oneshot;

/// The table that lives in the second store, unless a test says otherwise.
pub(crate) const SESSIONS: &str = "auth_sessions";

/// Longer than a reservation in the outbox lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(61);

/// Runs a test over every pair of stores: `on_each_pair!(async fn name(stores: Stores) { … })`.
macro_rules! on_each_pair {
    ($($(#[$meta:meta])* async fn $name:ident($stores:ident) $body:block)+) => { $(
        mod $name {
            #[allow(unused_imports, reason = "a body may need none of them")]
            use super::*;

            async fn body($stores: &$crate::stores::Stores) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb_and_sqlite() {
                use end_to_end::Backend::{MariaDb, Sqlite};
                if MariaDb.is_here() {
                    body(&$crate::stores::Stores::open(MariaDb, Sqlite).await).await;
                }
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory_and_memory() {
                body(&$crate::stores::Stores::open(end_to_end::Backend::Memory, end_to_end::Backend::Memory).await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn memory_and_sqlite() {
                body(&$crate::stores::Stores::open(end_to_end::Backend::Memory, end_to_end::Backend::Sqlite).await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_and_memory() {
                use end_to_end::Backend::{Memory, Postgres};
                if Postgres.is_here() {
                    body(&$crate::stores::Stores::open(Postgres, Memory).await).await;
                }
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_and_memory() {
                body(&$crate::stores::Stores::open(end_to_end::Backend::Sqlite, end_to_end::Backend::Memory).await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_and_redis() {
                use end_to_end::Backend::{Redis, Sqlite};
                if Redis.is_here() {
                    body(&$crate::stores::Stores::open(Sqlite, Redis).await).await;
                }
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_and_sqlite() {
                body(&$crate::stores::Stores::open(end_to_end::Backend::Sqlite, end_to_end::Backend::Sqlite).await).await;
            }
        }
    )+ };
}
pub(crate) use on_each_pair;

/// The main store and another one.
pub(crate) struct Stores {
    pub(crate) main: Gate,
    pub(crate) second: Faulty<Gate>,
    backends: [Backend; 2],
    /// The last field: they are removed when nothing is connected to them any more.
    places: [Place; 2],
}

impl Stores {
    pub(crate) async fn open(main: Backend, second: Backend) -> Self {
        let places = [Place::new(main).await, Place::new(second).await];
        let [main_store, second_store] = &places;
        let main_store = Gate::before(main_store.store().await);
        let second_store = Faulty::new(Gate::before(second_store.store().await));
        Self { main: main_store, second: second_store, backends: [main, second], places }
    }

    /// An application without tables of its own in the second store.
    pub(crate) fn plain(&self) -> WorldBuilder {
        World::builder(self.backends[0]).store(Arc::new(self.main.clone()))
    }

    /// The usual application, with the sessions in the second store.
    pub(crate) fn builder(&self) -> WorldBuilder {
        self.plain().route([SESSIONS], self.second.clone())
    }

    /// Empty stores of the same kinds.
    pub(crate) async fn fresh(&self) -> Self {
        Self::open(self.backends[0], self.backends[1]).await
    }

    /// The usual application, and ada in it.
    pub(crate) async fn world(&self) -> World {
        let world = self.builder().build().await;
        world.sign_up("ada@example.com").await;
        world
    }

    /// The SQL databases of the main and the second store, where they are such.
    pub(crate) fn databases(&self) -> [Option<&str>; 2] {
        self.places.each_ref().map(Place::url)
    }

    /// Nothing answers in the second store, until [`Faulty::heal`].
    pub(crate) fn take_down(&self) {
        (1..200).for_each(|n| self.second.inject(Counted::Calls, n, Fault::Fails));
    }

    /// The second store can be read, but not written, until [`Faulty::heal`].
    pub(crate) fn freeze(&self) {
        (1..200).for_each(|n| self.second.inject(Counted::Commits, n, Fault::Fails));
    }

    /// The gate of the second store.
    pub(crate) fn gate(&self) -> &Gate {
        self.second.inner()
    }

    /// The sessions in the second store.
    pub(crate) async fn sessions(&self, world: &World) -> Vec<JsonValue> {
        world.rows_in(self.gate(), SESSIONS, "by_principal").await
    }

    /// How many commits the second store remembers.
    pub(crate) async fn marks(&self, world: &World) -> usize {
        self.count(TenantId::DEFAULT, &Arc::new(Mark::def()), world.cx().now()).await
    }

    /// How many sessions of a tenant the second store holds.
    pub(crate) async fn sessions_of(&self, world: &World, tenant: TenantId) -> usize {
        self.count(tenant, sessions(world), world.cx().now()).await
    }

    /// How many rows of routing and sessions the second store holds, expired ones included.
    pub(crate) async fn everything(&self, world: &World) -> usize {
        let count = |def| self.count(TenantId::DEFAULT, def, Timestamp::MIN);
        count(&Arc::new(Mark::def())).await + count(sessions(world)).await
    }

    async fn count(&self, tenant: TenantId, def: &Def, now: Timestamp) -> usize {
        let query = Query {
            shape: Arc::new(Shape::whole(def)),
            index: 0,
            prefix: Vec::new(),
            from: std::ops::Bound::Unbounded,
            to: std::ops::Bound::Unbounded,
            filters: Vec::new(),
            direction: Direction::Ascending,
            after: None,
            limit: 1000,
            now,
        };
        self.gate().query(&Scope::Tenant(tenant), &query).await.unwrap().len()
    }

    /// Nothing is under way: every record is settled, and no errand waits.
    pub(crate) async fn assert_at_rest(&self, world: &World) {
        let pending: Vec<_> =
            world.audit().await.into_iter().filter(|record| record["settlement"] == "pending").collect();
        assert!(pending.is_empty(), "{pending:?}");
        assert!(errands(world).await.is_empty());
    }
}

fn sessions(world: &World) -> &Def {
    world.auth.entities().iter().find(|def| def.table == SESSIONS).unwrap()
}

/// The row with which every commit in the second store begins, as core declares it.
#[derive(Debug, Entity)]
#[entity(table = "auth_routed_commits", ephemeral, expires(expires_at))]
struct Mark {
    id: AuditId,
    refused: Option<i64>,
    expires_at: Timestamp,
}

/// What waits in the outbox for the second store.
pub(crate) async fn errands(world: &World) -> Vec<JsonValue> {
    let rows = world.rows("auth_outbox", "by_due").await;
    rows.into_iter().filter(|row| row["topic"] == "core.route").collect()
}

/// What the records of one kind are settled as, oldest first.
pub(crate) async fn settlements(world: &World, kind: &str) -> Vec<String> {
    let records = world.audit().await.into_iter().filter(|record| record["kind"] == kind);
    records.map(|record| record["settlement"].as_str().unwrap().to_owned()).collect()
}

/// Lets the reservation of whoever died run out, and has the jobs go on with it.
pub(crate) async fn go_on(world: &World) {
    world.clock.advance(LEASE);
    world.auth.run_due_jobs().await;
}

/// What answers the challenge that a session gets whose proofs are old.
pub(crate) async fn fresh_proof(browser: &mut Browser<'_>) -> JsonValue {
    let asked = browser.post("/v1/auth/step-up", json!({})).await.json();
    json!({ "flow": asked["challenge"]["flow"], "method": "password", "password": PASSWORD })
}

/// Whether a session token opens anything.
pub(crate) async fn opens(world: &World, token: &str) -> bool {
    world.cx().authenticate(token).await.unwrap().is_some()
}

/// A store whose next commit may be told to wait. Clones are one store.
#[derive(Clone)]
pub(crate) struct Gate {
    store: Arc<dyn Store>,
    hold: Arc<Mutex<Option<Hold>>>,
}

/// Where a commit waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It was not made.
    Asked,
    /// It was made, and nobody has heard of it.
    Made,
}

struct Hold {
    /// How many commits pass before it.
    after: usize,
    moment: Moment,
    arrived: oneshot::Sender<()>,
    go: oneshot::Receiver<()>,
}

/// A commit that waits. Dropping this lets it go on.
pub(crate) struct Held {
    arrived: Option<oneshot::Receiver<()>>,
    go: Option<oneshot::Sender<()>>,
}

impl Gate {
    fn before(store: Arc<dyn Store>) -> Self {
        Self { store, hold: Arc::default() }
    }

    /// Makes the `n`-th commit from now on wait; 1 is the next.
    pub(crate) fn hold(&self, n: usize, moment: Moment) -> Held {
        let ((here, arrived), (go, gone)) = (oneshot::channel(), oneshot::channel());
        *self.hold.lock().unwrap() = Some(Hold { after: n - 1, moment, arrived: here, go: gone });
        Held { arrived: Some(arrived), go: Some(go) }
    }

    fn next_hold(&self) -> Option<Hold> {
        let mut hold = self.hold.lock().unwrap();
        match hold.as_mut() {
            Some(Hold { after, .. }) if *after > 0 => {
                *after -= 1;
                None
            }
            _ => hold.take(),
        }
    }
}

impl Held {
    /// Waits until the commit waits.
    pub(crate) async fn arrived(&mut self) {
        self.arrived.take().unwrap().await.unwrap();
    }

    /// Lets the commit go on.
    pub(crate) fn release(mut self) {
        self.go.take().unwrap().send(()).unwrap();
    }
}

/// Does an act until its `n`-th commit there waits, and drops it, as when its process is killed.
pub(crate) async fn die_at<T: Debug>(gate: &Gate, n: usize, moment: Moment, act: impl Future<Output = T>) {
    let mut held = gate.hold(n, moment);
    tokio::select! {
        output = act => panic!("the act ended with {output:?}"),
        () = held.arrived() => {}
    }
}

/// Does an act whose `n`-th commit there waits while something else happens.
pub(crate) async fn meanwhile<T>(
    gate: &Gate,
    n: usize,
    moment: Moment,
    act: impl Future<Output = T>,
    other: impl AsyncFnOnce(),
) -> T {
    let mut held = gate.hold(n, moment);
    let other = async {
        held.arrived().await;
        other().await;
        held.release();
    };
    tokio::join!(act, other).0
}

#[async_trait]
impl Store for Gate {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn statements(&self, steps: &[Migration]) -> Vec<String> {
        self.store.statements(steps)
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        self.store.migrate(steps, defs).await
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        self.store.get(scope, get).await
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        self.store.query(scope, query).await
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        let Some(Hold { moment, arrived, go, .. }) = self.next_hold() else {
            return self.store.commit(scope, ops, now).await;
        };
        if moment == Moment::Asked {
            arrived.send(()).ok();
            go.await.ok();
            return self.store.commit(scope, ops, now).await;
        }
        let done = self.store.commit(scope, ops, now).await;
        arrived.send(()).ok();
        go.await.ok();
        done
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.store.sweep(def, now, limit).await
    }
}
