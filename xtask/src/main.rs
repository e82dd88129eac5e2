//! The commands that build, test and check authkit; run as `cargo xtask COMMAND`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a command-line tool prints, waits, and reads the clock and the environment"
)]

mod api;
mod asvs;
mod bench;
mod check;
mod command;
mod deps;
mod documents;
mod faults;
mod links;
mod release;
mod sbom;
mod services;
mod test;
mod workspace;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::check::Depth;
use crate::release::Trial;
use crate::services::Services;
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
            let services = Services::start()?;
            let tally = test::run(&workspace, Depth::Usual, &services, rest)?;
            services.print_left_out();
            println!("{tally}");
            return Ok(tally.exit_code());
        }
        ["check"] => check::run(&workspace, Depth::Usual)?,
        ["check", "--full"] => check::run(&workspace, Depth::Full)?,
        ["deps"] => deps::run(&workspace)?,
        ["documents", names @ ..] => {
            services::require()?;
            documents::run(&workspace, &Services::start()?, names)?;
        }
        ["links"] => links::run(&workspace)?,
        ["asvs"] => asvs::run(&workspace)?,
        ["faults", names @ ..] => faults::run(&workspace, names)?,
        ["api"] => api::check(&workspace)?,
        ["api", "--write"] => api::write(&workspace)?,
        ["package"] => release::package(&workspace, Trial::Built)?,
        ["publish"] => release::publish(&workspace)?,
        ["notes", version] => release::notes(&workspace, version)?,
        ["sbom"] => sbom::run(&workspace)?,
        ["services"] => Services::start()?.keep(),
        ["services", "--check"] => services::require()?,
        ["bench", rest @ ..] => bench::run(&workspace, rest)?,
        _ => bail!("unknown command\n\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test [ARGS]         run every test; ARGS go to `cargo test`, so a name filters
  check [--full]      run what CI runs; --full adds each crate alone and long races
  deps                check which crate may use which, and what each crate must have
  documents [PAGES]   run the commands that README, guides and examples show; PAGES such as README.md
  asvs                check that every test that docs/security/asvs.md names is there
  links               check that every link within the repository leads somewhere
  faults [NAMES]      break the source in one place after the other; the simulation has to notice
  services [--check]  keep the databases that tests need running until Ctrl-C, for `cargo test`;
                      --check only says whether the programs that tests need are installed
  bench [ARGS]        measure, and write docs/benchmarks.md
  api [--write]       compare what each crate offers with docs/api, or write it there
  package             make the packages of all crates, and build each from its package alone
  publish             publish every crate whose version is not in the registry yet
  notes VERSION       print what the changelog says about a release
  sbom                compare what `cargo cyclonedx` wrote beside each crate with what is built in

`test`, `check`, `documents` and `bench` start the databases for themselves, unless
AUTHKIT_TEST_POSTGRES, AUTHKIT_TEST_MARIADB or AUTHKIT_TEST_REDIS say where one is.";
