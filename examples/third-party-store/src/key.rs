//! Keys: values as bytes whose order is the order of the values.

use crate::{Result, corrupt};
use authkit_core::{Id, Value};

/// Appends values to a key. Each begins with a tag and shows where it ends.
pub(crate) fn with<'a>(mut key: Vec<u8>, values: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    let mut append = |tag: u8, parts: [&[u8]; 2]| {
        key.push(tag);
        key.extend(parts.concat());
    };
    for value in values {
        match value {
            Value::Null => append(0, [&[], &[]]),
            Value::Bool(value) => append(1, [&[u8::from(*value)], &[]]),
            // With the sign bit flipped, negative numbers come first.
            Value::Int(value) => append(2, [&(value ^ i64::MIN).to_be_bytes(), &[]]),
            Value::Time(value) => append(3, [&(value.millis() ^ i64::MIN).to_be_bytes(), &[]]),
            Value::Id(value) => append(4, [value.as_bytes(), &[]]),
            // Text holds no U+0000, so one ends it: `a` comes before `ab`.
            Value::Text(value) => append(5, [value.as_bytes(), &[0]]),
            // Bytes are only ever looked up, and JSON is not even that: any order will do.
            Value::Bytes(value) => append(6, [&(value.len() as u64).to_be_bytes(), value]),
            Value::Json(value) => append(7, [&(value.len() as u64).to_be_bytes(), value.as_bytes()]),
        }
    }
    key
}

/// The id at the end of a key, or the one that many ids before it.
pub(crate) fn id_from_end(key: &[u8], before: usize) -> Result<Id> {
    let id = key.rchunks(1 + size_of::<Id>()).nth(before).and_then(|id| id.last_chunk());
    id.map(|id| Id::from_bytes(*id)).ok_or_else(|| corrupt("a key without its ids"))
}

/// Above all keys that begin with this one: none goes on with a tag as great as this.
pub(crate) fn past(mut key: Vec<u8>) -> Vec<u8> {
    key.push(u8::MAX);
    key
}
