//! The server is killed while it writes: what was acknowledged is there when it comes back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use authkit_session_redis::RedisStore;
use authkit_testkit::{commit_until_killed, verify_after_kill};
use servers::{Database, Durability, Server};
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_kill_of_the_server() {
    needs_redis!();
    for point in 0..10 {
        let mut server = Server::start(Database::Redis, Durability::Durable).unwrap();
        let store = Arc::new(RedisStore::connect(&server.url()).await.unwrap());
        let (last, reached) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let report = {
            let (last, reached) = (last.clone(), reached.clone());
            move |n| {
                last.store(n, Ordering::SeqCst);
                if n == 20 + 13 * point {
                    reached.notify_one();
                }
            }
        };
        // It ends by a panic, once the server is gone.
        let writer = tokio::spawn(async move { commit_until_killed(store, report).await });
        reached.notified().await;
        server.kill().unwrap();
        assert!(writer.await.unwrap_err().is_panic());
        let acknowledged = last.load(Ordering::SeqCst);
        assert!(acknowledged >= 20);

        server.restart().unwrap();
        let store = Arc::new(RedisStore::connect(&server.url()).await.unwrap());
        verify_after_kill(store, acknowledged).await;
    }
}
