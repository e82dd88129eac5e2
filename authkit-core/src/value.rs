//! The closed set of values that every store can hold, compare and index.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{id::Id, timestamp::Timestamp};

/// One stored value. There are no floats: every value has one order and one encoding in every store.
///
/// Values of one column are ordered as the variants say, NULL first. The serde form is stable, so a store may keep it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a store has to handle every kind; a new one is a breaking change")]
pub enum Value {
    /// Absent.
    Null,
    /// True or false.
    Bool(bool),
    /// 64-bit signed integer.
    Int(i64),
    /// Milliseconds since the Unix epoch.
    Time(Timestamp),
    /// 128-bit id.
    Id(Id),
    /// Text without U+0000, ordered by code point; at most 255 characters where indexed.
    Text(String),
    /// Bytes; compared for equality only.
    Bytes(#[serde(with = "base64url_text")] Vec<u8>),
    /// JSON text, returned exactly as stored; neither indexed nor compared.
    Json(String),
}

/// Bytes as text, which JSON would spell as a list of numbers.
mod base64url_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use crate::keys::{base64url, from_base64url};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        from_base64url(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("bytes are base64url"))
    }
}

/// The kind of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a store has to handle every kind; a new one is a breaking change")]
pub enum ColumnKind {
    /// [`Value::Bool`].
    Bool,
    /// [`Value::Int`].
    Int,
    /// [`Value::Time`].
    Time,
    /// [`Value::Id`].
    Id,
    /// [`Value::Text`].
    Text,
    /// [`Value::Bytes`].
    Bytes,
    /// [`Value::Json`].
    Json,
}

impl Value {
    /// The kind of the value; none for NULL, which fits every nullable column.
    #[must_use]
    pub const fn kind(&self) -> Option<ColumnKind> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(_) => ColumnKind::Bool,
            Self::Int(_) => ColumnKind::Int,
            Self::Time(_) => ColumnKind::Time,
            Self::Id(_) => ColumnKind::Id,
            Self::Text(_) => ColumnKind::Text,
            Self::Bytes(_) => ColumnKind::Bytes,
            Self::Json(_) => ColumnKind::Json,
        })
    }
}

/// A stored value is not of the form that the entity declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored value is not a valid {expected}")]
#[non_exhaustive]
pub struct DecodeError {
    /// What was expected.
    pub expected: &'static str,
}

impl DecodeError {
    /// Names the type that was expected.
    #[must_use]
    pub const fn new(expected: &'static str) -> Self {
        Self { expected }
    }
}

/// A Rust type that can be a column.
pub trait Field: Sized {
    /// The kind of column that holds it.
    const KIND: ColumnKind;
    /// Whether the column may be NULL.
    const NULLABLE: bool;

    /// Encodes for storage.
    fn into_value(self) -> Value;

    /// Decodes what was stored.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the value is of another kind or outside the type's range.
    fn from_value(value: Value) -> Result<Self, DecodeError>;
}

macro_rules! fields {
    ($($type:ty = $kind:ident;)+) => { $(
        impl Field for $type {
            const KIND: ColumnKind = ColumnKind::$kind;
            const NULLABLE: bool = false;

            fn into_value(self) -> Value {
                Value::$kind(self)
            }

            fn from_value(value: Value) -> Result<Self, DecodeError> {
                match value {
                    Value::$kind(inner) => Ok(inner),
                    _ => Err(DecodeError::new(stringify!($type))),
                }
            }
        }
    )+ };
}

fields! {
    bool = Bool;
    i64 = Int;
    Timestamp = Time;
    Id = Id;
    String = Text;
    Vec<u8> = Bytes;
}

impl<const N: usize> Field for [u8; N] {
    const KIND: ColumnKind = ColumnKind::Bytes;
    const NULLABLE: bool = false;

    fn into_value(self) -> Value {
        Value::Bytes(self.to_vec())
    }

    fn from_value(value: Value) -> Result<Self, DecodeError> {
        let Value::Bytes(bytes) = value else {
            return Err(DecodeError::new("byte array"));
        };
        Self::try_from(bytes).map_err(|_bytes| DecodeError::new("byte array"))
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: ColumnKind = T::KIND;
    const NULLABLE: bool = true;

    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }

    fn from_value(value: Value) -> Result<Self, DecodeError> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// A structured column, kept as JSON text and parsed only when asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json<T> {
    text: String,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Json<T> {
    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the type has no JSON form, such as a map with keys that are not text.
    pub fn new(value: &T) -> Result<Self, DecodeError> {
        let text = serde_json::to_string(value).map_err(|_error| DecodeError::new("JSON value"))?;
        Ok(Self { text, of: PhantomData })
    }

    /// Parses the stored text.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the text is not JSON of this type.
    pub fn get(&self) -> Result<T, DecodeError> {
        serde_json::from_str(&self.text).map_err(|_error| DecodeError::new("JSON value"))
    }
}

impl<T> Json<T> {
    /// The JSON text exactly as stored.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<T> Field for Json<T> {
    const KIND: ColumnKind = ColumnKind::Json;
    const NULLABLE: bool = false;

    fn into_value(self) -> Value {
        Value::Json(self.text)
    }

    fn from_value(value: Value) -> Result<Self, DecodeError> {
        match value {
            Value::Json(text) => Ok(Self { text, of: PhantomData }),
            _ => Err(DecodeError::new("JSON value")),
        }
    }
}

/// Declares an enum that is stored and sent as readable text.
///
/// ```
/// authkit_core::text_enum! {
///     /// How a message reaches somebody.
///     pub enum Medium {
///         /// By e-mail.
///         Email = "email",
///         /// By text message.
///         Sms = "sms",
///     }
/// }
/// assert_eq!(Medium::Sms.as_str(), "sms");
/// ```
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            $crate::__private::serde::Serialize, $crate::__private::serde::Deserialize, $crate::__private::schemars::JsonSchema,
        )]
        #[serde(crate = "authkit_core::__private::serde")]
        #[schemars(crate = "authkit_core::__private::schemars")]
        #[non_exhaustive]
        $vis enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// The stored text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl $crate::Field for $name {
            const KIND: $crate::ColumnKind = $crate::ColumnKind::Text;
            const NULLABLE: bool = false;

            fn into_value(self) -> $crate::Value {
                $crate::Value::Text(self.as_str().to_owned())
            }

            fn from_value(value: $crate::Value) -> ::std::result::Result<Self, $crate::DecodeError> {
                match value {
                    $crate::Value::Text(text) => match text.as_str() {
                        $($text => Ok(Self::$variant),)+
                        _ => Err($crate::DecodeError::new(stringify!($name))),
                    },
                    _ => Err($crate::DecodeError::new(stringify!($name))),
                }
            }
        }
    };
}
