//! Clause 9: dropping a call leaves everything or nothing.

use std::sync::Arc;

use authkit_core::{Join, Set, Shape, Store, Value};

use super::world::{self, ACCOUNTS, ITEMS, World, account, by_id, id, item, take, update};
use crate::drop_at_every_await;

use world::account::BALANCE;

/// Clause 9: a commit of five ops is dropped at every await.
pub async fn a_dropped_commit_is_whole_or_absent(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut used = 0;
    drop_at_every_await(
        async || {
            used += 10;
            world.write([account(used).insert(), account(used + 1).insert()]).await;
            used
        },
        async |base: &u64| {
            let set = vec![Set::To(BALANCE, Value::Int(1))];
            let ops = [
                item(*base, *base, None, 0),
                item(*base + 1, *base, None, 0),
                update(&ACCOUNTS, by_id(id(*base)), vec![], set),
                take(&ACCOUNTS, by_id(id(*base + 1)), vec![]),
                item(*base + 2, *base, None, 0),
            ];
            world.commit(&ops).await
        },
        async |base: &u64, output| {
            let completed = output.is_some();
            if let Some(result) = output {
                assert!(result.is_ok(), "clause 9: a commit that is not dropped lands: {result:?}");
            }
            // What was dropped may land between two reads, so what one read shows bounds the next from below.
            let landed = !world.has(&ACCOUNTS, id(*base + 1)).await;
            let items = world.ids(world::query(&ITEMS, item::BY_ACCOUNT, vec![Value::Id(id(*base))])).await;
            assert!([0, 3].contains(&items.len()), "clause 9: all inserts or none: {items:?}");
            assert!(!landed || items.len() == 3, "clause 9: the take landed without the inserts");

            let join = Join { via: item::ACCOUNT, def: ACCOUNTS.clone(), columns: vec![BALANCE] };
            let shape = Shape { def: ITEMS.clone(), columns: vec![0], join: Some(join) };
            let last = world.shaped(Arc::new(shape), by_id(id(*base + 2))).await;
            let balance = last.and_then(|row| row.joined).and_then(|joined| joined.into_iter().next());
            assert!(balance.is_none_or(|balance| balance == Value::Int(1)), "clause 9: the inserts landed alone");
            assert!(landed || !completed, "clause 9: a commit that is not dropped lands");
        },
    )
    .await;
    world.write([account(1).insert()]).await;
}
