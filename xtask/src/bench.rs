//! `cargo xtask bench`: measures and writes the table that the documentation shows.

use anyhow::Result;

use crate::command;
use crate::services::Services;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let run = ["run", "--release", "--package", "bench", "--", "--write", "docs/benchmarks.md"];
    let services = Services::start()?;
    command::run(command::cargo(workspace, &run).args(arguments).envs(services.variables()))
}
