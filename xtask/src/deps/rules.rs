//! The rules themselves, as functions of plain data.

use std::collections::BTreeSet;

use crate::workspace::{Dependency, DependencyKind, Package};

/// Crates that would give core an async runtime, a web framework or a database.
const BANNED_IN_CORE: &[&str] =
    &["async-std", "axum", "hyper", "mongodb", "redis", "rusqlite", "smol", "sqlx", "sqlx-core", "tokio"];

/// What a crate may have as a dev-dependency, whatever else it may use.
const ALLOWED_IN_TESTS: &[&str] = &["authkit-core", "authkit-store-memory", "authkit-testkit", "servers"];

/// Returns every use of one workspace crate by another that is not allowed.
///
/// What strangers write is held to the rules of our own crates. Other packages are where plugins meet, and may use all.
pub(super) fn import_violations(packages: &[Package]) -> Vec<String> {
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut violations = Vec::new();

    for package in packages.iter().filter(|package| is_bound(&package.name)) {
        for dependency in &package.dependencies {
            if ours.contains(dependency.name.as_str()) && !is_allowed(&package.name, dependency) {
                violations.push(violation(&package.name, dependency));
            }
        }
    }
    violations
}

/// Returns every banned crate in the dependency tree of authkit-core, one `name version` a line.
pub(super) fn core_tree_violations(tree: &str) -> Vec<String> {
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let banned = BANNED_IN_CORE.iter().filter(|name| names.contains(*name));
    banned.map(|name| format!("authkit-core is built with {name}")).collect()
}

/// Says whether a manifest takes the lints of the workspace.
pub(super) fn inherits_lints(manifest: &str) -> bool {
    let lines: Vec<&str> = manifest.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.windows(2).any(|pair| pair == ["[lints]", "workspace = true"])
}

fn is_bound(package: &str) -> bool {
    package.starts_with("authkit-") || package.starts_with("third-party-")
}

fn is_allowed(user: &str, dependency: &Dependency) -> bool {
    let used = dependency.name.as_str();
    if dependency.kind == DependencyKind::Development {
        // A crate that uses itself turns its own features on for its tests.
        return used == user || ALLOWED_IN_TESTS.contains(&used);
    }
    match user {
        "authkit-derive" => false,
        "authkit-core" => used == "authkit-derive",
        "authkit-testkit" => matches!(used, "authkit-core" | "authkit-store-memory"),
        _ => used == "authkit-core",
    }
}

fn violation(user: &str, dependency: &Dependency) -> String {
    let how = match dependency.kind {
        DependencyKind::Build => "in its build script",
        DependencyKind::Development => "in its tests",
        DependencyKind::Normal => "in its code",
    };
    format!("{user} may not use {} {how}", dependency.name)
}

#[cfg(test)]
mod tests {
    use super::{core_tree_violations, import_violations, inherits_lints};
    use crate::workspace::DependencyKind::{self, Build, Development, Normal};
    use crate::workspace::{Dependency, Package};

    #[test]
    fn each_crate_may_use_what_its_ring_allows() {
        for (user, used, kind) in [
            ("third-party-store", "authkit-core", Normal),
            ("authkit-core", "authkit-derive", Normal),
            ("authkit-core", "authkit-testkit", Development),
            ("authkit-password", "authkit-core", Normal),
            ("authkit-password", "authkit-testkit", Development),
            ("authkit-password", "authkit-store-memory", Development),
            ("authkit-store-sqlx", "servers", Development),
            ("authkit-testkit", "authkit-core", Normal),
            ("authkit-testkit", "authkit-store-memory", Normal),
            ("authkit-password", "argon2", Normal),
            ("quickstart", "authkit-password", Normal),
        ] {
            assert_eq!(check(user, used, kind), [""; 0], "{user} uses {used}");
        }
    }

    #[test]
    fn no_plugin_knows_another() {
        assert_eq!(
            check("authkit-password", "authkit-session", Normal),
            ["authkit-password may not use authkit-session in its code"]
        );
        assert_eq!(
            check("authkit-password", "authkit-session", Development),
            ["authkit-password may not use authkit-session in its tests"]
        );
        assert_eq!(
            check("authkit-store-memory", "authkit-testkit", Build),
            ["authkit-store-memory may not use authkit-testkit in its build script"]
        );
    }

    #[test]
    fn contracts_know_no_plugin() {
        assert_eq!(check("authkit-core", "authkit-password", Normal).len(), 1);
        assert_eq!(check("authkit-derive", "authkit-core", Normal).len(), 1);
        assert_eq!(check("authkit-testkit", "authkit-session", Normal).len(), 1);
        assert_eq!(check("authkit-password", "authkit-derive", Normal).len(), 1);
        assert_eq!(check("authkit-password", "quickstart", Normal).len(), 1);
        assert_eq!(check("authkit-store-sqlx", "servers", Normal).len(), 1);
    }

    #[test]
    fn all_violations_are_reported_at_once() {
        let packages = [
            package("authkit-session", &[("authkit-password", Normal)]),
            package("authkit-password", &[("authkit-session", Normal), ("authkit-core", Normal)]),
            package("authkit-core", &[("authkit-session", Normal)]),
        ];
        assert_eq!(import_violations(&packages).len(), 3);
    }

    #[test]
    fn a_runtime_in_the_core_tree_is_a_violation() {
        let tree = "authkit-core v0.1.0 (/work)\nserde v1.0.229\ntokio-macros v2.0.0\n";
        assert_eq!(core_tree_violations(tree), [""; 0]);
        assert_eq!(core_tree_violations("hyper v1.0.0\n\ntokio v1.54.0\ntokio v1.54.0 (*)\n").len(), 2);
    }

    #[test]
    fn inherited_lints_are_recognised() {
        assert!(inherits_lints("[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\nedition.workspace = true\n\n[dependencies]\n"));
        assert!(!inherits_lints("[lints.rust]\nunsafe_code = \"forbid\"\n"));
    }

    fn check(user: &str, used: &str, kind: DependencyKind) -> Vec<String> {
        let mut packages: Vec<Package> = [
            "authkit-core",
            "authkit-derive",
            "authkit-session",
            "authkit-store-memory",
            "authkit-testkit",
            "quickstart",
            "servers",
        ]
        .into_iter()
        .chain(["authkit-password"])
        .filter(|name| *name != user)
        .map(|name| package(name, &[]))
        .collect();
        packages.push(package(user, &[(used, kind)]));
        import_violations(&packages)
    }

    fn package(name: &str, dependencies: &[(&str, DependencyKind)]) -> Package {
        let dependency = |&(name, kind): &(&str, DependencyKind)| Dependency { name: name.to_owned(), kind };
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            published: true,
            folder: name.into(),
            description: None,
            license: None,
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }
}
