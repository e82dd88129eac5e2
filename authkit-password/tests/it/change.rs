use authkit_core::Call;
use serde_json::json;

use crate::home::{OTHER, PASSWORD, World, code, told};

const THIRD: &str = "copper lantern 93 moss";

#[tokio::test]
async fn new_password_replaces_the_present_one() {
    let world = World::new().await;
    world.sign_up("ada", PASSWORD).await.unwrap();
    let session = world.sign_in("ada", PASSWORD).await.unwrap();
    let reply = world.change(&session, PASSWORD, OTHER).await.unwrap();
    assert_eq!((reply.status, reply.body), (204, None));
    assert_eq!(code(world.sign_in("ada", PASSWORD).await), "core.rejected");
    world.sign_in("ada", OTHER).await.unwrap();
}

#[tokio::test]
async fn wrong_present_password_changes_nothing() {
    let world = World::new().await;
    let ada = world.sign_up("ada", PASSWORD).await.unwrap();
    let session = world.sign_in("ada", PASSWORD).await.unwrap();
    let before = world.stored_hash(ada.id).await;
    assert_eq!(code(world.change(&session, THIRD, OTHER).await), "core.rejected");
    assert_eq!(world.stored_hash(ada.id).await, before);
}

#[tokio::test]
async fn weak_and_unchanged_passwords_are_refused_before_anything_is_read() {
    let world = World::new().await;
    world.sign_up("ada", PASSWORD).await.unwrap();
    let session = world.sign_in("ada", PASSWORD).await.unwrap();
    let before = world.store.calls();
    let too_long = "velvet anchor ".repeat(300);
    for (new, message) in [
        ("tiny plum", "Add length: at least 15 characters."),
        (PASSWORD, "The same as the present password."),
        (too_long.as_str(), "Too long: at most 4096 bytes."),
    ] {
        let refused = world.change(&session, PASSWORD, new).await.unwrap_err();
        assert_eq!(refused.code().code, "password.too_weak");
        assert_eq!(told(&refused), [("new_password", message)]);
    }
    assert_eq!(world.store.calls(), before);
}

#[tokio::test]
async fn of_two_racing_changes_one_wins() {
    let world = World::new().await;
    world.sign_up("ada", PASSWORD).await.unwrap();
    let session = world.sign_in("ada", PASSWORD).await.unwrap();
    let (one, two) = tokio::join!(world.change(&session, PASSWORD, OTHER), world.change(&session, PASSWORD, THIRD));
    let refused = [&one, &two].into_iter().filter_map(|outcome| outcome.as_ref().err()).map(|e| e.code().code);
    let refused: Vec<_> = refused.collect();
    assert!(refused == ["core.conflict"] || refused == ["core.rejected"], "{refused:?}");
    let (won, lost) = if one.is_ok() { (OTHER, THIRD) } else { (THIRD, OTHER) };
    assert!(world.sign_in("ada", won).await.is_ok());
    assert_eq!(code(world.sign_in("ada", lost).await), "core.rejected");
}

#[tokio::test]
async fn session_from_before_a_change_changes_nothing() {
    let world = World::new().await;
    world.sign_up("ada", PASSWORD).await.unwrap();
    let stale = world.sign_in("ada", PASSWORD).await.unwrap();
    world.change(&stale, PASSWORD, OTHER).await.unwrap();
    assert_eq!(code(world.change(&stale, OTHER, THIRD).await), "core.conflict");
    world.sign_in("ada", OTHER).await.unwrap();
}

#[tokio::test]
async fn change_needs_a_session() {
    let world = World::new().await;
    let operation = world.auth.operations().iter().find(|o| o.path == "/account/change-password").unwrap();
    let input = json!({ "current_password": PASSWORD, "new_password": OTHER });
    let call = Call { cx: world.cx(), session: None, input, path: Vec::new() };
    assert_eq!(code(operation.call(call).await), "core.unauthenticated");
}

#[tokio::test]
async fn change_is_recorded_without_the_passwords() {
    let world = World::new().await;
    let ada = world.sign_up("ada", PASSWORD).await.unwrap();
    let session = world.sign_in("ada", PASSWORD).await.unwrap();
    world.change(&session, PASSWORD, OTHER).await.unwrap();
    let session = world.sign_in("ada", OTHER).await.unwrap();
    let operation = world.auth.operations().iter().find(|o| o.path == "/account/audit-events").unwrap();
    let call = Call { cx: world.cx(), session: Some(session), input: json!({}), path: Vec::new() };
    let body = operation.call(call).await.unwrap().body.unwrap();
    let records: Vec<_> =
        body["events"].as_array().unwrap().iter().filter(|r| r["kind"] == "password_changed").collect();
    assert_eq!(records.len(), 1, "{body}");
    assert_eq!(records[0]["principal_id"], json!(ada.id));
    assert!(![PASSWORD, OTHER, "argon2"].iter().any(|secret| body.to_string().contains(secret)), "{body}");
}
