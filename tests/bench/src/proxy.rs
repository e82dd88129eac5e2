//! A proxy before a database's server: it delays what passes through, and counts round trips.
//!
//! Its threads sleep by the clock of the machine; the timers of tokio know milliseconds only.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use url::Url;

/// Serves until the process ends.
pub(crate) struct Proxy {
    /// Where clients reach the server through it.
    pub(crate) url: String,
    trips: Arc<AtomicUsize>,
}

impl Proxy {
    /// Stands before the server of a URL, `delay` away from it in each direction.
    pub(crate) fn before(url: &str, delay: Duration) -> Result<Self> {
        let mut url = Url::parse(url)?;
        let host = url.host_str().context("a URL with a host")?;
        let server = *url.socket_addrs(|| None)?.first().with_context(|| format!("{host} has no address"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let here = listener.local_addr()?;
        url.set_ip_host(here.ip()).ok().context("a URL with a host")?;
        url.set_port(Some(here.port())).ok().context("a URL with a port")?;

        let trips = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&trips);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Err(error) = join(client, server, delay, &counted) {
                    eprintln!("bench: the proxy cannot connect: {error}");
                }
            }
        });
        Ok(Self { url: url.into(), trips })
    }

    /// How often a client has asked and then waited.
    pub(crate) fn trips(&self) -> usize {
        self.trips.load(Ordering::SeqCst)
    }
}

/// Carries bytes both ways, on threads of its own.
fn join(client: TcpStream, server: SocketAddr, delay: Duration, trips: &Arc<AtomicUsize>) -> std::io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let asked = Arc::new(AtomicBool::new(false));
    let (answered, trips) = (Arc::clone(&asked), Arc::clone(trips));
    carry(client.try_clone()?, server.try_clone()?, delay, move || {
        if !asked.swap(true, Ordering::SeqCst) {
            trips.fetch_add(1, Ordering::SeqCst);
        }
    });
    carry(server, client, delay, move || answered.store(false, Ordering::SeqCst));
    Ok(())
}

fn carry(from: TcpStream, to: TcpStream, delay: Duration, seen: impl Fn() + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || read(from, delay, &sender, seen));
    thread::spawn(move || write(to, &receiver));
}

fn read(mut from: TcpStream, delay: Duration, sender: &Sender<(Instant, Vec<u8>)>, seen: impl Fn()) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let due = Instant::now() + delay;
        seen();
        if sender.send((due, buffer.get(..length).unwrap_or_default().to_vec())).is_err() {
            return;
        }
    }
}

fn write(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    // The other end may have closed first.
    drop(to.shutdown(Shutdown::Write));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_takes_both_delays_and_counts_once() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("postgres://somebody@127.0.0.1:{}/data", server.local_addr().unwrap().port());
        thread::spawn(move || {
            let (mut client, _) = server.accept().unwrap();
            let mut byte = [0];
            while client.read(&mut byte).unwrap() == 1 {
                client.write_all(&byte).unwrap();
            }
        });
        let proxy = Proxy::before(&url, Duration::from_millis(1)).unwrap();
        assert!(
            proxy.url.starts_with("postgres://somebody@127.0.0.1:") && proxy.url.ends_with("/data"),
            "{}",
            proxy.url
        );
        let port = Url::parse(&proxy.url).unwrap().port().unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let begun = Instant::now();
        for _ in 0..3 {
            client.write_all(b"x").unwrap();
            client.read_exact(&mut [0]).unwrap();
        }
        assert!(begun.elapsed() >= Duration::from_millis(6));
        assert_eq!(proxy.trips(), 3);
    }
}
