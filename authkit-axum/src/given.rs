//! Headers of which a request may have one.

use http::{HeaderMap, header::AsHeaderName};

/// What a request has of something that it may have once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given<'h> {
    /// More than one, or one that is not printable ASCII.
    Ambiguous,
    /// None.
    Nothing,
    /// One.
    Once(&'h str),
}

impl<'h> Given<'h> {
    pub(crate) fn header(headers: &'h HeaderMap, name: impl AsHeaderName) -> Self {
        let mut values = headers.get_all(name).iter();
        match (values.next().map(|value| value.to_str()), values.next()) {
            (None, _) => Self::Nothing,
            (Some(Ok(value)), None) => Self::Once(value),
            _ => Self::Ambiguous,
        }
    }

    pub(crate) const fn once(self) -> Option<&'h str> {
        match self {
            Self::Once(value) => Some(value),
            Self::Ambiguous | Self::Nothing => None,
        }
    }
}
