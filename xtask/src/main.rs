//! The commands that build, test and check authkit; run as `cargo xtask COMMAND`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a command-line tool prints, waits, and reads the clock and the environment"
)]

mod bench;
mod check;
mod command;
mod deps;
mod faults;
mod services;
mod smoke;
mod test;
mod workspace;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::check::Depth;
use crate::workspace::Workspace;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();

    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<ExitCode> {
    let workspace = Workspace::load()?;

    match arguments {
        ["test", rest @ ..] => {
            services::require()?;
            let tally = test::run(&workspace, Depth::Usual, rest)?;
            println!("{tally}");
            return Ok(tally.exit_code());
        }
        ["check"] => check::run(&workspace, Depth::Usual)?,
        ["check", "--full"] => check::run(&workspace, Depth::Full)?,
        ["deps"] => deps::run(&workspace)?,
        ["faults", names @ ..] => faults::run(&workspace, names)?,
        ["services"] => services::require()?,
        ["bench", rest @ ..] => bench::run(&workspace, rest)?,
        _ => bail!("unknown command\n\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test [ARGS]      run every test; ARGS go to `cargo test`, so a name filters
  check [--full]   run what CI runs; --full adds each crate alone and long races
  deps             check which crate may use which, and what each crate must have
  faults [NAMES]   break the source in one place after the other; the simulation has to notice
  services         say whether the programs that tests need are installed
  bench [ARGS]     measure, and write docs/benchmarks.md";
