//! Makes the hashes of other systems that `authkit-password` is tested with; see the README.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

fn main() -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let work = tempfile::tempdir()?;
    let makers = copied(&here.join("makers"), work.path())?;

    run("python3", ["-m", "venv", "venv"], &makers)?;
    let python = makers.join("venv/bin/python").display().to_string();
    run(&python, ["-m", "pip", "install", "--quiet", "--requirement", "requirements.txt"], &makers)?;
    run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts"], &makers)?;

    let mut lines = String::new();
    for (program, script) in [
        (python.as_str(), "make.py"),
        ("node", "make.mjs"),
        ("php", "make.php"),
        ("ruby", "make.rb"),
        ("java", "Make.java"),
    ] {
        lines += &run(program, [script, "passwords.json"], &makers)?;
    }

    let fixtures: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let rows: Vec<String> = fixtures.iter().map(|fixture| format!("  {fixture}")).collect();
    let target = here.join("../../authkit-password/tests/data/foreign-hashes.json");
    fs::write(target, format!("[\n{}\n]\n", rows.join(",\n")))?;
    Ok(())
}

/// Copies the files of one folder into another one.
fn copied(from: &Path, to: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(to.to_owned())
}

/// Runs a program and returns what it printed.
fn run<const N: usize>(program: &str, arguments: [&str; N], folder: &Path) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.with_context(|| format!("{program} cannot be started"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}
