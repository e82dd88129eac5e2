use authkit_core::{Access, AuthError, Call, Client, RequestContext};
use authkit_store_memory::MemoryStore;
use serde_json::{Value as JsonValue, json};

use crate::home::{PASSWORD, World, cheap, code};

async fn world() -> World {
    World::over(MemoryStore::new(), cheap().strength_meter()).await
}

async fn asked(world: &World, input: JsonValue) -> Result<JsonValue, AuthError> {
    asked_by(world, world.cx(), input).await
}

async fn asked_by(world: &World, cx: RequestContext, input: JsonValue) -> Result<JsonValue, AuthError> {
    let operation = world.auth.operations().iter().find(|o| o.path == "/auth/password/strength").unwrap();
    assert_eq!(operation.access, Access::Public);
    let reply = operation.call(Call { cx, session: None, input, path: Vec::new() }).await?;
    assert_eq!((reply.status, reply.fresh_for), (200, None));
    Ok(reply.body.unwrap())
}

fn rules(body: &JsonValue) -> Vec<&str> {
    body["refused_by"].as_array().unwrap().iter().map(|rule| rule["rule"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn nothing_is_offered_unless_it_was_asked_for() {
    let world = World::new().await;
    assert!(!world.auth.operations().iter().any(|operation| operation.path == "/auth/password/strength"));
}

#[tokio::test]
async fn input_is_bounded() {
    let world = world().await;
    for input in [
        json!({}),
        json!({ "password": 5 }),
        json!({ "password": PASSWORD, "context": vec!["word"; 9] }),
        json!({ "password": PASSWORD, "context": ["x".repeat(256)] }),
    ] {
        assert_eq!(code(asked(&world, input).await), "core.invalid_input");
    }
    let body = asked(&world, json!({ "password": "x".repeat(4097) })).await.unwrap();
    assert_eq!((&body["accepted"], rules(&body)), (&json!(false), vec!["long"]));
    assert_eq!(body["feedback"], json!(["Too long: at most 4096 bytes."]));
}

#[tokio::test]
async fn longest_and_strangest_passwords_are_judged() {
    let world = world().await;
    for password in ["a".repeat(4096), "é🔑".repeat(600), "\0\u{fffd}\u{202e}".repeat(9), "()[]{}\\^$.|?*+".repeat(20)]
    {
        let body = asked(&world, json!({ "password": password, "context": ["", "\\", "("] })).await.unwrap();
        assert!(body["score"].as_u64().unwrap() <= 4, "{body}");
    }
}

#[tokio::test]
async fn answer_does_not_repeat_the_password_and_is_not_kept() {
    let world = world().await;
    let before = world.store.calls();
    for password in [PASSWORD, "zanzibar", "Tr0ub4dour&3"] {
        let body = asked(&world, json!({ "password": password, "context": ["ada@example.com"] })).await.unwrap();
        assert!(!body.to_string().contains(password), "{body}");
    }
    assert_eq!(world.store.calls(), before + 3, "each is counted, and nothing else is stored or read");
}

#[tokio::test]
async fn sixty_questions_of_one_client_are_answered_in_a_minute() {
    let world = std::sync::Arc::new(world().await);
    let mut questions = tokio::task::JoinSet::new();
    for number in 0..300 {
        let (world, network) = (world.clone(), ["2001:db8:1:2", "2001:db8:1:3"][number % 2]);
        questions.spawn(async move {
            let address: std::net::IpAddr = format!("{network}::{number}").parse().unwrap();
            let cx = world.auth.request(Client::default().ip(address));
            // What is asked makes no difference, nor whether it can be answered.
            let input = [json!({ "password": PASSWORD }), json!({ "password": "a", "context": vec!["b"; 9] })];
            asked_by(&world, cx, input[number / 2 % 2].clone()).await.map_err(|error| (error.wait(), error.code()))
        });
    }
    let answers = questions.join_all().await;
    let limited: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    let limited: Vec<_> = limited.into_iter().filter(|(_, code)| code.code == "core.limited").collect();
    assert_eq!(limited.len(), 300 - 2 * 60);
    assert!(limited.iter().all(|(wait, _)| wait.is_some()), "each is told when to come back");
}

#[tokio::test]
async fn how_many_questions_are_answered_can_be_set() {
    let world = World::over(MemoryStore::new(), cheap().strength_meter().strength_per_client(2)).await;
    for _ in 0..2 {
        asked(&world, json!({ "password": PASSWORD })).await.unwrap();
    }
    assert_eq!(code(asked(&world, json!({ "password": PASSWORD })).await), "core.limited");
}

#[tokio::test]
async fn common_short_password_is_told_so_first() {
    let body = asked(&world().await, json!({ "password": "password1" })).await.unwrap();
    assert_eq!((&body["score"], &body["accepted"]), (&json!(0), &json!(false)));
    assert_eq!(rules(&body), ["short", "common"]);
    let feedback: Vec<_> = body["feedback"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(feedback[..2], ["Add length: at least 15 characters.", "Too common."]);
    assert!(feedback.len() > 2, "zxcvbn has something to say: {feedback:?}");
}

#[tokio::test]
async fn good_password_is_accepted_without_advice() {
    let body = asked(&world().await, json!({ "password": PASSWORD })).await.unwrap();
    assert_eq!(body, json!({ "score": 4, "accepted": true, "refused_by": [], "feedback": [] }));
}

#[tokio::test]
async fn what_the_form_holds_weakens_a_password() {
    let world = world().await;
    let password = "ada.lovelace.1815";
    let alone = asked(&world, json!({ "password": password })).await.unwrap();
    let beside = asked(&world, json!({ "password": password, "context": ["ada.lovelace@example.com"] })).await.unwrap();
    assert_eq!((rules(&alone), rules(&beside)), (vec![], vec!["contextual"]));
    assert!(beside["score"].as_u64() <= alone["score"].as_u64());
}

#[tokio::test]
async fn score_has_no_part_in_what_the_policy_says() {
    let world = world().await;
    let password = "december december winter";
    let body = asked(&world, json!({ "password": password })).await.unwrap();
    let signed_up = world.sign_up("ada", password).await;
    assert_eq!(body["accepted"], json!(signed_up.is_ok()), "{body}");
}
