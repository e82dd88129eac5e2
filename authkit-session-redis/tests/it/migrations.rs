//! Migrations under rows, and several versions on one Redis.

use std::sync::Arc;

use authkit_core::{
    ColumnDef, Def, Durability, EntityDef, Get, Id, IndexDef, Lookup, Migration, Op, Reach, Shape, Step, Store as _,
    StoreError, Uniqueness, Value, Write,
};
use authkit_session_redis::RedisStore;

use crate::{
    server,
    world::{NOW, id, tenant, text},
};

const TABLE: &str = "test_grown";

fn first() -> EntityDef {
    let columns = vec![ColumnDef::new::<Id>("id"), ColumnDef::new::<String>("name")];
    EntityDef::new(TABLE, Reach::Tenant, Durability::Durable, columns).index("by_name", &[1], Uniqueness::Unique)
}

fn label() -> ColumnDef {
    ColumnDef::new::<String>("label").default("a\u{1}'\"😀".to_owned())
}

fn by_label(uniqueness: Uniqueness) -> IndexDef {
    let mut def = first();
    def.columns.push(label());
    def.index("by_label", &[2], uniqueness).indexes.pop().unwrap()
}

fn steps(uniqueness: Uniqueness) -> Vec<Migration> {
    let steps = [
        Step::Create(first()),
        Step::AddColumn { table: TABLE, column: label() },
        Step::AddIndex { table: TABLE, index: by_label(uniqueness) },
        Step::DropIndex { table: TABLE, index: "by_name" },
    ];
    (1..).zip(steps).map(|(number, step)| Migration::new("test.grown", number, step)).collect()
}

fn last(uniqueness: Uniqueness) -> Def {
    let mut def = first();
    def.columns.push(label());
    def.indexes.retain(|index| index.name != "by_name");
    def.indexes.push(by_label(uniqueness));
    Arc::new(def)
}

fn named(n: u64) -> Op {
    let values = vec![Value::Id(id(n)), text(&format!("name {n}"))];
    Op { def: Arc::new(first()), write: Write::Insert { values } }
}

async fn labelled(store: &RedisStore, def: &Def) -> Vec<Value> {
    let query = authkit_core::Query {
        shape: Arc::new(Shape::whole(def)),
        index: 1,
        prefix: vec![label().default.unwrap()],
        from: std::ops::Bound::Unbounded,
        to: std::ops::Bound::Unbounded,
        filters: vec![],
        direction: authkit_core::Direction::Ascending,
        after: None,
        limit: 10_000,
        now: NOW,
    };
    let rows = store.query(&tenant(b'a'), &query).await.unwrap();
    rows.into_iter().map(|row| row.values[0].clone()).collect()
}

async fn young(rows: u64) -> RedisStore {
    let store = server::store().await;
    store.migrate(&steps(Uniqueness::Shared)[..1], &[Arc::new(first())]).await.unwrap();
    let ops: Vec<Op> = (0..rows).map(named).collect();
    store.commit(&tenant(b'a'), &ops, NOW).await.unwrap();
    store
}

#[tokio::test]
async fn an_index_is_made_over_more_rows_than_one_batch() {
    needs_redis!();
    let store = young(2_500).await;
    let def = last(Uniqueness::Shared);
    store.migrate(&steps(Uniqueness::Shared), std::slice::from_ref(&def)).await.unwrap();
    let expected: Vec<Value> = (0..2_500).map(|n| Value::Id(id(n))).collect();
    assert_eq!(labelled(&store, &def).await, expected);
}

#[tokio::test]
async fn rows_that_agree_in_a_new_unique_index_stop_the_migration_and_nothing_changes() {
    needs_redis!();
    let store = young(2).await;
    let (all, def) = (steps(Uniqueness::Unique), last(Uniqueness::Unique));
    for _ in 0..2 {
        let result = store.migrate(&all, std::slice::from_ref(&def)).await;
        assert!(matches!(result, Err(StoreError::Corrupt(_))), "{result:?}");
        store.migrate(&all[..1], &[Arc::new(first())]).await.unwrap();
    }
    let result = store.commit(&tenant(b'a'), &[named(1)], NOW).await;
    assert!(matches!(result, Err(StoreError::Duplicate { index: 0, .. })), "{result:?}");
    let take = Write::Take { at: Lookup { index: 1, key: vec![text("name 1")] }, guards: vec![] };
    store.commit(&tenant(b'a'), &[Op { def: Arc::new(first()), write: take }], NOW).await.unwrap();
    store.migrate(&all, std::slice::from_ref(&def)).await.unwrap();
    assert_eq!(labelled(&store, &def).await, [Value::Id(id(0))]);
}

#[tokio::test]
async fn the_version_before_keeps_the_newer_indexes() {
    needs_redis!();
    let old = young(1).await;
    let new = old.clone();
    let def = last(Uniqueness::Shared);
    new.migrate(&steps(Uniqueness::Shared), std::slice::from_ref(&def)).await.unwrap();
    // This node was started before, and knows of nothing.
    old.commit(&tenant(b'a'), &[named(7)], NOW).await.unwrap();
    assert_eq!(labelled(&new, &def).await, [Value::Id(id(0)), Value::Id(id(7))]);
    // And one of the version before, started again, whose declared index a newer step dropped.
    old.migrate(&steps(Uniqueness::Shared)[..1], &[Arc::new(first())]).await.unwrap();
    old.commit(&tenant(b'a'), &[named(8)], NOW).await.unwrap();
    assert_eq!(labelled(&new, &def).await.len(), 3);
    let at = Lookup { index: 1, key: vec![text("name 8")] };
    let get = Get { shape: Arc::new(Shape::whole(&Arc::new(first()))), at, now: NOW };
    let found = old.get(&tenant(b'a'), &get).await;
    assert!(matches!(found, Err(StoreError::Corrupt(_))), "an index that is gone is no index without rows: {found:?}");
}

#[tokio::test]
async fn a_newer_unique_index_that_the_old_declaration_lacks_is_numbered_past_its_last() {
    needs_redis!();
    let store = young(0).await;
    store.migrate(&steps(Uniqueness::Unique), &[last(Uniqueness::Unique)]).await.unwrap();
    store.commit(&tenant(b'a'), &[named(1)], NOW).await.unwrap();
    let result = store.commit(&tenant(b'a'), &[named(2)], NOW).await;
    assert!(matches!(result, Err(StoreError::Duplicate { op: 0, index: 2 })), "{result:?}");
}
