//! Every fixture of `tests/data`, which the real libraries made, under every kind of attack.

use authkit_core::SecretText;
use serde::Deserialize;

use super::firebase::{FirebaseFamily, FirebaseKeys};
use crate::{
    hash::{
        Alike, Argon2Params, HashError, Hasher, Unreadable, Verification, argon2::Memory, bcrypt::BcryptFamily,
        recipe::Family,
    },
    imported::ImportedHash,
    plain::PlainPassword,
};

#[derive(Deserialize)]
struct Fixture {
    system: String,
    password: String,
    #[serde(flatten)]
    how: How,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Devise(String),
    Firebase { password_hash: String, salt: String },
    Keycloak { secret_data: String, credential_data: String },
    Text(String),
}

impl Fixture {
    fn text(&self) -> String {
        let hash = match &self.how {
            How::Devise(text) => ImportedHash::devise(text),
            How::Firebase { password_hash, salt } => ImportedHash::firebase(password_hash, salt),
            How::Keycloak { secret_data, credential_data } => {
                ImportedHash::keycloak(secret_data, credential_data).unwrap()
            }
            How::Text(text) => ImportedHash::new(text),
        };
        hash.text().to_owned()
    }

    /// Made at a cost that takes a second in a test build.
    fn is_dear(&self) -> bool {
        self.system.ends_with("default") || ["Firebase", "better-auth"].contains(&self.system.as_str())
    }
}

fn fixtures() -> Vec<Fixture> {
    serde_json::from_str(include_str!("../../tests/data/foreign-hashes.json")).unwrap()
}

fn firebase() -> FirebaseKeys {
    let key = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";
    FirebaseKeys::new(key, "Bw==", 8, 14).unwrap()
}

fn hasher() -> Hasher {
    let pepper = SecretText::new("0123456789abcdef".repeat(8));
    let bcrypt = BcryptFamily { devise_pepper: Some(pepper.into()), ..BcryptFamily::default() };
    let firebase: std::sync::Arc<dyn Family> = std::sync::Arc::new(FirebaseFamily(Some(firebase())));
    Hasher::new(Argon2Params::dangerously_weak(32, 1, 1).unwrap().into(), bcrypt).families([firebase])
}

fn verified(text: &str, password: &str) -> Result<Verification, HashError> {
    let password = PlainPassword::parse(password.to_owned()).unwrap();
    hasher().verify(&password, text, Alike::Unmatched, &mut Memory::default())
}

#[test]
fn every_cheap_fixture_matches_its_password_only() {
    for fixture in fixtures().iter().filter(|fixture| !fixture.is_dear()) {
        assert_match(fixture);
        let password = &fixture.password;
        let shorter: String = password.chars().skip(1).collect();
        for wrong in [shorter, format!("{password}x"), format!("{password}\0"), password.to_uppercase()] {
            // WordPress trims a zero byte like a space.
            if wrong.ends_with('\0') && ["WordPress", "phpass"].iter().any(|name| fixture.system.contains(name)) {
                continue;
            }
            assert_mismatch(fixture, &wrong);
        }
    }
}

#[test]
fn every_dear_fixture_matches_its_password() {
    fixtures().iter().filter(|fixture| fixture.is_dear()).for_each(assert_match);
}

#[test]
fn no_dear_fixture_matches_another_password() {
    for fixture in fixtures().iter().filter(|fixture| fixture.is_dear()) {
        assert_mismatch(fixture, &format!("{}\0", fixture.password));
    }
}

fn assert_match(fixture: &Fixture) {
    let outcome = verified(&fixture.text(), &fixture.password);
    let renewed = matches!(outcome, Ok(Verification::Match { rehash: true }));
    // Argon2id of a higher cost than that of the test is kept.
    let kept = matches!(outcome, Ok(Verification::Match { rehash: false })) && fixture.text().contains("argon2id$");
    assert!(renewed || kept, "{}, {}: {outcome:?}", fixture.system, fixture.password);
}

fn assert_mismatch(fixture: &Fixture, wrong: &str) {
    let outcome = verified(&fixture.text(), wrong).unwrap();
    assert_eq!(outcome, Verification::Mismatch, "{}, {wrong:?} for {:?}", fixture.system, fixture.password);
}

#[test]
fn every_system_is_there() {
    assert!(fixtures().len() > 200);
    let systems: std::collections::BTreeSet<_> = fixtures().into_iter().map(|fixture| fixture.system).collect();
    for part in [
        "ASP.NET Core Identity",
        "ASP.NET Identity 2",
        "Devise with a pepper",
        "Django",
        "Firebase",
        "Keycloak argon2",
        "Keycloak pbkdf2-sha512",
        "Laravel",
        "PHP argon2i",
        "WordPress",
        "bcryptjs",
        "better-auth",
        "passlib phpass",
        "passlib scrypt",
        "werkzeug pbkdf2",
        "werkzeug scrypt",
    ] {
        assert!(systems.iter().any(|system| system.starts_with(part)), "{part}");
    }
}

/// A database row may hold anything.
#[test]
fn no_text_panics() {
    let (hasher, mut numbers) = (hasher(), Numbers(0x9e37_79b9_7f4a_7c15));
    let texts: Vec<String> = fixtures().iter().map(Fixture::text).collect();
    let mut read = 0;
    for _ in 0..300 {
        for text in &texts {
            let mutant = numbers.mutate(text);
            read += usize::from(hasher.read(&mutant).is_ok());
        }
    }
    assert!(read > 1000, "the mutations are so coarse that nothing was read: {read}");
}

#[test]
fn damaged_output_does_not_match() {
    for fixture in fixtures().iter().filter(|fixture| !fixture.is_dear()) {
        let text = fixture.text();
        // The last output character may hold spare bits; the one before it never does. PBKDF2 decides by its first block.
        let begin = text.rfind(['$', ':']).map_or(text.len() / 2, |at| at + 1);
        let at = begin + (text.len() - begin) / 5;
        let other = if text.as_bytes()[at] == b'e' { "f" } else { "e" };
        let damaged = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        let outcome = verified(&damaged, &fixture.password);
        assert!(!matches!(outcome, Ok(Verification::Match { .. })), "{}: {damaged}", fixture.system);
    }
}

#[test]
fn cost_bombs_are_refused_before_any_work() {
    let salt = "c2FsdHNhbHRzYWx0c2FsdA";
    let output = "A".repeat(43);
    let asp_net = |rounds: u32, salt_bytes: u32| {
        use base64::Engine;
        let numbers = [1, rounds, salt_bytes].map(u32::to_be_bytes).concat();
        base64::prelude::BASE64_STANDARD.encode([&[1][..], &numbers, &[7; 64]].concat())
    };
    for text in [
        format!("$argon2id$v=19$m=4294967295,t=1,p=1${salt}${output}"),
        format!("$argon2id$v=19$m=131073,t=1,p=1${salt}${output}"),
        format!("$argon2i$v=19$m=8,t=4294967295,p=1${salt}${output}"),
        format!("$argon2d$v=19$m=65536,t=17,p=1${salt}${output}"),
        format!("$argon2id$v=19$m=65536,t=1,p=16777215${salt}${output}"),
        format!("$pbkdf2-sha256$4294967295${salt}${output}"),
        format!("pbkdf2_sha256$2000001$salt${output}"),
        format!("pbkdf2:sha512:999999999$salt${}", "a".repeat(128)),
        asp_net(u32::MAX, 16),
        format!("$scrypt$ln=63,r=8,p=1${salt}${output}"),
        format!("$scrypt$ln=4294967295,r=8,p=1${salt}${output}"),
        format!("$scrypt$ln=20,r=2,p=1${salt}${output}"),
        format!("$scrypt$ln=1,r=1073741824,p=1${salt}${output}"),
        format!("$scrypt$ln=1,r=1,p=1073741824${salt}${output}"),
        format!("$scrypt$ln=16,r=8,p=5${salt}${output}"),
        format!("scrypt:2147483648:4294967295:4294967295$salt${}", "a".repeat(128)),
        format!("scrypt$1048576$salt$8$1${output}"),
        "$P$zabcdefghABCDEFGHIJKLMNOPQRSTUV".to_owned(),
        "$wp$2y$31$Fjbw.UBruukfPuWXK5NJtujetyE8tY4Y7SjhFxJmdrsdCmRyCuvtC".to_owned(),
    ] {
        assert_eq!(hasher().read(&text).err(), Some(Unreadable::TooCostly), "{text}");
    }
}

#[test]
fn what_is_short_or_malformed_is_refused() {
    let output = "A".repeat(43);
    for text in [
        "$pbkdf2-sha256$1000$c2FsdA$AAAAAAAA".to_owned(),
        format!("$pbkdf2-sha256$0$c2FsdA${output}"),
        format!("$pbkdf2-sha256$1000$${output}"),
        format!("$pbkdf2-md5$1000$c2FsdA${output}"),
        format!("$pbkdf2-sha256$+1000$c2FsdA${output}"),
        format!("$pbkdf2-sha256$1000$c2FsdA${output}$"),
        format!("pbkdf2_sha256$1000$salt${output}é"),
        format!("$scrypt$ln=0,r=8,p=1$c2FsdA${output}"),
        format!("$scrypt$ln=10,r=0,p=1$c2FsdA${output}"),
        format!("$scrypt$ln=10,r=8,p=0$c2FsdA${output}"),
        format!("scrypt:1000:8:1$salt${}", "a".repeat(128)),
        "scrypt:1024:8:1$salt$aaaa".to_owned(),
        format!("pbkdf2_sha256$1000$sa\0lt${output}"),
        "$scrypt$".to_owned(),
        format!("$scrypt$ln=10,r=8,p=1$c2FsdA${}", "A".repeat(200)),
        "$P$".to_owned(),
        "$P$BabcdefghABC".to_owned(),
        "$P$é".to_owned(),
        "$H$9abcdefghé".to_owned(),
        "$wp$2x$05$Fjbw.UBruukfPuWXK5NJtujetyE8tY4Y7SjhFxJmdrsdCmRyCuvtC".to_owned(),
        "$firebase-scrypt$AAAA".to_owned(),
        "$firebase-scrypt$AAAA$AAAA".to_owned(),
        "AQAAAAEAACcQAAAAEA==".to_owned(),
        "AQ==".to_owned(),
        "AA==".to_owned(),
    ] {
        assert_eq!(hasher().read(&text).err(), Some(Unreadable::Malformed), "{text}");
    }
}

/// Whoever has the hash may as well have the password.
#[test]
fn fast_and_unsalted_digests_are_unknown() {
    for text in [
        "",
        "correct horse",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "sha1$salt$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
        "$5$salt$Gcm6FsVtF/Qa77ZKD.iwsJlCVPY0XSMgLJL0Hnww/c1",
        "{SSHA}abc",
        "bcrypt$plain",
        "$pepper-hs256$argon2id$v=19$m=32,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert_eq!(hasher().read(text).err(), Some(Unreadable::Unknown), "{text}");
    }
}

#[test]
fn wordpress_trims_and_better_auth_folds_so_that_neither_is_renewed() {
    let of =
        |system: &str| fixtures().into_iter().find(|f| f.system == system && f.password == "correct horse").unwrap();
    for (system, typed) in [
        ("WordPress 6.8", " correct horse\n"),
        ("passlib phpass", "correct horse "),
        ("better-auth", "correct ho\u{ff52}se"),
    ] {
        assert_eq!(verified(&of(system).text(), typed).unwrap(), Verification::Match { rehash: false }, "{system}");
    }
    assert_eq!(verified(&of("Django pbkdf2_sha256").text(), "correct horse ").unwrap(), Verification::Mismatch);
}

#[test]
fn hash_that_needs_a_key_is_not_read_without_it() {
    let bare = Hasher::new(Argon2Params::default().into(), BcryptFamily::default());
    for fixture in fixtures().iter().filter(|fixture| matches!(fixture.how, How::Devise(_) | How::Firebase { .. })) {
        assert_eq!(bare.read(&fixture.text()).err(), Some(Unreadable::NotConfigured), "{}", fixture.system);
    }
}

#[test]
fn hash_under_another_key_does_not_match() {
    let pepper = SecretText::new("another pepper".to_owned());
    let bcrypt = BcryptFamily { devise_pepper: Some(pepper.into()), ..BcryptFamily::default() };
    let keys = FirebaseKeys::new(&"A".repeat(86), "Bw==", 8, 14).unwrap();
    let firebase: std::sync::Arc<dyn Family> = std::sync::Arc::new(FirebaseFamily(Some(keys)));
    let hasher = Hasher::new(Argon2Params::default().into(), bcrypt).families([firebase]);
    for fixture in fixtures().iter().filter(|fixture| matches!(fixture.how, How::Devise(_) | How::Firebase { .. })) {
        let password = PlainPassword::parse(fixture.password.clone()).unwrap();
        let outcome = hasher.verify(&password, &fixture.text(), Alike::Unmatched, &mut Memory::default()).unwrap();
        assert_eq!(outcome, Verification::Mismatch, "{}", fixture.system);
    }
}

#[test]
fn keycloak_of_another_form_is_refused() {
    let secret = r#"{"value":"AAAA","salt":"AAAA"}"#;
    for (credential, why) in [
        ("", Unreadable::Malformed),
        ("{}", Unreadable::Malformed),
        (r#"{"hashIterations":-1,"algorithm":"pbkdf2"}"#, Unreadable::Malformed),
        (r#"{"hashIterations":5,"algorithm":"argon2"}"#, Unreadable::Malformed),
        (r#"{"hashIterations":5,"algorithm":"bcrypt"}"#, Unreadable::Unknown),
    ] {
        assert_eq!(ImportedHash::keycloak(secret, credential).err(), Some(why), "{credential}");
    }
}

#[test]
fn keys_of_firebase_are_checked_and_not_shown() {
    use super::firebase::FirebaseKeysError as Error;
    let key = "A".repeat(86);
    assert_eq!(FirebaseKeys::new("short", "Bw==", 8, 14).unwrap_err(), Error::SignerKey);
    assert_eq!(FirebaseKeys::new(&key, "é", 8, 14).unwrap_err(), Error::SaltSeparator);
    for (rounds, mem_cost) in [(0, 14), (8, 0), (8, 40), (u32::MAX, u32::MAX)] {
        assert_eq!(FirebaseKeys::new(&key, "Bw==", rounds, mem_cost).unwrap_err(), Error::Costs);
    }
    assert_eq!(format!("{:?} {:?}", firebase(), ImportedHash::new("secret")), "FirebaseKeys(..) ImportedHash(..)");
}

/// Numbers that look random and are the same in every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    /// Changes a few characters of a text, or cuts it.
    fn mutate(&mut self, text: &str) -> String {
        const LETTERS: [char; 20] = [
            '$', ',', '=', ':', '.', '/', '+', '-', '0', '9', 'a', 'F', 'z', ' ', '\0', 'é', '€', '🔑', '\u{ff11}',
            '\n',
        ];
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let (at, letter) = (self.below(chars.len()), LETTERS[self.below(LETTERS.len())]);
            match self.below(5) {
                0 => chars.truncate(at),
                1 => chars.insert(at, letter),
                2 if at < chars.len() => drop(chars.remove(at)),
                _ if at < chars.len() => chars[at] = letter,
                _ => {}
            }
        }
        chars.into_iter().collect()
    }
}
