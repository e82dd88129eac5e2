//! What TLS needs before the first connection.

use crate::error::Fault;

/// Says which cryptography TLS uses, where the application has not: the driver would panic if several are compiled in.
pub(crate) fn prepare(_url: &str) -> Result<(), Fault> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    Ok(())
}
