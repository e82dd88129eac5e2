//! Dropping a commit.

use authkit_core::Store as _;
use authkit_testkit::drop_at_every_await;

use crate::world::{COUNT, NOW, OWNERS, Place, SCOPE, TICKETS, add, find, owner, ticket};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_dropped_anywhere_is_whole_or_absent_and_the_next_one_lands() {
    let world = async || {
        let place = Place::new();
        let store = place.migrated().await;
        (store, place)
    };
    // On a busy machine an answer is often there before it is waited for, and the commit has fewer places to be dropped.
    for _ in 0..50 {
        let polls = drop_at_every_await(
            world,
            async |(store, _)| {
                store.commit(&SCOPE, &[owner(1, "a"), ticket(1, 1), owner(2, "b")], NOW).await.unwrap();
            },
            async |(store, _), output| {
                // On the writer's connection, so it comes after whatever the dropped commit left behind.
                store.commit(&SCOPE, &[owner(3, "c"), owner(4, "d")], NOW).await.unwrap();
                let found = [
                    find(store, &OWNERS, 1).await.is_some(),
                    find(store, &TICKETS, 1).await.is_some(),
                    find(store, &OWNERS, 2).await.is_some(),
                ];
                assert!(found == [true; 3] || found == [false; 3], "{found:?}");
                assert!(output.is_none() || found == [true; 3]);
                assert!(find(store, &OWNERS, 3).await.is_some());
            },
        )
        .await;
        if polls > 3 {
            return;
        }
    }
    panic!("the commit never waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_dropped_while_others_run_do_not_disturb_them() {
    let place = Place::new();
    let store = std::sync::Arc::new(place.migrated().await);
    store.commit(&SCOPE, &[owner(1, "a")], NOW).await.unwrap();
    let mut landed = 0;
    for round in 0..100_u32 {
        let other = store.clone();
        let ops = [add(1), add(1)];
        let dropped = tokio::spawn(async move { other.commit(&SCOPE, &ops, NOW).await });
        for _ in 0..round % 10 {
            tokio::task::yield_now().await;
        }
        dropped.abort();
        store.commit(&SCOPE, &[add(1), add(1)], NOW).await.unwrap();
        landed += 1;
    }
    let count = find(&*store, &OWNERS, 1).await.unwrap().values[COUNT].clone();
    let authkit_core::Value::Int(count) = count else { panic!("{count:?}") };
    assert!(count % 2 == 0 && count >= 2 * landed, "{count}");
}
