use std::collections::HashSet;

use super::*;

const CONTEXT: &[u8] = b"context";

fn root(seed: u8) -> [u8; 32] {
    std::array::from_fn(|at| (at as u8).wrapping_mul(37).wrapping_add(seed))
}

fn ring(seed: u8) -> KeyRing {
    KeyRing::new([root(seed)]).unwrap()
}

/// Draws the same byte for ever.
struct Constant(u8);

impl Rng for Constant {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0);
    }
}

#[test]
fn a_sealed_value_is_aes_256_gcm_under_a_key_by_hkdf() {
    // Made by OpenSSL and an HKDF-SHA-256 of its own: the id of the root, the nonce, the text and its tag.
    let expected = "dd6257710505050505050505050505056db7f2a586c516ff45531e1693f53cdf9c9ced9245";
    let sealed = ring(1).seal(CONTEXT, b"plain", &Constant(5)).unwrap();
    assert_eq!(sealed.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
    assert_eq!(ring(1).open(CONTEXT, &sealed).unwrap().as_slice(), b"plain");
}

#[test]
fn whatever_is_wrong_with_a_sealed_value_it_is_refused_with_one_error() {
    let keys = ring(1);
    let sealed = keys.seal(CONTEXT, b"a secret of some length", &OsRng).unwrap();
    let expected = DecodeError::new("sealed value of this row");
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1 << bit;
            assert_eq!(keys.open(CONTEXT, &flipped).unwrap_err(), expected, "bit {bit} of byte {at}");
        }
        assert_eq!(keys.open(CONTEXT, &sealed[..at]).unwrap_err(), expected, "first {at} bytes");
        assert_eq!(keys.open(CONTEXT, &sealed[at + 1..]).unwrap_err(), expected, "without the first {at} bytes");
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    assert_eq!(keys.open(CONTEXT, &longer).unwrap_err(), expected);
    for context in [b"".as_slice(), b"contex", b"contexts", b"Context"] {
        assert_eq!(keys.open(context, &sealed).unwrap_err(), expected);
    }
    assert_eq!(ring(2).open(CONTEXT, &sealed).unwrap_err(), expected, "another key");
    assert!(keys.open(CONTEXT, &sealed).is_ok());
}

#[test]
fn ten_thousand_seals_have_as_many_nonces() {
    let keys = ring(1);
    let nonces: HashSet<Vec<u8>> =
        (0..10_000).map(|_| keys.seal(CONTEXT, b"plain", &OsRng).unwrap()[4..4 + NONCE].to_vec()).collect();
    assert_eq!(nonces.len(), 10_000);
}

#[test]
fn a_root_that_is_a_pattern_is_refused() {
    let patterns: [(&str, [u8; 32]); 6] = [
        ("zeros", [0; 32]),
        ("ones", [0xff; 32]),
        ("two bytes", std::array::from_fn(|at| (at % 2) as u8)),
        ("seven bytes", std::array::from_fn(|at| (at % 7) as u8)),
        ("zeros but for seven", std::array::from_fn(|at| at.saturating_sub(25) as u8)),
        ("a text again and again", *b"secretsecretsecretsecretsecretse"),
    ];
    for (name, pattern) in patterns {
        let alone = KeyRing::new([pattern]);
        assert!(matches!(alone, Err(KeyRingError::Weak { position: 1 })), "{name}: {alone:?}");
        let second = KeyRing::new([root(1), pattern]);
        assert!(matches!(second, Err(KeyRingError::Weak { position: 2 })), "{name}: {second:?}");
    }
}

#[test]
fn a_root_stands_in_the_ring_once_and_there_is_one() {
    let repeated = KeyRing::new([root(1), root(2), root(1)]);
    assert!(matches!(repeated, Err(KeyRingError::Repeated { position: 3 })), "{repeated:?}");
    assert!(matches!(KeyRing::new([]), Err(KeyRingError::Missing { .. })));
    for nothing in ["", " ", ",", " , ,"] {
        assert!(matches!(KeyRing::parse(nothing), Err(KeyRingError::Missing { .. })), "{nothing:?}");
    }
}

#[test]
fn a_root_that_is_not_32_bytes_in_base64_is_refused_and_not_shown() {
    let good = BASE64_STANDARD.encode(root(1));
    assert!(KeyRing::parse(&good).is_ok());
    let short = BASE64_STANDARD.encode(&root(2)[..31]);
    let long = BASE64_STANDARD.encode([root(2).as_slice(), &[7]].concat());
    for bad in ["correct horse battery staple", &short, &long, &good[..good.len() - 1], "x"] {
        let error = KeyRing::parse(&format!("{good}, {bad}")).unwrap_err();
        assert!(matches!(error, KeyRingError::Malformed { position: 2 }), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(bad.len() == 1 || !shown.contains(bad), "{shown}");
    }
}
