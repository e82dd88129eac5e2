//! How PostgreSQL is told what to do.

use std::ffi::OsString;
use std::path::Path;

use crate::Durability;
use crate::database::MAX_CONNECTIONS;

pub(crate) fn setup_arguments(folder: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--pgdata".into(), folder.join("data").into()];
    let options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
    arguments.extend(options.map(OsString::from));
    arguments
}

pub(crate) fn server_arguments(folder: &Path, port: u16, durability: Durability) -> Vec<OsString> {
    let mut settings = vec![
        format!("port={port}"),
        format!("max_connections={MAX_CONNECTIONS}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        // In the folder of data, so that it is removed with it.
        "dynamic_shared_memory_type=mmap".to_owned(),
    ];
    if durability == Durability::Fast {
        let fast = ["fsync=off", "full_page_writes=off"];
        settings.extend(fast.map(str::to_owned));
    }

    let mut arguments: Vec<OsString> = vec!["-D".into(), folder.join("data").into()];
    arguments.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting.into()]));
    arguments
}
