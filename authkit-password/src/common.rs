//! The list of common passwords; `data/README.md` tells where it comes from.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Says whether a lower-cased password, or what is left of it without padding, is on the list.
pub(crate) fn is_common(lowered: &str) -> bool {
    let without_suffix = lowered.trim_end_matches(is_padding);
    let without_padding = without_suffix.trim_start_matches(is_padding);
    let unit = repeated_unit(without_padding).trim_matches(is_padding);
    [lowered, without_suffix, without_padding, unit].into_iter().any(is_listed)
}

/// The shortest beginning of `text` of which the whole is a repetition, perhaps with the last one cut.
///
/// The text itself where nothing is repeated at least once in full.
pub(crate) fn repeated_unit(text: &str) -> &str {
    let chars = Zeroizing::new(text.chars().collect::<Vec<_>>());
    // The longest border (a proper prefix that is also a suffix) tells the shortest period: Knuth, Morris, Pratt.
    let mut borders: Vec<usize> = Vec::with_capacity(chars.len());
    for (index, next) in chars.iter().enumerate() {
        let mut border = if index == 0 { None } else { borders.last().copied() };
        let length = loop {
            match border {
                None => break 0,
                Some(length) if chars.get(length) == Some(next) => break length + 1,
                Some(length) => border = length.checked_sub(1).and_then(|last| borders.get(last).copied()),
            }
        };
        borders.push(length);
    }
    let period = chars.len() - borders.last().copied().unwrap_or(0);
    if period * 2 > chars.len() {
        return text;
    }
    text.char_indices().nth(period).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}

fn is_padding(c: char) -> bool {
    c.is_numeric() || c.is_ascii_punctuation() || c.is_whitespace()
}

fn is_listed(password: &str) -> bool {
    let digest = Sha256::digest(password);
    let Some(entry) = digest.first_chunk() else {
        return false;
    };
    let (entries, _) = LIST.as_chunks::<ENTRY_BYTES>();
    entries.binary_search(entry).is_ok()
}

/// Beginnings of SHA-256 digests, sorted; eight bytes make a false hit one in 10¹⁴.
static LIST: &[u8] = include_bytes!("../data/common.bin");
const ENTRY_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_whole_and_sorted() {
        let (entries, rest) = LIST.as_chunks::<ENTRY_BYTES>();
        assert_eq!((entries.len(), rest.len()), (33_046, 0));
        assert!(entries.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn listed_password_is_common_with_and_without_padding() {
        for password in [
            "password",
            "123456",
            "polniypizdec0211",
            "password1234567",
            "dragon!!!!!!!!!!!",
            "2024 password !1",
            "dragondragondragon99",
            "passwordpasswordpass",
        ] {
            assert!(is_common(password), "{password}");
        }
    }

    #[test]
    fn other_passwords_are_not_common() {
        for password in ["", "correct horse battery staple", "v7kq ulm orbit tin", "83920175 64 2213"] {
            assert!(!is_common(password), "{password}");
        }
    }

    #[test]
    fn repeated_unit_is_the_shortest_period() {
        for (text, unit) in [
            ("", ""),
            ("a", "a"),
            ("aaaa", "a"),
            ("abcabcab", "abc"),
            ("abcab", "abcab"),
            ("abab", "ab"),
            ("éxéxé", "éx"),
            ("aabaab", "aab"),
            ("abcd", "abcd"),
            ("aabaaaab", "aabaaaab"),
        ] {
            assert_eq!(repeated_unit(text), unit, "{text}");
        }
    }
}
