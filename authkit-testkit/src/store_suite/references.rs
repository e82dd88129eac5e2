//! Clause 7: a child needs its parent, and goes with it.

use std::sync::Arc;

use authkit_core::{Op, Store, Value};

use super::world::{ACCOUNTS, ITEMS, PARTS, World, account, by_id, id, insert, item, lost, part, purge, take};

/// Clause 7: the error names the op whose parent is missing.
pub async fn a_missing_parent_loses_the_guard(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    lost(world.commit(&[item(1, 1, None, 0)]).await, 0, "clause 7: the parent never was");
    let result = world.commit(&[account(1).insert(), item(1, 1, None, 0), part(1, 9)]).await;
    lost(result, 2, "clause 7: the error names the op");
    assert!(!world.has(&ACCOUNTS, id(1)).await, "clause 2: nothing of the commit stays");

    world.write([account(1).insert()]).await;
    world.write([take(&ACCOUNTS, by_id(id(1)), vec![])]).await;
    lost(world.commit(&[item(1, 1, None, 0)]).await, 0, "clause 7: the parent is gone");
}

/// Clause 7: whether a parent is taken or purged, its children go, and theirs.
pub async fn removing_a_parent_removes_what_refers_to_it(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let removals: [fn() -> Op; 2] = [
        || take(&ACCOUNTS, by_id(id(1)), vec![]),
        || purge(&ACCOUNTS, account::BY_NAME, vec![Value::Text("account 1".to_owned())], vec![]),
    ];
    for removal in removals {
        world.write([account(1).insert(), account(2).insert(), item(1, 1, None, 0), item(2, 1, None, 0)]).await;
        world.write([item(3, 2, None, 0), part(1, 1), part(2, 2), part(3, 3)]).await;
        world.write([removal()]).await;
        for gone in [1, 2] {
            assert!(!world.has(&ITEMS, id(gone)).await, "clause 7: children go with their parent");
            assert!(!world.has(&PARTS, id(gone)).await, "clause 7: and so do theirs");
        }
        assert!(world.has(&ITEMS, id(3)).await, "clause 7: children of others stay");
        assert!(world.has(&PARTS, id(3)).await, "clause 7: and so do theirs");
        world.write([take(&ACCOUNTS, by_id(id(2)), vec![])]).await;
    }
}

/// Clause 7: NULL refers to nothing.
pub async fn a_reference_of_null_needs_no_parent(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([insert(&PARTS, vec![Value::Id(id(1)), Value::Null])]).await;
    world.write([account(1).insert(), item(1, 1, None, 0)]).await;
    world.write([take(&ACCOUNTS, by_id(id(1)), vec![])]).await;
    assert!(world.has(&PARTS, id(1)).await, "clause 7: a row that refers to nothing stays");
}
