use authkit_core::Status;
use authkit_password::Passwords;
use authkit_store_memory::MemoryStore;
use serde_json::json;

use crate::home::{METHOD, OTHER, PASSWORD, World, cheap, code, told};

#[tokio::test]
async fn password_signs_in_as_one_factor() {
    let world = World::new().await;
    let ada = world.sign_up("ada", PASSWORD).await.unwrap();
    let session = world.sign_in("ADA", PASSWORD).await.unwrap();
    assert_eq!((session.principal.id, session.amr.as_str()), (ada.id, "pwd"));
    assert_eq!(session.aal, authkit_core::Aal::Aal1);
}

#[tokio::test]
async fn every_failure_is_the_same_refusal_after_the_same_calls() {
    let world = World::new().await;
    let ada = world.sign_up("ada", PASSWORD).await.unwrap();
    let eve = world.sign_up("eve", PASSWORD).await.unwrap();
    world.disable(&eve).await;
    world.add("bob", Status::Active).await;
    let too_long = "x".repeat(4097);
    let mut costs = Vec::new();
    for (name, password) in [
        ("ada", OTHER),
        ("ada", ""),
        ("ada", "velvet anchor 61 plum "),
        ("ada", too_long.as_str()),
        ("bob", PASSWORD),
        ("nobody", PASSWORD),
        ("nobody", too_long.as_str()),
        ("eve", OTHER),
    ] {
        let before = world.store.calls();
        let refused = world.sign_in(name, password).await.unwrap_err();
        assert_eq!((refused.code().code, refused.fields().len()), ("core.rejected", 0), "{name}");
        costs.push((name, world.store.calls() - before));
    }
    world.spoil_hash(ada.id, "$argon2id$garbage").await;
    let before = world.store.calls();
    assert_eq!(code(world.sign_in("ada", PASSWORD).await), "core.rejected");
    costs.push(("ada, spoiled", world.store.calls() - before));
    assert!(costs.windows(2).all(|pair| pair[0].1 == pair[1].1), "{costs:?}");
    assert_eq!(code(world.sign_in("eve", PASSWORD).await), "core.rejected");
}

#[tokio::test]
async fn sign_in_takes_four_calls_beside_the_charge() {
    let world = World::new().await;
    world.sign_up("ada", PASSWORD).await.unwrap();
    let before = world.store.calls();
    world.sign_in("ada", PASSWORD).await.unwrap();
    assert_eq!(world.store.calls() - before, 4, "identifier and principal; password; enrolments; commit");
}

#[tokio::test]
async fn whoever_names_nobody_is_refused() {
    let world = World::new().await;
    world.sign_up("ada", PASSWORD).await.unwrap();
    assert_eq!(code(world.sign_in("", PASSWORD).await), "core.rejected");
    assert_eq!(code(world.answer(json!({ "identifier": "ada" })).await), "core.invalid_input");
}

#[tokio::test]
async fn whoever_leaves_the_identifier_out_is_told_so_before_the_store_is_asked() {
    let world = World::new().await;
    world.sign_up("ada", PASSWORD).await.unwrap();
    let before = world.store.calls();
    for response in [
        json!({ "email": "ada", "password": PASSWORD }),
        json!({ "email": "nobody", "password": OTHER }),
        json!({ "identifier": null, "password": PASSWORD }),
    ] {
        let refused = world.answer(response).await.unwrap_err();
        assert_eq!(refused.code().code, "core.invalid_input");
        assert_eq!(told(&refused), [("identifier", "This field is needed.")]);
    }
    assert_eq!(world.store.calls(), before, "neither judged nor recorded");
}

#[tokio::test]
async fn whoever_sends_no_text_is_told_for_which_field() {
    let world = World::new().await;
    for (field, response) in [
        ("identifier", json!({ "identifier": 5, "password": PASSWORD })),
        ("password", json!({ "identifier": "ada", "password": { "text": PASSWORD } })),
    ] {
        let refused = world.answer(response).await.unwrap_err();
        assert_eq!(refused.code().code, "core.invalid_input");
        assert_eq!(told(&refused), [(field, "This field has to be a text.")]);
    }
}

#[tokio::test]
async fn nothing_is_to_be_begun() {
    let world = World::new().await;
    let begun = world.cx().begin(&METHOD, json!(null), None).await;
    assert_eq!(code(begun), "core.unknown_method");
}

#[tokio::test]
async fn outdated_hash_is_renewed_by_the_sign_in() {
    let store = MemoryStore::new();
    let ada = World::over(store.clone(), cheap()).await.sign_up("ada", PASSWORD).await.unwrap();
    let world = World::over(store, dearer()).await;

    assert_eq!(code(world.sign_in("ada", OTHER).await), "core.rejected");
    assert!(world.stored_hash(ada.id).await.unwrap().contains("m=64,"));
    world.sign_in("ada", PASSWORD).await.unwrap();
    assert!(world.stored_hash(ada.id).await.unwrap().contains("m=128,"));
    let renewed = world.stored_hash(ada.id).await;
    world.sign_in("ada", PASSWORD).await.unwrap();
    assert_eq!(world.stored_hash(ada.id).await, renewed);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_sign_ins_that_renew_a_hash_all_succeed() {
    let store = MemoryStore::new();
    World::over(store.clone(), cheap()).await.sign_up("ada", PASSWORD).await.unwrap();
    let world = World::over(store, dearer()).await;
    let outcomes =
        tokio::join!(world.sign_in("ada", PASSWORD), world.sign_in("ada", PASSWORD), world.sign_in("ada", PASSWORD));
    assert!(outcomes.0.is_ok() && outcomes.1.is_ok() && outcomes.2.is_ok(), "{outcomes:?}");
}

fn dearer() -> Passwords {
    cheap().argon2(128, 1)
}
