//! What was proved, and how sure it makes us.

use std::{borrow::Cow, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    text_enum,
    timestamp::Timestamp,
    value::{ColumnKind, DecodeError, Field, Value},
};

/// Names a way to prove who one is: `password`, `totp`, `oauth:google`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct MethodId(Cow<'static, str>);

impl MethodId {
    /// Names a method known at compile time.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// Names a method.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self(Cow::Owned(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The way by which a proof reached us: `email`, `phone`. Two proofs over one channel are one factor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Channel(Cow<'static, str>);

impl Channel {
    /// Names a channel known at compile time.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }
}

macro_rules! text_fields {
    ($($type:ident),+) => { $(
        impl Field for $type {
            const KIND: ColumnKind = ColumnKind::Text;
            const NULLABLE: bool = false;

            fn into_value(self) -> Value {
                Value::Text(self.0.into_owned())
            }

            fn from_value(value: Value) -> Result<Self, DecodeError> {
                String::from_value(value).map(|text| Self(Cow::Owned(text)))
            }
        }
    )+ };
}

text_fields!(MethodId, Channel);

/// A kind of factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "NIST SP 800-63B-4 knows these three")]
#[repr(u8)]
pub enum Factor {
    /// Something one knows.
    Knowledge = 1,
    /// Something one has.
    Possession = 2,
    /// Something one is.
    Inherence = 4,
}

/// A set of kinds of factor; stored as their names with spaces between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct Factors(u8);

const FACTORS: [(Factor, &str); 3] =
    [(Factor::Knowledge, "knowledge"), (Factor::Possession, "possession"), (Factor::Inherence, "inherence")];

impl Factors {
    /// No factor.
    pub const NONE: Self = Self(0);
    /// Something one knows.
    pub const KNOWLEDGE: Self = Self(Factor::Knowledge as u8);
    /// Something one has.
    pub const POSSESSION: Self = Self(Factor::Possession as u8);
    /// Something one is.
    pub const INHERENCE: Self = Self(Factor::Inherence as u8);

    /// All kinds in either set.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How many kinds there are in the set.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether all kinds of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl From<Factors> for String {
    fn from(factors: Factors) -> Self {
        let named = FACTORS.iter().filter(|(factor, _)| factors.0 & *factor as u8 != 0);
        named.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
    }
}

impl TryFrom<Cow<'_, str>> for Factors {
    type Error = DecodeError;

    fn try_from(text: Cow<'_, str>) -> Result<Self, DecodeError> {
        text.split_whitespace().try_fold(Self::NONE, |set, word| {
            let found = FACTORS.iter().find(|(_, name)| *name == word);
            found.map(|(factor, _)| Self(set.0 | *factor as u8)).ok_or(DecodeError::new("set of factors"))
        })
    }
}

impl Field for Factors {
    const KIND: ColumnKind = ColumnKind::Text;
    const NULLABLE: bool = false;

    fn into_value(self) -> Value {
        Value::Text(self.into())
    }

    fn from_value(value: Value) -> Result<Self, DecodeError> {
        Self::try_from(Cow::Owned(String::from_value(value)?))
    }
}

text_enum! {
    /// Authenticator assurance level, NIST SP 800-63B-4 §2.
    pub enum Aal {
        /// One factor.
        Aal1 = "aal1",
        /// Two different factors.
        Aal2 = "aal2",
        /// Two different factors, one of them a device-bound, phishing-resistant key.
        Aal3 = "aal3",
    }
}

text_enum! {
    /// How a key is held.
    pub enum KeyBinding {
        /// It is attested that the key cannot leave its device.
        DeviceBound = "device_bound",
        /// There is no key, or it may be copied; at most AAL2.
        None = "none",
    }
}

/// What was proved, by what, when and under which epoch.
///
/// # Examples
///
/// What a passkey proves that cannot leave its device:
///
/// ```
/// use authkit_core::{Evidence, Factors, KeyBinding, MethodId, Timestamp};
///
/// let now = Timestamp::from_millis(1_800_000_000_000);
/// let both = Factors::POSSESSION.and(Factors::INHERENCE);
/// let evidence = Evidence::new(MethodId::from_static("passkey"), both, now, 0)
///     .amr("hwk")
///     .phishing_resistant()
///     .key(KeyBinding::DeviceBound);
/// assert_eq!(evidence.factors.count(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// The method.
    pub method: MethodId,
    /// The kinds of factor.
    pub factors: Factors,
    /// The channel, if it is one that other proofs may share.
    pub channel: Option<Channel>,
    /// Authentication method references, RFC 8176.
    pub amr: Vec<String>,
    /// Whether the proof is bound to the origin that asked for it.
    pub phishing_resistant: bool,
    /// How the key is held.
    pub key: KeyBinding,
    /// When.
    pub at: Timestamp,
    /// The principal's epoch when it was proved.
    pub epoch: i64,
}

impl Evidence {
    /// A proof of these factors at this time, under this epoch.
    #[must_use]
    pub const fn new(method: MethodId, factors: Factors, at: Timestamp, epoch: i64) -> Self {
        Self {
            method,
            factors,
            channel: None,
            amr: Vec::new(),
            phishing_resistant: false,
            key: KeyBinding::None,
            at,
            epoch,
        }
    }

    /// Adds an authentication method reference of RFC 8176.
    #[must_use]
    pub fn amr(mut self, reference: &str) -> Self {
        self.amr.push(reference.to_owned());
        self
    }

    /// Says over which channel it came.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<Option<Channel>>) -> Self {
        self.channel = channel.into();
        self
    }

    /// Says that it is bound to the origin that asked for it.
    #[must_use]
    pub const fn phishing_resistant(mut self) -> Self {
        self.phishing_resistant = true;
        self
    }

    /// Says how the key is held.
    #[must_use]
    pub const fn key(mut self, binding: KeyBinding) -> Self {
        self.key = binding;
        self
    }
}

/// The kinds of factor that proofs add up to.
///
/// Whoever reads a channel has all that comes over it, so one proof of each channel counts: the one that makes the most
/// of the whole, in whatever order they were given.
pub(crate) fn kinds<'e>(evidence: impl IntoIterator<Item = &'e Evidence>) -> Factors {
    let mut apart = Factors::NONE;
    let mut channels: Vec<(&Channel, Vec<Factors>)> = Vec::new();
    for proof in evidence {
        match &proof.channel {
            None => apart = apart.and(proof.factors),
            Some(channel) => match channels.iter_mut().find(|(known, _)| *known == channel) {
                Some((_, choices)) => choices.push(proof.factors),
                None => channels.push((channel, vec![proof.factors])),
            },
        }
    }
    let mut sums = vec![apart];
    for (_, choices) in channels {
        sums = sums.iter().flat_map(|sum| choices.iter().map(|choice| sum.and(*choice))).collect();
        sums.sort_unstable_by_key(|sum| sum.0);
        sums.dedup();
    }
    sums.into_iter().max_by_key(|sum| sum.count()).unwrap_or_default()
}

/// The level that proofs reach together; none without a proof.
pub(crate) fn attained<'e>(evidence: impl IntoIterator<Item = &'e Evidence> + Clone) -> Option<Aal> {
    let factors = kinds(evidence.clone());
    let mut device_bound = false;
    let mut any = false;
    for proof in evidence {
        any = true;
        device_bound |= proof.phishing_resistant && proof.key == KeyBinding::DeviceBound;
    }
    match (any, factors.count() >= 2, device_bound) {
        (false, ..) => None,
        (true, false, _) => Some(Aal::Aal1),
        (true, true, false) => Some(Aal::Aal2),
        (true, true, true) => Some(Aal::Aal3),
    }
}

/// The method references of all proofs, each once, with `mfa` if there are two kinds of factor (RFC 8176 §2).
pub(crate) fn references(evidence: &[Evidence]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let several = attained(evidence).is_some_and(|level| level >= Aal::Aal2).then(|| "mfa".to_owned());
    for reference in evidence.iter().flat_map(|proof| proof.amr.iter().cloned()).chain(several) {
        if !all.contains(&reference) {
            all.push(reference);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(factors: Factors) -> Evidence {
        Evidence::new(MethodId::from_static("test"), factors, Timestamp::from_millis(0), 0)
    }

    #[test]
    fn level_follows_from_the_kinds_of_factor() {
        let two = Factors::KNOWLEDGE.and(Factors::POSSESSION);
        let mail = || Some(Channel::from_static("email"));
        let cases: Vec<(Vec<Evidence>, Option<Aal>)> = vec![
            (vec![], None),
            (vec![proof(Factors::KNOWLEDGE)], Some(Aal::Aal1)),
            (vec![proof(Factors::KNOWLEDGE), proof(Factors::KNOWLEDGE)], Some(Aal::Aal1)),
            (vec![proof(Factors::KNOWLEDGE), proof(Factors::POSSESSION)], Some(Aal::Aal2)),
            (vec![proof(two)], Some(Aal::Aal2)),
            (vec![proof(two).phishing_resistant()], Some(Aal::Aal2)),
            (vec![proof(two).phishing_resistant().key(KeyBinding::DeviceBound)], Some(Aal::Aal3)),
            (vec![proof(two).key(KeyBinding::DeviceBound)], Some(Aal::Aal2)),
            (
                vec![proof(Factors::KNOWLEDGE).channel(mail()), proof(Factors::POSSESSION).channel(mail())],
                Some(Aal::Aal1),
            ),
        ];
        for (evidence, level) in cases {
            assert_eq!(attained(&evidence), level, "{evidence:?}");
        }
    }

    #[test]
    fn factors_are_stored_by_name() {
        let two = Factors::KNOWLEDGE.and(Factors::INHERENCE);
        assert_eq!(two.into_value(), Value::Text("knowledge inherence".into()));
        assert_eq!(Factors::from_value(two.into_value()), Ok(two));
        assert!(Factors::from_value(Value::Text("luck".into())).is_err());
    }
}
