//! A store with injected faults does what the plan says, and nothing else.
#![expect(clippy::unwrap_used, reason = "this is test code")]

use std::sync::Arc;

use authkit_core::{
    ColumnDef, Done, Durability, EntityDef, Get, Id, Lookup, Migration, Op, Reach, Scope, Shape, Step, Store,
    StoreError, TenantId, Timestamp, Value, Write,
};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{Answer, Counted, Fault, Faulty, drop_at_every_await};

mod without_faults {
    use super::{Faulty, MemoryStore};

    authkit_testkit::store_suite!(Faulty::new(MemoryStore::new()));
}

const SCOPE: Scope = Scope::Tenant(TenantId::DEFAULT);
const NOW: Timestamp = Timestamp::from_millis(0);

fn def() -> Arc<EntityDef> {
    Arc::new(EntityDef::new("rows", Reach::Tenant, Durability::Durable, vec![ColumnDef::new::<Id>("id")]))
}

async fn world() -> Faulty<MemoryStore> {
    let store = Faulty::new(MemoryStore::new());
    let step = Migration::new("test", 1, Step::Create((*def()).clone()));
    store.migrate(&[step], &[def()]).await.unwrap();
    store
}

async fn insert(store: &Faulty<MemoryStore>) -> Result<Vec<Done>, StoreError> {
    let op = Op { def: def(), write: Write::Insert { values: vec![Value::Id(Id::NIL)] } };
    store.commit(&SCOPE, &[op], NOW).await
}

/// Whether the row is there, looked at past all faults.
async fn landed(store: &Faulty<MemoryStore>) -> bool {
    let at = Lookup { index: 0, key: vec![Value::Id(Id::NIL)] };
    let get = Get { shape: Arc::new(Shape::whole(&def())), at, now: NOW };
    store.inner().get(&SCOPE, &get).await.unwrap().is_some()
}

#[tokio::test]
async fn each_fault_writes_and_answers_as_named() {
    type Check = fn(&Result<Vec<Done>, StoreError>) -> bool;
    let cases: [(Fault, bool, Check); 6] = [
        (Fault::Fails, false, |r| matches!(r, Err(StoreError::Unavailable(_)))),
        (Fault::Delayed(3), true, Result::is_ok),
        (Fault::Duplicated(Answer::First), true, Result::is_ok),
        (Fault::Duplicated(Answer::Second), true, |r| matches!(r, Err(StoreError::Duplicate { op: 0, index: 0 }))),
        (Fault::UnknownAfter, true, |r| matches!(r, Err(StoreError::Unknown))),
        (Fault::UnknownBefore, false, |r| matches!(r, Err(StoreError::Unknown))),
    ];
    for (fault, lands, check) in cases {
        let store = world().await;
        store.inject(Counted::Commits, 1, fault);
        let result = insert(&store).await;
        assert!(check(&result), "{fault:?}: {result:?}");
        assert_eq!(landed(&store).await, lands, "{fault:?}");
    }
}

#[tokio::test]
async fn faults_happen_once_and_at_their_count() {
    let store = world().await;
    assert_eq!((store.calls(), store.commits()), (1, 0));
    store.inject(Counted::Commits, 2, Fault::Fails);
    store.inject(Counted::Calls, 3, Fault::Fails);
    assert!(insert(&store).await.is_ok());
    assert!(matches!(insert(&store).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.sweep(&def(), NOW, 1).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(insert(&store).await, Err(StoreError::Duplicate { .. })));
    assert_eq!((store.calls(), store.commits()), (5, 3));
}

#[tokio::test]
async fn a_delayed_commit_is_dropped_at_each_of_its_yields() {
    let polls = drop_at_every_await(
        async || {
            let store = world().await;
            store.inject(Counted::Commits, 1, Fault::Delayed(4));
            store
        },
        async |store: &Faulty<MemoryStore>| insert(store).await.is_ok(),
        async |store: &Faulty<MemoryStore>, output| {
            assert_eq!(landed(store).await, output == Some(true));
        },
    )
    .await;
    assert_eq!(polls, 5);
}
