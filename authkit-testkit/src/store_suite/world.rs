//! The tables that the suite declares, and short ways to use a store.

use std::{
    fmt::Debug,
    ops::Bound,
    sync::{Arc, LazyLock},
};

use authkit_core::{
    ColumnDef, Comparison, Def, Direction, Done, Durability, EntityDef, Get, Guard, Id, Json, Lookup, Migration, Op,
    Query, Reach, Row, Scope, Set, Shape, Step, Store, StoreError, TenantId, Timestamp, Uniqueness, Value, Write,
};
use tokio::sync::Barrier;

/// What the suite calls now.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A time some milliseconds after [`NOW`].
pub(crate) fn later(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis().saturating_add(millis))
}

/// A tenant of the suite.
pub(crate) fn tenant(letter: u8) -> TenantId {
    Id::from_bytes([letter; 16]).into()
}

/// The `n`-th id; ids sort as their numbers do.
pub(crate) fn id(n: u64) -> Id {
    let mut bytes = [0x11; 16];
    if let Some(tail) = bytes.last_chunk_mut() {
        *tail = n.to_be_bytes();
    }
    Id::from_bytes(bytes)
}

/// Rounds of a race: few, or a thousand when `AUTHKIT_FULL` is set.
#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests, not configuration")]
pub(crate) fn rounds(few: u64) -> u64 {
    if std::env::var_os("AUTHKIT_FULL").is_some() { 1000 } else { few }
}

/// Every kind of value, each nullable.
pub(crate) mod value {
    pub(crate) const FLAG: usize = 1;
    pub(crate) const NUMBER: usize = 2;
    pub(crate) const AT: usize = 3;
    pub(crate) const OTHER: usize = 4;
    pub(crate) const TEXT: usize = 5;
    pub(crate) const BYTES: usize = 6;
    pub(crate) const JSON: usize = 7;
}

/// A row with unique keys and an expiry.
pub(crate) mod account {
    pub(crate) const NAME: usize = 1;
    pub(crate) const REALM: usize = 2;
    pub(crate) const CODE: usize = 3;
    pub(crate) const BALANCE: usize = 4;
    pub(crate) const NOTE: usize = 5;
    pub(crate) const EXPIRES_AT: usize = 6;

    pub(crate) const BY_NAME: usize = 1;
    pub(crate) const BY_CODE: usize = 2;
}

/// A row that refers to an account and is listed in many ways.
pub(crate) mod item {
    pub(crate) const ACCOUNT: usize = 1;
    pub(crate) const KIND: usize = 2;
    pub(crate) const ORDER: usize = 3;
    pub(crate) const LABEL: usize = 4;

    pub(crate) const BY_ACCOUNT: usize = 1;
    pub(crate) const BY_KIND: usize = 2;
    pub(crate) const BY_ORDER: usize = 3;
    pub(crate) const BY_LABEL: usize = 4;
}

/// A row that refers to an item, or to nothing.
pub(crate) mod part {
    pub(crate) const ITEM: usize = 1;
}

/// A counter with an expiry.
pub(crate) mod counter {
    pub(crate) const COUNT: usize = 2;
    pub(crate) const NOTE: usize = 3;
    pub(crate) const EXPIRES_AT: usize = 4;

    pub(crate) const BY_KEY: usize = 1;
}

/// A row of the whole installation.
pub(crate) mod setting {
    pub(crate) const VALUE: usize = 2;

    pub(crate) const BY_NAME: usize = 1;
}

pub(crate) static VALUES: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![
        ColumnDef::new::<Id>("id"),
        ColumnDef::new::<Option<bool>>("flag"),
        ColumnDef::new::<Option<i64>>("number"),
        ColumnDef::new::<Option<Timestamp>>("at"),
        ColumnDef::new::<Option<Id>>("other"),
        ColumnDef::new::<Option<String>>("text"),
        ColumnDef::new::<Option<Vec<u8>>>("bytes"),
        ColumnDef::new::<Option<Json<()>>>("json"),
    ];
    Arc::new(EntityDef::new("suite_values", Reach::Tenant, Durability::Durable, columns))
});

pub(crate) static ACCOUNTS: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![
        ColumnDef::new::<Id>("id"),
        ColumnDef::new::<String>("name"),
        ColumnDef::new::<Option<String>>("realm"),
        ColumnDef::new::<Option<String>>("code"),
        ColumnDef::new::<i64>("balance"),
        ColumnDef::new::<Option<i64>>("note"),
        ColumnDef::new::<Option<Timestamp>>("expires_at"),
    ];
    let def = EntityDef::new("suite_accounts", Reach::Tenant, Durability::Durable, columns)
        .index("by_name", &[account::NAME], Uniqueness::Unique)
        .index("by_code", &[account::REALM, account::CODE], Uniqueness::Unique)
        .expiry(account::EXPIRES_AT);
    Arc::new(def)
});

pub(crate) static ITEMS: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![
        ColumnDef::new::<Id>("id"),
        ColumnDef::new::<Id>("account"),
        ColumnDef::new::<Option<String>>("kind"),
        ColumnDef::new::<i64>("order"),
        ColumnDef::new::<String>("label"),
    ];
    let def = EntityDef::new("suite_items", Reach::Tenant, Durability::Durable, columns)
        .index("by_account", &[item::ACCOUNT, item::ORDER], Uniqueness::Shared)
        .index("by_kind", &[item::KIND, item::ORDER], Uniqueness::Shared)
        .index("by_order", &[item::ORDER], Uniqueness::Shared)
        .index("by_label", &[item::LABEL], Uniqueness::Shared)
        .reference(item::ACCOUNT, "suite_accounts");
    Arc::new(def)
});

pub(crate) static PARTS: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![ColumnDef::new::<Id>("id"), ColumnDef::new::<Option<Id>>("item")];
    let def = EntityDef::new("suite_parts", Reach::Tenant, Durability::Durable, columns)
        .index("by_item", &[part::ITEM], Uniqueness::Shared)
        .reference(part::ITEM, "suite_items");
    Arc::new(def)
});

pub(crate) static COUNTERS: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![
        ColumnDef::new::<Id>("id"),
        ColumnDef::new::<String>("key"),
        ColumnDef::new::<i64>("count"),
        ColumnDef::new::<String>("note"),
        ColumnDef::new::<Timestamp>("expires_at"),
    ];
    let def = EntityDef::new("suite_counters", Reach::Tenant, Durability::Ephemeral, columns)
        .index("by_key", &[1], Uniqueness::Unique)
        .expiry(counter::EXPIRES_AT);
    Arc::new(def)
});

pub(crate) static SETTINGS: LazyLock<Def> = LazyLock::new(|| {
    let columns = vec![ColumnDef::new::<Id>("id"), ColumnDef::new::<String>("name"), ColumnDef::new::<i64>("value")];
    let def = EntityDef::new("suite_settings", Reach::Global, Durability::Durable, columns).index(
        "by_name",
        &[1],
        Uniqueness::Unique,
    );
    Arc::new(def)
});

/// Everything the suite declares, parents first.
pub(crate) fn defs() -> Vec<Def> {
    [&VALUES, &ACCOUNTS, &ITEMS, &PARTS, &COUNTERS, &SETTINGS].map(|def| Arc::clone(def)).to_vec()
}

/// The steps that make the tables of the suite.
pub(crate) fn steps() -> Vec<Migration> {
    let step = |(number, def): (u32, Def)| Migration::new("suite", number, Step::Create((*def).clone()));
    (1..).zip(defs()).map(step).collect()
}

/// An account to be changed by struct update before it is inserted.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) realm: Option<&'static str>,
    pub(crate) code: Option<&'static str>,
    pub(crate) balance: i64,
    pub(crate) note: Option<i64>,
    pub(crate) expires_at: Option<Timestamp>,
}

/// The `n`-th account, with keys of its own and without an expiry.
pub(crate) fn account(n: u64) -> Account {
    let name = format!("account {n}");
    Account { id: id(n), name, realm: None, code: None, balance: 0, note: None, expires_at: None }
}

impl Account {
    pub(crate) fn values(self) -> Vec<Value> {
        vec![
            Value::Id(self.id),
            Value::Text(self.name),
            maybe_text(self.realm),
            maybe_text(self.code),
            Value::Int(self.balance),
            self.note.map_or(Value::Null, Value::Int),
            self.expires_at.map_or(Value::Null, Value::Time),
        ]
    }

    pub(crate) fn insert(self) -> Op {
        insert(&ACCOUNTS, self.values())
    }
}

/// The insert of an item of account number `of`.
pub(crate) fn item(n: u64, of: u64, kind: Option<&'static str>, order: i64) -> Op {
    let label = Value::Text(format!("item {n}"));
    insert(&ITEMS, vec![Value::Id(id(n)), Value::Id(id(of)), maybe_text(kind), Value::Int(order), label])
}

/// The insert of a part of item number `of`.
pub(crate) fn part(n: u64, of: u64) -> Op {
    insert(&PARTS, vec![Value::Id(id(n)), Value::Id(id(of))])
}

/// The insert of a global setting.
pub(crate) fn setting(n: u64, name: &str, value: i64) -> Op {
    insert(&SETTINGS, vec![Value::Id(id(n)), text(name), Value::Int(value)])
}

/// A bump of the counter with this key by 1, to be changed by struct update.
pub(crate) struct Bump<'a> {
    pub(crate) id: Id,
    pub(crate) key: &'a str,
    pub(crate) by: i64,
    pub(crate) floor: Option<i64>,
    pub(crate) max: Option<i64>,
    pub(crate) note: &'a str,
    pub(crate) expires_at: Timestamp,
}

pub(crate) fn bump(n: u64, key: &str) -> Bump<'_> {
    Bump { id: id(n), key, by: 1, floor: None, max: None, note: "", expires_at: later(1000) }
}

impl Bump<'_> {
    pub(crate) fn op(self) -> Op {
        let write = Write::Bump {
            index: counter::BY_KEY,
            values: vec![
                Value::Id(self.id),
                text(self.key),
                Value::Int(77),
                text(self.note),
                Value::Time(self.expires_at),
            ],
            column: counter::COUNT,
            by: self.by,
            floor: self.floor,
            max: self.max,
        };
        Op { def: COUNTERS.clone(), write }
    }
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn maybe_text(maybe: Option<&str>) -> Value {
    maybe.map_or(Value::Null, text)
}

pub(crate) fn by_id(id: Id) -> Lookup {
    Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(id)] }
}

pub(crate) fn by_key<const N: usize>(index: usize, key: [Value; N]) -> Lookup {
    Lookup { index, key: key.into() }
}

pub(crate) fn is(column: usize, value: Value) -> Guard {
    Guard { column, comparison: Comparison::Equal, value }
}

pub(crate) fn insert(def: &Def, values: Vec<Value>) -> Op {
    Op { def: def.clone(), write: Write::Insert { values } }
}

pub(crate) fn update(def: &Def, at: Lookup, guards: Vec<Guard>, set: Vec<Set>) -> Op {
    Op { def: def.clone(), write: Write::Update { at, guards, set } }
}

pub(crate) fn take(def: &Def, at: Lookup, guards: Vec<Guard>) -> Op {
    Op { def: def.clone(), write: Write::Take { at, guards } }
}

pub(crate) fn ensure(def: &Def, at: Lookup, guards: Vec<Guard>) -> Op {
    Op { def: def.clone(), write: Write::Ensure { at, guards } }
}

pub(crate) fn purge(def: &Def, index: usize, prefix: Vec<Value>, guards: Vec<Guard>) -> Op {
    Op { def: def.clone(), write: Write::Purge { index, prefix, guards } }
}

/// All rows under a prefix, ascending, to be changed by struct update.
pub(crate) fn query(def: &Def, index: usize, prefix: Vec<Value>) -> Query {
    Query {
        shape: Arc::new(Shape::whole(def)),
        index,
        prefix,
        from: Bound::Unbounded,
        to: Bound::Unbounded,
        filters: Vec::new(),
        direction: Direction::Ascending,
        after: None,
        limit: 10_000,
        now: NOW,
    }
}

/// A store, as one tenant sees it at one time.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) scope: Scope,
    pub(crate) now: Timestamp,
}

impl World {
    /// Makes the tables; the first tenant looks at them at [`NOW`].
    pub(crate) async fn new(store: Arc<dyn Store>) -> Self {
        store.migrate(&steps(), &defs()).await.expect("an empty store can be migrated");
        Self { store, scope: Scope::Tenant(tenant(b'a')), now: NOW }
    }

    /// The same store as another scope sees it.
    pub(crate) fn of(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }

    /// The same store at another time.
    pub(crate) fn at(&self, now: Timestamp) -> Self {
        Self { now, ..self.clone() }
    }

    /// Commits; whatever is busy wrote nothing (clause 8) and is tried again, as a caller would.
    pub(crate) async fn commit(&self, ops: &[Op]) -> Result<Vec<Done>, StoreError> {
        for _ in 0..1000 {
            match self.store.commit(&self.scope, ops, self.now).await {
                Err(StoreError::Busy) => tokio::task::yield_now().await,
                settled => return settled,
            }
        }
        Err(StoreError::Busy)
    }

    /// Commits what has to succeed.
    pub(crate) async fn write<const N: usize>(&self, ops: [Op; N]) -> Vec<Done> {
        self.commit(&ops).await.expect("the commit is acceptable")
    }

    /// Reads a whole row.
    pub(crate) async fn row(&self, def: &Def, at: Lookup) -> Option<Row> {
        self.shaped(Arc::new(Shape::whole(def)), at).await
    }

    pub(crate) async fn shaped(&self, shape: Arc<Shape>, at: Lookup) -> Option<Row> {
        let get = Get { shape, at, now: self.now };
        self.store.get(&self.scope, &get).await.expect("the row can be read")
    }

    /// Reads one column of a row.
    pub(crate) async fn value(&self, def: &Def, id: Id, column: usize) -> Option<Value> {
        self.row(def, by_id(id)).await.map(|row| row.values[column].clone())
    }

    /// Whether the row is there.
    pub(crate) async fn has(&self, def: &Def, id: Id) -> bool {
        self.row(def, by_id(id)).await.is_some()
    }

    pub(crate) async fn rows(&self, query: Query) -> Vec<Row> {
        let query = Query { now: self.now, ..query };
        self.store.query(&self.scope, &query).await.expect("the rows can be read")
    }

    /// The ids of the rows, in the order of the query.
    pub(crate) async fn ids(&self, query: Query) -> Vec<Id> {
        self.rows(query).await.iter().map(id_of).collect()
    }
}

pub(crate) fn id_of(row: &Row) -> Id {
    match row.values.first() {
        Some(Value::Id(id)) => *id,
        other => panic!("the first column is an id, not {other:?}"),
    }
}

/// Demands that a commit lost its guard at this op.
#[track_caller]
pub(crate) fn lost<T: Debug>(result: Result<T, StoreError>, op: usize, clause: &str) {
    assert!(matches!(result, Err(StoreError::Guard { op: at }) if at == op), "{clause}: {result:?}");
}

/// Demands that a commit met a duplicate at this op and this index.
#[track_caller]
pub(crate) fn duplicate<T: Debug>(result: Result<T, StoreError>, op: usize, index: usize, clause: &str) {
    let expected = matches!(result, Err(StoreError::Duplicate { op: o, index: i }) if (o, i) == (op, index));
    assert!(expected, "{clause}: {result:?}");
}

/// Starts the tasks at the same moment and returns what they gave.
pub(crate) async fn race<F>(tasks: u64, act: impl Fn(u64) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let start = Arc::new(Barrier::new(usize::try_from(tasks).unwrap_or(usize::MAX)));
    let run = |n| {
        let (start, act) = (start.clone(), act(n));
        tokio::spawn(async move {
            start.wait().await;
            act.await
        })
    };
    let running: Vec<_> = (0..tasks).map(run).collect();
    let mut outputs = Vec::new();
    for task in running {
        outputs.push(task.await.expect("a task of the race does not panic"));
    }
    outputs
}
