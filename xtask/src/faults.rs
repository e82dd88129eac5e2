//! `cargo xtask faults`: breaks the source in one place after the other, and sees whether the simulation notices.
//!
//! A simulation that stays green while a check is missing proves nothing. Each fault of the table is put into a copy of
//! the workspace; the simulation has to fail there, with an invariant that the fault breaks.

mod table;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use self::table::all;
use crate::workspace::Workspace;

/// One mistake that somebody could make.
pub(crate) struct Fault {
    /// What is wrong, in a few words.
    name: &'static str,
    /// The test of the simulation that finds it.
    test: &'static str,
    edits: &'static [Edit],
    /// The invariants that it breaks; any of them will do.
    breaks: &'static [&'static str],
}

/// One replacement in one file. The text has to stand there once.
pub(crate) struct Edit {
    file: &'static str,
    find: &'static str,
    replace: &'static str,
}

/// How many histories a fault may stay hidden for.
const HISTORIES: &str = "30000";

pub(crate) fn run(workspace: &Workspace, names: &[&str]) -> Result<()> {
    let home = workspace.target.join("faults");
    let copy = Copy { root: home.join("workspace"), target: home.join("target") };
    copy.make(&workspace.root)?;
    let chosen = |fault: &&Fault| names.is_empty() || names.iter().any(|name| fault.name.contains(name));
    for test in ["histories", "families"] {
        if !all().filter(chosen).any(|fault| fault.test == test) {
            continue;
        }
        let sound = copy.simulate(test)?;
        println!("{test} without a fault: {}", sound.verdict());
        if !matches!(sound, Outcome::Green) {
            bail!("the simulation fails without any fault, so it says nothing about faults");
        }
    }

    let (mut survived, mut table) = (Vec::new(), String::new());
    for fault in all().filter(chosen) {
        let outcome = copy.with(fault)?;
        let caught = matches!(&outcome, Outcome::Broken(invariant) if fault.breaks.contains(&invariant.as_str()));
        let mark = if caught { "caught  " } else { "SURVIVED" };
        let line = format!("{mark}  {:<58} {}", fault.name, outcome.verdict());
        println!("{line}");
        writeln!(table, "{line}")?;
        if !caught {
            survived.push(fault.name);
        }
    }
    println!("\n{table}");
    if !survived.is_empty() {
        bail!("{} of the faults were not caught as they should be: {}", survived.len(), survived.join(", "));
    }
    Ok(())
}

/// What became of a run of the simulation.
enum Outcome {
    /// This invariant was broken.
    Broken(String),
    /// Nothing was broken.
    Green,
    /// The text to replace is not there any more, or more than once.
    NotFound(&'static str),
    /// It failed in another way, or could not be built.
    Other(String),
}

impl Outcome {
    fn verdict(&self) -> String {
        match self {
            Self::Broken(invariant) => format!("{invariant} is broken"),
            Self::Green => "nothing is broken".to_owned(),
            Self::NotFound(file) => format!("the text to replace does not stand once in {file}"),
            Self::Other(text) => text.clone(),
        }
    }
}

/// A copy of the workspace to break, with a target directory of its own.
struct Copy {
    root: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make(&self, from: &Path) -> Result<()> {
        if self.root.exists() {
            fs::remove_dir_all(&self.root).with_context(|| format!("{} cannot be removed", self.root.display()))?;
        }
        copy(from, &self.root)?;
        // The run before may have built these with a fault in them.
        for file in all().flat_map(|fault| fault.edits).map(|edit| self.root.join(edit.file)) {
            let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            fs::write(&file, text)?;
        }
        Ok(())
    }

    /// Runs the simulation with a fault, and takes the fault out again.
    fn with(&self, fault: &Fault) -> Result<Outcome> {
        let mut before = Vec::new();
        let mut outcome = None;
        for edit in fault.edits {
            let path = self.root.join(edit.file);
            let text = fs::read_to_string(&path).unwrap_or_default();
            if text.matches(edit.find).count() != 1 {
                outcome = Some(Outcome::NotFound(edit.file));
                break;
            }
            fs::write(&path, text.replace(edit.find, edit.replace))?;
            before.push((path, text));
        }
        let outcome = match outcome {
            Some(outcome) => Ok(outcome),
            None => self.simulate(fault.test),
        };
        // Last written, first restored: two edits may be in one file.
        for (path, text) in before.into_iter().rev() {
            fs::write(path, text)?;
        }
        outcome
    }

    fn simulate(&self, test: &str) -> Result<Outcome> {
        let test = ["test", "--package", "simulation", "--test", test];
        let build = self.cargo(&test).arg("--no-run").stderr(Stdio::piped()).output()?;
        if !build.status.success() {
            let text = String::from_utf8_lossy(&build.stderr);
            let error = text.lines().find(|line| line.starts_with("error")).unwrap_or("it cannot be built");
            return Ok(Outcome::Other(error.to_owned()));
        }
        let run = self.cargo(&test).stderr(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&run.stdout);
        let broken = text.lines().find_map(|line| line.split_once(" is broken (seed"));
        Ok(match broken {
            Some((invariant, _)) => Outcome::Broken(invariant.to_owned()),
            None if run.status.success() => Outcome::Green,
            None => Outcome::Other("it failed in another way".to_owned()),
        })
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(&self.root);
        cargo.env("CARGO_TARGET_DIR", &self.target).env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        cargo.env("SIMULATION_HISTORIES", HISTORIES).env_remove("AUTHKIT_FULL").env_remove("SIMULATION_SEED");
        cargo
    }
}

/// Copies a folder without what was built and what is not source.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let (from, to) = (entry.path(), to.join(&name));
        if name == "target" || name == ".git" {
            continue;
        }
        if kind.is_dir() {
            copy(&from, &to)?;
        } else {
            // With its times, so that what did not change is not built again.
            let modified = entry.metadata()?.modified()?;
            fs::copy(&from, &to)?;
            fs::File::options().write(true).open(&to)?.set_modified(modified)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_changes_something() {
        for (at, fault) in all().enumerate() {
            assert!(all().skip(at + 1).all(|other| other.name != fault.name), "{}", fault.name);
            assert!(!fault.breaks.is_empty() && !fault.edits.is_empty(), "{}", fault.name);
            assert!(fault.edits.iter().all(|edit| edit.find != edit.replace), "{}", fault.name);
        }
    }
}
