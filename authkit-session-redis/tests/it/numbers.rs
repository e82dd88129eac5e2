//! Integers of 64 bits, which the numbers of Lua do not hold.

use authkit_core::{Comparison, Done, Guard, Set, StoreError, Value, Write};

use crate::{
    server,
    world::{BY_TITLE, COUNT, World, bump, by_id, insert, note, write},
};

const EDGES: [i64; 19] = [
    i64::MIN,
    i64::MIN + 1,
    -(1 << 53) - 1,
    -(1 << 53),
    -(1 << 32) - 1,
    -(1 << 32),
    -(1 << 31),
    -1,
    0,
    1,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 53,
    (1 << 53) + 1,
    i64::MAX - (1 << 32),
    i64::MAX - 1,
    i64::MAX,
];

fn counting(count: i64) -> Vec<Value> {
    let mut values = note(1, "counter");
    values[COUNT] = Value::Int(count);
    values
}

async fn reset(world: &World, count: i64) {
    let clear = write(Write::Purge { index: 0, prefix: vec![counting(0)[0].clone()], guards: vec![] });
    world.commit(&[clear, insert(counting(count))]).await.unwrap();
}

#[tokio::test]
async fn sums_are_exact_and_none_leaves_64_bits() {
    needs_redis!();
    let world = World::new(server::store().await).await;
    for one in EDGES {
        for other in EDGES {
            reset(&world, one).await;
            let bumped = world.commit(&[bump(9, "counter", other)]).await;
            match one.checked_add(other) {
                Some(sum) => assert_eq!(bumped.unwrap(), [Done::Bumped(sum)], "{one} + {other}"),
                None => assert!(matches!(bumped, Err(StoreError::Guard { op: 0 })), "{one} + {other}: {bumped:?}"),
            }
            reset(&world, one).await;
            let set = vec![Set::Add(COUNT, other)];
            let added = world.commit(&[write(Write::Update { at: by_id(1), guards: vec![], set })]).await;
            let expected = one.checked_add(other);
            assert_eq!(added.is_ok(), expected.is_some(), "{one} + {other}: {added:?}");
            let stored = world.value(1, COUNT).await;
            assert_eq!(stored, Some(Value::Int(expected.unwrap_or(one))), "{one} + {other}");
        }
    }
}

#[tokio::test]
async fn floors_and_maxima_are_exact() {
    needs_redis!();
    let world = World::new(server::store().await).await;
    for old in EDGES {
        for bound in EDGES {
            let bump = |floor, max| {
                write(Write::Bump { index: BY_TITLE, values: counting(0), column: COUNT, by: 0, floor, max })
            };
            reset(&world, old).await;
            assert_eq!(world.commit(&[bump(Some(bound), None)]).await.unwrap(), [Done::Bumped(old.max(bound))]);
            reset(&world, old).await;
            assert_eq!(world.commit(&[bump(None, Some(bound))]).await.is_ok(), old <= bound, "{old} at most {bound}");
        }
    }
}

#[tokio::test]
async fn comparisons_are_exact() {
    needs_redis!();
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    let world = World::new(server::store().await).await;
    for stored in EDGES {
        reset(&world, stored).await;
        for given in EDGES {
            for comparison in [Equal, NotEqual, Less, AtMost, Greater, AtLeast] {
                let guard = Guard { column: COUNT, comparison, value: Value::Int(given) };
                let holds = guard.holds(&counting(stored));
                let result = world.commit(&[write(Write::Ensure { at: by_id(1), guards: vec![guard] })]).await;
                assert_eq!(result.is_ok(), holds, "{stored} {comparison:?} {given}");
            }
        }
    }
}
