//! Measures what authkit costs, beside the same work written by hand and beside axum-login.
//!
//! The program starts itself again for every application that it measures (`serve`) and for everything that is counted
//! inside one process (`probe`), so that processor time and memory are those of the measured process alone.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures prints, waits, and reads clocks"
)]

mod apps;
mod backend;
mod child;
mod client;
mod effort;
mod machine;
mod measure;
mod probe;
mod proxy;
mod report;
mod serve;
mod stats;

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::effort::Effort;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", variant] => serve::run(variant.parse()?),
        ["probe", probe, effort] => probe::run(probe.parse()?, effort.parse()?),
        options => measure_all(options),
    }
}

fn measure_all(options: &[&str]) -> Result<()> {
    let (effort, path) = parse(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let findings = runtime.block_on(measure::all(effort))?;
    let document = report::document(&findings, effort);
    println!("{document}");
    if let Some(path) = path {
        fs::write(&path, document).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn parse(options: &[&str]) -> Result<(Effort, Option<PathBuf>)> {
    let (mut effort, mut path) = (Effort::Full, None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "--quick" => effort = Effort::Quick,
            "--write" => path = Some(options.next().context("--write needs a path")?.into()),
            unknown => bail!("unknown option {unknown}\n\nUsage: bench [--quick] [--write PATH]"),
        }
    }
    Ok((effort, path))
}
