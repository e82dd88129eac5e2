//! What was applied, and what is left to do.

use authkit_core::StoreError;

use crate::{ddl::Planned, error::Fault};

/// A row of `authkit_migrations`.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) plugin: String,
    pub(crate) number: i64,
    pub(crate) checksum: String,
    /// `started` or `applied`.
    pub(crate) state: String,
}

/// Whether a migration is not applied yet. How far one got that was started, the tables tell.
pub(crate) fn is_left(planned: &Planned, history: &[Record]) -> Result<bool, StoreError> {
    let (plugin, number) = (planned.plugin, planned.number);
    let is_it = |record: &&Record| record.plugin == plugin && record.number == i64::from(number);
    let Some(record) = history.iter().find(is_it) else {
        return Ok(true);
    };
    if record.checksum != planned.checksum {
        return Err(Fault::Edited { plugin, number }.into());
    }
    Ok(record.state != "applied")
}
