//! Clauses 2, 4, 7 and 9 under concurrency.

use std::sync::Arc;

use authkit_core::{Done, Set, Store, StoreError, Value};

use super::world::{
    self, ACCOUNTS, Account, Bump, ITEMS, World, account, bump, by_id, ensure, id, is, item, purge, race, rounds, take,
    update,
};

use world::account::{BALANCE, BY_NAME};

const TASKS: u64 = 50;

/// Sorts the outcomes of a race into won and lost; nothing else may come out of it (clause 8).
fn winners(results: Vec<Result<Vec<Done>, StoreError>>, clause: &str) -> usize {
    let mut won = 0;
    for result in results {
        match result {
            Ok(_) => won += 1,
            Err(StoreError::Guard { .. } | StoreError::Duplicate { .. }) => {}
            other => panic!("{clause}: clause 8: conflicts are settled inside: {other:?}"),
        }
    }
    won
}

/// Clause 2: 50 tasks take one row, each beside a write of its own; one write is there in the end.
pub async fn one_of_many_takers_wins(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..rounds(10) {
        let base = round * 100;
        world.write([account(base).insert()]).await;
        let results =
            race(TASKS, |n| {
                let world = world.clone();
                async move {
                    world.commit(&[take(&ACCOUNTS, by_id(id(base)), vec![]), account(base + 1 + n).insert()]).await
                }
            })
            .await;
        assert_eq!(winners(results, "clause 2: take"), 1, "clause 2: one taker wins");
        let mut written = 0;
        for n in 0..TASKS {
            written += u64::from(world.has(&ACCOUNTS, id(base + 1 + n)).await);
        }
        assert_eq!(written, 1, "clause 2: the losers wrote nothing");
    }
}

/// Clause 3: 50 tasks insert the same unique key under ids of their own.
pub async fn one_of_many_inserters_wins(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..rounds(10) {
        let base = round * 100;
        let results = race(TASKS, |n| {
            let world = world.clone();
            let wanted = Account { name: format!("wanted {round}"), ..account(base + n) };
            async move { world.commit(&[wanted.insert()]).await }
        })
        .await;
        assert_eq!(winners(results, "clause 3: insert"), 1, "clause 3: one inserter wins");
        let rows = world.ids(world::query(&ACCOUNTS, BY_NAME, vec![world::text(&format!("wanted {round}"))])).await;
        assert_eq!(rows.len(), 1, "clause 3: one row has the key");
    }
}

/// Clause 4: 50 tasks count in one column by compare-and-set, each until it succeeded.
pub async fn compare_and_set_loses_no_update(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..rounds(3) {
        world.write([account(round).insert()]).await;
        race(TASKS, |_| {
            let world = world.clone();
            async move {
                loop {
                    let Some(Value::Int(old)) = world.value(&ACCOUNTS, id(round), BALANCE).await else {
                        panic!("clause 1: the balance is a number");
                    };
                    let guards = vec![is(BALANCE, Value::Int(old))];
                    let set = vec![Set::To(BALANCE, Value::Int(old + 1))];
                    match world.commit(&[update(&ACCOUNTS, by_id(id(round)), guards, set)]).await {
                        Ok(_) => return,
                        Err(StoreError::Guard { .. }) => {}
                        Err(other) => panic!("clause 8: conflicts are settled inside: {other:?}"),
                    }
                }
            }
        })
        .await;
        let row = world.row(&ACCOUNTS, by_id(id(round))).await.expect("clause 4: the row is there");
        assert_eq!(row.values[BALANCE], Value::Int(50), "clause 4: no update is lost");
    }
}

/// Bump: of 50 tasks exactly as many pass as the maximum permits, each with a value of its own.
pub async fn a_bumped_counter_admits_exactly_its_maximum(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..rounds(10) {
        let key = format!("key {round}");
        let results = race(TASKS, |n| {
            let op = Bump { max: Some(17), ..bump(round * 100 + n, &key) }.op();
            let world = world.clone();
            async move { world.commit(&[op]).await }
        })
        .await;
        let mut counts: Vec<i64> = results
            .iter()
            .flatten()
            .flatten()
            .filter_map(|done| if let Done::Bumped(count) = done { Some(*count) } else { None })
            .collect();
        counts.sort_unstable();
        assert_eq!(winners(results, "Bump"), 17, "Bump: exactly the maximum passes");
        assert_eq!(counts, (1..=17).collect::<Vec<_>>(), "Bump: each with a value of its own");
    }
}

/// Clause 4: each of two commits ensures what the other changes; both at once is write skew.
pub async fn ensure_holds_against_a_racing_update(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..rounds(40) {
        let (x, y) = (id(2 * round), id(2 * round + 1));
        world.write([account(2 * round).insert(), account(2 * round + 1).insert()]).await;
        let results = race(2, |n| {
            let (kept, changed) = if n == 0 { (x, y) } else { (y, x) };
            let world = world.clone();
            async move {
                let zero = || vec![is(BALANCE, Value::Int(0))];
                let set = vec![Set::To(BALANCE, Value::Int(1))];
                world
                    .commit(&[ensure(&ACCOUNTS, by_id(kept), zero()), update(&ACCOUNTS, by_id(changed), zero(), set)])
                    .await
            }
        })
        .await;
        assert_eq!(winners(results, "clause 4: ensure"), 1, "clause 4: ensure holds until the commit (round {round})");
    }
}

/// Clause 4, as revoking and issuing do it: who ensures the old state before the purge is purged by it.
pub async fn ensure_holds_against_a_racing_purge(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..rounds(40) {
        world.write([account(round).insert(), item(round * 10, round, None, 0)]).await;
        let results = race(4, |n| {
            let world = world.clone();
            async move {
                let owner = by_id(id(round));
                let zero = vec![is(BALANCE, Value::Int(0))];
                let ops = if n == 0 {
                    let set = vec![Set::To(BALANCE, Value::Int(1))];
                    let prefix = vec![Value::Id(id(round))];
                    [update(&ACCOUNTS, owner, zero, set), purge(&ITEMS, item::BY_ACCOUNT, prefix, vec![])]
                } else {
                    [ensure(&ACCOUNTS, owner, zero), item(round * 10 + n, round, None, 0)]
                };
                world.commit(&ops).await
            }
        })
        .await;
        assert!(results[0].is_ok(), "clause 8: the purge is not kept out: {:?}", results[0]);
        winners(results, "clause 4: ensure and purge");
        let left = world.ids(world::query(&ITEMS, item::BY_ACCOUNT, vec![Value::Id(id(round))])).await;
        assert_eq!(left, [], "clause 4: nothing that was ensured before outlives the purge (round {round})");
    }
}

/// Clause 7: children are inserted while their parent is taken.
pub async fn a_child_never_outlives_its_parent(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    for round in 0..rounds(40) {
        world.write([account(round).insert()]).await;
        let results = race(4, |n| {
            let world = world.clone();
            async move {
                let op = if n == 0 {
                    take(&ACCOUNTS, by_id(id(round)), vec![])
                } else {
                    item(round * 10 + n, round, None, 0)
                };
                world.commit(&[op]).await
            }
        })
        .await;
        assert!(results[0].is_ok(), "clause 8: the take is not kept out: {:?}", results[0]);
        winners(results, "clause 7: insert and take");
        let left = world.ids(world::query(&ITEMS, item::BY_ACCOUNT, vec![Value::Id(id(round))])).await;
        assert_eq!(left, [], "clause 7: no child outlives its parent (round {round})");
    }
}
