//! What the sessions of an application's pool have to be.

use sqlx::{PgConnection, Row as _};

use crate::{
    driver::Failure,
    error::{Fault, LEFT_OPEN},
    postgres::meaning,
};

/// Refuses a session on which a commit, a row or a value could be lost; returns the schema in which it finds tables.
pub(super) async fn schema(connection: &mut PgConnection) -> Result<Option<String>, Failure> {
    let row = match sqlx::raw_sql(TEXT).fetch_one(connection).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(TRANSACTION_FAILED) => {
            return Err(Fault::refusal(LEFT_OPEN));
        }
        answered => answered.map_err(meaning)?,
    };
    for (at, fault) in FAULTS.iter().enumerate() {
        if !row.try_get::<bool, _>(at).map_err(meaning)? {
            return Err(Fault::refusal(fault));
        }
    }
    row.try_get(FAULTS.len()).map_err(meaning)
}

/// Refuses also a session that would find the tables of another schema.
pub(super) async fn inspect(connection: &mut PgConnection, taken_over: Option<&str>) -> Result<(), Failure> {
    if schema(connection).await?.as_deref() != taken_over {
        return Err(Fault::refusal(OTHER_SCHEMA));
    }
    Ok(())
}

/// Conditions, in the order of [`FAULTS`], and the schema. A statement by itself begins its transaction at its own time.
const TEXT: &str = "\
    SELECT now() = statement_timestamp(), current_setting('default_transaction_read_only') = 'off', \
    current_setting('session_replication_role') <> 'replica', current_setting('client_encoding') = 'UTF8', \
    current_schema()::text";

/// What sessions do that do not meet them.
const FAULTS: [&str; 4] = [
    LEFT_OPEN,
    "only read; set default_transaction_read_only = off",
    "do not enforce foreign keys; set session_replication_role = origin",
    "do not speak UTF-8, so texts would change; leave client_encoding as the driver sets it",
];
const OTHER_SCHEMA: &str = "have another schema than when the pool was taken over; leave search_path as it was";
const TRANSACTION_FAILED: &str = "25P02";
