//! What a record of a bulk import may give as a password.

use authkit_core::{AuthError, Batch, Principal, PrincipalKind, SecretText};
use authkit_password::FirebaseKeys;
use authkit_store_memory::MemoryStore;
use serde::Deserialize;
use serde_json::{Map, Value as JsonValue, json};

use crate::home::{METHOD, World, cheap, told};

const BCRYPT: &str = "$2y$05$z5gUFZExo1UOES4RNKz08enJ44x.LG7g5RW./jPuYuNj.4IY48m12";

fn import(world: &World, given: JsonValue) -> Result<(), AuthError> {
    let cx = world.cx();
    let principal = Principal::new(&cx, PrincipalKind::Human);
    cx.import_credential(&METHOD, &principal, given, &mut Batch::new(&cx))
}

#[derive(Deserialize)]
struct Fixture {
    made_by: String,
    password: String,
    system: String,
    #[serde(flatten)]
    how: Map<String, JsonValue>,
}

/// Fixtures have the form of records, but for the name of a hash that says all by itself.
fn given(fixture: &Fixture) -> JsonValue {
    match fixture.how.get("text") {
        Some(text) => json!({ "hash": text }),
        None => JsonValue::Object(fixture.how.clone()),
    }
}

#[tokio::test]
async fn every_hash_that_is_verified_can_be_imported() {
    let keys = FirebaseKeys::new(&"A".repeat(86), "Bw==", 8, 14).unwrap();
    let passwords = cheap().firebase(keys).devise_pepper(SecretText::new("pepper".to_owned()));
    let world = World::over(MemoryStore::new(), passwords).await;
    let fixtures: Vec<Fixture> = serde_json::from_str(include_str!("../data/foreign-hashes.json")).unwrap();
    assert!(!fixtures.is_empty());
    for fixture in &fixtures {
        let Fixture { made_by, password, system, .. } = fixture;
        import(&world, given(fixture)).unwrap_or_else(|error| panic!("{system} by {made_by}, {password}: {error:?}"));
    }
}

#[tokio::test]
async fn imported_password_signs_in_and_another_does_not() {
    let world = World::new().await;
    let ada = world
        .arrange("ada", |cx, principal, batch| {
            cx.import_credential(&METHOD, principal, json!({ "hash": BCRYPT }), batch).unwrap();
        })
        .await;
    assert!(world.sign_in("ada", "correct hors").await.is_err());
    world.sign_in("ada", "correct horse").await.unwrap();
    assert!(world.stored_hash(ada.id).await.unwrap().starts_with("$argon2id$"));
}

#[tokio::test]
async fn hash_that_could_not_be_verified_is_refused_and_not_quoted() {
    let world = World::new().await;
    for (given, expected) in [
        (json!({ "hash": "$2y$31$z5gUFZExo1UOES4RNKz08enJ44x.LG7g5RW./jPuYuNj.4IY48m12" }), "costs more"),
        (json!({ "hash": "pbkdf2_sha256$4000000000$salt$kbxP+ES9iOYrsRXcbGsHyNp46QOAhUxLYtAWrYRqBEM=" }), "costs more"),
        (
            json!({ "hash": "$argon2id$v=19$m=4194304,t=1,p=1$OXg2RFRPUFozd3Z6SVI1Lg$I5NRKhv90zukTUhjUaWfyxqepcmL/mcuvoth246gXSA" }),
            "costs more",
        ),
        (
            json!({ "hash": "$scrypt$ln=30,r=8,p=1$0lrrnTOmdM7Z+x9DSGmN8Q$OUYkW9gUornEnnB0UP2eLlPKWZnK4RbMDkrnzrDW1R0" }),
            "costs more",
        ),
        (json!({ "hash": "$2x$05$z5gUFZExo1UOES4RNKz08enJ44x.LG7g5RW./jPuYuNj.4IY48m12" }), "damaged"),
        (json!({ "hash": "pbkdf2_sha256$1000$sa\0lt$kbxP+ES9iOYrsRXcbGsHyNp46QOAhUxLYtAWrYRqBEM=" }), "damaged"),
        (json!({ "hash": "5f4dcc3b5aa765d61d8327deb882cf99" }), "unknown kind"),
        (json!({ "hash": format!("$pepper-hs256{BCRYPT}") }), "unknown kind"),
        (json!({ "hash": "!unusable" }), "unknown kind"),
        (json!({ "hash": "" }), "unknown kind"),
        (json!({ "devise": BCRYPT }), "not configured"),
        (json!({ "firebase": { "password_hash": "AAAA", "salt": "AAAA" } }), "not configured"),
        (json!({ "keycloak": { "secret_data": "{}", "credential_data": "{}" } }), "damaged"),
        (json!(BCRYPT), "form"),
        (json!(null), "form"),
        (json!({}), "form"),
        (json!({ "hash": [BCRYPT] }), "form"),
        (json!({ "plain": "correct horse" }), "form"),
        (json!({ "hash": BCRYPT, "devise": BCRYPT }), "form"),
        (json!({ "firebase": { "password_hash": "AAAA" } }), "form"),
    ] {
        let error = import(&world, given.clone()).unwrap_err();
        let [(_, message)] = told(&error)[..] else { panic!("{given}: {error:?}") };
        assert_eq!(error.code().code, "core.invalid_input");
        assert!(message.contains(expected), "{given}: {message}");
        let said = format!("{message} {error:?}");
        assert!(!said.contains("$2") && !said.contains("salt") && !said.contains("correct"), "{given}: {said}");
    }
}
