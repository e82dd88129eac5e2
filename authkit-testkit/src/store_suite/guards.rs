//! Clause 4: guards are judged on the row as it is when the commit lands.

use std::sync::Arc;

use authkit_core::{Comparison, Guard, Query, Set, Store, Timestamp, Value};

use super::world::{
    self, ACCOUNTS, Account, VALUES, World, account, by_id, by_key, ensure, id, insert, is, lost, query, take, text,
    update, value,
};

use world::account::{BALANCE, BY_NAME, NOTE};

/// Which of Equal, NotEqual, Less, AtMost, Greater, AtLeast hold between a stored and a given number.
const TRUTHS: [(Option<i64>, Option<i64>, [bool; 6]); 6] = [
    (Some(5), Some(5), [true, false, false, true, false, true]),
    (Some(4), Some(5), [false, true, true, true, false, false]),
    (Some(6), Some(5), [false, true, false, false, true, true]),
    (None, Some(5), [false, true, false, false, false, false]),
    (Some(5), None, [false, true, false, false, false, false]),
    (None, None, [true, false, false, false, false, false]),
];

const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Less,
    Comparison::AtMost,
    Comparison::Greater,
    Comparison::AtLeast,
];

/// Clause 4: every comparison, NULL on either side, in every op that has guards, and in the filter of a query.
pub async fn every_comparison_is_judged_as_declared(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for (n, (stored, given, truths)) in (1..).zip(TRUTHS) {
        world.write([Account { note: stored, ..account(n) }.insert()]).await;
        for (comparison, holds) in COMPARISONS.into_iter().zip(truths) {
            let guard = Guard { column: NOTE, comparison, value: given.map_or(Value::Null, Value::Int) };
            let clause = format!("clause 4: {stored:?} {comparison:?} {given:?}");
            let at = || by_id(id(n));

            let filters = vec![is(BALANCE, Value::Int(0)), guard.clone()];
            let name = vec![text(&format!("account {n}"))];
            let found = world.ids(Query { filters, ..query(&ACCOUNTS, BY_NAME, name) }).await;
            assert_eq!(!found.is_empty(), holds, "{clause} as a filter");

            let ops = [
                ensure(&ACCOUNTS, at(), vec![guard.clone()]),
                update(&ACCOUNTS, at(), vec![guard.clone()], vec![Set::To(BALANCE, Value::Int(0))]),
                take(&ACCOUNTS, at(), vec![guard]),
            ];
            for op in ops {
                let result = world.commit(std::slice::from_ref(&op)).await;
                if holds {
                    assert!(result.is_ok(), "{clause}: {result:?}");
                } else {
                    lost(result, 0, &clause);
                }
            }
            if holds {
                world.write([Account { note: stored, ..account(n) }.insert()]).await;
            }
        }
    }
}

/// Clause 4, for the other kinds of values: equal to themselves, different from others, times in order.
pub async fn text_bytes_ids_times_and_bools_are_compared(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let pairs = [
        (value::FLAG, Value::Bool(false), Value::Bool(true)),
        (value::NUMBER, Value::Int(i64::MAX), Value::Int(i64::MAX - 1)),
        (value::AT, Value::Time(Timestamp::MIN), Value::Time(Timestamp::MAX)),
        (value::OTHER, Value::Id(id(1)), Value::Id(id(2))),
        (value::TEXT, text("ann"), text("Ann")),
        (value::TEXT, text("ann"), text("ann ")),
        (value::BYTES, Value::Bytes(vec![]), Value::Bytes(vec![0])),
        (value::BYTES, Value::Bytes(b"a".to_vec()), Value::Bytes(b"A".to_vec())),
    ];
    for (n, (column, stored, other)) in (1..).zip(pairs) {
        let mut values = vec![Value::Null; VALUES.columns.len()];
        (values[0], values[column]) = (Value::Id(id(n)), stored.clone());
        world.write([insert(&VALUES, values)]).await;
        let judge = |comparison, value: &Value| {
            ensure(&VALUES, by_id(id(n)), vec![Guard { column, comparison, value: value.clone() }])
        };
        let result = world.commit(&[judge(Comparison::Equal, &stored), judge(Comparison::NotEqual, &other)]).await;
        assert!(result.is_ok(), "clause 4: {stored:?} equals itself and differs from {other:?}: {result:?}");
        let result = world.commit(&[judge(Comparison::Equal, &other)]).await;
        lost(result, 0, "clause 4: values that differ are not equal");
        let result = world.commit(&[judge(Comparison::NotEqual, &stored)]).await;
        lost(result, 0, "clause 4: a value does not differ from itself");
        if column == value::AT {
            let result = world.commit(&[judge(Comparison::Less, &other)]).await;
            assert!(result.is_ok(), "clause 4: times have an order: {result:?}");
        }
    }
}

/// Clause 4: a row that is not there meets no guard, not even none.
pub async fn a_write_to_an_absent_row_loses_its_guard(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert()]).await;
    for at in [by_id(id(9)), by_key(BY_NAME, [text("nobody")])] {
        let set = vec![Set::To(BALANCE, Value::Int(1))];
        for op in [
            update(&ACCOUNTS, at.clone(), vec![], set),
            take(&ACCOUNTS, at.clone(), vec![]),
            ensure(&ACCOUNTS, at, vec![]),
        ] {
            lost(world.commit(&[op]).await, 0, "clause 4: an absent row meets no guard");
        }
    }
}

/// Clause 4: all guards have to hold, and the row stays as it was otherwise.
pub async fn a_lost_guard_changes_nothing(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([Account { note: Some(1), ..account(1) }.insert()]).await;
    let name = || by_key(BY_NAME, [text("account 1")]);
    let guards = || vec![is(BALANCE, Value::Int(0)), is(NOTE, Value::Int(2))];
    let set = || vec![Set::To(BALANCE, Value::Int(7))];
    let result = world.commit(&[update(&ACCOUNTS, name(), guards(), set())]).await;
    lost(result, 0, "clause 4: every guard of an update has to hold");
    let result = world.commit(&[take(&ACCOUNTS, name(), guards())]).await;
    lost(result, 0, "clause 4: every guard of a take has to hold");
    let row = world.row(&ACCOUNTS, name()).await.expect("clause 4: a lost guard removes nothing");
    assert_eq!(row.values[BALANCE], Value::Int(0), "clause 4: a lost guard changes nothing");

    world.write([update(&ACCOUNTS, name(), vec![is(BALANCE, Value::Int(0)), is(NOTE, Value::Int(1))], set())]).await;
    let balance = world.value(&ACCOUNTS, id(1), BALANCE).await;
    assert_eq!(balance, Some(Value::Int(7)), "clause 4: an update whose guards hold is made");
}

/// Clause 4: an update of no column is judged like any other.
pub async fn an_update_that_sets_nothing_demands_its_guards(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert()]).await;
    let judged = |n, balance| update(&ACCOUNTS, by_id(id(n)), vec![is(BALANCE, Value::Int(balance))], vec![]);
    world.write([judged(1, 0)]).await;
    lost(world.commit(&[judged(1, 1)]).await, 0, "clause 4: its guards have to hold");
    lost(world.commit(&[judged(2, 0)]).await, 0, "clause 4: its row has to be there");
    let row = world.row(&ACCOUNTS, by_id(id(1))).await.expect("clause 4: the row is there");
    assert_eq!(row.values, account(1).values(), "clause 4: nothing changed");
}
