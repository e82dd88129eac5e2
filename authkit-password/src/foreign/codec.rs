//! How numbers and bytes are written in stored hashes. Nothing here panics, whatever the text.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// A number of decimal digits only.
pub(crate) fn decimal(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Bytes in hex, of either case.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    let nibbles: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|n| n.try_into().ok())).collect::<Option<_>>()?;
    let (pairs, []) = nibbles.as_chunks::<2>() else {
        return None;
    };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Bytes in the base64 of RFC 4648 §4 or §5, with or without padding.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let standard: String = text
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    STANDARD.decode(standard).ok()
}

/// Bytes in the base64 of passlib, which writes `.` for `+` and no padding.
pub(crate) fn base64_passlib(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.replace('.', "+")).ok()
}

/// The fields of a text, if there are so many.
pub(crate) fn fields<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let fields: Vec<&str> = text.split(separator).take(N + 1).collect();
    fields.try_into().ok()
}

const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!([decimal("0"), decimal("4294967295")], [Some(0), Some(u32::MAX)]);
        for text in ["", "+1", "-1", " 1", "1_0", "4294967296", "١"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_are_read_in_every_spelling_and_nothing_else() {
        assert_eq!(hex("00fFa0"), Some(vec![0, 255, 160]));
        assert_eq!([hex("0"), hex("0g"), hex("é0")], [None, None, None]);
        for text in ["+/8=", "+/8", "-_8", "-_8="] {
            assert_eq!(base64(text), Some(vec![251, 255]), "{text}");
        }
        assert_eq!(base64_passlib("./8"), Some(vec![251, 255]));
        assert_eq!([base64("+/8 "), base64("é"), base64("+/8=="), base64_passlib("$")], [None, None, None, None]);
    }
}
