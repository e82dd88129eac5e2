//! `cargo xtask test`: every test of the workspace, and one count of them.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use servers::Database;

use crate::check::Depth;
use crate::command;
use crate::services::Services;
use crate::workspace::Workspace;

/// What is built, always with the same flags.
///
/// Another choice of packages or targets enables other features of shared dependencies, and
/// Cargo would then build those again. Benchmarks take long and stay out.
pub(crate) const TARGETS: &[&str] = &["--workspace", "--lib", "--bins", "--tests", "--examples"];

/// How many tests passed, failed and were skipped.
///
/// Shown as `3 passed, 0 failed`, followed by `, 1 skipped` if any were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Builds and runs every test; `arguments` are handed to `cargo test`.
///
/// # Errors
///
/// If the tests cannot be built or started. A failing test is not an error but counted.
pub(crate) fn run(workspace: &Workspace, depth: Depth, services: &Services, arguments: &[&str]) -> Result<Tally> {
    build(workspace)?;

    let mut tally = Tally::default();
    for targets in [TARGETS, &["--workspace", "--doc"]] {
        let mut command = command::cargo(workspace, &["test", "--no-fail-fast"]);
        command.args(targets).args(with_skips(arguments, services)).envs(services.variables());
        if depth == Depth::Full {
            command.env("AUTHKIT_FULL", "1");
        }
        tally.add(run_counting(&mut command)?);
    }
    tally.add(run_counting(&mut simulation(workspace, depth))?);
    Ok(tally)
}

/// Adds that tests named after a database are left out where there is none.
fn with_skips<'a>(arguments: &[&'a str], services: &Services) -> Vec<&'a str> {
    let mut all = arguments.to_vec();
    let mut words = services.left_out().flat_map(Database::named_in_tests).peekable();
    if words.peek().is_some() && !all.contains(&"--") {
        all.push("--");
    }
    all.extend(words.flat_map(|word| ["--skip", *word]));
    all
}

/// The random histories: too many for a build without optimization.
fn simulation(workspace: &Workspace, depth: Depth) -> Command {
    let mut command = command::cargo(workspace, &["test", "--profile", "simulation", "-p", "simulation"]);
    let histories = if depth == Depth::Full { "2000000" } else { "100000" };
    command.env("SIMULATION_HISTORIES", histories);
    command
}

/// Builds every target that tests need, the examples' programs included.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    command::run(command::cargo(workspace, &["build"]).args(TARGETS))
}

impl Tally {
    /// Says whether something ran and all of it passed.
    pub(crate) fn is_success(self) -> bool {
        self.passed > 0 && self.failed == 0
    }

    /// Success only if something ran and all of it passed.
    pub(crate) fn exit_code(self) -> ExitCode {
        if self.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Reads the line with which a test program ends; any other line is `None`.
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.strip_prefix("test result: ")?.split_whitespace().collect();
        let count = |label: &str| {
            let mut pairs = words.iter().zip(words.iter().skip(1));
            let (number, _) = pairs.find(|(_, word)| word.trim_end_matches(';') == label)?;
            number.parse().ok()
        };
        Some(Self { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Runs `cargo test`, passes its output on, and adds up the results in it.
fn run_counting(command: &mut Command) -> Result<Tally> {
    let name = command::describe(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("`{name}` cannot be started"))?;

    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let mut line = line.with_context(|| format!("the output of `{name}` cannot be read"))?;
            if let Some(result) = Tally::parse(&String::from_utf8_lossy(&line)) {
                tally.add(result);
            }
            line.push(b'\n');
            io::stdout().write_all(&line)?;
        }
    }

    let status = child.wait()?;
    // A test program that crashed, or a doctest that cannot be built, reports no number.
    if !status.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn result_line_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.05s";
        assert_eq!(Tally::parse(line), Some(Tally { passed: 12, failed: 3, skipped: 1 }));
    }

    #[test]
    fn other_lines_are_not_results() {
        for line in ["", "running 12 tests", "test result_is_kept ... ok", "test result: unknown"] {
            assert_eq!(Tally::parse(line), None, "{line}");
        }
    }

    #[test]
    fn skipped_is_named_only_if_there_are_any() {
        let mut tally = Tally { passed: 2, failed: 0, skipped: 0 };
        assert_eq!(tally.to_string(), "2 passed, 0 failed");
        tally.add(Tally { passed: 0, failed: 1, skipped: 4 });
        assert_eq!(tally.to_string(), "2 passed, 1 failed, 4 skipped");
    }

    #[test]
    fn a_run_of_nothing_is_no_success() {
        assert!(!Tally::default().is_success());
        assert!(!Tally { passed: 0, failed: 0, skipped: 5 }.is_success());
        assert!(Tally { passed: 1, failed: 0, skipped: 5 }.is_success());
    }
}
