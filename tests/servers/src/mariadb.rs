//! How MariaDB is told what to do.

use std::ffi::OsString;
use std::path::Path;

use crate::Durability;
use crate::database::MAX_CONNECTIONS;

/// Both programs would read the machine's own configuration; this has to be their first argument.
const OWN_CONFIGURATION: &str = "--no-defaults";

pub(crate) fn setup_arguments(folder: &Path) -> Vec<OsString> {
    vec![
        OWN_CONFIGURATION.into(),
        option("--datadir=", &folder.join("data")),
        "--auth-root-authentication-method=normal".into(),
        "--skip-test-db".into(),
        "--skip-name-resolve".into(),
    ]
}

pub(crate) fn server_arguments(folder: &Path, port: u16, durability: Durability) -> Vec<OsString> {
    let mut arguments = vec![
        OWN_CONFIGURATION.into(),
        option("--datadir=", &folder.join("data")),
        option("--socket=", &folder.join("socket")),
        option("--pid-file=", &folder.join("pid")),
        option("--tmpdir=", folder),
        format!("--port={port}").into(),
        "--bind-address=127.0.0.1".into(),
        "--skip-name-resolve".into(),
        format!("--max-connections={MAX_CONNECTIONS}").into(),
        // The default is less than that many connections prepare.
        "--max-prepared-stmt-count=1000000".into(),
    ];
    if durability == Durability::Fast {
        let fast = ["--debug-no-sync", "--innodb-flush-method=nosync"];
        arguments.extend(fast.map(OsString::from));
    }
    arguments
}

fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}
