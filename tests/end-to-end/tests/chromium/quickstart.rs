//! The quickstart as its user starts it, in a directory of its own.

use std::{
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::json;
use tempfile::TempDir;

use crate::{PATIENCE, driver::request};

pub(crate) struct Quickstart {
    process: Child,
    _directory: TempDir,
}

/// The port that the program has in its source.
const PORT: u16 = 3000;

impl Quickstart {
    #[expect(clippy::disallowed_methods, reason = "a process takes its time to start")]
    pub(crate) fn start() -> Self {
        assert!(TcpStream::connect(("127.0.0.1", PORT)).is_err(), "port {PORT} is taken; stop what uses it");
        let directory = tempfile::tempdir().expect("a directory");
        let process = Command::new(program())
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("target/debug/quickstart, which `cargo xtask test` builds");
        let site = Self { process, _directory: directory };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
            assert!(begin.elapsed() < PATIENCE, "the quickstart does not start");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        site
    }

    pub(crate) fn url(&self) -> &'static str {
        "http://localhost:3000/"
    }

    /// Signs in as another device does, without cookies.
    pub(crate) fn sign_in_elsewhere(&self, identifier: &str, password: &str) {
        let body = json!({ "identifier": identifier, "password": password });
        let (status, answer) = request(PORT, "POST", "/v1/auth/login", &[("Authkit-Delivery", "token")], Some(&body));
        assert_eq!(status, 200, "{answer}");
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// `target/debug/quickstart`, beside the folder that this test was built into.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.ancestors().nth(2).expect("target/debug");
    folder.join("quickstart")
}
