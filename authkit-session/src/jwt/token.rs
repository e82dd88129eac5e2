//! The compact serialization of RFC 7515 §7.1.

/// The longest token that is looked at, in bytes.
pub(crate) const LONGEST: usize = 8 * 1024;

/// The longest claims that are signed, in bytes: with them a token is shorter than [`LONGEST`], whatever signs it.
pub(crate) const LONGEST_PAYLOAD: usize = 5 * 1024;

/// The three parts of a token, each in base64url.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'t> {
    pub(crate) header: &'t str,
    pub(crate) payload: &'t str,
    pub(crate) signature: &'t str,
    /// Header and payload with the full stop between: what is signed.
    pub(crate) signed: &'t str,
}

impl<'t> Parts<'t> {
    /// Splits a token; none unless it has exactly three parts and none of them is empty.
    pub(crate) fn of(token: &'t str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let whole = !header.is_empty() && !payload.is_empty() && !signature.is_empty();
        (whole && !payload.contains('.')).then_some(Self { header, payload, signature, signed })
    }
}
