//! Where programs are installed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Database, Error};

/// Where Debian puts what only root has in its `PATH`.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Debian keeps the programs of each version of PostgreSQL apart, in `VERSION/bin`.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// Returns the path of an installed program, also of one outside `PATH`.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from)).chain(postgres_folders());
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

pub(crate) fn require(database: Database, program: &'static str) -> Result<PathBuf, Error> {
    find(program).ok_or(Error::Missing { database, program })
}

/// The newest version comes first.
fn postgres_folders() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(POSTGRES_VERSIONS) else { return Vec::new() };
    let mut versions: Vec<u32> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable();
    versions.iter().rev().map(|version| Path::new(POSTGRES_VERSIONS).join(version.to_string()).join("bin")).collect()
}
