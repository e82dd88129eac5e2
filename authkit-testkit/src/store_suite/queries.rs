//! Queries and purges: rows along one index.

use std::{cmp::Reverse, ops::Bound, sync::Arc};

use authkit_core::{Comparison, Def, Direction, Done, Guard, Id, Query, Shape, Store, Value, order_columns};

use super::world::{self, ITEMS, PARTS, World, account, id, insert, item, part, purge, query, text};

use world::item::{ACCOUNT, BY_ACCOUNT, BY_KIND, BY_LABEL, BY_ORDER, KIND, ORDER};

/// Two accounts with 40 items, many of which tie; a third of the kinds is NULL.
async fn listed(store: Arc<dyn Store>) -> World {
    let world = World::new(store).await;
    world.write([account(1).insert(), account(2).insert()]).await;
    for n in 0..40 {
        let kind = [None, Some("x"), Some("y")][usize::try_from(n % 3).unwrap_or(0)];
        let shuffled = (n * 17) % 40;
        world.write([item(shuffled, 1 + n % 2, kind, i64::try_from(n % 5).unwrap_or(0) - 2)]).await;
    }
    world
}

/// Reads page after page, as core does: each begins where the one before ended.
async fn paged(world: &World, query: Query) -> Vec<Vec<Value>> {
    let def: Def = query.shape.def.clone();
    let order: Vec<usize> = order_columns(&def, query.index, query.prefix.len()).iter().chain([&0]).copied().collect();
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = world.rows(Query { after, ..query.clone() }).await;
        assert!(page.len() <= query.limit, "query: a page is no longer than its limit");
        let Some(last) = page.last() else {
            return rows;
        };
        after = Some(order.iter().map(|at| last.values[*at].clone()).collect());
        rows.extend(page.into_iter().map(|row| row.values));
        assert!(rows.len() <= 1000, "query: the pages come to an end");
    }
}

/// Pages of any size, either way, along every kind of index and prefix, hold every row once and in order.
pub async fn pages_join_up_both_ways(store: Arc<dyn Store>) {
    let world = listed(store).await;
    let all: Vec<Vec<Value>> = world.rows(query(&ITEMS, 0, vec![])).await.into_iter().map(|row| row.values).collect();
    assert_eq!(all.len(), 40, "query: without a prefix it holds every row");

    let account = |n| Value::Id(id(n));
    for (index, prefix) in [
        (0, vec![]),
        (BY_ORDER, vec![]),
        (BY_ORDER, vec![Value::Int(1)]),
        (BY_ACCOUNT, vec![]),
        (BY_ACCOUNT, vec![account(2)]),
        (BY_ACCOUNT, vec![account(1), Value::Int(0)]),
        (BY_KIND, vec![Value::Null]),
        (BY_KIND, vec![text("x")]),
        (BY_ACCOUNT, vec![account(3)]),
    ] {
        let columns = &ITEMS.indexes[index].columns;
        let (fixed, order) = columns.split_at(prefix.len());
        let key = |row: &Vec<Value>| -> Vec<Value> { order.iter().chain([&0]).map(|at| row[*at].clone()).collect() };
        let mut expected: Vec<_> = all.clone();
        expected.retain(|row| fixed.iter().zip(&prefix).all(|(at, value)| row[*at] == *value));
        for direction in [Direction::Ascending, Direction::Descending] {
            match direction {
                Direction::Ascending => expected.sort_by_key(key),
                Direction::Descending => expected.sort_by_key(|row| Reverse(key(row))),
            }
            for limit in [1, 2, 7, 100] {
                let query = Query { direction, limit, ..query(&ITEMS, index, prefix.clone()) };
                let rows = paged(&world, query).await;
                assert_eq!(rows, expected, "query: index {index}, prefix {prefix:?}, {direction:?}, limit {limit}");
            }
        }
    }
}

/// Every pair of bounds, either way, alone and with a page that began earlier.
pub async fn bounds_select_and_exclude_null(store: Arc<dyn Store>) {
    let world = listed(store).await;
    let bounds = [Bound::Unbounded, Bound::Included(0), Bound::Excluded(0), Bound::Included(-1), Bound::Excluded(1)];
    for from in bounds {
        for to in bounds {
            for direction in [Direction::Ascending, Direction::Descending] {
                let query = Query {
                    from: from.map(Value::Int),
                    to: to.map(Value::Int),
                    direction,
                    limit: 3,
                    ..query(&ITEMS, BY_ACCOUNT, vec![Value::Id(id(1))])
                };
                let mut orders: Vec<i64> = paged(&world, query).await.iter().map(|row| order_of(row)).collect();
                if direction == Direction::Descending {
                    orders.reverse();
                }
                // Items of account 1 have even numbers, and their order is the number modulo 5, less 2.
                let mut expected: Vec<i64> = (0..40).step_by(2).map(|n| n % 5 - 2).collect();
                expected.retain(|order| std::ops::RangeBounds::contains(&(from, to), order));
                expected.sort_unstable();
                assert_eq!(orders, expected, "query: from {from:?} to {to:?}, {direction:?}");
            }
        }
    }

    let kinds = [Bound::Included(text("a")), Bound::Excluded(text("a"))];
    for from in kinds {
        let rows = world.rows(Query { from, ..query(&ITEMS, BY_KIND, vec![]) }).await;
        assert!(rows.iter().all(|row| row.values[KIND] != Value::Null), "query: a lower bound excludes NULL");
        assert_eq!(rows.len(), 26, "query: and nothing else");
    }
    let to = Bound::Included(text("z"));
    let rows = world.rows(Query { to, ..query(&ITEMS, BY_KIND, vec![]) }).await;
    assert_eq!(rows.len(), 26, "query: an upper bound excludes NULL");
}

/// A limit counts the rows that meet the filters.
pub async fn filters_are_applied_before_the_limit(store: Arc<dyn Store>) {
    let world = listed(store).await;
    let filters = vec![
        world::is(KIND, text("y")),
        Guard { column: ORDER, comparison: Comparison::Greater, value: Value::Int(-2) },
    ];
    for limit in [1, 3, 100] {
        let query = Query { filters: filters.clone(), limit, ..query(&ITEMS, BY_ACCOUNT, vec![Value::Id(id(2))]) };
        let one_page = world.rows(query.clone()).await.len();
        let rows = paged(&world, query).await;
        assert_eq!(rows.len(), 4, "query: the rows that meet every filter");
        assert_eq!(one_page, limit.min(4), "query: a page is full as long as there are more");
        let meets = |row: &Vec<Value>| row[KIND] == text("y") && order_of(row) > -2 && row[ACCOUNT] == Value::Id(id(2));
        assert!(rows.iter().all(meets), "query: no row that does not");
    }
}

/// NULL in a prefix is a value like others there; a projection leaves out what was not asked for.
pub async fn a_null_prefix_selects_null(store: Arc<dyn Store>) {
    let world = listed(store).await;
    let shape = Arc::new(Shape { def: ITEMS.clone(), columns: vec![KIND, 0], join: None });
    let rows = world.rows(Query { shape, ..query(&ITEMS, BY_KIND, vec![Value::Null]) }).await;
    assert_eq!(rows.len(), 14, "query: NULL in a prefix selects the rows with NULL");
    let fits = |values: &[Value]| matches!(values, [Value::Null, Value::Id(_)]);
    assert!(rows.iter().all(|row| fits(&row.values)), "query: and returns the wanted columns in order");
    assert!(rows.iter().all(|row| row.joined.is_none()), "query: without a join");
}

/// Text sorts by code point, which is neither a dictionary's order nor that of UTF-16.
pub async fn text_is_ordered_by_code_point(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert()]).await;
    let labels = ["", " ", "0", "10", "2", "Z", "a", "a b", "ab", "ä", "\u{FFFD}", "😀"];
    for (n, label) in (1..).zip(labels).collect::<Vec<_>>().into_iter().rev() {
        let values = vec![Value::Id(id(100 - n)), Value::Id(id(1)), Value::Null, Value::Int(0), text(label)];
        world.write([insert(&ITEMS, values)]).await;
    }
    for direction in [Direction::Ascending, Direction::Descending] {
        let rows = paged(&world, Query { direction, limit: 5, ..query(&ITEMS, BY_LABEL, vec![]) }).await;
        let mut read: Vec<Value> = rows.iter().map(|row| row[item::LABEL].clone()).collect();
        if direction == Direction::Descending {
            read.reverse();
        }
        assert_eq!(read, labels.map(text), "query: text is ordered by code point, {direction:?}");
    }
}

/// A purge takes one prefix of one tenant, spares what does not meet its guards, returns the ids of the others, and takes along what refers.
pub async fn a_purge_spares_one_row_and_returns_the_rest(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.write([account(1).insert(), account(2).insert()]).await;
    world.write([item(1, 1, None, 0), item(2, 1, None, 0), item(3, 1, None, 1), item(4, 2, None, 0)]).await;
    world.write([part(1, 1), part(2, 2), part(3, 3), part(4, 4)]).await;
    let account = || Value::Id(id(1));
    let but = |spared| vec![Guard { column: 0, comparison: Comparison::NotEqual, value: Value::Id(id(spared)) }];

    assert_eq!(purged(&world, vec![account(), Value::Int(1)], vec![]).await, [id(3)], "purge: by two columns");
    assert_eq!(purged(&world, vec![account()], but(2)).await, [id(1)], "purge: all but one");
    assert_eq!(purged(&world, vec![account()], but(2)).await, [], "purge: nothing left is no error");
    let left = world.ids(query(&ITEMS, 0, vec![])).await;
    assert_eq!(left, [id(2), id(4)], "purge: the spared row and those of others stay");
    let parts = world.ids(query(&PARTS, 0, vec![])).await;
    assert_eq!(parts, [id(2), id(4)], "clause 7: what referred to the purged rows is gone");
    assert_eq!(purged(&world, vec![account()], but(4)).await, [id(2)], "purge: a stranger is spared in vain");
    assert_eq!(purged(&world, vec![Value::Id(id(9))], vec![]).await, [], "purge: an unknown prefix is no error");
}

async fn purged(world: &World, prefix: Vec<Value>, guards: Vec<Guard>) -> Vec<Id> {
    match &world.write([purge(&ITEMS, BY_ACCOUNT, prefix, guards)]).await[..] {
        [Done::Purged(ids)] => ids.clone(),
        other => panic!("purge: the answer is the ids, not {other:?}"),
    }
}

fn order_of(row: &[Value]) -> i64 {
    match row[ORDER] {
        Value::Int(order) => order,
        ref other => panic!("clause 1: a number comes back as a number, not {other:?}"),
    }
}
