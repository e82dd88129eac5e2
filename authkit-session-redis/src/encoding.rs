//! Values as bytes whose order is the order of the values, and which show where they end.

use authkit_core::{Id, Timestamp, Value};

/// Above everything that goes on after a value.
pub(crate) const PAST: u8 = u8::MAX;

/// Appends a value.
pub(crate) fn append(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => bytes.push(b'-'),
        Value::Bool(value) => bytes.extend(if *value { b"b1" } else { b"b0" }),
        Value::Int(value) => number(bytes, 'i', *value),
        Value::Time(value) => number(bytes, 't', value.millis()),
        Value::Id(value) => bytes.extend(format!("u{}", id(*value)).as_bytes()),
        // Text holds no U+0000, so one ends it: `a` comes before `ab`.
        Value::Text(value) => bytes.extend([b"s", value.as_bytes(), b"\0"].concat()),
        // Bytes are compared for equality only and JSON is not compared, so any order will do.
        Value::Bytes(value) => counted(bytes, 'x', value),
        Value::Json(value) => counted(bytes, 'j', value.as_bytes()),
    }
}

pub(crate) fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(&mut bytes, value);
    bytes
}

/// The hexadecimal digits of an id, which is also how a tenant is written.
pub(crate) fn id(id: Id) -> String {
    format!("{:032x}", u128::from_be_bytes(*id.as_bytes()))
}

/// Reads a value; none if the bytes are not one.
pub(crate) fn decode(bytes: &[u8]) -> Option<Value> {
    let (kind, rest) = bytes.split_first()?;
    Some(match kind {
        b'-' if rest.is_empty() => Value::Null,
        b'b' => Value::Bool(match rest {
            b"0" => false,
            b"1" => true,
            _ => return None,
        }),
        b'i' => Value::Int(from_number(rest)?),
        b't' => Value::Time(from_time(rest)?),
        b'u' => Value::Id(Id::from_bytes(u128::from_str_radix(digits(rest, 32)?, 16).ok()?.to_be_bytes())),
        b's' => {
            let (end, text) = rest.split_last()?;
            Value::Text(from_text(text).filter(|text| *end == 0 && !text.contains('\0'))?)
        }
        b'x' => Value::Bytes(from_counted(rest)?.to_vec()),
        b'j' => Value::Json(from_text(from_counted(rest)?)?),
        _ => return None,
    })
}

/// With the sign bit flipped, negative numbers come first.
fn number(bytes: &mut Vec<u8>, kind: char, value: i64) {
    bytes.extend(format!("{kind}{:016x}", value ^ i64::MIN).as_bytes());
}

fn counted(bytes: &mut Vec<u8>, kind: char, value: &[u8]) {
    bytes.extend(format!("{kind}{:016x}", value.len()).as_bytes());
    bytes.extend(value);
}

fn digits(bytes: &[u8], count: usize) -> Option<&str> {
    let are_digits = bytes.len() == count && bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    str::from_utf8(bytes).ok().filter(|_| are_digits)
}

fn from_number(bytes: &[u8]) -> Option<i64> {
    let flipped = u64::from_str_radix(digits(bytes, 16)?, 16).ok()?;
    Some(i64::from_be_bytes(flipped.to_be_bytes()) ^ i64::MIN)
}

/// A time outside the years that a timestamp holds would come back as another one.
fn from_time(bytes: &[u8]) -> Option<Timestamp> {
    let millis = from_number(bytes)?;
    Some(Timestamp::from_millis(millis)).filter(|time| time.millis() == millis)
}

fn from_counted(bytes: &[u8]) -> Option<&[u8]> {
    let (count, value) = bytes.split_at_checked(16)?;
    let count = usize::from_str_radix(digits(count, 16)?, 16).ok()?;
    Some(value).filter(|value| value.len() == count)
}

fn from_text(bytes: &[u8]) -> Option<String> {
    str::from_utf8(bytes).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests;
