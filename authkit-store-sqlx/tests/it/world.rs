//! Two tables and short ways to use a store.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::sync::{Arc, LazyLock};

use authkit_core::{
    ColumnDef, Def, Durability, EntityDef, Get, Id, Lookup, Migration, Op, Reach, Row, Scope, Set, Shape, Step, Store,
    StoreError, TenantId, Timestamp, Uniqueness, Value, Write,
};
use authkit_store_sqlx::SqlxStore;
use sqlx::SqliteConnection;
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const SCOPE: Scope = Scope::Tenant(TenantId::DEFAULT);
pub(crate) const BY_NAME: usize = 1;
pub(crate) const NAME: usize = 1;
pub(crate) const COUNT: usize = 2;

/// A row with a unique name.
pub(crate) static OWNERS: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![ColumnDef::new::<Id>("id"), ColumnDef::new::<String>("name"), ColumnDef::new::<i64>("count")];
    let def = EntityDef::new("it_owners", Reach::Tenant, Durability::Durable, columns);
    Arc::new(def.index("by_name", &[NAME], Uniqueness::Unique))
});

/// A row that refers to an owner and expires.
pub(crate) static TICKETS: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![
        ColumnDef::new::<Id>("id"),
        ColumnDef::new::<Id>("owner_id"),
        ColumnDef::new::<Timestamp>("created_at"),
        ColumnDef::new::<Timestamp>("expires_at"),
    ];
    let def = EntityDef::new("it_tickets", Reach::Tenant, Durability::Durable, columns);
    Arc::new(def.index("by_owner", &[1, 2], Uniqueness::Shared).reference(1, "it_owners").expiry(3))
});

pub(crate) fn steps() -> Vec<Migration> {
    let create = |number, def: &Def| Migration::new("it", number, Step::Create(EntityDef::clone(def)));
    vec![create(1, &OWNERS), create(2, &TICKETS)]
}

pub(crate) fn defs() -> Vec<Def> {
    vec![OWNERS.clone(), TICKETS.clone()]
}

/// A directory with a database in it.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.0.path().join("auth.db").display())
    }

    pub(crate) async fn store(&self) -> SqlxStore {
        SqlxStore::connect(&self.url()).await.unwrap()
    }

    /// A store with its tables.
    pub(crate) async fn migrated(&self) -> SqlxStore {
        let store = self.store().await;
        store.migrate(&steps(), &defs()).await.unwrap();
        store
    }

    /// A connection past the store.
    pub(crate) async fn connection(&self) -> SqliteConnection {
        use sqlx::ConnectOptions as _;
        let options: sqlx::sqlite::SqliteConnectOptions = self.url().parse().unwrap();
        options.create_if_missing(true).connect().await.unwrap()
    }

    pub(crate) async fn run(&self, text: &'static str) {
        sqlx::raw_sql(text).execute(&mut self.connection().await).await.unwrap();
    }
}

pub(crate) fn id(n: u64) -> Id {
    let mut bytes = [0; 16];
    *bytes.last_chunk_mut().unwrap() = n.to_be_bytes();
    Id::from_bytes(bytes)
}

pub(crate) fn owner(n: u64, name: &str) -> Op {
    let values = vec![Value::Id(id(n)), Value::Text(name.to_owned()), Value::Int(0)];
    Op { def: OWNERS.clone(), write: Write::Insert { values } }
}

pub(crate) fn ticket(n: u64, owner: u64) -> Op {
    let expires_at = Timestamp::from_millis(NOW.millis() + 1000);
    let values = vec![Value::Id(id(n)), Value::Id(id(owner)), Value::Time(NOW), Value::Time(expires_at)];
    Op { def: TICKETS.clone(), write: Write::Insert { values } }
}

/// Counts in the row of an owner.
pub(crate) fn add(n: u64) -> Op {
    let write = Write::Update { at: by_id(n), guards: Vec::new(), set: vec![Set::Add(COUNT, 1)] };
    Op { def: OWNERS.clone(), write }
}

pub(crate) fn by_id(n: u64) -> Lookup {
    Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(id(n))] }
}

pub(crate) async fn find(store: &impl Store, def: &Def, n: u64) -> Option<Row> {
    store.get(&SCOPE, &whole(def, n)).await.unwrap()
}

/// A read of all columns of a row.
pub(crate) fn whole(def: &Def, n: u64) -> Get {
    Get { shape: Arc::new(Shape::whole(def)), at: by_id(n), now: NOW }
}

/// The error and its causes, as a log has them.
pub(crate) fn told(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What connections of a pool are refused for that have a transaction in them.
pub(crate) const LEFT_OPEN: &str = "are in a transaction that was left open";

/// A pool's connection that this setting was made on is refused for this problem.
#[track_caller]
pub(crate) fn assert_refused(refused: &StoreError, setting: &str, problem: &str) {
    assert!(matches!(refused, StoreError::Unavailable(_)), "{setting}: {refused:?}");
    assert!(told(refused).contains(&format!("the pool's connections {problem}")), "{setting}: {}", told(refused));
}
