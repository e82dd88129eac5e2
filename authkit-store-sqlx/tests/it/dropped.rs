//! Calls that are dropped while they wait.

use authkit_core::{Op, Store, Value, Write};
use authkit_testkit::drop_at_every_await;

use crate::world::{NAME, NOW, OWNERS, SCOPE, TICKETS, add, by_id, find, owner};

/// Drops every kind of call at every await, on stores that have one connection to read and one to write.
///
/// The next calls get that connection, where an answer that nobody has read would be taken for theirs.
pub(crate) async fn leaves_no_connection_out_of_step<S: Store>(mut connect: impl AsyncFnMut() -> S) {
    let store = connect().await;
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();
    let ensure = |n| Op { def: OWNERS.clone(), write: Write::Ensure { at: by_id(n), guards: Vec::new() } };
    let polls = drop_at_every_await(
        connect,
        async |store: &S| {
            find(store, &OWNERS, 1).await;
            store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
            store.commit(&SCOPE, &[add(1), ensure(2), add(1)], NOW).await.unwrap();
            store.sweep(&TICKETS, NOW, 10).await.unwrap();
        },
        async |store: &S, _output| {
            for (n, name) in [(2, "b"), (1, "a")] {
                let row = find(store, &OWNERS, n).await.unwrap();
                assert_eq!(row.values[NAME], Value::Text(name.to_owned()));
            }
            assert!(find(store, &OWNERS, 3).await.is_none());
            store.commit(&SCOPE, &[ensure(2)], NOW).await.unwrap();
            assert_eq!(store.sweep(&TICKETS, NOW, 10).await.unwrap(), 0);
            assert_eq!(store.commit(&SCOPE, &[add(2), ensure(1)], NOW).await.unwrap().len(), 2);
        },
    )
    .await;
    assert!(polls > 3, "the calls never waited");
}
