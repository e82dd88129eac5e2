//! A table to write to, and short ways to do so.

use std::{
    ops::Bound,
    sync::{Arc, LazyLock},
};

use authkit_core::{
    ColumnDef, Def, Direction, Done, Durability, EntityDef, Get, Guard, Id, Lookup, Migration, Op, Query, Reach, Row,
    Scope, Shape, Step, Store, StoreError, TenantId, Timestamp, Uniqueness, Value, Write,
};
use authkit_session_redis::RedisStore;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Columns of [`NOTES`].
pub(crate) const TITLE: usize = 1;
pub(crate) const REALM: usize = 2;
pub(crate) const COUNT: usize = 3;
pub(crate) const BODY: usize = 4;

/// Indexes of [`NOTES`].
pub(crate) const BY_TITLE: usize = 1;
pub(crate) const BY_REALM: usize = 2;

pub(crate) static NOTES: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![
        ColumnDef::new::<Id>("id"),
        ColumnDef::new::<String>("title"),
        ColumnDef::new::<String>("realm"),
        ColumnDef::new::<i64>("count"),
        ColumnDef::new::<Option<Vec<u8>>>("body"),
    ];
    let def = EntityDef::new("test_notes", Reach::Tenant, Durability::Durable, columns)
        .index("by_title", &[TITLE], Uniqueness::Unique)
        .index("by_realm", &[REALM, TITLE], Uniqueness::Shared);
    Arc::new(def)
});

pub(crate) fn steps() -> Vec<Migration> {
    vec![Migration::new("test", 1, Step::Create((**NOTES).clone()))]
}

pub(crate) fn id(n: u64) -> Id {
    Id::from_bytes(u128::from(n).to_be_bytes())
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn tenant(letter: u8) -> Scope {
    Scope::Tenant(TenantId::from(Id::from_bytes([letter; 16])))
}

pub(crate) fn note(n: u64, title: &str) -> Vec<Value> {
    vec![Value::Id(id(n)), text(title), text("realm"), Value::Int(0), Value::Null]
}

pub(crate) fn insert(values: Vec<Value>) -> Op {
    write(Write::Insert { values })
}

pub(crate) fn write(write: Write) -> Op {
    Op { def: NOTES.clone(), write }
}

/// A bump of the count of the note with this title.
pub(crate) fn bump(n: u64, title: &str, by: i64) -> Op {
    write(Write::Bump { index: BY_TITLE, values: note(n, title), column: COUNT, by, floor: None, max: None })
}

pub(crate) fn by_id(n: u64) -> Lookup {
    Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(id(n))] }
}

pub(crate) fn by_title(title: &str) -> Lookup {
    Lookup { index: BY_TITLE, key: vec![text(title)] }
}

/// A store as one tenant sees it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: RedisStore,
    pub(crate) scope: Scope,
}

impl World {
    pub(crate) async fn new(store: RedisStore) -> Self {
        store.migrate(&steps(), std::slice::from_ref(&NOTES)).await.unwrap();
        Self { store, scope: tenant(b'a') }
    }

    pub(crate) fn of(&self, letter: u8) -> Self {
        Self { scope: tenant(letter), ..self.clone() }
    }

    pub(crate) async fn commit(&self, ops: &[Op]) -> Result<Vec<Done>, StoreError> {
        self.store.commit(&self.scope, ops, NOW).await
    }

    pub(crate) async fn get(&self, at: Lookup) -> Result<Option<Row>, StoreError> {
        let get = Get { shape: Arc::new(Shape::whole(&NOTES)), at, now: NOW };
        self.store.get(&self.scope, &get).await
    }

    pub(crate) async fn value(&self, n: u64, column: usize) -> Option<Value> {
        self.get(by_id(n)).await.unwrap().map(|row| row.values[column].clone())
    }

    pub(crate) async fn query(
        &self,
        index: usize,
        prefix: Vec<Value>,
        filters: Vec<Guard>,
    ) -> Result<Vec<Row>, StoreError> {
        let query = Query {
            shape: Arc::new(Shape::whole(&NOTES)),
            index,
            prefix,
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            filters,
            direction: Direction::Ascending,
            after: None,
            limit: 10_000,
            now: NOW,
        };
        self.store.query(&self.scope, &query).await
    }

    /// The titles of all notes of the tenant, in the order of their ids.
    pub(crate) async fn titles(&self) -> Vec<Value> {
        let rows = self.query(EntityDef::PRIMARY_KEY, vec![], vec![]).await.unwrap();
        rows.into_iter().map(|row| row.values[TITLE].clone()).collect()
    }
}
