//! JSON read more strictly than serde does it: no name twice, and none that is spelt with escapes.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// Reads the next value into a slot that has to be empty.
pub(crate) fn fill<'de, T: Deserialize<'de>, M: MapAccess<'de>>(
    slot: &mut Option<T>,
    map: &mut M,
) -> Result<(), M::Error> {
    if slot.is_some() {
        return Err(M::Error::custom(TWICE));
    }
    *slot = Some(map.next_value()?);
    Ok(())
}

/// The names of an object that mean nothing here.
#[derive(Default)]
pub(crate) struct Others<'de>(Vec<&'de str>);

impl<'de> Others<'de> {
    /// Passes over a value, and everything in it.
    pub(crate) fn skip<M: MapAccess<'de>>(&mut self, name: &'de str, map: &mut M) -> Result<(), M::Error> {
        if self.0.contains(&name) {
            return Err(M::Error::custom(TWICE));
        }
        self.0.push(name);
        map.next_value::<Skipped>().map(drop)
    }
}

const TWICE: &str = "a name stands twice";

/// A value that nobody reads. It is at most as deep as serde_json goes, and its objects name nothing twice.
struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Skipped {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self, S::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self, M::Error> {
        let mut names = Others::default();
        while let Some(name) = map.next_key()? {
            names.skip(name, &mut map)?;
        }
        Ok(self)
    }
}

/// A whole number that is not negative: no fraction, no exponent, no text.
#[derive(Clone, Copy)]
pub(crate) struct Whole(pub(crate) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsWritten;

        impl Visitor<'_> for AsWritten {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 to 2^63 - 1")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                i64::try_from(number).map(Whole).map_err(E::custom)
            }
        }

        deserializer.deserialize_u64(AsWritten)
    }
}

/// One text or several.
pub(crate) struct Texts<'de>(Vec<&'de str>);

impl Texts<'_> {
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.0.contains(&text)
    }
}

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Texts<'de>, E> {
                Ok(Texts(vec![text]))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Texts<'de>, S::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_any(OneOrSeveral)
    }
}
