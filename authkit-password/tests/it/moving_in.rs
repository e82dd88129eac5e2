//! Principals whose passwords another system hashed.

use std::sync::Arc;

use authkit_core::{Batch, Principal, PrincipalKind, SecretText, Status};
use authkit_password::{ImportedHash, PasswordAdmin, Passwords, Unreadable};
use authkit_store_memory::MemoryStore;

use crate::home::{OTHER, PASSWORD, World, cheap, code};

/// Of `correct horse`, from `tests/data`.
const BCRYPT: &str = "$2y$05$z5gUFZExo1UOES4RNKz08enJ44x.LG7g5RW./jPuYuNj.4IY48m12";
const DEVISE: &str = "$2a$05$qq1xzpLENjOHDsuH96E/ruoZj/6BMeCz6RnhS.96V7/gsGHoPX3ES";
const TYPED: &str = "correct horse";
/// Of 72 bytes, by Python bcrypt.
const LONG: &str = "$2b$04$FiIlxGEn2rtvn7QgWA0RWOsoJOqEG2mSCht9iIHi8qrqubVqa5yIK";

fn admin(world: &World) -> Arc<PasswordAdmin> {
    world.auth.capability().unwrap()
}

async fn import(world: &World, name: &str, hash: &ImportedHash) -> Principal {
    world.arrange(name, |cx, principal, batch| admin(world).import(cx, principal, hash, batch).unwrap()).await
}

fn over(passwords: Passwords) -> impl Future<Output = World> {
    World::over(MemoryStore::new(), passwords)
}

#[tokio::test]
async fn wrong_password_neither_signs_in_nor_changes_the_hash() {
    let world = World::new().await;
    let ada = import(&world, "ada", &ImportedHash::new(BCRYPT)).await;
    for wrong in ["", "correct hors", "Correct horse", OTHER, BCRYPT] {
        assert_eq!(code(world.sign_in("ada", wrong).await), "core.rejected");
    }
    assert_eq!(world.stored_hash(ada.id).await.as_deref(), Some(BCRYPT));
}

#[tokio::test]
async fn first_sign_in_replaces_the_hash_in_its_own_commit() {
    let world = World::new().await;
    let ada = import(&world, "ada", &ImportedHash::new(BCRYPT)).await;
    let before = world.store.calls();
    world.sign_in("ada", TYPED).await.unwrap();
    assert_eq!(world.store.calls() - before, 4, "as many as any sign-in");
    let renewed = world.stored_hash(ada.id).await.unwrap();
    assert!(renewed.starts_with("$argon2id$"), "{renewed}");
    world.sign_in("ada", TYPED).await.unwrap();
    assert_eq!(world.stored_hash(ada.id).await.unwrap(), renewed);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_first_sign_ins_all_succeed() {
    let world = World::new().await;
    import(&world, "ada", &ImportedHash::new(BCRYPT)).await;
    let outcomes = tokio::join!(world.sign_in("ada", TYPED), world.sign_in("ada", TYPED), world.sign_in("ada", TYPED));
    assert!(outcomes.0.is_ok() && outcomes.1.is_ok() && outcomes.2.is_ok(), "{outcomes:?}");
}

#[tokio::test]
async fn disabled_principal_keeps_the_old_hash() {
    let world = World::new().await;
    let ada = import(&world, "ada", &ImportedHash::new(BCRYPT)).await;
    world.disable(&ada).await;
    assert_eq!(code(world.sign_in("ada", TYPED).await), "core.rejected");
    assert_eq!(world.stored_hash(ada.id).await.as_deref(), Some(BCRYPT));
}

#[tokio::test]
async fn imported_password_can_be_changed_before_it_is_renewed() {
    let world = World::new().await;
    import(&world, "ada", &ImportedHash::new(BCRYPT)).await;
    let session = world.sign_in("ada", TYPED).await.unwrap();
    world.change(&session, TYPED, PASSWORD).await.unwrap();
    assert_eq!(code(world.sign_in("ada", TYPED).await), "core.rejected");
    world.sign_in("ada", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn devise_needs_its_pepper() {
    let world = World::new().await;
    let hash = ImportedHash::devise(DEVISE);
    assert_eq!(admin(&world).check(&hash), Err(Unreadable::NotConfigured));

    let pepper = SecretText::new("0123456789abcdef".repeat(8));
    let world = over(cheap().devise_pepper(pepper)).await;
    let ada = import(&world, "ada", &hash).await;
    assert_eq!(code(world.sign_in("ada", OTHER).await), "core.rejected");
    world.sign_in("ada", TYPED).await.unwrap();
    assert!(world.stored_hash(ada.id).await.unwrap().starts_with("$argon2id$"));
}

#[tokio::test]
async fn hash_that_could_never_be_compared_with_is_not_imported() {
    let world = World::new().await;
    for (text, why) in [
        ("$2x$05$z5gUFZExo1UOES4RNKz08enJ44x.LG7g5RW./jPuYuNj.4IY48m12", Unreadable::Malformed),
        ("$2y$31$z5gUFZExo1UOES4RNKz08enJ44x.LG7g5RW./jPuYuNj.4IY48m12", Unreadable::TooCostly),
        ("5f4dcc3b5aa765d61d8327deb882cf99", Unreadable::Unknown),
        // Only this crate puts its pepper on a hash.
        ("$pepper-hs256$2y$05$z5gUFZExo1UOES4RNKz08enJ44x.LG7g5RW./jPuYuNj.4IY48m12", Unreadable::Unknown),
    ] {
        let hash = ImportedHash::new(text);
        assert_eq!(admin(&world).check(&hash), Err(why), "{text}");
        let cx = world.cx();
        let principal = Principal::new(&cx, PrincipalKind::Human);
        let refused = admin(&world).import(&cx, &principal, &hash, &mut Batch::new(&cx));
        assert_eq!(code(refused), "core.invalid_input");
    }
}

#[tokio::test]
async fn long_password_is_cut_only_where_that_was_asked_for() {
    // The old system cut it at 72 bytes.
    let typed = "0123456789".repeat(8);
    let hash = ImportedHash::new(LONG);
    let world = World::new().await;
    import(&world, "ada", &hash).await;
    assert_eq!(code(world.sign_in("ada", &typed).await), "core.rejected");

    let world = over(cheap().dangerously_cut_long_bcrypt_passwords()).await;
    let ada = import(&world, "ada", &hash).await;
    world.sign_in("ada", &typed).await.unwrap();
    assert_eq!(world.stored_hash(ada.id).await.as_deref(), Some(LONG), "the rest was not proved");
}

#[tokio::test]
async fn every_no_is_the_same_refusal_after_the_same_calls() {
    let world = over(cheap().decoys([BCRYPT])).await;
    import(&world, "ada", &ImportedHash::new(BCRYPT)).await;
    world.sign_up("bob", PASSWORD).await.unwrap();
    world.add("eve", Status::Active).await;
    let mut calls = Vec::new();
    for name in ["ada", "bob", "eve", "nobody"] {
        let before = world.store.calls();
        assert_eq!(code(world.sign_in(name, OTHER).await), "core.rejected");
        calls.push(world.store.calls() - before);
    }
    assert!(calls.windows(2).all(|pair| pair[0] == pair[1]), "{calls:?}");
}

#[tokio::test]
async fn bcrypt_and_a_pepper_can_be_chosen_and_replace_what_there_is() {
    let store = MemoryStore::new();
    let ada = World::over(store.clone(), cheap()).await.sign_up("ada", PASSWORD).await.unwrap();
    for (passwords, head) in [
        (cheap().peppered(), "$pepper-hs256$argon2id$"),
        (cheap().bcrypt(12).dangerously_weak_hashing().peppered(), "$pepper-hs256$2b$04$"),
        (cheap().bcrypt(12).dangerously_weak_hashing(), "$2b$04$"),
        (cheap(), "$argon2id$"),
    ] {
        let world = World::over(store.clone(), passwords).await;
        assert_eq!(code(world.sign_in("ada", OTHER).await), "core.rejected");
        world.sign_in("ada", PASSWORD).await.unwrap();
        let stored = world.stored_hash(ada.id).await.unwrap();
        assert!(stored.starts_with(head), "{stored}");
        world.sign_in("ada", PASSWORD).await.unwrap();
    }
}
