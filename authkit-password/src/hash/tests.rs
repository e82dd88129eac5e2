use super::*;

const SALT: [u8; SALT_BYTES] = *b"0123456789abcdef";

fn weak() -> Argon2Params {
    Argon2Params::dangerously_weak(32, 1, 1).unwrap()
}

fn password(text: &str) -> PlainPassword {
    PlainPassword::parse(text.to_owned()).unwrap()
}

fn hashed(text: &str) -> String {
    hash(&weak(), &password(text), &SALT, &mut Memory::default()).unwrap()
}

fn verified(text: &str, phc: &str) -> Result<Verification, HashError> {
    verify(&weak(), &password(text), phc, &mut Memory::default())
}

#[test]
fn password_matches_its_hash() {
    assert_eq!(verified("pass", &hashed("pass")).unwrap(), Verification::Match { rehash: false });
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
    let phc = hash(&Argon2Params::default(), &password("pass"), &SALT, &mut Memory::default()).unwrap();
    assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"), "{phc}");
    // The crate's own verifier agrees, so the string can be read elsewhere.
    let parsed = PasswordHash::new(&phc).unwrap();
    argon2::PasswordVerifier::verify_password(&Argon2::default(), b"pass", &parsed).unwrap();
}

#[test]
fn used_memory_does_not_change_the_result_and_is_wiped() {
    let mut memory = Memory::default();
    let first = hash(&weak(), &password("pass"), &SALT, &mut memory).unwrap();
    hash(&weak(), &password("other"), &SALT, &mut memory).unwrap();
    assert_eq!(hash(&weak(), &password("pass"), &SALT, &mut memory).unwrap(), first);

    memory.wipe(&weak());
    assert!(memory.blocks.iter().all(|block| AsRef::<[u64]>::as_ref(block).iter().all(|&word| word == 0)));
}

#[test]
fn dearer_stored_hash_is_verified_and_its_memory_given_back() {
    let dear = Argon2Params::dangerously_weak(64, 2, 1).unwrap();
    let mut memory = Memory::default();
    let phc = hash(&dear, &password("pass"), &SALT, &mut memory).unwrap();
    let outcome = verify(&weak(), &password("pass"), &phc, &mut memory).unwrap();
    assert_eq!(outcome, Verification::Match { rehash: false });
    memory.wipe(&weak());
    assert_eq!(memory.blocks.capacity(), 32);
}

#[test]
fn cheaper_hash_is_to_be_replaced() {
    let phc = hashed("pass");
    assert!(!weak().needs_rehash(&phc));
    for (memory_kib, passes, lanes) in [(64, 1, 1), (32, 2, 1), (32, 1, 2)] {
        let wanted = Argon2Params::dangerously_weak(memory_kib, passes, lanes).unwrap();
        assert!(wanted.needs_rehash(&phc));
        let outcome = verify(&wanted, &password("pass"), &phc, &mut Memory::default()).unwrap();
        assert_eq!(outcome, Verification::Match { rehash: true });
    }
}

#[test]
fn decoy_costs_the_same_and_matches_nothing() {
    let decoy = weak().decoy();
    assert!(decoy.starts_with("$argon2id$v=19$m=32,t=1,p=1$"), "{decoy}");
    assert!(!weak().needs_rehash(&decoy));
    assert_eq!(verified("", &decoy).unwrap(), Verification::Mismatch);
}

#[test]
fn unreadable_hash_is_an_error_after_the_same_work() {
    let phc = hashed("pass");
    for corrupt in [
        String::new(),
        "plain".to_owned(),
        phc.replace("argon2id", "argon2d"),
        phc.replace("v=19", "v=16"),
        phc.replace("$v=19", ""),
        phc.replace("m=32", "m=4000000000"),
        phc.replace("t=1", "t=1000"),
        phc.replace("p=1", "p=10000000"),
        phc.replace("m=32,", ""),
        phc.replace("$v=19$m=32,t=1,p=1$", "$v=19$m=32,t=1,p=1,x=1$"),
        phc[..phc.len() - 30].to_owned(),
        phc.rsplit_once('$').unwrap().0.to_owned(),
        "$2b$12$abcdefghijklmnopqrstuuTR7oBBMsXVSGX5r2lQ8HU3mOiMkSvXe".to_owned(),
    ] {
        let mut memory = Memory::default();
        let outcome = verify(&weak(), &password("pass"), &corrupt, &mut memory);
        assert!(matches!(outcome, Err(HashError::Corrupt)), "{corrupt}: {outcome:?}");
        assert_eq!(memory.used, 32, "{corrupt}");
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
