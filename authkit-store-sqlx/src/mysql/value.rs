//! Values as MySQL and MariaDB hold them, and as they stand in statements.

use authkit_core::{ColumnKind, Id, Timestamp, Value};
use sqlx::{
    Arguments as _, Decode, MySql, Row as _, Type,
    error::BoxDynError,
    mysql::{MySqlArguments, MySqlRow},
    types::time::{OffsetDateTime, PrimitiveDateTime},
};

use crate::sql::Arg;

/// Adds what the next placeholder of a prepared statement stands for.
pub(super) fn bind(arguments: &mut MySqlArguments, arg: Arg<'_>) -> Result<(), BoxDynError> {
    match arg {
        Arg::Null(_) => arguments.add(None::<i64>),
        Arg::Bool(bool) => arguments.add(bool),
        Arg::Int(int) => arguments.add(int),
        Arg::Time(at) => arguments.add(date_time(at)),
        Arg::Id(id) => arguments.add(id.as_bytes().as_slice()),
        Arg::Text(text) | Arg::Json(text) => arguments.add(text),
        Arg::Bytes(bytes) => arguments.add(bytes),
        Arg::Misfit => Err("a value is not of the declared kind".into()),
    }
}

/// A column of a row; [`Value::Null`] for NULL.
pub(super) fn value(row: &MySqlRow, at: usize, kind: ColumnKind) -> Result<Value, sqlx::Error> {
    let value = match kind {
        ColumnKind::Bool => field(row, at)?.map(Value::Bool),
        ColumnKind::Int => field(row, at)?.map(Value::Int),
        ColumnKind::Time => field(row, at)?.map(timestamp).transpose()?.map(Value::Time),
        ColumnKind::Id => field(row, at)?.map(id).transpose()?.map(Value::Id),
        ColumnKind::Text => field(row, at)?.map(Value::Text),
        ColumnKind::Bytes => field(row, at)?.map(Value::Bytes),
        ColumnKind::Json => field(row, at)?.map(Value::Json),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// A column of the driver's type; none for NULL.
fn field<'r, T>(row: &'r MySqlRow, at: usize) -> Result<Option<T>, sqlx::Error>
where
    T: Decode<'r, MySql> + Type<MySql>,
{
    row.try_get(at)
}

fn id(bytes: &[u8]) -> Result<Id, sqlx::Error> {
    bytes.try_into().map(Id::from_bytes).map_err(|_length| sqlx::Error::Decode("an id is of 16 bytes".into()))
}

fn timestamp(at: PrimitiveDateTime) -> Result<Timestamp, sqlx::Error> {
    let millis = i64::try_from(at.assume_utc().unix_timestamp_nanos() / NANOS_OF_A_MILLI);
    millis.map(Timestamp::from_millis).map_err(|_range| sqlx::Error::Decode("a time is out of range".into()))
}

/// A `datetime` knows no time zone; what the store writes is UTC.
fn date_time(at: Timestamp) -> PrimitiveDateTime {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * NANOS_OF_A_MILLI);
    // Every timestamp is within the years 1 to 9999, and they are in range.
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    PrimitiveDateTime::new(at.date(), at.time())
}

/// Appends a value to the text of a commit. Nothing in it can end the literal, whatever the SQL mode.
pub(super) fn push_literal(text: &mut String, arg: Arg<'_>) {
    match arg {
        Arg::Null(_) => text.push_str("NULL"),
        Arg::Bool(bool) => text.push(if bool { '1' } else { '0' }),
        Arg::Int(int) => text.push_str(&int.to_string()),
        Arg::Time(at) => {
            text.push_str("TIMESTAMP'");
            text.push_str(&spelled(at));
            text.push('\'');
        }
        Arg::Id(id) => push_hex(text, id.as_bytes()),
        Arg::Text(value) | Arg::Json(value) => {
            text.push_str("_utf8mb4 ");
            push_hex(text, value.as_bytes());
        }
        Arg::Bytes(bytes) => push_hex(text, bytes),
        // No column has the name of nothing, so the statement is refused.
        Arg::Misfit => text.push_str("``"),
    }
}

/// A value as it stands after DEFAULT. MySQL wants an expression, in brackets, where the column is a `longtext`.
pub(super) fn default(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(bool) => i64::from(*bool).to_string(),
        Value::Int(int) => int.to_string(),
        Value::Time(at) => format!("'{}'", spelled(*at)),
        Value::Id(id) => format!("({})", unhex(id.as_bytes())),
        // MariaDB shows defaults in three bytes a character at most.
        Value::Text(text) | Value::Json(text) if text.chars().any(|c| c > '\u{ffff}') => {
            format!("(convert({} using utf8mb4))", unhex(text.as_bytes()))
        }
        Value::Text(text) | Value::Json(text) => format!("({})", quoted(text)),
        Value::Bytes(bytes) => format!("({})", unhex(bytes)),
    })
}

pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn unhex(bytes: &[u8]) -> String {
    let mut text = "unhex('".to_owned();
    push_digits(&mut text, bytes);
    text.push_str("')");
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    text.push_str("X'");
    push_digits(text, bytes);
    text.push('\'');
}

fn push_digits(text: &mut String, bytes: &[u8]) {
    text.reserve(bytes.len() * 2);
    for byte in bytes {
        for half in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(half.into(), 16));
        }
    }
}

/// `2026-11-21 11:42:18.000`.
fn spelled(at: Timestamp) -> String {
    let at = date_time(at);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second, milli) = at.as_hms_milli();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}")
}

const NANOS_OF_A_MILLI: i128 = 1_000_000;
