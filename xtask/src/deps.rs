//! `cargo xtask deps`: which crate may use which, and what every crate must have.

mod cryptography;
mod rules;

use std::fs;

use anyhow::{Result, bail};

use crate::command;
use crate::workspace::{Package, Workspace};

/// Checks every rule and prints all violations, not just the first.
///
/// # Errors
///
/// If any rule is violated.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut violations = rules::import_violations(&workspace.packages);
    for package in &workspace.packages {
        if is_library(package) {
            violations.extend(missing_parts(package)?);
        }
    }
    violations.extend(rules::core_tree_violations(&core_tree(workspace)?));
    violations.extend(cryptography::violations(workspace)?);

    if violations.is_empty() {
        println!("{} packages keep the rules", workspace.packages.len());
        return Ok(());
    }
    for violation in &violations {
        println!("- {violation}");
    }
    bail!("{} rules of ARCHITECTURE.md are violated", violations.len())
}

fn is_library(package: &Package) -> bool {
    package.name.starts_with("authkit-")
}

fn missing_parts(package: &Package) -> Result<Vec<String>> {
    let manifest = fs::read_to_string(package.folder.join("Cargo.toml"))?;
    let has = |file: &str| package.folder.join(file).is_file();
    let says = |field: &Option<String>| field.as_ref().is_some_and(|text| !text.is_empty());

    let parts = [
        (has("README.md"), "a README.md"),
        (has("CHANGELOG.md"), "a CHANGELOG.md"),
        (says(&package.description), "a description"),
        (says(&package.license), "a license"),
        (package.folder.ends_with(&package.name), "a folder named after it"),
        (rules::inherits_lints(&manifest), "`[lints] workspace = true`"),
    ];
    let missing = parts.iter().filter(|(present, _)| !present);
    Ok(missing.map(|(_, part)| format!("{} lacks {part}", package.name)).collect())
}

/// Names every crate that authkit-core is built with, one a line.
fn core_tree(workspace: &Workspace) -> Result<String> {
    let tree = ["tree", "--package", "authkit-core", "--edges", "normal", "--prefix", "none"];
    let all = ["--all-features", "--target", "all", "--format", "{p}"];
    command::output(command::cargo(workspace, &tree).args(all))
}
