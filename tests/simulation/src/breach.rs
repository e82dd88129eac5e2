//! What a model says when something is not as it must be.

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    /// Which invariant: `I1`.
    pub(crate) invariant: &'static str,
    pub(crate) text: String,
}

/// Nothing, or what must not be.
pub(crate) type Checked<T = ()> = Result<T, Breach>;

pub(crate) fn breach(invariant: &'static str, text: impl Into<String>) -> Breach {
    Breach { invariant, text: text.into() }
}
