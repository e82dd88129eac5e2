use authkit_core::{AuthManager, BuildError, KeyRing};
use authkit_password::Passwords;
use authkit_store_memory::MemoryStore;
use serde_json::{Value as JsonValue, json};

use crate::home::{World, cheap, code};

/// What the plugin has to say against a setup; without other plugins, core has something to say as well.
fn problems(passwords: Passwords, config: JsonValue) -> Vec<String> {
    let build = AuthManager::builder()
        .public_url("http://localhost:3000")
        .keys(KeyRing::new([std::array::from_fn(|at| at as u8 * 7)]).unwrap())
        .store(MemoryStore::new())
        .plugin(passwords)
        .config(config)
        .build();
    let BuildError { problems, .. } = build.unwrap_err();
    problems.into_iter().filter(|problem| problem.plugin == "password").map(|problem| problem.text).collect()
}

#[test]
fn default_is_accepted() {
    assert_eq!(problems(Passwords::default(), JsonValue::Null), [""; 0]);
}

#[test]
fn unsound_settings_are_refused_by_name() {
    let cases = [
        (Passwords::default().min_length(8), "min_length is 8"),
        (Passwords::default().argon2(64, 1), "memory_kib 64"),
        (Passwords::default().threads(0), "threads must be"),
        (Passwords::default().queue(0), "queue has to be"),
        (Passwords::default().queue_per_client(0), "queue_per_client has to be"),
    ];
    for (passwords, expected) in cases {
        let found = problems(passwords, JsonValue::Null);
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
    }
}

#[test]
fn configuration_tree_is_held_to_the_same_rules() {
    let cases = [
        (json!({ "password": { "min_length": 10 } }), "min_length is 10"),
        (json!({ "password": { "argon2": { "passes": 1 } } }), "passes 1"),
        (json!({ "password": { "minimum": 20 } }), "unknown key password.minimum"),
        (json!({ "password": { "min_length": "long" } }), "password.min_length: invalid type"),
    ];
    for (config, expected) in cases {
        let found = problems(Passwords::default(), config);
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
    }
}

#[tokio::test]
async fn settings_in_code_take_effect() {
    let world = World::over(MemoryStore::new(), cheap().min_length(24).blocked_words(["xylophone"])).await;
    assert_eq!(code(world.sign_up("ada", "velvet anchor 61 plum").await), "password.too_weak");
    assert_eq!(code(world.sign_up("ada", "Xylophone xylophone vk 7").await), "password.too_weak");
    assert!(world.sign_up("ada", "velvet anchor 61 plum moss").await.is_ok());
}
