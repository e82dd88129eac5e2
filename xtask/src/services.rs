//! What tests need beside Cargo: programs, and databases of this run's own.

use std::env;
use std::thread;

use anyhow::{Result, bail};
use servers::{Database, Durability, LEFT_OUT, Server, find_program};

/// A program that tests start, and where it comes from.
struct Program {
    name: &'static str,
    debian_package: &'static str,
    needed_by: String,
}

/// Reports what is installed; in CI a missing program is an error.
///
/// Locally it is a note: the tests that need the program are then left out, or say how to install it.
pub(crate) fn require() -> Result<()> {
    let missing: Vec<Program> = programs().into_iter().filter(|program| !report(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }

    let mut packages: Vec<&str> = missing.iter().map(|program| program.debian_package).collect();
    packages.dedup();
    let remedy = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if in_ci() {
        bail!("programs that the tests need are missing; install them with `{remedy}`");
    }
    println!("note: install what is missing with `{remedy}`");
    Ok(())
}

/// Says whether this run is CI's, where nothing may be left out.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some()
}

fn programs() -> Vec<Program> {
    let program =
        |name, debian_package, needed_by: &str| Program { name, debian_package, needed_by: needed_by.to_owned() };
    let mut programs = vec![
        program("chromium", "chromium", "the browser tests"),
        program("chromedriver", "chromium-driver", "the browser tests"),
    ];
    programs.extend(["curl", "jq", "sqlite3"].map(|name| program(name, name, "the commands of the pages")));

    for database in Database::ALL.into_iter().filter(|database| given(*database).is_none()) {
        let (debian_package, needed_by) = (database.debian_package(), format!("the tests on {}", database.name()));
        for name in database.programs() {
            programs.push(program(name, debian_package, &needed_by));
        }
    }
    programs
}

fn report(program: &Program) -> bool {
    let found = find_program(program.name);
    match &found {
        Some(path) => println!("{}: {}", program.name, path.display()),
        None => println!("{}: missing, needed by {}", program.name, program.needed_by),
    }
    found.is_some()
}

/// The databases of one run, stopped when dropped and when this process ends in any other way.
pub(crate) struct Services {
    addresses: Vec<(Database, String)>,
    _servers: Vec<Server>,
}

impl Services {
    /// Starts the databases that the environment does not name.
    ///
    /// One that is not installed is an error in CI. Elsewhere its tests are left out.
    pub(crate) fn start() -> Result<Self> {
        let (mut addresses, mut servers) = (Vec::new(), Vec::new());
        for database in Database::ALL {
            let address = match given(database) {
                Some(address) if address == LEFT_OUT && in_ci() => {
                    bail!("{} says `{LEFT_OUT}`, but in CI no test is left out", database.variable())
                }
                Some(address) => address,
                None if !is_installed(database) && !in_ci() => LEFT_OUT.to_owned(),
                None => {
                    let server = Server::start(database, Durability::Fast)?;
                    let address = server.url();
                    servers.push(server);
                    address
                }
            };
            addresses.push((database, address));
        }
        Ok(Self { addresses, _servers: servers })
    }

    /// The environment that tells tests where the databases are.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.addresses.iter().map(|(database, address)| (database.variable(), address.as_str()))
    }

    /// The databases that are not here.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = Database> {
        self.addresses.iter().filter(|(_, address)| address == LEFT_OUT).map(|(database, _)| *database)
    }

    /// Says what was left out, so that a green run is not taken for more than it is.
    pub(crate) fn print_left_out(&self) {
        for database in self.left_out() {
            let (name, package) = (database.name(), database.debian_package());
            eprintln!("note: no {name} on this machine, so its tests are left out; on Debian it is in `{package}`");
        }
    }

    /// Tells the user's shell where the databases are, and keeps them until this process is ended.
    pub(crate) fn keep(&self) -> ! {
        for (variable, address) in self.variables() {
            println!("export {variable}={address}");
        }
        self.print_left_out();
        eprintln!("note: these run until Ctrl-C; the lines above are for the shell in which you run `cargo test`");
        loop {
            thread::park();
        }
    }
}

fn given(database: Database) -> Option<String> {
    env::var(database.variable()).ok().filter(|address| !address.is_empty())
}

fn is_installed(database: Database) -> bool {
    database.programs().all(|program| find_program(program).is_some())
}
