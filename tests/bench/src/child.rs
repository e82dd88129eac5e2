//! This program, started again.

use std::{env, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{
    effort::Effort,
    probe::Probe,
    serve::{Hello, Variant},
};

/// A process that serves one application until this is dropped.
pub(crate) struct Server {
    pub(crate) pid: u32,
    pub(crate) hello: Hello,
    /// Killed when dropped.
    _process: Child,
}

impl Server {
    /// Starts an application and waits until it serves.
    pub(crate) async fn start(variant: Variant) -> Result<Self> {
        let mut process = this_program()?.args(["serve", &variant.to_string()]).spawn()?;
        let output = process.stdout.take().context("no output")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let line = line.with_context(|| format!("{variant} ended before it served"))?;
        let pid = process.id().context("no process")?;
        Ok(Self { pid, hello: serde_json::from_str(&line)?, _process: process })
    }
}

/// Runs a probe in a process of its own.
pub(crate) async fn probe<T: DeserializeOwned>(probe: Probe, effort: Effort) -> Result<T> {
    let output = this_program()?.args(["probe", &probe.to_string(), &effort.to_string()]).output().await?;
    ensure!(output.status.success(), "{probe} failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(serde_json::from_str(text.lines().last().context("no result")?)?)
}

fn this_program() -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}
