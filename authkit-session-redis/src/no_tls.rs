//! In place of TLS, where it is not compiled in.

use crate::error::Fault;

/// The driver's own words would not name the feature.
pub(crate) fn prepare(url: &str) -> Result<(), Fault> {
    if url.starts_with("rediss:") { Err(Fault::NoTls) } else { Ok(()) }
}
