//! `cargo xtask api`: what each published crate offers, as a list that a review can compare.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::command::{self, cargo};
use crate::workspace::{Package, Workspace};

/// Writes the lists in `docs/api`.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    for package in workspace.published() {
        fs::write(path(workspace, package), list(workspace, package)?)?;
    }
    Ok(())
}

/// Compares the lists in `docs/api` with what the crates offer.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    for package in workspace.published() {
        let path = path(workspace, package);
        let known = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        ensure!(
            known == list(workspace, package)?,
            "{} offers something else than {} says; run `cargo xtask api --write` and look at the difference",
            package.name,
            path.display(),
        );
    }
    Ok(())
}

fn path(workspace: &Workspace, package: &Package) -> PathBuf {
    workspace.root.join("docs/api").join(format!("{}.txt", package.name))
}

/// One line per public item, in alphabetical order.
fn list(workspace: &Workspace, package: &Package) -> Result<String> {
    let rustdoc = ["rustdoc", "--lib", "--all-features", "--package", &package.name, "--"];
    let json = ["-Z", "unstable-options", "--output-format", "json"];
    // The stable compiler writes this format too, for those who ask for what is not yet promised.
    command::run(cargo(workspace, &rustdoc).args(json).env("RUSTC_BOOTSTRAP", "1"))?;
    let file = workspace.target.join("doc").join(package.name.replace('-', "_")).with_extension("json");
    let api = public_api::Builder::from_rustdoc_json(&file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(format!("{api}"))
}
