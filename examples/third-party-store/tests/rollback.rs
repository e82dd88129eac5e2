//! An older version of the application runs for a while on a database that a newer one has migrated.

use authkit_core::{
    ColumnDef, Def, Direction, Durability, EntityDef, Id, Lookup, Migration, Op, Query, Reach, Scope, Shape, Step,
    Store, Timestamp, Uniqueness, Value, Write,
};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;
use third_party_store::RedbStore;

const NOW: Timestamp = Timestamp::from_millis(0);

#[tokio::test]
async fn entries_and_references_are_right_after_an_older_version_ran() {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("rollback-{}", std::process::id()));
    let parents = parents();
    let by_name = parents.clone().index("by_name", &[1], Uniqueness::Shared);
    let children = EntityDef::new(
        "children",
        Reach::Global,
        Durability::Ephemeral,
        vec![ColumnDef::new::<Id>("id"), ColumnDef::new::<Id>("parent_id")],
    )
    .reference(1, "parents");
    let index = by_name.indexes.last().unwrap().clone();
    let old = [Migration::new("p", 1, Step::Create(parents.clone()))];
    let new = [
        old[0].clone(),
        Migration::new("p", 2, Step::AddIndex { table: "parents", index }),
        Migration::new("q", 1, Step::Create(children.clone())),
    ];
    let (parents, by_name, children): (Def, Def, Def) = (parents.into(), by_name.into(), children.into());
    let (orphaned, later) = (Value::Id(Id::from_bytes([1; 16])), Value::Id(Id::from_bytes([2; 16])));

    let store = RedbStore::open(&place).unwrap();
    store.migrate(&new, &[by_name.clone(), children.clone()]).await.unwrap();
    insert(&store, &by_name, vec![orphaned.clone(), Value::Int(1)]).await;
    insert(&store, &children, vec![orphaned.clone(), orphaned.clone()]).await;
    drop(store);

    let store = RedbStore::open(&place).unwrap();
    store.migrate(&old, std::slice::from_ref(&parents)).await.unwrap();
    let at = Lookup { index: 0, key: vec![orphaned] };
    let take = Op { def: parents.clone(), write: Write::Take { at, guards: Vec::new() } };
    store.commit(&Scope::Global, &[take], NOW).await.unwrap();
    insert(&store, &parents, vec![later.clone(), Value::Int(2)]).await;
    drop(store);

    let store = RedbStore::open(&place).unwrap();
    store.migrate(&new, &[by_name.clone(), children.clone()]).await.unwrap();
    assert_eq!(ids(&store, &by_name, 1).await, [later]);
    assert_eq!(ids(&store, &children, 0).await, []);
    std::fs::remove_file(place).unwrap();
}

fn parents() -> EntityDef {
    let columns = vec![ColumnDef::new::<Id>("id"), ColumnDef::new::<i64>("name")];
    EntityDef::new("parents", Reach::Global, Durability::Ephemeral, columns)
}

async fn insert(store: &RedbStore, def: &Def, values: Vec<Value>) {
    let insert = Op { def: def.clone(), write: Write::Insert { values } };
    assert!(store.commit(&Scope::Global, &[insert], NOW).await.is_ok());
}

async fn ids(store: &RedbStore, def: &Def, index: usize) -> Vec<Value> {
    let query = Query {
        shape: Arc::new(Shape::whole(def)),
        index,
        prefix: Vec::new(),
        from: Bound::Unbounded,
        to: Bound::Unbounded,
        filters: Vec::new(),
        direction: Direction::Ascending,
        after: None,
        limit: 10,
        now: NOW,
    };
    let rows = store.query(&Scope::Global, &query).await;
    assert!(rows.is_ok());
    rows.into_iter().flatten().filter_map(|row| row.values.into_iter().next()).collect()
}
