use std::{fmt, sync::Arc};

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use zeroize::Zeroizing;

/// Password as its owner typed it, in Unicode NFC.
///
/// Nothing is trimmed, cut or folded: NIST SP 800-63B-4 §3.1.1.2 has the whole password verified. NFC makes one
/// password of the two ways in which keyboards send an `é`. At most [`PlainPassword::MAX_BYTES`] long.
///
/// `Debug` shows none of it. A clone is cheap and shares the text with the hashing thread; the text is zeroed when the
/// last one is dropped.
///
/// # Examples
///
/// Two keyboards, one password:
///
/// ```
/// use authkit_password::{PlainPassword, PlainPasswordError};
///
/// let composed = PlainPassword::parse("caf\u{e9} au lait, encore".to_owned())?;
/// assert_eq!(format!("{composed:?}"), "PlainPassword(..)");
/// assert!(PlainPassword::parse("a".repeat(5000)).is_err());
/// # Ok::<(), PlainPasswordError>(())
/// ```
#[derive(Clone)]
pub struct PlainPassword {
    text: Arc<Zeroizing<String>>,
    /// What was typed, where that is not in NFC.
    typed: Option<Arc<Zeroizing<String>>>,
}

impl PlainPassword {
    /// Longest password in bytes of UTF-8, before and after normalisation.
    pub const MAX_BYTES: usize = 4096;

    /// Normalises what was typed.
    ///
    /// # Errors
    ///
    /// [`PlainPasswordError::TooLong`] beyond [`PlainPassword::MAX_BYTES`], so that nobody has us hash a novel.
    pub fn parse(typed: String) -> Result<Self, PlainPasswordError> {
        let typed = Zeroizing::new(typed);
        if typed.len() > Self::MAX_BYTES {
            return Err(PlainPasswordError::TooLong);
        }
        let Some(normalised) = nfc(&typed) else {
            return Ok(Self { text: Arc::new(typed), typed: None });
        };
        if normalised.len() > Self::MAX_BYTES {
            return Err(PlainPasswordError::TooLong);
        }
        Ok(Self { text: Arc::new(normalised), typed: Some(Arc::new(typed)) })
    }

    /// The password of no characters.
    pub(crate) fn empty() -> Self {
        Self { text: Arc::default(), typed: None }
    }

    /// The password as it was typed, where that is not in NFC: other systems hash it so.
    pub(crate) fn as_typed(&self) -> Option<Self> {
        self.typed.clone().map(|text| Self { text, typed: None })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl fmt::Debug for PlainPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainPassword(..)")
    }
}

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlainPasswordError {
    /// It has more than [`PlainPassword::MAX_BYTES`] bytes.
    #[error("the password is longer than {} bytes", PlainPassword::MAX_BYTES)]
    TooLong,
}

/// The NFC of a text that is not in it.
fn nfc(text: &str) -> Option<Zeroizing<String>> {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return None;
    }
    // UAX #15 bounds the growth of NFC in UTF-8 at three times, so the string never moves and leaves no copy behind.
    let mut normalised = Zeroizing::new(String::with_capacity(text.len() * 3));
    normalised.extend(text.nfc());
    (normalised.as_str() != text).then_some(normalised)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> PlainPassword {
        PlainPassword::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn composed_and_decomposed_forms_are_one_password() {
        assert_eq!(parse("caf\u{e9}").as_bytes(), parse("cafe\u{301}").as_bytes());
    }

    #[test]
    fn typed_form_is_kept_beside_another_nfc() {
        let typed = parse("cafe\u{301}").as_typed().unwrap();
        assert_eq!((typed.as_str(), typed.as_typed().is_none()), ("cafe\u{301}", true));
        assert!(parse("caf\u{e9}").as_typed().is_none());
        // An accent that could combine with what is before it, but does not.
        assert!(parse("x\u{301}").as_typed().is_none());
    }

    #[test]
    fn everything_else_stays_as_typed() {
        for text in ["", "  Spaces \t", "UPPER lower", "nul\0byte", "\u{fb01}", "🔑🔑"] {
            assert_eq!(parse(text).as_str(), text);
        }
    }

    #[test]
    fn length_is_bounded_in_bytes() {
        assert!(PlainPassword::parse("é".repeat(2048)).is_ok());
        assert_eq!(PlainPassword::parse("é".repeat(2049)).unwrap_err(), PlainPasswordError::TooLong);
    }

    #[test]
    fn growth_by_normalisation_counts() {
        // U+1D160 is four bytes and becomes three characters of four bytes each.
        assert_eq!(PlainPassword::parse("\u{1d160}".repeat(1024)).unwrap_err(), PlainPasswordError::TooLong);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", parse("secret")), "PlainPassword(..)");
    }
}
