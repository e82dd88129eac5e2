//! Clause 2: a commit lands as a whole or not at all.

use std::sync::Arc;

use authkit_core::{Done, Set, Store, Value};

use super::world::{
    self, ACCOUNTS, Account, Bump, COUNTERS, ITEMS, World, account, bump, by_id, by_key, counter, duplicate, ensure,
    id, is, item, lost, purge, take, text, update,
};

/// Clause 2: whichever op fails, nothing of the others stays, and the error says which one it was.
pub async fn a_failed_batch_leaves_nothing_and_names_op_and_index(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert(), account(2).insert(), item(1, 2, None, 0), bump(1, "counted").op()]).await;
    let writes = || {
        vec![
            account(3).insert(),
            update(&ACCOUNTS, by_id(id(1)), vec![], vec![Set::To(account::BALANCE, Value::Int(9))]),
            bump(1, "counted").op(),
            bump(2, "new").op(),
            purge(&ITEMS, item::BY_ACCOUNT, vec![Value::Id(id(2))], vec![]),
            take(&ACCOUNTS, by_id(id(2)), vec![]),
        ]
    };
    let taken_name = Account { name: "account 1".to_owned(), ..account(4) };
    let absent = || by_id(id(99));
    let failing = [
        (account(1).insert(), Some(0)),
        (taken_name.insert(), Some(account::BY_NAME)),
        (update(&ACCOUNTS, absent(), vec![], vec![Set::To(account::BALANCE, Value::Int(1))]), None),
        (take(&ACCOUNTS, absent(), vec![]), None),
        (ensure(&ACCOUNTS, absent(), vec![]), None),
        (ensure(&ACCOUNTS, by_id(id(1)), vec![is(account::BALANCE, Value::Int(-5))]), None),
        (Bump { max: Some(0), ..bump(3, "capped") }.op(), None),
        (item(9, 99, None, 0), None),
    ];

    for (op, index) in failing {
        for at in [0, 3, 6] {
            let mut ops = writes();
            ops.insert(at, op.clone());
            let result = world.commit(&ops).await;
            match index {
                Some(index) => duplicate(result, at, index, "clause 2: the error names op and index"),
                None => lost(result, at, "clause 2: the error names the op"),
            }
            assert_untouched(&world).await;
        }
    }
}

async fn assert_untouched(world: &World) {
    assert!(!world.has(&ACCOUNTS, id(3)).await, "clause 2: an insert of a failed commit is undone");
    let balance = world.value(&ACCOUNTS, id(1), account::BALANCE).await;
    assert_eq!(balance, Some(Value::Int(0)), "clause 2: an update of a failed commit is undone");
    let count = world.value(&COUNTERS, id(1), counter::COUNT).await;
    assert_eq!(count, Some(Value::Int(1)), "clause 2: a bump of a failed commit is undone");
    assert!(!world.has(&COUNTERS, id(2)).await, "clause 2: a counter made by a failed commit is gone");
    assert!(world.has(&ITEMS, id(1)).await, "clause 2: a purge of a failed commit is undone");
    assert!(world.has(&ACCOUNTS, id(2)).await, "clause 2: a take of a failed commit is undone");
}

/// Clause 2: a commit returns one answer per op, in the order of the ops.
pub async fn every_op_reports_what_it_did(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert(), account(2).insert(), item(1, 1, None, 0), item(2, 1, None, 1)]).await;
    let done = world
        .write([
            account(3).insert(),
            update(&ACCOUNTS, by_id(id(1)), vec![], vec![Set::Add(account::BALANCE, 5)]),
            ensure(&ACCOUNTS, by_id(id(1)), vec![]),
            take(&ACCOUNTS, by_id(id(2)), vec![]),
            purge(&ITEMS, item::BY_ACCOUNT, vec![Value::Id(id(1))], vec![]),
            Bump { by: 7, ..bump(1, "key") }.op(),
        ])
        .await;

    let [Done::Written, Done::Written, Done::Written, Done::Taken(row), Done::Purged(ids), Done::Bumped(7)] = &done[..]
    else {
        panic!("clause 2: one answer per op: {done:?}");
    };
    assert_eq!(row.values, account(2).values(), "clause 2: a take returns the whole row");
    assert_eq!(row.joined, None, "clause 2: a take joins nothing");
    let mut ids = ids.clone();
    ids.sort_unstable();
    assert_eq!(ids, [id(1), id(2)], "clause 2: a purge returns the ids");
    let balance = world.value(&ACCOUNTS, id(1), account::BALANCE).await;
    assert_eq!(balance, Some(Value::Int(5)), "clause 2: a number can be added to");
    assert_eq!(world.write([]).await, [], "clause 2: nothing to write is no error");
}

/// Clause 2: within a commit, an op sees what those before it did.
pub async fn ops_of_a_batch_build_on_each_other(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert(), item(1, 1, None, 0), world::part(1, 1)]).await;
    assert!(world.has(&ITEMS, id(1)).await, "clause 2: a parent and its child land together");

    let heir = Account { name: "account 1".to_owned(), ..account(2) };
    world.write([take(&ACCOUNTS, by_id(id(1)), vec![]), heir.insert()]).await;
    let found = world.row(&ACCOUNTS, by_key(account::BY_NAME, [text("account 1")])).await;
    assert_eq!(found.map(|row| world::id_of(&row)), Some(id(2)), "clause 2: a key is free once its row was taken");

    let result = world.commit(&[account(3).insert(), account(3).insert()]).await;
    duplicate(result, 1, 0, "clause 2: an insert collides with one of the same commit");
    let result = world.commit(&[take(&ACCOUNTS, by_id(id(2)), vec![]), take(&ACCOUNTS, by_id(id(2)), vec![])]).await;
    lost(result, 1, "clause 2: a row is taken once");
}
