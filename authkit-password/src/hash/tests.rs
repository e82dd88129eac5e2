use super::*;

const SALT: [u8; SALT_BYTES] = *b"0123456789abcdef";

fn weak() -> Argon2Params {
    Argon2Params::dangerously_weak(32, 1, 1).unwrap()
}

fn password(text: &str) -> PlainPassword {
    PlainPassword::parse(text.to_owned()).unwrap()
}

fn hasher(scheme: impl Into<Scheme>) -> Hasher {
    Hasher::new(scheme.into(), BcryptFamily::default())
}

fn hashed_by(hasher: &Hasher, text: &str) -> String {
    hasher.hash(&password(text), &SALT, &mut Memory::default()).unwrap()
}

fn verified_by(hasher: &Hasher, text: &str, stored: &str) -> Result<Verification, HashError> {
    hasher.verify(&password(text), stored, Alike::Unmatched, &mut Memory::default())
}

fn hashed(text: &str) -> String {
    hashed_by(&hasher(weak()), text)
}

fn verified(text: &str, stored: &str) -> Result<Verification, HashError> {
    verified_by(&hasher(weak()), text, stored)
}

const MATCH: Verification = Verification::Match { rehash: false };
const OUTDATED: Verification = Verification::Match { rehash: true };

#[test]
fn password_matches_its_hash() {
    assert_eq!(verified("pass", &hashed("pass")).unwrap(), MATCH);
}

#[test]
fn every_change_of_a_password_is_a_mismatch() {
    let long = "x".repeat(100);
    for (original, other) in [
        ("pass", "Pass"),
        ("pass", "pass "),
        ("pass", "pass\0"),
        ("pass", ""),
        (long.as_str(), &long[..99]),
        (long.as_str(), &long[..72]),
    ] {
        assert_eq!(verified(other, &hashed(original)).unwrap(), Verification::Mismatch);
    }
}

#[test]
fn default_hash_is_a_standard_phc_string() {
    let phc = hashed_by(&hasher(Scheme::default()), "pass");
    assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"), "{phc}");
    // The crate's own verifier agrees, so the string can be read elsewhere.
    let parsed = ::argon2::PasswordHash::new(&phc).unwrap();
    ::argon2::PasswordVerifier::verify_password(&::argon2::Argon2::default(), b"pass", &parsed).unwrap();
}

#[test]
fn used_memory_does_not_change_the_result_and_is_wiped() {
    let (hasher, mut memory) = (hasher(weak()), Memory::default());
    let first = hasher.hash(&password("pass"), &SALT, &mut memory).unwrap();
    hasher.hash(&password("other"), &SALT, &mut memory).unwrap();
    assert_eq!(hasher.hash(&password("pass"), &SALT, &mut memory).unwrap(), first);

    memory.wipe(weak().blocks());
    assert!(memory.is_zero());
}

#[test]
fn dearer_stored_hash_is_verified_and_its_memory_given_back() {
    let phc = hashed_by(&hasher(Argon2Params::dangerously_weak(64, 2, 1).unwrap()), "pass");
    let mut memory = Memory::default();
    let outcome = hasher(weak()).verify(&password("pass"), &phc, Alike::Unmatched, &mut memory).unwrap();
    assert_eq!(outcome, MATCH);
    memory.wipe(weak().blocks());
    assert_eq!(memory.capacity(), 32);
}

#[test]
fn cheaper_hash_is_to_be_replaced() {
    let phc = hashed("pass");
    for (memory_kib, passes, lanes) in [(64, 1, 1), (32, 2, 1), (32, 1, 2)] {
        let wanted = hasher(Argon2Params::dangerously_weak(memory_kib, passes, lanes).unwrap());
        assert_eq!(verified_by(&wanted, "pass", &phc).unwrap(), OUTDATED);
    }
}

#[test]
fn decoy_costs_the_same_and_matches_nothing() {
    let decoy = weak().decoy();
    assert!(decoy.starts_with("$argon2id$v=19$m=32,t=1,p=1$"), "{decoy}");
    assert_eq!(verified("", &decoy).unwrap(), Verification::Mismatch);
}

#[test]
fn unreadable_hash_is_an_error_after_the_same_work() {
    let phc = hashed("pass");
    for corrupt in [
        String::new(),
        "plain".to_owned(),
        phc.replace("argon2id", "argon2x"),
        phc.replace("v=19", "v=18"),
        phc.replace("m=32", "m=4000000000"),
        phc.replace("t=1", "t=1000"),
        phc.replace("p=1", "p=10000000"),
        phc.replace("m=32,", ""),
        phc.replace("$v=19$m=32,t=1,p=1$", "$v=19$m=32,t=1,p=1,x=1$"),
        phc[..phc.len() - 30].to_owned(),
        phc.rsplit_once('$').unwrap().0.to_owned(),
        format!("$pepper-hs256{phc}"),
        format!("{phc}{}", "A".repeat(2000)),
    ] {
        let mut memory = Memory::default();
        let outcome = hasher(weak()).verify(&password("pass"), &corrupt, Alike::Unmatched, &mut memory);
        assert!(matches!(outcome, Err(HashError::Corrupt)), "{corrupt}: {outcome:?}");
        assert_eq!(memory.used(), 32, "{corrupt}");
    }
}

#[test]
fn costs_below_the_minimum_need_the_frightening_name() {
    assert_eq!(Argon2Params::new(19_456, 2, 1).unwrap(), Argon2Params::default());
    assert_eq!(Argon2Params::new(19_455, 2, 1).unwrap_err(), ParamsError::Memory);
    assert_eq!(Argon2Params::new(19_456, 1, 1).unwrap_err(), ParamsError::Passes);
    assert_eq!(Argon2Params::new(19_456, 2, 0).unwrap_err(), ParamsError::Lanes);
    assert_eq!(Argon2Params::new(u32::MAX, 2, 1).unwrap_err(), ParamsError::Memory);
    assert_eq!(Argon2Params::dangerously_weak(8, 1, 2).unwrap_err(), ParamsError::Memory);
    assert_eq!(Argon2Params::dangerously_weak(8, 0, 1).unwrap_err(), ParamsError::Passes);
}

mod bcrypt {
    use super::*;
    use crate::hash::bcrypt::LongPasswords;

    fn bcrypt() -> Hasher {
        hasher(BcryptCost::dangerously_weak())
    }

    fn cutting() -> Hasher {
        let family = BcryptFamily { long: LongPasswords::Cut, ..BcryptFamily::default() };
        Hasher::new(weak().into(), family)
    }

    #[test]
    fn short_password_becomes_plain_bcrypt_and_another_prehashed() {
        let long = "x".repeat(73);
        for (text, head) in [
            ("pass", "$2b$04$"),
            (&long[..72], "$2b$04$"),
            (&long, "$bcrypt-sha256$v=2,t=2b,r=4$"),
            ("pa\0ss", "$bcrypt-sha256$v=2,t=2b,r=4$"),
        ] {
            let stored = hashed_by(&bcrypt(), text);
            assert!(stored.starts_with(head), "{stored}");
            assert_eq!(verified_by(&bcrypt(), text, &stored).unwrap(), MATCH);
        }
    }

    #[test]
    fn every_byte_of_a_new_password_counts() {
        let long = "x".repeat(100);
        for (original, other) in [
            (long.as_str(), &long[..99]),
            (&long, &long[..72]),
            (&long[..72], &long[..73]),
            ("pass", "pass\0"),
            ("pass", "pass\0pass"),
            ("pass\0pass", "pass"),
            ("\0", ""),
            ("", "\0"),
        ] {
            let stored = hashed_by(&bcrypt(), original);
            assert_eq!(verified_by(&bcrypt(), other, &stored).unwrap(), Verification::Mismatch, "{other:?}");
        }
    }

    /// CVE-2025-22228: what is cut must not pass for the whole.
    #[test]
    fn imported_hash_is_not_matched_by_more_than_it_knows() {
        let stored = hashed_by(&bcrypt(), &"x".repeat(72));
        for tail in ["x", "tail", "\0"] {
            let typed = format!("{}{tail}", "x".repeat(72));
            assert_eq!(verified(&typed, &stored).unwrap(), Verification::Mismatch);
        }
        assert_eq!(verified(&"x".repeat(72), &stored).unwrap(), OUTDATED);
    }

    #[test]
    fn imported_hash_that_may_be_cut_signs_in_but_is_not_renewed() {
        let stored = hashed_by(&bcrypt(), &"x".repeat(72));
        assert_eq!(verified_by(&cutting(), &"x".repeat(80), &stored).unwrap(), MATCH);
        assert_eq!(verified_by(&cutting(), &"x".repeat(72), &stored).unwrap(), OUTDATED);
        assert_eq!(verified_by(&cutting(), &"x".repeat(71), &stored).unwrap(), Verification::Mismatch);
        let zero = format!("{}\0", "x".repeat(80));
        assert_eq!(verified_by(&cutting(), &zero, &stored).unwrap(), Verification::Mismatch);
    }

    #[test]
    fn each_scheme_replaces_the_other_and_a_cheaper_one() {
        let (argon2, weak_bcrypt) = (hashed("pass"), hashed_by(&bcrypt(), "pass"));
        assert_eq!(verified("pass", &weak_bcrypt).unwrap(), OUTDATED);
        assert_eq!(verified_by(&bcrypt(), "pass", &argon2).unwrap(), OUTDATED);
        let sound = hasher(BcryptCost::new(12).unwrap());
        assert_eq!(verified_by(&sound, "pass", &weak_bcrypt).unwrap(), OUTDATED);
        assert_eq!(verified_by(&bcrypt(), "pass", &weak_bcrypt.replace("$2b$", "$2y$")).unwrap(), MATCH);
    }

    #[test]
    fn broken_and_costly_variants_are_refused_unread() {
        let stored = hashed_by(&bcrypt(), "pass");
        for (text, why) in [
            (stored.replace("$2b$", "$2x$"), Unreadable::Malformed),
            (stored.replace("$2b$", "$2$"), Unreadable::Malformed),
            (stored.replace("$2b$", "$2B$"), Unreadable::Malformed),
            (stored.replace("$04$", "$03$"), Unreadable::Malformed),
            (stored.replace("$04$", "$4$"), Unreadable::Malformed),
            (stored.replace("$04$", "$+4$"), Unreadable::Malformed),
            (stored.replace("$04$", "$15$"), Unreadable::TooCostly),
            (stored.replace("$04$", "$31$"), Unreadable::TooCostly),
            (stored.replace("$04$", "$99$"), Unreadable::TooCostly),
            (stored[..59].to_owned(), Unreadable::Malformed),
            (format!("{stored}A"), Unreadable::Malformed),
            (format!("$devise{stored}"), Unreadable::NotConfigured),
            (format!("$bcrypt-sha256{stored}"), Unreadable::Malformed),
        ] {
            assert_eq!(hasher(weak()).read(&text).err(), Some(why), "{text}");
            assert!(matches!(verified("pass", &text), Err(HashError::Corrupt)), "{text}");
        }
        let dear = hasher(BcryptCost::new(15).unwrap());
        assert!(dear.read(&stored.replace("$04$", "$15$")).is_ok(), "what is configured is accepted");
    }

    #[test]
    fn decoy_matches_nothing() {
        for text in ["", "pass"] {
            assert_eq!(verified_by(&bcrypt(), text, &bcrypt().scheme().decoy()).unwrap(), Verification::Mismatch);
        }
    }
}

mod pepper {
    use authkit_core::KeyRing;

    use super::*;
    use crate::hash::pepper::Peppering;

    fn secret(seed: u8) -> [u8; 32] {
        std::array::from_fn(|at| at as u8 * 7 + seed)
    }

    fn peppered(scheme: impl Into<Scheme>, seeds: &[u8], peppering: Peppering) -> Hasher {
        let ring = KeyRing::new(seeds.iter().map(|&seed| secret(seed))).unwrap();
        hasher(scheme).pepper(Pepper::new(ring.mac("pepper"), peppering))
    }

    fn schemes() -> [Scheme; 2] {
        [weak().into(), BcryptCost::dangerously_weak().into()]
    }

    #[test]
    fn hash_matches_under_its_key_only() {
        for scheme in schemes() {
            let own = peppered(scheme.clone(), &[1], Peppering::New);
            let stored = hashed_by(&own, "pass");
            assert!(stored.starts_with("$pepper-hs256$"), "{stored}");
            assert_eq!(verified_by(&own, "pass", &stored).unwrap(), MATCH);
            assert_eq!(verified_by(&own, "Pass", &stored).unwrap(), Verification::Mismatch);
            let another = peppered(scheme.clone(), &[2], Peppering::New);
            assert_eq!(verified_by(&another, "pass", &stored).unwrap(), Verification::Mismatch);
            assert!(matches!(verified_by(&hasher(scheme), "pass", &stored), Err(HashError::Corrupt)));
        }
    }

    /// Whoever writes rows but has no key could otherwise plant a password of his choice in a keyed row.
    #[test]
    fn keyed_row_is_not_the_hash_without_its_mark() {
        let own = peppered(weak(), &[1], Peppering::New);
        let stored = hashed_by(&own, "pass");
        let bare = stored.strip_prefix("$pepper-hs256").unwrap();
        assert_eq!(verified_by(&own, "pass", bare).unwrap(), Verification::Mismatch);
        assert_eq!(
            verified_by(&own, "pass", &format!("$pepper-hs256{}", hashed("pass"))).unwrap(),
            Verification::Mismatch
        );
    }

    #[test]
    fn rotated_key_is_replaced_at_sign_in() {
        for scheme in schemes() {
            let stored = hashed_by(&peppered(scheme.clone(), &[1], Peppering::New), "pass");
            let rotated = peppered(scheme, &[2, 1], Peppering::New);
            assert_eq!(verified_by(&rotated, "pass", &stored).unwrap(), OUTDATED);
            assert_eq!(verified_by(&rotated, "pass", &hashed_by(&rotated, "pass")).unwrap(), MATCH);
        }
    }

    #[test]
    fn turning_it_on_or_off_replaces_hashes() {
        for scheme in schemes() {
            let on = peppered(scheme.clone(), &[1], Peppering::New);
            let off = peppered(scheme.clone(), &[1], Peppering::None);
            assert_eq!(verified_by(&on, "pass", &hashed_by(&off, "pass")).unwrap(), OUTDATED);
            assert_eq!(verified_by(&off, "pass", &hashed_by(&on, "pass")).unwrap(), OUTDATED);
        }
    }
}

mod decoys {
    use super::*;

    /// How much memory the last computation and those before it have used tells what ran.
    fn used(hasher: &Hasher, text: &str, stored: &str, alike: Alike) -> usize {
        let mut memory = Memory::default();
        drop(hasher.verify(&password(text), stored, alike, &mut memory));
        memory.used()
    }

    fn with_decoy() -> Hasher {
        let decoy = Argon2Params::dangerously_weak(64, 1, 1).unwrap().decoy();
        hasher(weak()).decoys(vec![decoy.clone(), decoy, weak().decoy()]).unwrap()
    }

    #[test]
    fn decoys_of_one_cost_are_one() {
        assert_eq!(with_decoy().decoys.len(), 1);
    }

    #[test]
    fn every_no_costs_the_same_and_a_yes_only_its_own() {
        let (own, imported) =
            (hashed("pass"), hashed_by(&hasher(Argon2Params::dangerously_weak(64, 1, 1).unwrap()), "pass"));
        let hasher = with_decoy();
        for stored in [own.as_str(), &imported, &weak().decoy(), "garbage"] {
            assert_eq!(used(&hasher, "other", stored, Alike::Unmatched), 64, "{stored}");
        }
        assert_eq!(used(&hasher, "pass", &own, Alike::Unmatched), 32);
        assert_eq!(used(&hasher, "pass", &own, Alike::Always), 64, "the answer will be no all the same");
    }

    #[test]
    fn decoy_that_cannot_be_read_is_refused() {
        let (text, error) = hasher(weak()).decoys(vec!["$2x$12$abc".to_owned()]).unwrap_err();
        assert_eq!((text.as_str(), error), ("$2x$12$abc", Unreadable::Malformed));
    }
}

#[test]
fn password_is_compared_as_it_was_typed_as_well() {
    // Another system took the bytes that the keyboard sent.
    let typed = "cafe\u{301} au lait";
    let raw = password(typed).as_typed().unwrap();
    let stored = hasher(weak()).hash(&raw, &SALT, &mut Memory::default()).unwrap();
    assert!(matches!(verified(typed, &stored).unwrap(), Verification::Match { .. }));
    assert_eq!(verified("caf\u{e9} au lait", &stored).unwrap(), Verification::Mismatch);
    assert_eq!(verified(typed, &hashed("caf\u{e9} au lait")).unwrap(), MATCH);
}
