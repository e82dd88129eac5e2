//! The inventory of cryptography in `docs/security/README.md`: cryptographic crates are used where it says, nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::workspace::{DependencyKind, Package, Workspace};

const INVENTORY: &str = "docs/security/README.md";
const HEADING: &str = "### Cryptography";

/// Crates that are cryptography, whether permitted or not: which are, the inventory says.
const CRYPTOGRAPHIC: &str = "\
    aes aes-gcm argon2 aws-lc-rs aws-lc-sys balloon-hash bcrypt blake2 blake3 cbc chacha20 chacha20poly1305 cipher cmac \
    constant_time_eq crypto_secretbox ctr curve25519-dalek des digest dsa ecdsa ed25519 ed25519-dalek elliptic-curve \
    fastrand ghash getrandom hkdf hmac josekit jsonwebtoken k256 md-5 md4 md5 ml-dsa ml-kem native-tls oorandom openssl \
    orion p256 p384 p521 password-hash pbkdf2 poly1305 rand rand_core ring rsa rust-argon2 rustls salsa20 scrypt \
    sha-crypt sha1 sha2 sha3 signature sodiumoxide subtle totp-rs x25519-dalek";

/// A crate and a place where it may be used: a file, and what is in the folder named after it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    used: String,
    place: String,
}

/// One use of a cryptographic crate.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    used: String,
    file: String,
}

/// Returns every difference between the inventory and the published crates.
pub(super) fn violations(workspace: &Workspace) -> Result<Vec<String>> {
    let text =
        fs::read_to_string(workspace.root.join(INVENTORY)).with_context(|| format!("{INVENTORY} cannot be read"))?;
    let entries = entries(&text);
    ensure!(!entries.is_empty(), "{INVENTORY} has no table under `{HEADING}`");
    let (mut uses, mut needs) = (BTreeSet::new(), BTreeSet::new());
    for package in workspace.published() {
        let own = dependencies(package);
        let mut files = Vec::new();
        sources(&package.folder.join("src"), &mut files)?;
        for (path, text) in &files {
            let file = path.strip_prefix(&workspace.root).unwrap_or(path).to_string_lossy().into_owned();
            let others = modules(&files, path);
            let used = own.iter().filter(|used| mentions(text, used, &others));
            uses.extend(used.map(|used| Use { used: (*used).to_owned(), file: file.clone() }));
        }
        needs.extend(own.into_iter().map(|used| (package.name.clone(), used.to_owned())));
    }
    Ok(differences(&entries, &uses, &needs))
}

/// The cryptographic crates that a package is built with directly.
fn dependencies(package: &Package) -> BTreeSet<&str> {
    let built_with = package.dependencies.iter().filter(|used| used.kind != DependencyKind::Development);
    built_with.map(|used| used.name.as_str()).filter(|used| is_cryptographic(used)).collect()
}

fn is_cryptographic(name: &str) -> bool {
    CRYPTOGRAPHIC.split_whitespace().any(|known| known == name)
}

/// The crates and places of the rows: third and fourth cell, names in backticks.
fn entries(text: &str) -> BTreeSet<Entry> {
    let section = text.split_once(HEADING).map_or("", |(_, rest)| rest);
    let rows = section.lines().take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with("| "));
    let mut entries = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, _, crates, places] = cells.as_slice() else { continue };
        for used in quoted(crates) {
            let entry = |place: &str| Entry { used: used.to_owned(), place: place.to_owned() };
            entries.extend(quoted(places).map(entry));
        }
    }
    entries
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// What is used and not listed, needed and not listed, listed and not used.
fn differences(entries: &BTreeSet<Entry>, uses: &BTreeSet<Use>, needs: &BTreeSet<(String, String)>) -> Vec<String> {
    let covers = |entry: &Entry, each: &Use| entry.used == each.used && is_in(&each.file, &entry.place);
    let mut differences = Vec::new();
    for each in uses.iter().filter(|each| !entries.iter().any(|entry| covers(entry, each))) {
        differences.push(format!("{} uses {}, which {INVENTORY} does not list there", each.file, each.used));
    }
    for (package, used) in needs {
        if !uses.iter().any(|each| each.used == *used && each.file.starts_with(&format!("{package}/"))) {
            differences.push(format!("{package} is built with {used} and does not use it where this check sees it"));
        }
    }
    for Entry { used, place } in entries {
        if !is_cryptographic(used) {
            differences.push(format!("{INVENTORY} lists {used}, which xtask/src/deps/cryptography.rs does not know"));
        } else if !uses.iter().any(|each| each.used == *used && is_in(&each.file, place)) {
            differences.push(format!("{INVENTORY} lists {used} in {place}, which does not use it"));
        }
    }
    differences
}

/// Whether a file is the place, or in the folder of that module.
fn is_in(file: &str, place: &str) -> bool {
    file == place || place.strip_suffix(".rs").is_some_and(|module| file.starts_with(&format!("{module}/")))
}

/// Whether a source names the crate, which a module of the package may be called like.
fn mentions(text: &str, used: &str, modules: &BTreeSet<String>) -> bool {
    // The library of this package has a name of its own.
    let name = if used == "md-5" { "md5".to_owned() } else { used.replace('-', "_") };
    let imports = |line: &str| {
        let path = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("use ");
        let rest = path.and_then(|path| path.trim_start_matches("::").strip_prefix(&name));
        rest.is_some_and(|rest| rest.starts_with([':', ';', ' ']))
    };
    let calls = |line: &str| !modules.contains(&name) && names(line, &name);
    text.lines().map(str::trim_start).any(|line| !line.starts_with("//") && (imports(line) || calls(line)))
}

/// Whether the line has `name::` with nothing before it that belongs to another path or word.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        !before.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == ':')
    })
}

/// The names of the modules that have a file; within one, its name means something else.
fn modules(files: &[(PathBuf, String)], within: &Path) -> BTreeSet<String> {
    let others = files.iter().filter(|(path, _)| path.file_stem() != within.file_stem());
    others.filter_map(|(path, _)| Some(path.file_stem()?.to_str()?.to_owned())).collect()
}

/// Every file of Rust below a folder, tests left out.
fn sources(folder: &Path, files: &mut Vec<(PathBuf, String)>) -> Result<()> {
    let unreadable = || format!("{} cannot be read", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            files.push((path, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Security\n\n### Cryptography\n\n| for | algorithm | implementation | in |\n|---|---|---|---|\n\
                        | tags | HMAC | RustCrypto `hmac`, `sha2` | `a/src/keys.rs`, `a/src/tag.rs` |\n\n## Next\n\n\
                        | tags | HMAC | `md-5` | `a/src/old.rs` |\n";

    #[test]
    fn entries_are_every_crate_of_a_row_at_every_place_of_it() {
        let expected = [("hmac", "keys"), ("hmac", "tag"), ("sha2", "keys"), ("sha2", "tag")];
        let expected = expected.map(|(used, file)| Entry { used: used.into(), place: format!("a/src/{file}.rs") });
        assert_eq!(entries(PAGE), expected.into());
    }

    #[test]
    fn what_is_used_elsewhere_or_not_at_all_is_a_difference() {
        let all = [("hmac", "keys.rs"), ("sha2", "keys.rs"), ("hmac", "tag.rs"), ("sha2", "tag/inner.rs")];
        let at = |(used, file): (&str, &str)| Use { used: used.into(), file: format!("a/src/{file}") };
        let needs = ["hmac", "sha2"].map(|used| ("a".to_owned(), used.to_owned())).into();
        let check = |uses: &[(&str, &str)]| {
            let uses = uses.iter().map(|each| at(*each)).collect();
            differences(&entries(PAGE), &uses, &needs)
        };
        assert_eq!(check(&all), [""; 0]);
        let elsewhere = check(&[&all[..], &[("sha2", "lib.rs")]].concat());
        assert_eq!(elsewhere, ["a/src/lib.rs uses sha2, which docs/security/README.md does not list there"]);
        let stale = check(&[all[0], all[2], all[3]]);
        assert_eq!(stale, ["docs/security/README.md lists sha2 in a/src/keys.rs, which does not use it"]);
        assert_eq!(check(&all[..1]).len(), 4);
    }

    #[test]
    fn a_use_is_an_import_or_a_path_and_no_module_of_that_name() {
        let none = BTreeSet::new();
        let own = BTreeSet::from(["bcrypt".to_owned()]);
        assert!(mentions("use bcrypt::hash;\n", "bcrypt", &own));
        assert!(mentions("    use md5::Md5;\n", "md-5", &none));
        assert!(mentions("let x = aws_lc_rs::rand::fill();\n", "aws-lc-rs", &none));
        for (text, used, modules) in [
            ("let x = bcrypt::hash();\n", "bcrypt", &own),
            ("use crate::hmac::Tag;\n", "hmac", &none),
            ("// use hmac::Hmac\n", "hmac", &none),
            ("use hmac_other::Hmac;\n", "hmac", &none),
        ] {
            assert!(!mentions(text, used, modules), "{text}");
        }
    }
}
