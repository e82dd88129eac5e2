//! Clauses 1 and 2 over a restart, for stores that keep data.

use std::sync::Arc;

use authkit_core::{Op, Set, Store, Value};

use super::world::{self, ACCOUNTS, COUNTERS, ITEMS, World, account, bump, by_id, counter, id, item, take, update};

use world::account::BALANCE;

/// Clause 2: what was acknowledged is there after the store was closed and opened again, and nothing else is.
pub async fn acknowledged_rows_outlive_a_restart<S: Store, F: Future<Output = S>>(mut open: impl FnMut() -> F) {
    let world = World::new(Arc::new(open().await)).await;
    world.write([account(1).insert(), account(2).insert(), item(1, 1, Some("k"), 5), bump(1, "key").op()]).await;
    world.write([update(&ACCOUNTS, by_id(id(1)), vec![], vec![Set::Add(BALANCE, 3)])]).await;
    world.write([take(&ACCOUNTS, by_id(id(2)), vec![])]).await;
    let refused: [Op; 2] = [account(3).insert(), account(1).insert()];
    assert!(world.commit(&refused).await.is_err(), "clause 3: the id is taken");
    drop(world);

    let world = World::new(Arc::new(open().await)).await;
    let row = world.row(&ACCOUNTS, by_id(id(1))).await.expect("clause 2: an acknowledged row outlives a restart");
    assert_eq!(row.values[BALANCE], Value::Int(3), "clause 2: with its latest values");
    assert!(world.has(&ITEMS, id(1)).await, "clause 2: so does a row of another table");
    let count = world.value(&COUNTERS, id(1), counter::COUNT).await;
    assert_eq!(count, Some(Value::Int(1)), "clause 2: so does a counter");
    assert!(!world.has(&ACCOUNTS, id(2)).await, "clause 2: what was taken stays away");
    assert!(!world.has(&ACCOUNTS, id(3)).await, "clause 2: what was refused never was");
    world.write([item(2, 1, None, 0)]).await;
}
