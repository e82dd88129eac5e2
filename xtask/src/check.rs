//! `cargo xtask check`: what CI runs, in order, up to the first failure.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{self, cargo};
use crate::release::Trial;
use crate::services::Services;
use crate::workspace::Workspace;
use crate::{api, asvs, deps, documents, links, release, services, test};

/// How much is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What every change has to pass.
    Usual,
    /// Also each crate alone and from its package, public interfaces, and races with many more rounds.
    Full,
}

pub(crate) fn run(workspace: &Workspace, depth: Depth) -> Result<()> {
    let mut steps = Steps::default();

    steps.run("formatting", || command::run(&mut cargo(workspace, &["fmt", "--all", "--check"])))?;
    steps.run("import rules", || deps::run(workspace))?;
    steps.run("security map", || asvs::run(workspace))?;
    steps.run("links", || links::run(workspace))?;
    steps.run("clippy", || {
        let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        command::run(&mut cargo(workspace, &clippy))
    })?;
    let services = steps.run("services", || {
        services::require()?;
        Services::start()
    })?;
    let tally = steps.run("tests", || {
        let tally = test::run(workspace, depth, &services, &[])?;
        if tally.is_success() { Ok(tally) } else { bail!("{tally}") }
    })?;
    steps.run("documentation", || {
        let doc = ["doc", "--workspace", "--no-deps"];
        command::run(cargo(workspace, &doc).env("RUSTDOCFLAGS", "--deny warnings"))
    })?;
    steps.run("commands of every page", || documents::run(workspace, &services, &[]))?;
    steps.run("licences, bans and sources", || cargo_deny(workspace))?;
    steps.run("packages", || {
        release::versions(workspace)?;
        release::package(workspace, if depth == Depth::Full { Trial::Built } else { Trial::Made })
    })?;
    if depth == Depth::Full {
        steps.run("public interfaces", || api::check(workspace))?;
        steps.run("each crate alone", || each_crate_alone(workspace))?;
    }

    steps.print_times();
    services.print_left_out();
    println!("{tally}");
    Ok(())
}

/// Announces each step and remembers how long it took.
#[derive(Default)]
struct Steps {
    finished: Vec<(&'static str, Duration)>,
}

impl Steps {
    fn run<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n=== {name} ===");
        let started = Instant::now();
        let result = step();
        let taken = started.elapsed();

        println!("=== {name}: {} after {:.1} s ===", verdict(&result), taken.as_secs_f64());
        self.finished.push((name, taken));
        result.with_context(|| format!("the check stopped at `{name}`"))
    }

    fn print_times(&self) {
        println!("\nAll checks passed:");
        for (name, taken) in &self.finished {
            println!("{:>8.1} s  {name}", taken.as_secs_f64());
        }
    }
}

fn verdict<T>(result: &Result<T>) -> &'static str {
    if result.is_ok() { "passed" } else { "FAILED" }
}

/// Checks licences, banned crates and sources; advisories need a network and are left out.
fn cargo_deny(workspace: &Workspace) -> Result<()> {
    let mut version = Command::new("cargo-deny");
    let installed = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if installed.is_err() {
        if services::in_ci() {
            bail!("cargo-deny is not installed");
        }
        println!("note: cargo-deny is not installed, so this step was left out; CI runs it");
        return Ok(());
    }

    // Offline, cargo-deny needs the sources of every platform, not only of this one.
    command::run(&mut cargo(workspace, &["fetch", "--locked", "--quiet"]))?;
    let deny = ["deny", "--offline", "check", "bans", "licenses", "sources"];
    command::run(&mut cargo(workspace, &deny))
}

/// Finds a crate that compiles only because another one enables a feature for it.
fn each_crate_alone(workspace: &Workspace) -> Result<()> {
    for package in &workspace.packages {
        let check = ["check", "--package", &package.name, "--all-features"];
        command::run(&mut cargo(workspace, &check))?;
    }
    Ok(())
}
