//! What `build()` says about the plugin; flows are tested where several plugins meet.

use authkit_account::{Accounts, SignUpPolicy};
use authkit_core::{AuthManager, KeyRing, Problem};
use authkit_store_memory::MemoryStore;
use serde_json::{Value as JsonValue, json};

/// The problems that are this plugin's own; there are others, since nothing keeps sessions here.
fn problems(plugins: impl IntoIterator<Item = Accounts>, config: JsonValue) -> Vec<Problem> {
    let keys = KeyRing::new([std::array::from_fn(|at| u8::try_from(at * 7 % 251).unwrap())]).unwrap();
    let builder =
        AuthManager::builder().public_url("https://app.example").keys(keys).store(MemoryStore::new()).config(config);
    let builder = plugins.into_iter().fold(builder, |builder, plugin| builder.plugin(plugin));
    let mut problems = builder.build().unwrap_err().problems;
    problems.retain(|problem| {
        !["keeps sessions", "shows sessions", "verifies anything"].iter().any(|text| problem.text.contains(text))
    });
    problems
}

#[track_caller]
fn check_refused(config: JsonValue, expected: &str) {
    let problems = problems([Accounts::default()], config);
    let own = problems.iter().find(|problem| problem.plugin == "account").expect("a problem of the plugin");
    assert!(own.text.contains(expected), "{own}");
}

#[test]
fn setup_without_settings_is_accepted() {
    assert_eq!(problems([Accounts::default()], JsonValue::Null), []);
}

#[test]
fn every_setting_can_be_given_in_a_tree() {
    let section = json!({ "sign_up": "closed", "disclosure": "conceal", "deletion_grace": 86_400 });
    assert_eq!(problems([Accounts::default().sign_up(SignUpPolicy::Invite)], json!({ "account": section })), []);
}

#[test]
fn wrong_settings_are_named() {
    check_refused(json!({ "account": { "sign_up": "nobody" } }), "nobody");
    check_refused(json!({ "account": { "signup": "open" } }), "account.signup");
    check_refused(json!({ "account": { "disclosure": true } }), "account");
    check_refused(json!({ "account": { "deletion_grace": "30 days" } }), "account");
    check_refused(json!({ "account": { "deletion_grace": 315_360_001 } }), "3650 days");
}

#[test]
fn plugin_twice_is_refused() {
    assert!(!problems([Accounts::default(), Accounts::default()], JsonValue::Null).is_empty());
}
