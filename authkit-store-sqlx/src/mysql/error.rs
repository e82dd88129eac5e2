//! What MySQL and MariaDB answer.
//!
//! The numbers: <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html> and
//! <https://mariadb.com/kb/en/mariadb-error-code-reference/>.

use authkit_core::{EntityDef, StoreError};
use sqlx::mysql::MySqlDatabaseError;

use crate::{
    driver::Failure,
    error::{Fault, driver_failure},
    names::index_name,
};

pub(super) fn failure(error: sqlx::Error) -> Failure {
    let Some(number) = number(&error) else {
        return driver_failure(error);
    };
    let database = |what| Fault::Database { what, code: number.to_string() };
    let unavailable = |what| StoreError::Unavailable(database(what).into());
    let corrupt = |what| Failure::Final(database(what).into());
    match number {
        1022 | 1062 | 1586 | 1859 => Failure::Duplicate,
        1216 | 1217 | 1451 | 1452 => Failure::Orphan,
        1264 | OUT_OF_RANGE => Failure::OutOfRange,
        // A deadlock; the row or the table changed under the transaction; a statement has to be prepared again.
        1020 | 1213 | 1412 | 1615 => Failure::Conflict,
        // Waited too long for a lock; interrupted by an administrator or a time limit; too many connections.
        1205 | 1317 | 1969 | 3024 | 1040 | 1203 | 1226 => Failure::Busy,
        1053 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 => {
            Failure::Lost(unavailable("the server closed the connection"))
        }
        1045 | 1698 => Failure::Final(unavailable("the server refuses the user or the password of the URL")),
        1044 => Failure::Final(unavailable("the server has no database of the URL's name, or none for its user")),
        1046 | 1049 => Failure::Final(unavailable("the server has no database of the URL's name; create it first")),
        1142 | 1143 | 1227 => corrupt("the user of the URL lacks a privilege for it"),
        1290 | 1792 | 1836 => Failure::Final(unavailable("the server is read-only")),
        1021 | 1041 | 1114 => Failure::Final(unavailable("the server has no room left")),
        1054 | 1064 | 1136 | 1146 | 1364 => corrupt("a statement does not fit the tables; are the migrations applied?"),
        1071 => corrupt("an index is too long; two of its columns may be text"),
        1153 => corrupt("the values are larger than max_allowed_packet"),
        BAD_NULL | 1265 | 1292 | 1366 | 1406 | 3819 | 4025 => corrupt("a value does not fit its column"),
        _ => Failure::Final(unavailable("the server failed")),
    }
}

/// The unique index that is named at the end of `Duplicate entry '..' for key 'name'`; MySQL names the table too.
///
/// What stands before is a value, in which anything may be written.
pub(super) fn collided(def: &EntityDef, error: &sqlx::Error) -> Option<usize> {
    let named = error.as_database_error()?.message().rsplit('\'').nth(1)?;
    let named = named.rsplit('.').next()?;
    if named == "PRIMARY" {
        return Some(EntityDef::PRIMARY_KEY);
    }
    def.indexes.iter().position(|index| index_name(def.table, index.name) == named)
}

/// Whether a sum is beyond the greatest number, which is how a text is stopped.
pub(super) fn is_out_of_range(error: &sqlx::Error) -> bool {
    number(error) == Some(OUT_OF_RANGE)
}

/// Whether a statement may be a bump.
pub(super) fn is_bump(text: &str) -> bool {
    text.contains("ON DUPLICATE KEY UPDATE")
}

/// Whether NULL was refused, which a bump writes that loses its guard.
pub(super) fn is_lost_bump(error: &sqlx::Error) -> bool {
    number(error) == Some(BAD_NULL)
}

/// Whether what only comes before a transaction was sent within one.
pub(super) fn is_in_transaction(error: &sqlx::Error) -> bool {
    number(error) == Some(IN_TRANSACTION)
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let answer = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(answer.number())
}

const BAD_NULL: u16 = 1048;
const IN_TRANSACTION: u16 = 1568;
const OUT_OF_RANGE: u16 = 1690;
