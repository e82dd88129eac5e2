//! Values as PostgreSQL sends and takes them: binary beside a prepared statement, text otherwise.

use std::fmt::Write as _;

use authkit_core::{ColumnKind, Id, Timestamp, Value};
use sqlx::{
    Arguments as _, Encode, Row as _, Type, ValueRef as _,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, PgValueFormat, types::Oid},
};

use crate::sql::Arg;

pub(super) fn placeholder(text: &mut String, number: usize) {
    write!(text, "${number}").ok();
}

/// A value in the binary form of its type.
struct Binary<'a> {
    oid: u32,
    /// None for NULL.
    bytes: Option<&'a [u8]>,
}

impl Type<sqlx::Postgres> for Binary<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(TEXT))
    }
}

impl Encode<'_, sqlx::Postgres> for Binary<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Some(bytes) = self.bytes else {
            return Ok(IsNull::Yes);
        };
        buffer.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.oid)))
    }
}

/// Adds what the next placeholder stands for.
pub(super) fn bind(arguments: &mut PgArguments, arg: Arg<'_>) -> Result<(), BoxDynError> {
    let mut add = |oid, bytes| arguments.add(Binary { oid, bytes });
    match arg {
        Arg::Null(kind) => add(oid(kind), None),
        Arg::Bool(bool) => add(BOOL, Some(&[u8::from(bool)])),
        Arg::Int(int) => add(INT8, Some(&int.to_be_bytes())),
        Arg::Time(at) => add(TIMESTAMPTZ, Some(&((at.millis() - EPOCH) * 1000).to_be_bytes())),
        Arg::Id(id) => add(UUID, Some(id.as_bytes())),
        Arg::Text(text) => add(TEXT, Some(text.as_bytes())),
        Arg::Bytes(bytes) => add(BYTEA, Some(bytes)),
        Arg::Json(text) => add(JSON, Some(text.as_bytes())),
        Arg::Misfit => Err("a value of another kind".into()),
    }
}

fn oid(kind: ColumnKind) -> u32 {
    match kind {
        ColumnKind::Bool => BOOL,
        ColumnKind::Int => INT8,
        ColumnKind::Time => TIMESTAMPTZ,
        ColumnKind::Id => UUID,
        ColumnKind::Text => TEXT,
        ColumnKind::Bytes => BYTEA,
        ColumnKind::Json => JSON,
    }
}

/// Appends a value of which every byte is a digit or a hexadecimal escape, whatever the settings of the session.
pub(super) fn literal(text: &mut String, arg: Arg<'_>) {
    match arg {
        Arg::Null(_) | Arg::Misfit => text.push_str("NULL"),
        Arg::Bool(bool) => text.push_str(if bool { "TRUE" } else { "FALSE" }),
        Arg::Int(int) => {
            write!(text, "'{int}'::int8").ok();
        }
        Arg::Time(at) => {
            write!(text, "'{at}'::timestamptz").ok();
        }
        Arg::Id(id) => {
            write!(text, "'{id}'::uuid").ok();
        }
        Arg::Text(value) | Arg::Json(value) => {
            text.push_str("E'");
            value.bytes().for_each(|byte| push_hex(text, "\\x", byte));
            text.push('\'');
        }
        Arg::Bytes(bytes) => {
            text.push_str("E'\\\\x");
            bytes.iter().for_each(|byte| push_hex(text, "", *byte));
            text.push_str("'::bytea");
        }
    }
}

fn push_hex(text: &mut String, before: &str, byte: u8) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    text.push_str(before);
    text.extend([byte >> 4, byte & 15].iter().filter_map(|digit| DIGITS.get(usize::from(*digit))));
}

/// The default of a column as `pg_get_expr` spells it.
pub(super) fn default(value: &Value) -> Option<String> {
    let quoted = |text: &str| text.replace('\'', "''");
    Some(match value {
        // A default of NULL is kept as none.
        Value::Null => return None,
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => format!("'{int}'::bigint"),
        Value::Time(at) => format!("'{}'::timestamp with time zone", spelled(*at)),
        Value::Id(id) => format!("'{id}'::uuid"),
        Value::Text(text) => format!("'{}'::text", quoted(text)),
        Value::Bytes(bytes) => {
            let mut hex = String::new();
            bytes.iter().for_each(|byte| push_hex(&mut hex, "", *byte));
            format!("'\\x{hex}'::bytea")
        }
        Value::Json(text) => format!("'{}'::json", quoted(text)),
    })
}

/// A time as PostgreSQL spells it in UTC.
fn spelled(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ").replace('Z', "");
    let text = match text.split_once('.') {
        Some((seconds, fraction)) => match fraction.trim_end_matches('0') {
            "" => seconds.to_owned(),
            fraction => format!("{seconds}.{fraction}"),
        },
        None => text,
    };
    format!("{text}+00")
}

pub(super) fn value(row: &PgRow, at: usize, kind: ColumnKind) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let bytes = raw.as_bytes().map_err(sqlx::Error::Decode)?;
    let value = match (kind, raw.format()) {
        (ColumnKind::Text, _) => utf8(bytes).map(Value::Text),
        (ColumnKind::Json, _) => utf8(bytes).map(Value::Json),
        (kind, PgValueFormat::Binary) => binary(kind, bytes),
        (kind, PgValueFormat::Text) => str::from_utf8(bytes).ok().and_then(|text| from_text(kind, text)),
    };
    value.ok_or_else(|| sqlx::Error::Decode("not a value of the declared kind".into()))
}

fn utf8(bytes: &[u8]) -> Option<String> {
    str::from_utf8(bytes).ok().map(str::to_owned)
}

fn binary(kind: ColumnKind, bytes: &[u8]) -> Option<Value> {
    let int = || bytes.try_into().ok().map(i64::from_be_bytes);
    Some(match kind {
        ColumnKind::Bool => Value::Bool(bytes == [1]),
        ColumnKind::Int => Value::Int(int()?),
        ColumnKind::Time => Value::Time(Timestamp::from_millis(int()?.div_euclid(1000) + EPOCH)),
        ColumnKind::Id => Value::Id(Id::from_bytes(bytes.try_into().ok()?)),
        ColumnKind::Bytes => Value::Bytes(bytes.to_vec()),
        ColumnKind::Text | ColumnKind::Json => return None,
    })
}

/// What a column of a text's statement says, as [`land`](super::land) asks for it.
fn from_text(kind: ColumnKind, text: &str) -> Option<Value> {
    Some(match kind {
        ColumnKind::Bool => Value::Bool(text == "t"),
        ColumnKind::Int => Value::Int(text.parse().ok()?),
        ColumnKind::Time => Value::Time(Timestamp::from_millis(text.parse().ok()?)),
        ColumnKind::Id => Value::Id(text.parse().ok()?),
        ColumnKind::Bytes => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let byte = |pair: &[u8]| match pair {
                [high, low] => Some(digit(high)? << 4 | digit(low)?),
                _ => None,
            };
            Value::Bytes(text.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?)
        }
        ColumnKind::Text | ColumnKind::Json => return None,
    })
}

/// Milliseconds from the Unix epoch to that of PostgreSQL, the year 2000.
const EPOCH: i64 = 946_684_800_000;

// `pg_type.dat` of PostgreSQL; the numbers of its own types never change.
const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const TEXT: u32 = 25;
const JSON: u32 = 114;
const TIMESTAMPTZ: u32 = 1184;
const UUID: u32 = 2950;
