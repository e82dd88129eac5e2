//! `cargo xtask package`, `publish` and `notes`: what a release is made of.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{self, cargo};
use crate::workspace::{Package, Workspace};

/// How far packages are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// Each is also built from its package alone, which takes minutes.
    Built,
    /// They are only made.
    Made,
}

/// Makes the package of every crate that is published, in the order in which they need each other.
pub(crate) fn package(workspace: &Workspace, trial: Trial) -> Result<()> {
    let mut command = cargo(workspace, &["package", "--allow-dirty", "--exclude-lockfile"]);
    if trial == Trial::Made {
        command.arg("--no-verify");
    }
    for package in workspace.published() {
        command.args(["--package", &package.name]);
    }
    command::run(&mut command)
}

/// Publishes every crate whose version is not in the registry yet. Again is no error.
///
/// Nothing is built, so no build script sees the token: `check --full` has built each crate from its package.
pub(crate) fn publish(workspace: &Workspace) -> Result<()> {
    let mut command = cargo(workspace, &["publish", "--locked", "--no-verify"]);
    let mut any = false;
    for package in workspace.published() {
        if is_in_registry(package)? {
            println!("{} {} is published already", package.name, package.version);
        } else {
            command.args(["--package", &package.name]);
            any = true;
        }
    }
    if any { command::run(&mut command) } else { Ok(()) }
}

/// Asks the registry, from a folder where no workspace answers instead of it.
fn is_in_registry(package: &Package) -> Result<bool> {
    let name = format!("{}@{}", package.name, package.version);
    let mut command = Command::new("cargo");
    command.args(["info", "--quiet", "--registry", "crates-io", &name]).current_dir("/");
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    Ok(status.context("`cargo info` cannot be started")?.success())
}

/// Prints what the changelog says about a release of authkit.
pub(crate) fn notes(workspace: &Workspace, version: &str) -> Result<()> {
    let changelog = fs::read_to_string(workspace.root.join("CHANGELOG.md")).context("CHANGELOG.md cannot be read")?;
    let Some(notes) = section(&changelog, version) else { bail!("CHANGELOG.md has no section of {version}") };
    println!("{notes}");
    Ok(())
}

/// Checks that the newest release in the changelog lists every crate that is published, with its version.
pub(crate) fn versions(workspace: &Workspace) -> Result<()> {
    let changelog = fs::read_to_string(workspace.root.join("CHANGELOG.md")).context("CHANGELOG.md cannot be read")?;
    let newest = changelog.lines().find_map(|line| version_of(line)).context("CHANGELOG.md names no release")?;
    let notes = section(&changelog, newest).unwrap_or_default();
    for package in workspace.published() {
        let row = format!("| {} | {} |", package.name, package.version);
        ensure!(notes.contains(&row), "CHANGELOG.md has no row `{row}` in the section of {newest}");
        let own = package.folder.join("CHANGELOG.md");
        let own = fs::read_to_string(&own).with_context(|| format!("{} cannot be read", own.display()))?;
        let has = section(&own, &package.version).is_some();
        ensure!(has, "the CHANGELOG.md of {} has no section of {}", package.name, package.version);
    }
    Ok(())
}

/// The text under the heading of a version, without the heading.
fn section<'a>(changelog: &'a str, version: &str) -> Option<&'a str> {
    let mut begin = None;
    let mut at = 0;
    for line in changelog.split_inclusive('\n') {
        match begin {
            None if version_of(line) == Some(version) => begin = Some(at + line.len()),
            Some(begin) if line.starts_with("## ") => return changelog.get(begin..at).map(str::trim),
            _ => {}
        }
        at += line.len();
    }
    changelog.get(begin?..).map(str::trim)
}

/// The version that a heading names: `## [0.2.0] - 2026-11-21`, with or without brackets.
fn version_of(line: &str) -> Option<&str> {
    let word = line.strip_prefix("## ")?.split_whitespace().next()?;
    let word = word.trim_start_matches('[').trim_end_matches(']');
    word.starts_with(|first: char| first.is_ascii_digit()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::{section, version_of};

    #[test]
    fn section_ends_where_the_next_begins() {
        let changelog =
            "# Changelog\n\n## Unreleased\n\n- new\n\n## [0.2.0] - 2026-11-21\n\n- second\n\n## 0.1.0\n\n- first\n";
        assert_eq!(section(changelog, "0.2.0"), Some("- second"));
        assert_eq!(section(changelog, "0.1.0"), Some("- first"));
        assert_eq!(section(changelog, "0.3.0"), None);
    }

    #[test]
    fn only_headings_of_releases_name_a_version() {
        assert_eq!(version_of("## [0.2.0] - 2026-11-21"), Some("0.2.0"));
        for other in ["## Unreleased", "# 0.2.0", "### 0.2.0", "0.2.0", "## "] {
            assert_eq!(version_of(other), None, "{other}");
        }
    }
}
