//! Clause 8: the version grows by one with every update that sets a recorded column.

use std::sync::Arc;

use authkit_core::{Op, Set, Store, Value};

use super::world::{self, ACCOUNTS, World, account, by_id, id, lost, update};

use world::account::{BALANCE, NOTE, SEEN};

async fn version(world: &World) -> i64 {
    world.row(&ACCOUNTS, by_id(id(1))).await.expect("the row is there").version
}

fn set(set: Vec<Set>) -> Op {
    update(&ACCOUNTS, by_id(id(1)), vec![], set)
}

/// Clause 8: by one per update, however many columns it sets and whatever they held.
pub async fn recorded_updates_raise_the_version(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert()]).await;
    assert_eq!(version(&world).await, 1, "clause 8: a new row has version 1");
    let updates = [
        vec![Set::To(BALANCE, Value::Int(5))],
        vec![Set::To(BALANCE, Value::Int(5))],
        vec![Set::Add(BALANCE, 1), Set::To(NOTE, Value::Int(1))],
        vec![Set::To(SEEN, Value::Int(1)), Set::To(NOTE, Value::Null)],
    ];
    for (expected, update) in (2..).zip(updates) {
        world.write([set(update)]).await;
        assert_eq!(version(&world).await, expected, "clause 8: a recorded update raises the version by one");
    }
}

/// Clause 8: an update of volatile columns alone is not a new version.
pub async fn volatile_updates_keep_the_version(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert()]).await;
    world.write([set(vec![Set::To(SEEN, Value::Int(7))])]).await;
    assert_eq!(version(&world).await, 1, "clause 8: a volatile update keeps the version");
    let seen = world.value(&ACCOUNTS, id(1), SEEN).await;
    assert_eq!(seen, Some(Value::Int(7)), "clause 8: and is made");
}

/// Clause 8: an update that names a version is made on that version only.
pub async fn an_update_demands_its_version(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert()]).await;
    let versioned = |version| Op::Update {
        def: ACCOUNTS.clone(),
        at: by_id(id(1)),
        guards: vec![],
        version: Some(version),
        set: vec![Set::Add(BALANCE, 1)],
    };
    lost(world.commit(&[versioned(2)]).await, 0, "clause 8: the version is not there yet");
    world.write([versioned(1)]).await;
    lost(world.commit(&[versioned(1)]).await, 0, "clause 8: the version is gone");
    world.write([versioned(2)]).await;
    let balance = world.value(&ACCOUNTS, id(1), BALANCE).await;
    assert_eq!(balance, Some(Value::Int(2)), "clause 8: what lost its version was not made");
}
