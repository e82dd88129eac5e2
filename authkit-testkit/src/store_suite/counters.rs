//! `Write::Bump`, as it is declared; clauses 4 and 5 apply to it.

use std::sync::Arc;

use authkit_core::{Done, Scope, Store, Value};

use super::world::{self, Bump, COUNTERS, World, bump, by_id, by_key, counter, id, later, lost, tenant, text};

async fn count(world: &World, bump: Bump<'_>) -> i64 {
    match world.write([bump.op()]).await[..] {
        [Done::Bumped(count)] => count,
        ref other => panic!("Bump: the answer is the new value, not {other:?}"),
    }
}

/// The column's own value in the row that is handed in counts for nothing.
pub async fn the_first_bump_is_what_was_added(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for (n, by) in (1..).zip([1, 5, 0, -3]) {
        let key = format!("key {n}");
        assert_eq!(count(&world, Bump { by, ..bump(n, &key) }).await, by, "Bump: the first value is `by`");
        let stored = world.value(&COUNTERS, id(n), counter::COUNT).await;
        assert_eq!(stored, Some(Value::Int(by)), "Bump: and it is stored");
        assert_eq!(count(&world, Bump { by: 2, ..bump(n, &key) }).await, by + 2, "Bump: the next adds to it");
    }
}

/// The row is made once; later bumps change the count and the expiry alone.
pub async fn a_bump_keeps_the_other_columns(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    count(&world, Bump { note: "first", ..bump(1, "key") }).await;
    count(&world, Bump { note: "second", ..bump(2, "key") }).await;
    let row = world.row(&COUNTERS, by_key(counter::BY_KEY, [text("key")])).await;
    let row = row.expect("Bump: the counter is found by its key");
    assert_eq!(world::id_of(&row), id(1), "Bump: the row keeps its id");
    assert_eq!(row.values[counter::NOTE], text("first"), "Bump: the row keeps its other columns");
    assert_eq!(row.values[counter::COUNT], Value::Int(2), "Bump: the row is one");
    assert!(world.row(&COUNTERS, by_id(id(2))).await.is_none(), "Bump: no second row is made");
}

/// Above the maximum the guard is lost, on a new row as on an old one, and nothing is written.
pub async fn a_bump_never_exceeds_its_maximum(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let capped = |by| Bump { by, max: Some(3), ..bump(1, "key") };
    lost(world.commit(&[capped(4).op()]).await, 0, "Bump: a first value above the maximum");
    assert!(world.row(&COUNTERS, by_id(id(1))).await.is_none(), "Bump: a refused one makes no row");
    assert_eq!(count(&world, capped(2)).await, 2, "Bump: below the maximum");
    lost(world.commit(&[capped(2).op()]).await, 0, "Bump: a sum above the maximum");
    assert_eq!(count(&world, capped(1)).await, 3, "Bump: the maximum itself is reached");
    lost(world.commit(&[capped(1).op()]).await, 0, "Bump: at the maximum");
    assert_eq!(count(&world, capped(-2)).await, 1, "Bump: a negative one makes room");
    assert_eq!(count(&world, Bump { by: 9, ..bump(1, "key") }).await, 10, "Bump: without a maximum it goes on");
    lost(world.commit(&[capped(-6).op()]).await, 0, "Bump: a sum above the maximum is refused on the way down too");
}

/// What is added to is the greater of the old value and the floor.
pub async fn a_bump_adds_to_its_floor(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let floored = |floor, by| Bump { floor: Some(floor), by, ..bump(1, "key") };
    assert_eq!(count(&world, floored(100, 5)).await, 105, "Bump: a new row adds to the floor");
    assert_eq!(count(&world, floored(50, 5)).await, 110, "Bump: a floor below the old value is passed over");
    assert_eq!(count(&world, floored(200, 1)).await, 201, "Bump: a floor above it is added to");
    let below = Bump { floor: Some(-5), by: 1, ..bump(2, "other") };
    assert_eq!(count(&world, below).await, 1, "Bump: an absent row counts as 0, above a negative floor");
    let capped = Bump { floor: Some(300), by: 1, max: Some(300), ..bump(1, "key") };
    lost(world.commit(&[capped.op()]).await, 0, "Bump: the maximum holds for the sum with the floor");
}

/// Clause 11: a sum that would leave 64 bits is above every maximum.
pub async fn a_bump_never_leaves_64_bits(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    count(&world, Bump { by: i64::MAX, ..bump(1, "key") }).await;
    for max in [None, Some(i64::MAX)] {
        let beyond = Bump { max, ..bump(1, "key") };
        lost(world.commit(&[beyond.op()]).await, 0, "clause 11: a sum out of 64 bits");
    }
    let stored = world.value(&COUNTERS, id(1), counter::COUNT).await;
    assert_eq!(stored, Some(Value::Int(i64::MAX)), "clause 11: and it changes nothing");
}

/// The expiry becomes the later of the two.
pub async fn a_bump_extends_the_expiry_and_never_shortens_it(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for (given, stored) in [(100, 100), (200, 200), (150, 200)] {
        count(&world, Bump { expires_at: later(given), ..bump(1, "key") }).await;
        let expires_at = world.value(&COUNTERS, id(1), counter::EXPIRES_AT).await;
        assert_eq!(expires_at, Some(Value::Time(later(stored))), "Bump: the later expiry stays");
    }
    assert!(world.at(later(199)).has(&COUNTERS, id(1)).await, "Bump: the extended expiry counts");
    assert!(!world.at(later(200)).has(&COUNTERS, id(1)).await, "clause 5: and then it is over");
}

/// Clause 5: an expired counter is not bumped; the row is made anew.
pub async fn an_expired_counter_starts_afresh(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let first = Bump { by: 9, note: "old", expires_at: later(10), ..bump(1, "key") };
    count(&world, first).await;
    let world = world.at(later(10));
    let anew = Bump { by: 2, max: Some(2), note: "new", expires_at: later(99), ..bump(2, "key") };
    assert_eq!(count(&world, anew).await, 2, "clause 5: an expired counter starts afresh");
    let row = world.row(&COUNTERS, by_key(counter::BY_KEY, [text("key")])).await;
    let row = row.expect("clause 5: the new counter is there");
    assert_eq!(row.values[counter::NOTE], text("new"), "clause 5: nothing of the old row stays");
    assert_eq!(row.values[counter::EXPIRES_AT], Value::Time(later(99)), "clause 5: nor does its expiry");
}

/// Clause 6, and the key that was named.
pub async fn counters_of_tenants_and_keys_are_apart(store: Arc<dyn Store>) {
    let a = World::new(store).await;
    let b = a.of(Scope::Tenant(tenant(b'b')));
    assert_eq!(count(&a, bump(1, "key")).await, 1, "Bump: the first of its key");
    assert_eq!(count(&a, bump(2, "Key")).await, 1, "Bump: keys are compared byte by byte");
    assert_eq!(count(&b, bump(1, "key")).await, 1, "clause 6: each tenant counts alone");
    assert_eq!(count(&a, bump(3, "key")).await, 2, "Bump: the second of its key");
}
