//! How Redis is told what to do.

use std::ffi::OsString;
use std::path::Path;

/// It always writes as in production: a client may ask for that, and refuse a server that does not.
pub(crate) fn server_arguments(folder: &Path, port: u16) -> Vec<OsString> {
    let settings = [
        ("--port", port.to_string()),
        ("--bind", "127.0.0.1".to_owned()),
        ("--appendonly", "yes".to_owned()),
        ("--appendfsync", "always".to_owned()),
        ("--save", String::new()),
    ];
    let mut arguments: Vec<OsString> = vec!["--dir".into(), folder.into()];
    arguments.extend(settings.into_iter().flat_map(|(name, value)| [name.into(), value.into()]));
    arguments
}
