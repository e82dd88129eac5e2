//! Starts the quickstart as a newcomer would, and asks it for its first page.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::test;
use crate::workspace::Workspace;

/// Where the quickstart listens.
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);
const START_LIMIT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Checks that the quickstart answers `GET /` with 200 in a fresh folder.
///
/// The folder is `target/smoke`; it keeps the server's log, database and key until the next run.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    if TcpStream::connect_timeout(&ADDRESS, POLL_INTERVAL).is_ok() {
        bail!("something already listens on {ADDRESS}; stop it and try again");
    }

    test::build(workspace)?;
    let folder = workspace.target.join("smoke");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;

    let mut server = Server::start(&workspace.target.join("debug/quickstart"), &folder)?;
    server.wait_until_ready().with_context(|| {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        format!("the quickstart did not serve its first page; its log:\n{log}")
    })
}

/// A running quickstart, stopped when dropped.
struct Server(Child);

impl Server {
    fn start(program: &Path, folder: &Path) -> Result<Self> {
        let log = File::create(folder.join("log"))?;
        let child = Command::new(program)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self(child))
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                bail!("it stopped by itself ({status})");
            }
            match first_line() {
                Ok(line) if line.starts_with("HTTP/1.1 200 ") => return Ok(()),
                Ok(line) => bail!("it answered `{line}`"),
                Err(error) if started.elapsed() > START_LIMIT => {
                    return Err(error.context(format!("no answer within {} s", START_LIMIT.as_secs())));
                }
                Err(_) => thread::sleep(POLL_INTERVAL),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("note: the quickstart (process {}) could not be stopped: {error}", self.0.id());
        }
    }
}

/// Sends `GET /` and returns the status line.
fn first_line() -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&ADDRESS, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\n\r\n")?;

    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}
