//! The life of one server.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::watcher::Watcher;
use crate::{Database, Error, program};

/// How long a server may take until it can be used, and go on failing after it was killed.
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How often another port is tried: somebody may take one between its choice and its use.
const PORTS_TO_TRY: u32 = 3;

/// Whether what was committed outlives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// As a server in production writes: each commit is on the disk when it is answered.
    Durable,
    /// Nothing waits for the disk: several times faster, and right for data that is thrown away.
    Fast,
}

/// A running server, which is stopped when dropped, and its data removed.
#[derive(Debug)]
pub struct Server {
    database: Database,
    durability: Durability,
    folder: PathBuf,
    account: Option<Account>,
    program: PathBuf,
    port: u16,
    process: Option<Child>,
    watcher: Watcher,
}

impl Server {
    /// Makes an empty database and serves it on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] if the database is not installed, and others with what the server says.
    pub fn start(database: Database, durability: Durability) -> Result<Self, Error> {
        let setup = database.setup_program();
        let setup = setup.map(|name| Ok((name, program::require(database, name)?))).transpose()?;
        let program = program::require(database, database.server_program())?;
        let folder = tempfile::Builder::new().prefix("authkit-server-").tempdir();
        let folder = folder.map_err(Error::io("no folder can be made"))?.keep();
        let watcher = Watcher::start(&folder)?;
        let account = database.account().map(|name| Account::owning(&folder, name)).transpose()?.flatten();
        let mut server = Self { database, durability, folder, account, program, port: 0, process: None, watcher };

        if let Some((name, setup)) = setup {
            server.make_data(name, &setup)?;
        }
        server.serve_on_free_port()?;
        Ok(server)
    }

    /// The address for a client, with a role that may do everything.
    #[must_use]
    pub fn url(&self) -> String {
        self.database.url(self.port)
    }

    /// Kills the server and all its processes; the data stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if that is not possible.
    pub fn kill(&mut self) -> Result<(), Error> {
        let attempt = format!("{} cannot be killed", self.database.name());
        self.kill_processes().map_err(Error::io(attempt))
    }

    /// Starts a server that was killed once more: with its data, at the same address.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] with what the server says, for instance about data that it cannot recover.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.kill()?;
        let started = Instant::now();
        loop {
            match self.serve() {
                // The last process of the killed server may still hold its memory or its port.
                Err(Error::Start { .. }) if started.elapsed() < START_LIMIT => thread::sleep(POLL_INTERVAL),
                result => return result,
            }
        }
    }

    fn make_data(&mut self, name: &'static str, setup: &Path) -> Result<(), Error> {
        let attempt = || format!("{} cannot be run", setup.display());
        let mut process = self.command(setup)?;
        let process = process.args(self.database.setup_arguments(&self.folder)).spawn();
        let mut process = process.map_err(Error::io(attempt()))?;
        // It ends by itself, and interrupted it would leave shared memory behind.
        self.watcher.guard(&process, "0").map_err(Error::io(attempt()))?;
        let status = process.wait().map_err(Error::io(attempt()))?;
        self.watcher.release().map_err(Error::io(attempt()))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Start { program: name, log: self.log() })
    }

    fn serve_on_free_port(&mut self) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            self.port = free_port()?;
            match self.serve() {
                Err(Error::Start { .. }) if tries < PORTS_TO_TRY => tries += 1,
                result => return result,
            }
        }
    }

    /// Starts the server and waits until it can be used.
    fn serve(&mut self) -> Result<(), Error> {
        let arguments = self.database.server_arguments(&self.folder, self.port, self.durability);
        let process = self.command(&self.program)?.args(arguments).spawn();
        let process = process.map_err(Error::io(format!("{} cannot be started", self.program.display())))?;
        let guarded = self.watcher.guard(&process, self.database.stop_signal());
        self.process = Some(process);
        guarded.map_err(Error::io("the server's watcher has ended"))?;

        let started = Instant::now();
        while !self.log().contains(self.database.readiness()) {
            if self.has_ended()? || started.elapsed() > START_LIMIT {
                let log = self.log();
                self.kill()?;
                return Err(Error::Start { program: self.database.server_program(), log });
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn has_ended(&mut self) -> Result<bool, Error> {
        let Some(process) = &mut self.process else { return Ok(true) };
        let status = process.try_wait().map_err(Error::io("the server cannot be watched"))?;
        Ok(status.is_some())
    }

    fn kill_processes(&mut self) -> io::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        if process.try_wait()?.is_none() {
            let children = children(process.id());
            process.kill()?;
            if !children.is_empty() {
                // It fails for those that have ended by now.
                Command::new("kill").args(["-s", "KILL"]).args(children).stderr(Stdio::null()).status()?;
            }
        }
        self.watcher.release()?;
        process.wait().map(drop)
    }

    /// A command that runs as the server's account, writes the log anew, and is not ended by Ctrl-C.
    fn command(&self, program: &Path) -> Result<Command, Error> {
        let log = File::create(self.log_file()).map_err(Error::io("the log cannot be made"))?;
        let errors = log.try_clone().map_err(Error::io("the log cannot be shared"))?;
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("LC_ALL", "C").process_group(0);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        if let Some(account) = self.account {
            account.run(&mut command);
        }
        Ok(command)
    }

    fn log(&self) -> String {
        fs::read(self.log_file()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.watcher.stop_server();
        let stopped = self.process.as_mut().map_or(Ok(()), |process| process.wait().map(drop));
        if let Err(error) = stopped.and_then(|()| self.watcher.finish()) {
            eprintln!("note: a server of {} may not have been stopped: {error}", self.database.name());
        }
    }
}

/// A port that nobody uses at the moment.
fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(Error::io("no port is free"))
}

/// The processes that a server started; Linux alone tells, elsewhere they end by themselves.
fn children(process: u32) -> Vec<String> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}
