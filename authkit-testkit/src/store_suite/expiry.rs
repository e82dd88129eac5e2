//! Clause 5: a row past its expiry is absent for every call, swept or not.

use std::sync::Arc;

use authkit_core::{Done, Id, Join, Scope, Set, Shape, Store, Value};

use super::world::{
    self, ACCOUNTS, Account, ITEMS, VALUES, World, account, by_id, by_key, duplicate, ensure, id, insert, item, later,
    lost, part, purge, query, take, tenant, text, update, value,
};

use world::account::{BALANCE, BY_NAME, EXPIRES_AT, NAME};

fn expiring(n: u64, millis: i64) -> Account {
    Account { expires_at: Some(later(millis)), ..account(n) }
}

/// Clause 5, for gets by every key, joins and queries.
pub async fn an_expired_row_is_not_read(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut pointing = vec![Value::Null; VALUES.columns.len()];
    (pointing[0], pointing[value::OTHER]) = (Value::Id(id(1)), Value::Id(id(1)));
    world.write([expiring(1, 10).insert(), account(2).insert(), insert(&VALUES, pointing)]).await;
    let world = world.at(later(10));

    assert!(!world.has(&ACCOUNTS, id(1)).await, "clause 5: not by id");
    let by_name = by_key(BY_NAME, [text("account 1")]);
    assert!(world.row(&ACCOUNTS, by_name).await.is_none(), "clause 5: not by a unique key");
    let ids = world.ids(query(&ACCOUNTS, BY_NAME, vec![])).await;
    assert_eq!(ids, [id(2)], "clause 5: not by a query");

    let join = Join { via: value::OTHER, def: ACCOUNTS.clone(), columns: vec![NAME] };
    let shape = Shape { def: VALUES.clone(), columns: vec![0], join: Some(join) };
    let row = world.shaped(Arc::new(shape), by_id(id(1))).await.expect("clause 5: the joining row is there");
    assert_eq!(row.joined, None, "clause 5: not by a join");
}

/// Clause 5, for update, take, ensure and purge.
pub async fn an_expired_row_satisfies_no_guard(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([expiring(1, 10).insert()]).await;
    let world = world.at(later(10));
    let revive = Set::To(EXPIRES_AT, Value::Null);
    for op in [
        update(&ACCOUNTS, by_id(id(1)), vec![], vec![revive]),
        take(&ACCOUNTS, by_id(id(1)), vec![]),
        ensure(&ACCOUNTS, by_id(id(1)), vec![]),
        ensure(&ACCOUNTS, by_key(BY_NAME, [text("account 1")]), vec![]),
    ] {
        lost(world.commit(&[op]).await, 0, "clause 5: an expired row satisfies no guard");
    }
    let done = world.write([purge(&ACCOUNTS, BY_NAME, vec![text("account 1")], vec![])]).await;
    assert_eq!(done, [Done::Purged(vec![])], "clause 5: a purge does not return it");
}

/// Clause 5, for inserts and updates into its keys; what referred to it does not pass to the new row.
pub async fn an_expired_row_collides_with_nothing(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([expiring(1, 10).insert(), item(1, 1, None, 0), part(1, 1), account(3).insert()]).await;
    world.write([expiring(4, 10).insert()]).await;
    let world = world.at(later(10));

    world.write([Account { name: "anew".to_owned(), ..account(1) }.insert()]).await;
    let name = world.value(&ACCOUNTS, id(1), NAME).await;
    assert_eq!(name, Some(text("anew")), "clause 5: the id of an expired row is free");
    assert!(!world.has(&ITEMS, id(1)).await, "clause 7: what referred to the expired row went with it");

    let result = world.commit(&[Account { name: "account 4".to_owned(), ..account(5) }.insert()]).await;
    assert!(result.is_ok(), "clause 5: the key of an expired row is free: {result:?}");

    let result = world.commit(&[account(1).insert()]).await;
    duplicate(result, 0, 0, "clause 5: the row that took its place is not expired");

    world.write([expiring(6, 20).insert()]).await;
    let world = world.at(later(20));
    let rename = vec![Set::To(NAME, text("account 6"))];
    let result = world.commit(&[update(&ACCOUNTS, by_id(id(3)), vec![], rename)]).await;
    assert!(result.is_ok(), "clause 5: an update may take its key: {result:?}");
}

/// Clause 5, for references: a row that is absent is nobody's parent.
pub async fn an_expired_row_is_no_parent(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([expiring(1, 10).insert()]).await;
    let world = world.at(later(10));
    lost(world.commit(&[item(1, 1, None, 0)]).await, 0, "clause 5: an expired row is no parent");
}

/// Clause 5: the row is there until the millisecond before its expiry.
pub async fn a_row_expires_at_the_millisecond(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([expiring(1, 10).insert()]).await;
    for (now, there) in [(9, true), (10, false), (11, false)] {
        let world = world.at(later(now));
        assert_eq!(world.has(&ACCOUNTS, id(1)).await, there, "clause 5: at {now} of 10 ms");
        let result = world.commit(&[ensure(&ACCOUNTS, by_id(id(1)), vec![])]).await;
        assert_eq!(result.is_ok(), there, "clause 5: for a guard at {now} of 10 ms");
    }
    let extend = vec![Set::To(EXPIRES_AT, Value::Time(later(100))), Set::To(BALANCE, Value::Int(1))];
    world.write([update(&ACCOUNTS, by_id(id(1)), vec![], extend)]).await;
    assert!(world.at(later(99)).has(&ACCOUNTS, id(1)).await, "clause 5: an expiry can be moved while it is ahead");
}

/// Clause 5: sweeping is bounded, spans tenants, takes along what refers, and spares what lives.
pub async fn a_sweep_removes_expired_rows_of_all_tenants_up_to_its_limit(store: Arc<dyn Store>) {
    let a = World::new(store).await;
    let b = a.of(Scope::Tenant(tenant(b'b')));
    for world in [&a, &b] {
        world.write([expiring(1, 10).insert(), expiring(2, 20).insert(), expiring(3, 30).insert()]).await;
        world.write([expiring(4, 40).insert(), account(5).insert(), item(1, 1, None, 0), part(1, 1)]).await;
    }
    for expected in [4, 2, 0] {
        let removed = a.store.sweep(&ACCOUNTS, later(30), 4).await.expect("clause 5: a sweep succeeds");
        assert_eq!(removed, expected, "clause 5: a sweep removes up to its limit and says how many");
    }
    for world in [&a, &b] {
        let alive: Vec<Id> = world.ids(query(&ACCOUNTS, 0, vec![])).await;
        assert_eq!(alive, [id(4), id(5)], "clause 5: a sweep spares what has not expired");
        assert!(!world.has(&ITEMS, id(1)).await, "clause 7: a sweep takes along what refers");
        assert!(!world.has(&world::PARTS, id(1)).await, "clause 7: and what refers to that");
    }
}
