//! Clause 6: a call neither reads nor writes rows of another tenant.

use std::sync::Arc;

use authkit_core::{Done, Get, Join, Scope, Set, Shape, Store, TenantId, Value};

use super::world::{
    self, ACCOUNTS, Account, COUNTERS, ITEMS, PARTS, SETTINGS, VALUES, World, account, bump, by_id, by_key, counter,
    ensure, id, insert, is, item, lost, part, purge, query, setting, take, tenant, text, update, value,
};

use world::account::{BALANCE, BY_NAME, NAME};

/// Two tenants; the first has rows, and the second knows their ids and keys.
async fn two_tenants(store: Arc<dyn Store>) -> (World, World) {
    let a = World::new(store).await;
    a.write([account(1).insert(), item(1, 1, Some("k"), 0), part(1, 1), bump(1, "key").op()]).await;
    let b = a.of(Scope::Tenant(tenant(b'b')));
    (a, b)
}

/// Clause 6, for get by id and key, join, and queries along every index.
pub async fn no_read_reaches_another_tenant(store: Arc<dyn Store>) {
    let (a, b) = two_tenants(store).await;
    assert!(!b.has(&ACCOUNTS, id(1)).await, "clause 6: not by id");
    assert!(b.row(&ACCOUNTS, by_key(BY_NAME, [text("account 1")])).await.is_none(), "clause 6: not by key");
    for (index, prefix) in [
        (0, vec![]),
        (item::BY_ACCOUNT, vec![Value::Id(id(1))]),
        (item::BY_KIND, vec![text("k")]),
        (item::BY_ORDER, vec![]),
        (item::BY_LABEL, vec![text("item 1")]),
    ] {
        assert_eq!(b.ids(query(&ITEMS, index, prefix.clone())).await, [], "clause 6: not by index {index}");
        let own = a.rows(query(&ITEMS, index, prefix)).await;
        assert_eq!(own.len(), 1, "clause 6: its own tenant finds it by index {index}");
        assert_eq!(own[0].tenant, tenant(b'a'), "clause 6: a row says whose it is");
    }

    let mut pointing = vec![Value::Null; VALUES.columns.len()];
    (pointing[0], pointing[value::OTHER]) = (Value::Id(id(1)), Value::Id(id(1)));
    b.write([insert(&VALUES, pointing)]).await;
    let join = Join { via: value::OTHER, def: ACCOUNTS.clone(), columns: vec![NAME] };
    let shape = Arc::new(Shape { def: VALUES.clone(), columns: vec![0], join: Some(join) });
    let row = b.shaped(shape, by_id(id(1))).await.expect("clause 6: the joining row is there");
    assert_eq!(row.joined, None, "clause 6: not by a join");
}

/// Clause 6, for update, take, ensure, purge, bump and insert.
pub async fn no_write_reaches_another_tenant(store: Arc<dyn Store>) {
    let (a, b) = two_tenants(store).await;
    for at in [by_id(id(1)), by_key(BY_NAME, [text("account 1")])] {
        let set = vec![Set::To(BALANCE, Value::Int(9))];
        for op in [
            update(&ACCOUNTS, at.clone(), vec![], set),
            take(&ACCOUNTS, at.clone(), vec![]),
            ensure(&ACCOUNTS, at, vec![]),
        ] {
            lost(b.commit(&[op]).await, 0, "clause 6: a row of another tenant meets no guard");
        }
    }
    let done = b
        .write([
            purge(&ITEMS, item::BY_ACCOUNT, vec![Value::Id(id(1))], vec![]),
            purge(&ACCOUNTS, 0, vec![Value::Id(id(1))], vec![]),
            bump(1, "key").op(),
            Account { balance: 5, ..account(1) }.insert(),
            item(1, 1, None, 0),
            part(1, 1),
        ])
        .await;
    assert_eq!(done[0], Done::Purged(vec![]), "clause 6: a purge returns no row of another tenant");
    assert_eq!(done[1], Done::Purged(vec![]), "clause 6: not by id either");
    assert_eq!(done[2], Done::Bumped(1), "clause 6: a bump counts for its own tenant");
    b.write([take(&ACCOUNTS, by_id(id(1)), vec![is(BALANCE, Value::Int(5))])]).await;

    assert_eq!(a.value(&ACCOUNTS, id(1), BALANCE).await, Some(Value::Int(0)), "clause 6: the row is as it was");
    assert!(a.has(&ITEMS, id(1)).await, "clause 6: removals stay within their tenant");
    assert!(a.has(&PARTS, id(1)).await, "clause 6: so do those of what refers");
    assert!(!b.has(&PARTS, id(1)).await, "clause 7: which are made there");
    let count = a.value(&COUNTERS, id(1), counter::COUNT).await;
    assert_eq!(count, Some(Value::Int(1)), "clause 6: the counter is as it was");
}

/// Clause 6: a row of another tenant is no parent.
pub async fn references_do_not_cross_tenants(store: Arc<dyn Store>) {
    let (_, b) = two_tenants(store).await;
    lost(b.commit(&[item(2, 1, None, 0)]).await, 0, "clause 6: a row of another tenant is no parent");
    lost(b.commit(&[part(2, 1)]).await, 0, "clause 6: nor for a nullable reference");
}

/// Clause 6, for global entities: one set of rows, whoever asks.
pub async fn global_rows_are_reached_with_either_scope(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let scopes = [Scope::Global, Scope::Tenant(tenant(b'a')), Scope::Tenant(tenant(b'b'))];
    for (n, writer) in (1..).zip(scopes) {
        let name = format!("set by {writer}");
        world.of(writer).write([setting(n, &name, 0)]).await;
        for reader in scopes {
            let reader = world.of(reader);
            let row = reader.row(&SETTINGS, by_key(setting::BY_NAME, [text(&name)])).await;
            let row = row.expect("clause 6: a global row is reached with either scope");
            assert_eq!(row.tenant, TenantId::DEFAULT, "clause 6: a global row belongs to no tenant");
            let add = vec![Set::Add(setting::VALUE, 1)];
            reader.write([update(&SETTINGS, by_id(id(n)), vec![], add)]).await;
        }
        let sum = world.value(&SETTINGS, id(n), setting::VALUE).await;
        assert_eq!(sum, Some(Value::Int(3)), "clause 6: it is one row");
    }
}

/// Clause 6: with the global scope, rows of tenants are neither read nor written; an error is as good as nothing.
pub async fn rows_of_tenants_are_not_reached_with_the_global_scope(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let default = world.of(Scope::Tenant(TenantId::DEFAULT));
    world.write([account(1).insert()]).await;
    default.write([account(1).insert()]).await;

    let get = Get { shape: Arc::new(Shape::whole(&ACCOUNTS)), at: by_id(id(1)), now: world.now };
    let read = world.store.get(&Scope::Global, &get).await;
    assert!(matches!(read, Ok(None) | Err(_)), "clause 6: not by a get: {read:?}");
    let rows = world.store.query(&Scope::Global, &query(&ACCOUNTS, 0, vec![])).await;
    assert!(rows.as_ref().map_or(true, Vec::is_empty), "clause 6: not by a query: {rows:?}");

    let global = world.of(Scope::Global);
    for op in [
        account(2).insert(),
        update(&ACCOUNTS, by_id(id(1)), vec![], vec![Set::To(BALANCE, Value::Int(9))]),
        take(&ACCOUNTS, by_id(id(1)), vec![]),
        ensure(&ACCOUNTS, by_id(id(1)), vec![]),
    ] {
        let result = global.commit(&[op]).await;
        assert!(result.is_err(), "clause 6: not by a write: {result:?}");
    }
    global.commit(&[purge(&ACCOUNTS, 0, vec![Value::Id(id(1))], vec![])]).await.ok();
    for world in [world, default] {
        let balance = world.value(&ACCOUNTS, id(1), BALANCE).await;
        assert_eq!(balance, Some(Value::Int(0)), "clause 6: the rows of tenants are as they were");
        assert!(!world.has(&ACCOUNTS, id(2)).await, "clause 6: and no row was added");
    }
}
