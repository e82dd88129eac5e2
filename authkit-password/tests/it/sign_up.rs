use crate::home::{PASSWORD, World, code, told};

#[tokio::test]
async fn weak_passwords_are_refused_with_every_reason() {
    let world = World::new().await;
    let refused = world.sign_up("ada", "password").await.unwrap_err();
    assert_eq!((refused.code().code, refused.code().class.status()), ("password.too_weak", 400));
    assert_eq!(told(&refused), [("password", "Add length: at least 15 characters."), ("password", "Too common.")]);
}

#[tokio::test]
async fn identifier_and_service_name_make_no_password() {
    let world = World::new().await;
    for made_of_known_words in ["ada-lovelace99 xy", "RoadRunner xkqzvw"] {
        let refused = world.sign_up("ada-lovelace99", made_of_known_words).await;
        assert_eq!(code(refused), "password.too_weak", "{made_of_known_words}");
    }
}

#[tokio::test]
async fn password_of_more_than_4096_bytes_is_refused() {
    let world = World::new().await;
    let refused = world.sign_up("ada", &"velvet anchor ".repeat(300)).await.unwrap_err();
    assert_eq!(told(&refused), [("password", "Too long: at most 4096 bytes.")]);
}

#[tokio::test]
async fn what_is_stored_is_a_hash() {
    let world = World::new().await;
    let ada = world.sign_up("ada", PASSWORD).await.unwrap();
    let hash = world.stored_hash(ada.id).await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
}

#[tokio::test]
async fn refused_sign_up_leaves_nothing() {
    let world = World::new().await;
    world.sign_up("ada", "password").await.unwrap_err();
    assert!(world.sign_up("ada", PASSWORD).await.is_ok());
}
