use std::cmp::Ordering;

use authkit_core::{Id, Timestamp, Value};

use super::{PAST, append, decode, encoded};

/// Pseudo-random numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) ^ self.0
    }

    /// Numbers near the places where a carry or a sign goes wrong are as likely as any other.
    fn int(&mut self) -> i64 {
        let edges = [0, 1, -1, i64::MIN, i64::MAX, 1 << 53, -(1 << 53), 1 << 32, -(1 << 32), u32::MAX.into()];
        let edge = edges[self.next() as usize % edges.len()];
        match self.next() % 3 {
            0 => edge,
            1 => edge.wrapping_add((self.next() % 5) as i64 - 2),
            _ => self.next() as i64,
        }
    }

    fn text(&mut self) -> String {
        let letters = ["a", "b", "\u{1}", "\u{7f}", "ä", "\u{fffd}", "😀", "\u{10ffff}", "'", ":", "-", " "];
        (0..self.next() % 6).map(|_| letters[self.next() as usize % letters.len()]).collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.next() % 6).map(|_| [0, 1, PAST, b'-', b's'][self.next() as usize % 5]).collect()
    }

    fn value(&mut self, kind: u64) -> Value {
        match (self.next() % 8, kind) {
            (0, _) => Value::Null,
            (_, 0) => Value::Bool(self.next().is_multiple_of(2)),
            (_, 1) => Value::Int(self.int()),
            (_, 2) => Value::Time(Timestamp::from_millis(self.int())),
            (_, 3) => Value::Id(Id::from_bytes(std::array::from_fn(|_| self.next() as u8))),
            (_, 4) => Value::Text(self.text()),
            (_, 5) => Value::Bytes(self.bytes()),
            _ => Value::Json(self.text()),
        }
    }
}

#[test]
fn every_value_comes_back() {
    let mut numbers = Numbers(1);
    for n in 0..40_000 {
        let value = numbers.value(n % 7);
        assert_eq!(decode(&encoded(&value)), Some(value));
    }
}

#[test]
fn values_of_a_column_sort_as_their_bytes_do() {
    let mut numbers = Numbers(2);
    for n in 0..40_000 {
        let (one, other) = (numbers.value(n % 5), numbers.value(n % 5));
        assert_eq!(encoded(&one).cmp(&encoded(&other)), one.cmp(&other), "{one:?} and {other:?}");
    }
}

#[test]
fn keys_of_several_columns_sort_column_by_column() {
    let mut numbers = Numbers(3);
    for n in 0..40_000 {
        let mut key = || vec![numbers.value(n % 5), numbers.value((n / 5) % 5)];
        let (one, other) = (key(), key());
        let bytes = |key: &[Value]| {
            key.iter().fold(Vec::new(), |mut bytes, value| {
                append(&mut bytes, value);
                bytes
            })
        };
        assert_eq!(bytes(&one).cmp(&bytes(&other)), one.cmp(&other), "{one:?} and {other:?}");
    }
}

#[test]
fn no_value_begins_as_another_does() {
    let mut numbers = Numbers(4);
    for n in 0..40_000 {
        let (one, other) = (numbers.value(n % 7), numbers.value((n / 7) % 7));
        let (bytes, others) = (encoded(&one), encoded(&other));
        assert!(one == other || !bytes.starts_with(&others), "{one:?} begins as {other:?}");
        // What goes on after a value is another value, so a range ends above the first and below its end.
        let past = [others.as_slice(), &[PAST]].concat();
        let goes_on = [others, bytes].concat();
        assert_eq!(goes_on.cmp(&past), Ordering::Less);
    }
}

#[test]
fn what_is_not_a_value_is_not_read() {
    let junk: [&[u8]; 22] = [
        b"",
        b"?",
        b"--",
        b"b",
        b"b2",
        b"b00",
        b"i",
        b"i800000000000000",
        b"i80000000000000000",
        b"i800000000000000g",
        b"i+00000000000000f",
        b"t0000000000000000",
        b"u00",
        b"uABCDEF00000000000000000000000000",
        b"s",
        b"sabc",
        b"sa\0b\0",
        b"s\xff\0",
        b"x",
        b"x0000000000000002a",
        b"x0000000000000001ab",
        b"j0000000000000001\xff",
    ];
    for bytes in junk {
        assert_eq!(decode(bytes), None, "{:?}", bytes.escape_ascii().to_string());
    }
    let mut numbers = Numbers(5);
    for n in 0..40_000 {
        let mut bytes = encoded(&numbers.value(n % 7));
        let at = numbers.next() as usize % bytes.len();
        bytes[at] = numbers.next() as u8;
        if let Some(value) = decode(&bytes) {
            assert_eq!(encoded(&value), bytes, "each value has one form");
        }
    }
}
