//! What Linux says about processes and about the machine.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};
use time::{OffsetDateTime, macros::format_description};

/// Processor time of all living threads of a process, in nanoseconds.
pub(crate) fn processor_time(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that ended in between has no file; its time was never counted.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let running = text.split_whitespace().next().context("schedstat is empty")?;
        sum += running.parse::<u64>()?;
    }
    Ok(sum)
}

/// Resident memory of a process now, in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most resident memory that a process ever had, in KiB.
pub(crate) fn peak_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.with_context(|| format!("/proc/{pid}/status has no {field}"))?.parse()?)
}

pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or("an unknown processor", |(_, name)| name.trim()).to_owned()
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}

pub(crate) fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or_else(|_| "an unknown rustc".to_owned(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
}

pub(crate) fn today() -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    OffsetDateTime::now_utc().format(format).unwrap_or_default()
}
