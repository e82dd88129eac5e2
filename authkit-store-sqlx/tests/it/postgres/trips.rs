//! How often a call and the server take turns.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use authkit_core::{Op, Store as _, Write};
use authkit_store_sqlx::SqlxStore;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::Schema;
use crate::world::{NOW, OWNERS, SCOPE, add, by_id, defs, find, owner, steps, ticket};

/// Stands between the store and the server, and counts how often the server begins to answer.
struct Between {
    port: u16,
    turns: Arc<AtomicUsize>,
}

impl Between {
    async fn new(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = TcpStream::connect(&server).await.unwrap().into_split();
                let asked = Arc::new(AtomicUsize::new(0));
                let (ask, answer) = (Arc::clone(&asked), Arc::clone(&counted));
                tokio::spawn(pass(from_client, to_server, move || {
                    ask.store(1, Ordering::SeqCst);
                }));
                tokio::spawn(pass(from_server, to_client, move || {
                    answer.fetch_add(asked.swap(0, Ordering::SeqCst), Ordering::SeqCst);
                }));
            }
        });
        Self { port, turns }
    }

    /// How many turns an act takes.
    async fn turns<T>(&self, act: impl Future<Output = T>) -> usize {
        let before = self.turns.load(Ordering::SeqCst);
        act.await;
        self.turns.load(Ordering::SeqCst) - before
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, seen: impl Fn()) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        seen();
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn every_call_is_one_round_trip_once_its_statement_is_known() {
    let schema = Schema::new().await;
    let server: url_parts::Parts = url_parts::Parts::of(&schema.url());
    let between = Between::new(server.address()).await;
    let store = SqlxStore::connect(&server.through(between.port)).await.unwrap();
    store.migrate(&steps(), &defs()).await.unwrap();
    store.commit(&SCOPE, &[owner(1, "a"), owner(2, "b")], NOW).await.unwrap();

    let take = |n| Op { def: OWNERS.clone(), write: Write::Take { at: by_id(n), guards: vec![] } };
    let ops = [take(2), owner(3, "c"), ticket(1, 1), add(1)];
    assert_eq!(between.turns(async { store.commit(&SCOPE, &ops, NOW).await.unwrap() }).await, 1);
    assert_eq!(between.turns(async { store.commit(&SCOPE, &ops, NOW).await.unwrap_err() }).await, 1);

    store.commit(&SCOPE, &[add(1)], NOW).await.unwrap();
    assert_eq!(between.turns(async { store.commit(&SCOPE, &[add(1)], NOW).await.unwrap() }).await, 1);
    assert!(find(&store, &OWNERS, 1).await.is_some());
    let get = crate::world::whole(&OWNERS, 1);
    store.get(&SCOPE, &get).await.unwrap();
    assert_eq!(between.turns(async { store.get(&SCOPE, &get).await.unwrap() }).await, 1);
}

mod url_parts {
    /// A URL whose host and port can be replaced.
    pub(super) struct Parts {
        before: String,
        address: String,
        after: String,
    }

    impl Parts {
        pub(super) fn of(url: &str) -> Self {
            let (before, rest) = url.split_once('@').unwrap();
            let (address, after) = rest.split_once('/').unwrap();
            Self { before: before.to_owned(), address: address.to_owned(), after: after.to_owned() }
        }

        pub(super) fn address(&self) -> String {
            self.address.clone()
        }

        pub(super) fn through(&self, port: u16) -> String {
            format!("{}@127.0.0.1:{port}/{}", self.before, self.after)
        }
    }
}
