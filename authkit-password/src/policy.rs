use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{
    common::{is_common, repeated_unit},
    plain::PlainPassword,
};

/// What a new password must not be.
///
/// At least 15 characters, not common, not a pattern, and not made of words which an attacker knows. There are no rules
/// about the kinds of characters: NIST SP 800-63B-4 §3.1.1.2 forbids them.
#[derive(Clone, Debug)]
pub struct Policy {
    min_length: usize,
    blocked_words: Vec<String>,
}

impl Policy {
    /// Characters which a password has at least when it is the only factor (NIST SP 800-63B-4 §3.1.1.2).
    pub const MIN_LENGTH: usize = 15;
    /// Characters which a password has at least when a second factor is always asked for.
    pub const MIN_LENGTH_WITH_SECOND_FACTOR: usize = 8;

    /// Asks for more characters than [`Policy::MIN_LENGTH`].
    ///
    /// # Errors
    ///
    /// [`PolicyError::MinLength`] below 15, and above 64, which NIST SP 800-63B-4 §3.1.1.2 has every service accept.
    pub fn length(self, min_length: usize) -> Result<Self, PolicyError> {
        self.length_at_least(min_length, Self::MIN_LENGTH)
    }

    /// Asks for fewer characters, down to 8, where every sign-in also asks for another factor.
    ///
    /// # Errors
    ///
    /// [`PolicyError::MinLength`] below 8 or above 64.
    ///
    /// # Security
    ///
    /// A password of eight characters alone is found by guessing once a table of hashes is stolen.
    pub fn length_with_second_factor(self, min_length: usize) -> Result<Self, PolicyError> {
        self.length_at_least(min_length, Self::MIN_LENGTH_WITH_SECOND_FACTOR)
    }

    /// Adds words which a password must not mostly consist of, such as the names of the service and its owner.
    ///
    /// Words of fewer than four characters are ignored.
    #[must_use]
    pub fn blocked_words<W: AsRef<str>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.blocked_words.extend(words.into_iter().flat_map(|word| known_words(word.as_ref())));
        self
    }

    /// Characters (Unicode code points after NFC) which a password has at least.
    #[must_use]
    pub fn min_length(&self) -> usize {
        self.min_length
    }

    /// Whether this policy is sound only beside a second factor.
    #[must_use]
    pub fn needs_second_factor(&self) -> bool {
        self.min_length < Self::MIN_LENGTH
    }

    /// Finds everything that is wrong with a new password.
    ///
    /// `context` is what is known about its owner, as it is: e-mail addresses, names, phone numbers. E-mail addresses
    /// count as their parts. Words of fewer than four characters are ignored.
    ///
    /// # Errors
    ///
    /// Every [`Weakness`], not just the first.
    ///
    /// # Examples
    ///
    /// All that is wrong with a password, for the form of an application of your own:
    ///
    /// ```
    /// use authkit_password::{PlainPassword, Policy, Weakness};
    ///
    /// let policy = Policy::default().blocked_words(["rosetea"]);
    /// let typed = PlainPassword::parse("rosetea2024".to_owned())?;
    /// let weaknesses = policy.check(&typed, &["ada@example.com"]).unwrap_err();
    /// assert!(weaknesses.contains(&Weakness::Short { min_length: 15 }));
    /// assert!(weaknesses.contains(&Weakness::Contextual));
    /// # Ok::<(), authkit_password::PlainPasswordError>(())
    /// ```
    pub fn check(&self, password: &PlainPassword, context: &[&str]) -> Result<(), Vec<Weakness>> {
        let lowered = lowered(password.as_str());
        let known = context.iter().flat_map(|text| known_words(text)).chain(self.blocked_words.iter().cloned());
        let length = password.as_str().chars().count();
        let found = [
            (length < self.min_length, Weakness::Short { min_length: self.min_length }),
            (is_common(&lowered), Weakness::Common),
            (mostly_words(&lowered, known), Weakness::Contextual),
            (self.is_repetitive(&lowered), Weakness::Repetitive),
            (mostly_runs(&lowered), Weakness::Sequential),
        ];
        let weaknesses: Vec<_> = found.into_iter().filter_map(|(weak, weakness)| weak.then_some(weakness)).collect();
        if weaknesses.is_empty() { Ok(()) } else { Err(weaknesses) }
    }

    fn length_at_least(self, min_length: usize, floor: usize) -> Result<Self, PolicyError> {
        if !(floor..=MAX_MIN_LENGTH).contains(&min_length) {
            return Err(PolicyError::MinLength { floor });
        }
        Ok(Self { min_length, ..self })
    }

    /// A repetition is as strong as what is repeated, which alone would be too short.
    fn is_repetitive(&self, lowered: &str) -> bool {
        let unit = repeated_unit(lowered);
        unit.len() < lowered.len() && unit.chars().count() < self.min_length
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { min_length: Self::MIN_LENGTH, blocked_words: Vec::new() }
    }
}

/// Why a policy cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The minimum length is out of its range.
    #[error("the minimum length of a password must be {floor} to {MAX_MIN_LENGTH} characters")]
    MinLength {
        /// Lowest length which the method accepts.
        floor: usize,
    },
}

/// One reason to refuse a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weakness {
    /// It is on the list of common passwords, perhaps padded.
    Common,
    /// More than half of it is a word that an attacker knows.
    Contextual,
    /// It repeats something short.
    Repetitive,
    /// More than half of it follows the alphabet, the digits, the keyboard, or one key.
    Sequential,
    /// It has too few characters.
    Short {
        /// Characters it needs at least.
        min_length: usize,
    },
}

impl Weakness {
    /// A stable word for programs, in `snake_case`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Common => "common",
            Self::Contextual => "contextual",
            Self::Repetitive => "repetitive",
            Self::Sequential => "sequential",
            Self::Short { .. } => "short",
        }
    }

    /// A short English sentence on what to change.
    #[must_use]
    pub fn feedback(&self) -> Cow<'static, str> {
        match self {
            Self::Common => "Too common.".into(),
            Self::Contextual => "Contains your e-mail address, your name or the name of this service.".into(),
            Self::Repetitive => "Repeats the same few characters.".into(),
            Self::Sequential => "Follows the alphabet, the digits or the keyboard.".into(),
            Self::Short { min_length } => format!("Add length: at least {min_length} characters.").into(),
        }
    }
}

fn lowered(text: &str) -> Zeroizing<String> {
    let lowered = Zeroizing::new(text.to_lowercase());
    Zeroizing::new(lowered.nfc().collect())
}

/// The text itself and, of an e-mail address, its local part and the labels of its domain but the last.
fn known_words(text: &str) -> Vec<String> {
    let text = lowered(text.trim());
    let (local, domain) = text.rsplit_once('@').unwrap_or((&text, ""));
    let labels = domain.rsplit('.').skip(1);
    let mut words: Vec<_> =
        [text.as_str(), local].into_iter().chain(local.split(is_separator)).chain(labels).map(str::to_owned).collect();
    words.retain(|word| word.chars().count() >= MIN_WORD_LENGTH);
    words
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | '_' | '-' | '+')
}

/// Says whether more than half of a password is covered by any of the words.
fn mostly_words(lowered: &str, words: impl Iterator<Item = String>) -> bool {
    let mut covered = vec![false; lowered.len()];
    for word in words {
        for (start, found) in lowered.match_indices(word.as_str()) {
            covered.iter_mut().skip(start).take(found.len()).for_each(|byte| *byte = true);
        }
    }
    let known = lowered.char_indices().filter(|(start, _)| covered.get(*start) == Some(&true)).count();
    known * 2 > lowered.chars().count()
}

/// Says whether more than half of a password is walks of at least four characters along the [`Steps`].
fn mostly_runs(lowered: &str) -> bool {
    let chars = Zeroizing::new(lowered.chars().collect::<Vec<_>>());
    let (mut in_runs, mut run, mut ways) = (0, 1, Steps::ANY);
    for (&from, &to) in chars.iter().zip(chars.iter().skip(1)) {
        let step = Steps::between(from, to);
        if ways.and(step).is_possible() {
            ways = ways.and(step);
            run += 1;
            continue;
        }
        in_runs += run_length(run);
        // The pair that broke a long run may not begin the next one: its first character is counted.
        (run, ways) = if run >= MIN_RUN || !step.is_possible() { (1, Steps::ANY) } else { (2, step) };
    }
    in_runs += run_length(run);
    in_runs * 2 > chars.len()
}

fn run_length(run: usize) -> usize {
    if run >= MIN_RUN { run } else { 0 }
}

/// In which ways one character may follow another, a bit for each way.
#[derive(Clone, Copy)]
struct Steps(u64);

impl Steps {
    const ANY: Self = Self(u64::MAX);

    fn between(from: char, to: char) -> Self {
        let mut ways = 0;
        if from == to {
            ways |= 1;
        }
        let letters = from.is_alphanumeric() && to.is_alphanumeric();
        if letters && u32::from(from) + 1 == u32::from(to) {
            ways |= 2;
        }
        if letters && u32::from(to) + 1 == u32::from(from) {
            ways |= 4;
        }
        for (index, row) in KEYBOARD.iter().enumerate() {
            if follows(row, from, to) {
                ways |= 8 << (2 * index);
            }
            if follows(row, to, from) {
                ways |= 16 << (2 * index);
            }
        }
        Self(ways)
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn is_possible(self) -> bool {
        self.0 != 0
    }
}

/// Says whether `to` comes after `from` in a row, whose beginning comes after its end.
fn follows(row: &str, from: char, to: char) -> bool {
    row.chars().zip(row.chars().cycle().skip(1)).any(|pair| pair == (from, to))
}

const MAX_MIN_LENGTH: usize = 64;
const MIN_WORD_LENGTH: usize = 4;
const MIN_RUN: usize = 4;

/// Rows of the US, German and French keyboards, and the columns that fingers run down.
const KEYBOARD: [&str; 19] = [
    "1234567890",
    "!@#$%^&*()",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "qsdfghjklm",
    "yxcvbnm",
    "1qaz",
    "2wsx",
    "3edc",
    "4rfv",
    "5tgb",
    "6yhn",
    "7ujm",
    "8ik,",
    "9ol.",
    "0p;/",
];

#[cfg(test)]
mod tests;
