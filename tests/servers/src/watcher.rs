//! A process that outlives this one, to stop its server and to remove its data.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::Error;

const SCRIPT: &str = include_str!("watch.sh");

/// Waits for the end of this process, which closes its input.
#[derive(Debug)]
pub(crate) struct Watcher {
    process: Child,
    input: Option<ChildStdin>,
}

impl Watcher {
    /// Starts watching over a folder that is to be removed in the end.
    pub(crate) fn start(folder: &Path) -> Result<Self, Error> {
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT, "watch"])
            .arg(folder)
            .current_dir("/")
            // Ctrl-C ends the programs of this terminal, and is not meant for this one.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io("`sh` cannot be started"))?;
        let input = process.stdin.take();
        Ok(Self { process, input })
    }

    /// Says which process is to be sent a signal in the end, and then waited for.
    ///
    /// The signal `0` leaves the process alone.
    pub(crate) fn guard(&mut self, process: &Child, signal: &str) -> io::Result<()> {
        self.write(&format!("{signal} {}\n", process.id()))
    }

    /// Says that nothing runs any more.
    pub(crate) fn release(&mut self) -> io::Result<()> {
        self.write("\n")
    }

    /// Has the server stopped; what it leaves is removed by and by.
    pub(crate) fn stop_server(&mut self) {
        self.input = None;
    }

    /// Waits until the folder is removed.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.input = None;
        self.process.wait().map(drop)
    }

    /// Writes a line at once, so that never a part of it is read.
    fn write(&mut self, line: &str) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), |input| input.write_all(line.as_bytes()))
    }
}
