//! Values as SQLite holds them.

use std::sync::Arc;

use authkit_core::{ColumnDef, ColumnKind, Id, StoreError, Timestamp, Value};
use sqlx::{
    Arguments as _, Decode, Row as _, Sqlite, Type,
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;

use crate::{
    error::{Fault, store_error},
    sql::Arg,
};

/// What the placeholders of a statement stand for, in order.
pub(super) fn arguments<'a>(values: impl IntoIterator<Item = Arg<'a>>) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added = match value {
            Arg::Int(int) => arguments.add(int),
            Arg::Id(id) => arguments.add(id_text(id)),
            Arg::Value(Value::Null) => arguments.add(None::<i64>),
            Arg::Value(Value::Bool(bool)) => arguments.add(*bool),
            Arg::Value(Value::Int(int)) => arguments.add(*int),
            Arg::Value(Value::Time(at)) => arguments.add(at.millis()),
            Arg::Value(Value::Id(id)) => arguments.add(id_text(*id)),
            Arg::Value(Value::Text(text) | Value::Json(text)) => arguments.add(Arc::<str>::from(text.as_str())),
            Arg::Value(Value::Bytes(bytes)) => arguments.add(bytes.as_slice()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn id_text(id: Id) -> Arc<str> {
    let mut buffer = Uuid::encode_buffer();
    Arc::from(&*Uuid::from_bytes(*id.as_bytes()).hyphenated().encode_lower(&mut buffer))
}

/// The values of these columns, which stand in the row from `first` on.
pub(super) fn values<'a>(
    row: &SqliteRow,
    first: usize,
    columns: impl ExactSizeIterator<Item = Option<&'a ColumnDef>>,
) -> Result<Vec<Value>, StoreError> {
    let mut values = Vec::with_capacity(columns.len());
    for (at, column) in (first..).zip(columns) {
        let column = column.ok_or(Fault::Driver("a column that is read is not declared"))?;
        values.push(value(row, at, column.kind)?);
    }
    Ok(values)
}

pub(super) fn value(row: &SqliteRow, at: usize, kind: ColumnKind) -> Result<Value, StoreError> {
    let value = match kind {
        ColumnKind::Bool => field(row, at)?.map(Value::Bool),
        ColumnKind::Int => field(row, at)?.map(Value::Int),
        ColumnKind::Time => field(row, at)?.map(Timestamp::from_millis).map(Value::Time),
        ColumnKind::Id => match field::<&str>(row, at)? {
            Some(text) => {
                let id = text.parse().map_err(|_invalid| Fault::Driver("a stored id is not a UUID"))?;
                Some(Value::Id(id))
            }
            None => None,
        },
        ColumnKind::Text => field(row, at)?.map(Value::Text),
        ColumnKind::Bytes => field(row, at)?.map(Value::Bytes),
        ColumnKind::Json => field(row, at)?.map(Value::Json),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// A column of the driver's type; none for NULL.
pub(super) fn field<'r, T>(row: &'r SqliteRow, at: usize) -> Result<Option<T>, StoreError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(at).map_err(store_error)
}

/// A column of the driver's type that is not NULL.
pub(super) fn required<'r, T>(row: &'r SqliteRow, at: usize) -> Result<T, StoreError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(at).map_err(store_error)
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
