//! Identifiers of rows.

use std::{
    borrow::Cow,
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{slot::Rng, timestamp::Timestamp};

/// A UUIDv7: 128 bits, sorted by creation time within one process, not secret.
///
/// Ids are made before the commit, so their order is not the order of commits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct Id(Uuid);

impl Id {
    /// The id of which every bit is zero; the default tenant has it.
    pub const NIL: Self = Self(Uuid::nil());

    /// Takes the 16 bytes of a UUID, big-endian.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes of the UUID, big-endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

/// The text is not a UUID in the hyphenated form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
#[non_exhaustive]
pub struct InvalidId;

impl FromStr for Id {
    type Err = InvalidId;

    /// Accepts only the hyphenated lower-case form, so that one id has one spelling.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let canonical = text.len() == 36 && !text.bytes().any(|b| b.is_ascii_uppercase());
        match Uuid::try_parse(text) {
            Ok(uuid) if canonical => Ok(Self(uuid)),
            _ => Err(InvalidId),
        }
    }
}

impl TryFrom<Cow<'_, str>> for Id {
    type Error = InvalidId;

    fn try_from(text: Cow<'_, str>) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0.hyphenated().to_string()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl JsonSchema for Id {
    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uuid" })
    }
}

/// Draws ids whose order within this process is the order of drawing.
#[derive(Debug, Default)]
pub(crate) struct IdSource {
    /// Milliseconds in the upper 52 bits, a counter in the lower 12.
    last: AtomicU64,
}

impl IdSource {
    pub(crate) fn draw(&self, now: Timestamp, rng: &dyn Rng) -> Id {
        let floor = u64::try_from(now.millis()).unwrap_or(0) << 12;
        let next = |last: u64| floor.max(last.saturating_add(1));
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)))
            .unwrap_or_else(|last| last);
        let [high, low] = u16::to_be_bytes((next(last) & 0xfff) as u16);
        let mut tail = [0; 10];
        rng.fill(&mut tail);
        tail[0] = high;
        tail[1] = low;
        Id(uuid::Builder::from_unix_timestamp_millis(next(last) >> 12, &tail).into_uuid())
    }
}

/// Declares typed ids, so that a session's id never goes where a principal's belongs.
///
/// ```
/// authkit_core::id_type! {
///     /// One enrolled authenticator app.
///     pub struct FactorId;
/// }
/// ```
#[macro_export]
macro_rules! id_type {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident;)+) => { $(
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            $crate::__private::serde::Serialize, $crate::__private::serde::Deserialize, $crate::__private::schemars::JsonSchema,
        )]
        #[serde(crate = "authkit_core::__private::serde", transparent)]
        #[schemars(crate = "authkit_core::__private::schemars", transparent)]
        $vis struct $name($crate::Id);

        impl ::std::convert::From<$crate::Id> for $name {
            fn from(id: $crate::Id) -> Self {
                Self(id)
            }
        }

        impl ::std::convert::From<$name> for $crate::Id {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::InvalidId;

            fn from_str(text: &str) -> ::std::result::Result<Self, $crate::InvalidId> {
                text.parse().map(Self)
            }
        }

        impl $crate::Field for $name {
            const KIND: $crate::ColumnKind = $crate::ColumnKind::Id;
            const NULLABLE: bool = false;

            fn into_value(self) -> $crate::Value {
                $crate::Value::Id(self.0)
            }

            fn from_value(value: $crate::Value) -> ::std::result::Result<Self, $crate::DecodeError> {
                <$crate::Id as $crate::Field>::from_value(value).map(Self)
            }
        }
    )+ };
}

id_type! {
    /// A tenant: the boundary that no request crosses.
    pub struct TenantId;
    /// Whatever authenticates: human, service, device or agent.
    pub struct PrincipalId;
    /// One session of one principal.
    pub struct SessionId;
    /// One suspended authentication.
    pub struct FlowId;
    /// One record of the audit log.
    pub struct AuditId;
}

impl TenantId {
    /// The tenant of a single-tenant application.
    pub const DEFAULT: Self = Self(Id::NIL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Zero;

    impl Rng for Zero {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }

    #[test]
    fn ids_of_one_process_sort_in_the_order_of_drawing() {
        let source = IdSource::default();
        let times = [5_000, 5_000, 4_000, 5_001, 4_999];
        let ids: Vec<Id> = times.iter().map(|ms| source.draw(Timestamp::from_millis(*ms), &Zero)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }

    #[test]
    fn one_id_has_one_spelling() {
        let text = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(text.parse::<Id>().unwrap().to_string(), text);
        for other in ["01890A5D-AC96-774B-BCCE-B302099A8057", "01890a5dac96774bbcceb302099a8057", "{}", ""] {
            assert_eq!(other.parse::<Id>(), Err(InvalidId), "{other}");
        }
    }
}
