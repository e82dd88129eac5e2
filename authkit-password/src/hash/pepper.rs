use authkit_core::MacKey;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::hash::HashError;

/// Keys an output with a secret of the application, so that a stolen table alone is not worth guessing at.
///
/// The output of the hash is replaced by its HMAC-SHA-256 under a key of the key ring, cut to its length (NIST SP
/// 800-63B-4 §3.1.1.2 recommends such a keyed step). It comes after the slow hash, so that a table can be read with
/// every key of the ring by one hash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pepper {
    key: Option<MacKey>,
    peppering: Peppering,
}

/// Whether new hashes are keyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Peppering {
    New,
    #[default]
    None,
}

/// A stored text, and whether its output is keyed.
#[derive(Clone, Copy)]
pub(crate) enum Seasoned<'t> {
    Peppered(&'t str),
    Plain(&'t str),
}

impl<'t> Seasoned<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        text.strip_prefix(MARK).map_or(Self::Plain(text), Self::Peppered)
    }

    pub(crate) fn text(self) -> &'t str {
        match self {
            Self::Peppered(text) | Self::Plain(text) => text,
        }
    }
}

impl Pepper {
    pub(crate) fn new(key: MacKey, peppering: Peppering) -> Self {
        Self { key: Some(key), peppering }
    }

    /// What is stored in place of a new output.
    pub(crate) fn season(&self, output: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
        match self.newest() {
            Some(key) => tag(key, &output),
            None => output,
        }
    }

    /// Marks the text of a new hash.
    pub(crate) fn mark(&self, text: String) -> String {
        if self.newest().is_some() { format!("{MARK}{text}") } else { text }
    }

    /// Compares an output with what is stored, in constant time.
    pub(crate) fn matches(&self, stored: Seasoned<'_>, output: &[u8], expected: &[u8]) -> Result<bool, HashError> {
        match (stored, &self.key) {
            (Seasoned::Plain(_), _) => Ok(output.ct_eq(expected).into()),
            // A longer one was not written by this crate.
            (Seasoned::Peppered(_), Some(key)) if output.len() == expected.len() && output.len() <= TAG_BYTES => {
                Ok(key.verify(&[output], expected))
            }
            (Seasoned::Peppered(_), _) => Err(HashError::Corrupt),
        }
    }

    /// Whether a new hash would be seasoned like this one, with this key.
    pub(crate) fn is_current(&self, stored: Seasoned<'_>, output: &[u8], expected: &[u8]) -> bool {
        match (stored, self.newest()) {
            (Seasoned::Plain(_), None) => true,
            (Seasoned::Peppered(_), Some(key)) => tag(key, output).ct_eq(expected).into(),
            _ => false,
        }
    }

    fn newest(&self) -> Option<&MacKey> {
        self.key.as_ref().filter(|_| self.peppering == Peppering::New)
    }
}

fn tag(key: &MacKey, output: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(key.tag(&[output]).into_iter().take(output.len()).collect())
}

/// Stands before the text of a hash whose output is keyed.
const MARK: &str = "$pepper-hs256";

const TAG_BYTES: usize = 32;
