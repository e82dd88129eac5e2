//! A wire between a store and its server, which can be cut or go silent.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
};

/// What happens to what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// It arrives, both ways.
    Whole,
    /// The connection is cut when the next question comes, which does not arrive.
    CutQuestion,
    /// The connection is cut when the next answer comes, which does not arrive.
    CutAnswer,
    /// Questions arrive; answers wait until the wire is whole.
    Silent,
}

/// The wire, for as long as the runtime lives.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    wire: Arc<watch::Sender<Wire>>,
}

impl Proxy {
    pub(crate) async fn before(url: &str) -> Self {
        let server = url.split('/').nth(2).unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/0", listener.local_addr().unwrap());
        let proxy = Self { url, wire: Arc::new(watch::Sender::new(Wire::Whole)) };
        let wire = proxy.wire.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let cut = Arc::new(Notify::new());
                tokio::spawn(pass(from_client, to_server, wire.clone(), cut.clone(), Wire::CutQuestion));
                tokio::spawn(pass(from_server, to_client, wire.clone(), cut, Wire::CutAnswer));
            }
        });
        proxy
    }

    /// Changes the wire. One that was cut is whole again for the next connection.
    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wire: Arc<watch::Sender<Wire>>,
    cut: Arc<Notify>,
    cutting: Wire,
) {
    let mut buffer = vec![0; 65_536];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = cut.notified() => 0,
        };
        let cuts = wire.send_if_modified(|wire| {
            let cuts = *wire == cutting;
            if cuts {
                *wire = Wire::Whole;
            }
            cuts
        });
        if read == 0 || cuts {
            cut.notify_one();
            return;
        }
        if cutting == Wire::CutAnswer {
            wire.subscribe().wait_for(|wire| *wire != Wire::Silent).await.unwrap();
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
