//! Values as SQLite holds them.

use std::sync::Arc;

use authkit_core::{ColumnKind, Id, Timestamp, Value};
use sqlx::{
    Arguments as _, Row as _,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;

use crate::sql::Arg;

/// Adds what the next placeholder stands for.
pub(super) fn bind(arguments: &mut SqliteArguments, arg: Arg<'_>) -> Result<(), BoxDynError> {
    match arg {
        Arg::Null(_) => arguments.add(None::<i64>),
        Arg::Bool(bool) => arguments.add(bool),
        Arg::Int(int) => arguments.add(int),
        Arg::Time(at) => arguments.add(at.millis()),
        Arg::Id(id) => arguments.add(id_text(id)),
        Arg::Text(text) | Arg::Json(text) => arguments.add(Arc::<str>::from(text)),
        Arg::Bytes(bytes) => arguments.add(bytes),
        Arg::Misfit => Err("a value of another kind".into()),
    }
}

fn id_text(id: Id) -> Arc<str> {
    let mut buffer = Uuid::encode_buffer();
    Arc::from(&*Uuid::from_bytes(*id.as_bytes()).hyphenated().encode_lower(&mut buffer))
}

pub(super) fn value(row: &SqliteRow, at: usize, kind: ColumnKind) -> Result<Value, sqlx::Error> {
    let value = match kind {
        ColumnKind::Bool => row.try_get::<Option<_>, _>(at)?.map(Value::Bool),
        ColumnKind::Int => row.try_get::<Option<_>, _>(at)?.map(Value::Int),
        ColumnKind::Time => row.try_get::<Option<_>, _>(at)?.map(Timestamp::from_millis).map(Value::Time),
        ColumnKind::Id => {
            let id = row.try_get::<Option<&str>, _>(at)?.map(str::parse::<Id>).transpose();
            id.map_err(|invalid| sqlx::Error::Decode(invalid.into()))?.map(Value::Id)
        }
        ColumnKind::Text => row.try_get::<Option<_>, _>(at)?.map(Value::Text),
        ColumnKind::Bytes => row.try_get::<Option<_>, _>(at)?.map(Value::Bytes),
        ColumnKind::Json => row.try_get::<Option<_>, _>(at)?.map(Value::Json),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// A value as it stands in a statement.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(bool) => i64::from(*bool).to_string(),
        Value::Int(int) => int.to_string(),
        Value::Time(at) => at.millis().to_string(),
        Value::Id(id) => format!("'{id}'"),
        Value::Text(text) | Value::Json(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Bytes(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{hex}'")
        }
    }
}
