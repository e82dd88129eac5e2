//! What the sessions of an application's pool have to be.

use authkit_core::StoreError;
use sqlx::{PgConnection, Row as _};

use crate::{driver::Failure, error::Fault, postgres::meaning};

/// Refuses a session on which a commit, a row or a value could be lost.
pub(super) async fn inspect(connection: &mut PgConnection) -> Result<(), Failure> {
    let row = sqlx::raw_sql(TEXT).fetch_one(connection).await.map_err(meaning)?;
    for (at, fault) in FAULTS.iter().enumerate() {
        if !row.try_get::<bool, _>(at).map_err(meaning)? {
            return Err(Failure::Final(StoreError::Unavailable(Fault::Session(fault).into())));
        }
    }
    Ok(())
}

/// Conditions, in the order of [`FAULTS`]. A statement by itself begins its transaction at its own time.
const TEXT: &str = "\
    SELECT now() = statement_timestamp(), current_setting('default_transaction_read_only') = 'off', \
    current_setting('session_replication_role') <> 'replica', current_setting('client_encoding') = 'UTF8'";

/// What sessions do that do not meet them.
const FAULTS: [&str; 4] = [
    "are in a transaction that was left open; end each before its connection goes back",
    "only read; set default_transaction_read_only = off",
    "do not enforce foreign keys; set session_replication_role = origin",
    "do not speak UTF-8, so texts would change; leave client_encoding as the driver sets it",
];
