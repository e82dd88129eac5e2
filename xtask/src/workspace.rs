//! What Cargo knows about this workspace.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;

/// The workspace as `cargo metadata` describes it, third-party crates left out.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Whether it goes to the registry.
    pub(crate) published: bool,
    pub(crate) folder: PathBuf,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's dependency tables.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: DependencyKind,
}

/// Which table a dependency stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DependencyKind {
    Build,
    Development,
    Normal,
}

impl Workspace {
    /// Asks Cargo about the workspace that this tool was built in.
    pub(crate) fn load() -> Result<Self> {
        let json = command::output(
            Command::new("cargo")
                .args(["metadata", "--no-deps", "--format-version", "1"])
                .current_dir(env!("CARGO_MANIFEST_DIR")),
        )?;
        let metadata = serde_json::from_str(&json).context("`cargo metadata` wrote no JSON")?;
        Self::parse(&metadata).context("`cargo metadata` has another shape than expected")
    }

    fn parse(metadata: &Value) -> Option<Self> {
        let packages = metadata.get("packages")?.as_array()?;
        Some(Self {
            root: text(metadata, "workspace_root")?.into(),
            target: text(metadata, "target_directory")?.into(),
            packages: packages.iter().map(Package::parse).collect::<Option<_>>()?,
        })
    }

    /// What Git knows, and what it would be told of next; files that were deleted are left out.
    pub(crate) fn files(&self) -> Result<BTreeSet<String>> {
        let mut git = Command::new("git");
        git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(&self.root);
        let names = command::output(&mut git)?;
        Ok(names.lines().filter(|name| self.root.join(name).is_file()).map(str::to_owned).collect())
    }

    /// Those that go to the registry.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.published)
    }
}

impl Package {
    fn parse(package: &Value) -> Option<Self> {
        let dependencies = package.get("dependencies")?.as_array()?;
        let manifest = PathBuf::from(text(package, "manifest_path")?);
        Some(Self {
            name: text(package, "name")?,
            version: text(package, "version")?,
            published: package.get("publish")?.is_null(),
            folder: manifest.parent()?.to_owned(),
            description: text(package, "description"),
            license: text(package, "license"),
            dependencies: dependencies.iter().map(Dependency::parse).collect::<Option<_>>()?,
        })
    }
}

impl Dependency {
    fn parse(dependency: &Value) -> Option<Self> {
        let kind = match dependency.get("kind")?.as_str() {
            Some("build") => DependencyKind::Build,
            Some("dev") => DependencyKind::Development,
            _ => DependencyKind::Normal,
        };
        Some(Self { name: text(dependency, "name")?, kind })
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}
