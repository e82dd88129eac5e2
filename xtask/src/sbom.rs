//! `cargo xtask sbom`: the lists of what is built in, as `cargo cyclonedx` wrote them, against what Cargo builds in.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command;
use crate::workspace::{Package, Workspace};

/// A crate of a list: its name and version.
type Part = (String, String);

/// Checks the list of every crate that is published, and names all that is wrong.
///
/// # Errors
///
/// If a list is absent, is of another crate, lacks what is built in, or names what is not in `Cargo.lock`.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let locked = fs::read_to_string(workspace.root.join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    let locked = locked_parts(&locked);
    let (mut problems, mut lists) = (Vec::new(), 0);
    for package in workspace.published() {
        let path = package.folder.join(format!("{}.cdx.json", package.name));
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let list = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        problems.extend(self::problems(package, &list, &built_in(workspace, package)?, &locked));
        lists += 1;
    }
    ensure!(problems.is_empty(), "the lists are not true:\n{}", problems.join("\n"));
    println!("{lists} lists name everything that is built in");
    Ok(())
}

/// Everything that a crate is built with on any platform, itself included.
fn built_in(workspace: &Workspace, package: &Package) -> Result<BTreeSet<Part>> {
    let tree = ["tree", "--locked", "--package", &package.name, "--edges", "normal,build", "--prefix", "none"];
    let all = ["--all-features", "--target", "all", "--format", "{p}"];
    let tree = command::output(command::cargo(workspace, &tree).args(all))?;
    Ok(tree_parts(&tree))
}

/// What is wrong with one list.
fn problems(package: &Package, list: &Value, built_in: &BTreeSet<Part>, locked: &BTreeSet<Part>) -> Vec<String> {
    let own = list.pointer("/metadata/component").and_then(part);
    if list.get("bomFormat").and_then(Value::as_str) != Some("CycloneDX") || own.is_none() {
        return vec![format!("{}: not a CycloneDX list of a component", package.name)];
    }
    let mut problems = Vec::new();
    if own != Some((package.name.clone(), package.version.clone())) {
        problems.push(format!("{}: a list of something else", package.name));
    }
    let components = list.get("components").and_then(Value::as_array).into_iter().flatten();
    let named: BTreeSet<Part> = components.filter_map(part).chain(own).collect();
    let each = |(name, version): &Part, what: &str| format!("{}: {name} {version} {what}", package.name);
    problems.extend(built_in.difference(&named).map(|part| each(part, "is built in and not named")));
    problems.extend(named.difference(locked).map(|part| each(part, "is named and not in Cargo.lock")));
    problems
}

fn part(component: &Value) -> Option<Part> {
    let text = |key| component.get(key)?.as_str().map(str::to_owned);
    Some((text("name")?, text("version")?))
}

/// The parts of `cargo tree`, one `name vVERSION` a line, with a source or a mark behind it.
fn tree_parts(tree: &str) -> BTreeSet<Part> {
    let part = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    tree.lines().filter_map(part).collect()
}

/// The parts of `Cargo.lock`, where the version follows the name.
fn locked_parts(lock: &str) -> BTreeSet<Part> {
    let lines: Vec<&str> = lock.lines().collect();
    let part = |pair: &[&str]| {
        let [name, version] = pair else { return None };
        Some((quoted(name, "name = ")?, quoted(version, "version = ")?))
    };
    lines.windows(2).filter_map(part).collect()
}

fn quoted(line: &str, key: &str) -> Option<String> {
    line.strip_prefix(key)?.strip_prefix('"')?.strip_suffix('"').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LOCK: &str = "[[package]]\nname = \"authkit-core\"\nversion = \"0.2.0\"\n\n[[package]]\nname = \"sha2\"\nversion = \"0.11.0\"\nsource = \"x\"\n";
    const TREE: &str = "authkit-core v0.2.0 (/work/authkit-core)\nsha2 v0.11.0\nsha2 v0.11.0 (*)\n";

    /// What is wrong with a list that names these.
    fn check(format: &str, own: &str, named: &[(&str, &str)]) -> Vec<String> {
        let package = Package {
            name: "authkit-core".to_owned(),
            version: "0.2.0".to_owned(),
            published: true,
            folder: "authkit-core".into(),
            description: None,
            license: None,
            dependencies: Vec::new(),
        };
        let component = |(name, version): &(&str, &str)| json!({ "name": name, "version": version });
        let components: Vec<_> = named.iter().map(component).collect();
        let list = json!({ "bomFormat": format, "metadata": { "component": component(&(own, "0.2.0")) }, "components": components });
        problems(&package, &list, &tree_parts(TREE), &locked_parts(LOCK))
    }

    #[test]
    fn a_list_names_what_is_built_in() {
        assert_eq!(check("CycloneDX", "authkit-core", &[("sha2", "0.11.0")]), [""; 0]);
        let absent = ["authkit-core: sha2 0.11.0 is built in and not named"];
        assert_eq!(check("CycloneDX", "authkit-core", &[]), absent);
    }

    #[test]
    fn a_list_names_nothing_that_is_not_locked() {
        let unknown = ["authkit-core: sha2 0.10.0 is named and not in Cargo.lock"];
        assert_eq!(check("CycloneDX", "authkit-core", &[("sha2", "0.11.0"), ("sha2", "0.10.0")]), unknown);
    }

    #[test]
    fn a_list_is_of_its_crate() {
        assert_eq!(check("SPDX", "authkit-core", &[("sha2", "0.11.0")]).len(), 1);
        assert!(check("CycloneDX", "authkit-axum", &[("sha2", "0.11.0")])[0].ends_with("a list of something else"));
    }
}
