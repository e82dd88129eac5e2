//! Clause 3: unique indexes hold per tenant, NULL aside.

use std::sync::Arc;

use authkit_core::{Scope, Set, Store, Value};

use super::world::{
    self, ACCOUNTS, Account, SETTINGS, World, account, by_id, by_key, duplicate, id, setting, text, update,
};

use world::account::{BY_CODE, BY_NAME, CODE, NAME};

fn coded(n: u64, realm: Option<&'static str>, code: Option<&'static str>) -> Account {
    Account { realm, code, ..account(n) }
}

/// Clause 3: the primary key, a key of one column, a key of two, and a global key.
pub async fn unique_keys_hold_within_a_tenant(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([coded(1, Some("r"), Some("c")).insert(), setting(1, "name", 1)]).await;

    let same_id = Account { name: "other".to_owned(), ..account(1) };
    duplicate(world.commit(&[same_id.insert()]).await, 0, 0, "clause 3: the id is unique");
    let same_name = Account { name: "account 1".to_owned(), ..account(2) };
    duplicate(world.commit(&[same_name.insert()]).await, 0, BY_NAME, "clause 3: a key of one column is unique");
    let same_code = coded(2, Some("r"), Some("c"));
    duplicate(world.commit(&[same_code.insert()]).await, 0, BY_CODE, "clause 3: a key of two columns is unique");
    let result = world.commit(&[setting(2, "name", 2)]).await;
    duplicate(result, 0, setting::BY_NAME, "clause 3: a global key is unique");

    world.write([coded(2, Some("r"), Some("d")).insert(), coded(3, Some("s"), Some("c")).insert()]).await;
    assert!(world.has(&ACCOUNTS, id(3)).await, "clause 3: keys that agree in part do not collide");
}

/// Clause 3: another tenant may use the same keys, ids included.
pub async fn unique_keys_are_free_in_another_tenant(store: Arc<dyn Store>) {
    let a = World::new(store).await;
    let b = a.of(Scope::Tenant(world::tenant(b'b')));
    a.write([coded(1, Some("r"), Some("c")).insert()]).await;
    b.write([coded(1, Some("r"), Some("c")).insert()]).await;
    for world in [&a, &b] {
        let row = world.row(&ACCOUNTS, by_key(BY_NAME, [text("account 1")])).await;
        let row = row.expect("clause 3: each tenant has its row");
        assert_eq!(Scope::Tenant(row.tenant), world.scope, "clause 3: each tenant finds its own row");
    }
    assert!(a.has(&ACCOUNTS, id(1)).await, "clause 3: the first row is still there");
    let result = b.commit(&[setting(1, "x", 0), setting(2, "x", 0)]).await;
    duplicate(result, 1, setting::BY_NAME, "clause 3: a global key is unique under any scope");
    assert!(!b.has(&SETTINGS, id(1)).await, "clause 2: nothing of it was written");
}

/// Clause 3: a NULL anywhere in the key, or everywhere.
pub async fn a_null_in_a_key_collides_with_none(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for (n, (realm, code)) in (0..).zip([(None, None), (Some("r"), None), (None, Some("c"))]) {
        for copy in [1, 2] {
            let result = world.commit(&[coded(2 * n + copy, realm, code).insert()]).await;
            assert!(result.is_ok(), "clause 3: a NULL in a key collides with none: {result:?}");
        }
    }
    let clear = Set::To(CODE, Value::Null);
    world.write([coded(10, Some("r"), Some("x")).insert()]).await;
    let result = world.commit(&[update(&ACCOUNTS, by_id(id(10)), vec![], vec![clear])]).await;
    assert!(result.is_ok(), "clause 3: nor does one that an update wrote: {result:?}");
}

/// Clause 3, for updates: into the key of another row, into its own, and out of the way.
pub async fn an_update_into_a_taken_key_is_a_duplicate(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert(), account(2).insert()]).await;
    let rename = |n, name| update(&ACCOUNTS, by_id(id(n)), vec![], vec![Set::To(NAME, text(name))]);
    let result = world.commit(&[rename(2, "account 1")]).await;
    duplicate(result, 0, BY_NAME, "clause 3: an update cannot take a key that is taken");
    world.write([rename(1, "account 1")]).await;
    world.write([rename(1, "free"), rename(2, "account 1")]).await;
    let found = world.row(&ACCOUNTS, by_key(BY_NAME, [text("account 1")])).await;
    assert_eq!(found.map(|row| world::id_of(&row)), Some(id(2)), "clause 3: a key that was given up can be taken");
    assert!(
        world.row(&ACCOUNTS, by_key(BY_NAME, [text("account 2")])).await.is_none(),
        "clause 3: a row is not found by a key that it had"
    );
}

/// Clause 3: keys are compared byte by byte; no case, accent, padding or normalization is folded.
pub async fn keys_differ_where_their_bytes_do(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let names =
        ["ann", "Ann", "ann ", " ann", "änn", "a\u{308}nn", "ånn", "anń", "ａnn", "", " ", "ß", "ss", "1", "1.0"];
    for (n, name) in (1..).zip(names) {
        let result = world.commit(&[Account { name: name.to_owned(), ..account(n) }.insert()]).await;
        assert!(result.is_ok(), "clause 3: {name:?} equals no other name: {result:?}");
    }
    for (n, name) in (1..).zip(names) {
        let found = world.row(&ACCOUNTS, by_key(BY_NAME, [text(name)])).await;
        assert_eq!(found.map(|row| world::id_of(&row)), Some(id(n)), "clause 3: {name:?} finds its own row");
    }
}
