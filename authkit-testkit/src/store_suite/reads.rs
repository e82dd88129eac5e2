//! Gets: what was asked for, in the order asked for.

use std::sync::Arc;

use authkit_core::{Join, Set, Shape, Store, Value};

use super::world::{
    self, ACCOUNTS, Account, ITEMS, VALUES, World, account, by_id, by_key, id, insert, item, text, update, value,
};

use world::account::{BALANCE, BY_CODE, BY_NAME, CODE, NAME, NOTE};

/// Clause 1, for a projection: any columns, in any order.
pub async fn a_get_returns_the_wanted_columns_in_order(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([Account { balance: 7, note: Some(3), ..account(1) }.insert()]).await;
    for (columns, expected) in [
        (vec![BALANCE, 0, NOTE], vec![Value::Int(7), Value::Id(id(1)), Value::Int(3)]),
        (vec![CODE], vec![Value::Null]),
        (vec![NAME], vec![text("account 1")]),
    ] {
        let shape = Arc::new(Shape { def: ACCOUNTS.clone(), columns, join: None });
        let row = world.shaped(shape, by_id(id(1))).await.expect("clause 1: the row is there");
        assert_eq!(row.values, expected, "clause 1: the wanted columns in the order asked for");
        assert_eq!(row.tenant, world::tenant(b'a'), "clause 1: with its tenant");
    }
}

/// Clause 3: what is unique finds its row.
pub async fn a_get_finds_by_every_unique_index(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([Account { realm: Some("r"), code: Some("c"), ..account(1) }.insert(), account(2).insert()]).await;
    for at in [by_id(id(1)), by_key(BY_NAME, [text("account 1")]), by_key(BY_CODE, [text("r"), text("c")])] {
        let row = world.row(&ACCOUNTS, at).await.expect("clause 3: the row is found");
        assert_eq!(world::id_of(&row), id(1), "clause 3: by its own key");
    }
    for at in [by_id(id(9)), by_key(BY_NAME, [text("nobody")]), by_key(BY_CODE, [text("c"), text("r")])] {
        assert!(world.row(&ACCOUNTS, at).await.is_none(), "clause 3: an absent row is no error");
    }
}

/// The row whose id stands in a column comes along, as it is now.
pub async fn a_get_joins_the_row_it_refers_to(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([Account { balance: 7, ..account(1) }.insert(), account(2).insert(), item(5, 1, None, 3)]).await;
    let join = Join { via: item::ACCOUNT, def: ACCOUNTS.clone(), columns: vec![BALANCE, NOTE, NAME] };
    let columns = vec![item::ORDER, 0];
    let shape = Arc::new(Shape { def: ITEMS.clone(), columns, join: Some(join) });

    let row = world.shaped(shape.clone(), by_id(id(5))).await.expect("clause 1: the row is there");
    assert_eq!(row.values, [Value::Int(3), Value::Id(id(5))], "clause 1: the first row's columns");
    let joined = vec![Value::Int(7), Value::Null, text("account 1")];
    assert_eq!(row.joined, Some(joined), "clause 1: the joined row's columns, a NULL among them");

    world.write([update(&ACCOUNTS, by_id(id(1)), vec![], vec![Set::Add(BALANCE, 1)])]).await;
    let row = world.shaped(shape.clone(), by_id(id(5))).await.expect("clause 1: the row is there");
    assert_eq!(row.joined.map(|joined| joined[0].clone()), Some(Value::Int(8)), "clause 2: as it is now");
    assert!(world.shaped(shape, by_id(id(6))).await.is_none(), "clause 1: without a first row there is none");
}

/// NULL and ids that lead nowhere join nothing; the first row is returned all the same.
pub async fn a_join_of_nothing_is_none(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert()]).await;
    let join = Join { via: value::OTHER, def: ACCOUNTS.clone(), columns: vec![NAME] };
    let shape = Arc::new(Shape { def: VALUES.clone(), columns: vec![0], join: Some(join) });
    for (n, other) in (1..).zip([Value::Null, Value::Id(id(99)), Value::Id(id(1))]) {
        let mut values = vec![Value::Null; VALUES.columns.len()];
        (values[0], values[value::OTHER]) = (Value::Id(id(n)), other.clone());
        world.write([insert(&VALUES, values)]).await;
        let row = world.shaped(shape.clone(), by_id(id(n))).await.expect("the first row is returned");
        let expected = (other == Value::Id(id(1))).then(|| vec![text("account 1")]);
        assert_eq!(row.joined, expected, "clause 1: {other:?} joins only what is there");
    }
}
