//! Who runs a server.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::Error;

const ROOT: u32 = 0;

/// The account that runs a server, where that is not the caller's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// Root has the server run by `name`, to whom the folder then belongs; anybody else runs it himself.
    pub(crate) fn owning(folder: &Path, name: &'static str) -> Result<Option<Self>, Error> {
        let metadata = folder.metadata().map_err(Error::io(format!("{} cannot be read", folder.display())))?;
        if metadata.uid() != ROOT {
            return Ok(None);
        }

        let account = Self { user: id("--user", name)?, group: id("--group", name)? };
        let attempt = format!("{} cannot be given to {name}", folder.display());
        chown(folder, Some(account.user), Some(account.group)).map_err(Error::io(attempt))?;
        Ok(Some(account))
    }

    pub(crate) fn run(self, command: &mut Command) {
        command.uid(self.user).gid(self.group);
    }
}

fn id(which: &str, name: &'static str) -> Result<u32, Error> {
    let output = Command::new("id").args([which, name]).output().map_err(Error::io("`id` cannot be started"))?;
    let number = String::from_utf8_lossy(&output.stdout).trim().parse();
    number.ok().filter(|_| output.status.success()).ok_or(Error::Account(name))
}
