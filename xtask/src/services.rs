//! The programs that tests need beside Cargo.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

/// A program that tests start, and where it comes from.
struct Program {
    name: &'static str,
    debian_package: &'static str,
    needed_by: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program { name: "chromium", debian_package: "chromium", needed_by: "the browser tests" },
    Program { name: "chromedriver", debian_package: "chromium-driver", needed_by: "the browser tests" },
];

/// Reports what is installed; in CI a missing program is an error.
///
/// Locally it is a note: the tests that need the program are then ignored and say so.
pub(crate) fn require() -> Result<()> {
    let missing: Vec<&Program> = PROGRAMS.iter().filter(|program| !report(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }

    let packages: Vec<&str> = missing.iter().map(|program| program.debian_package).collect();
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

fn report(program: &Program) -> bool {
    let found = find(program.name);
    match &found {
        Some(path) => println!("{}: {}", program.name, path.display()),
        None => println!("{}: missing, needed by {}", program.name, program.needed_by),
    }
    found.is_some()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
