//! The setup as a whole: address, keys, store, prefix, sections.

use std::time::Duration;

use async_trait::async_trait;
use authkit_core::{
    Acknowledgement, AuthManager, BatchSpan, Capabilities, Def, Done, Get, KeyRing, Manifest, Migration, Op, Query,
    Row, Scope, Store, StoreError, Timestamp,
};
use authkit_session::Sessions;
use authkit_store_memory::MemoryStore;
use serde_json::json;

use super::{Odd, bare, complete, keys, plugins, refused, with};

#[test]
fn an_empty_setup_says_everything_that_is_missing() {
    let expected = [
        "authkit: no plugin finds principals; add authkit-account or one with a user store of your own",
        "authkit: no plugin keeps sessions; add authkit-session",
        "authkit: no plugin shows sessions to clients; add authkit-session",
        "authkit: no plugin verifies anything; add authkit-password or another method",
        "authkit: there are no keys; add .keys(KeyRing::from_env()?), or KeyRing::dev_file for development",
        "authkit: there is no public_url; add .public_url(\"https://…\")",
        "authkit: there is no store; add .store(…)",
    ];
    refused(AuthManager::builder(), expected);
    let error = AuthManager::builder().build().unwrap_err();
    let listed: String = expected.iter().map(|problem| format!("\n- {problem}")).collect();
    assert_eq!(error.to_string(), format!("the authentication setup is not complete:{listed}"));
}

#[test]
fn each_missing_part_is_named_alone() {
    let url = "http://localhost:1";
    let (builder, store) = (|| plugins(AuthManager::builder()), MemoryStore::new);
    refused(builder().keys(keys()).store(store()), ["authkit: there is no public_url; add .public_url(\"https://…\")"]);
    refused(
        builder().public_url(url).store(store()),
        ["authkit: there are no keys; add .keys(KeyRing::from_env()?), or KeyRing::dev_file for development"],
    );
    refused(builder().public_url(url).keys(keys()), ["authkit: there is no store; add .store(…)"]);
}

#[test]
fn an_address_is_an_origin_and_encrypted_unless_it_is_this_machine() {
    let open = "authkit: public_url is not https; only a loopback address may be without";
    for url in ["http://example.com", "http://localhost.example.com", "http://192.168.0.1"] {
        refused(complete().public_url(url), [open]);
    }
    let malformed = "authkit: public_url: give scheme, host and port only, such as https://login.example.com";
    for url in ["", "example.com", "ftp://a", "https://u@a", "https://a/b", "https://a?b", "https://a#b", "https://"] {
        refused(complete().public_url(url), [malformed]);
    }
    for url in ["https://example.com", "https://example.com:8443/", "http://127.0.0.1:3000", "http://[::1]"] {
        assert!(complete().public_url(url).build().is_ok(), "{url}");
    }
}

#[test]
fn a_development_key_serves_this_machine_only() {
    let directory = tempfile::tempdir().unwrap();
    let keys = KeyRing::dev_file(directory.path().join("key")).unwrap();
    assert!(complete().keys(keys.clone()).build().is_ok());
    refused(
        complete().public_url("https://example.com").keys(keys),
        ["authkit: a development key file serves only a loopback public_url; use KeyRing::from_env()"],
    );
}

#[test]
fn a_prefix_is_plain_and_begins_with_a_slash() {
    for prefix in ["v1", "/v1/", "/", "/v 1", "/v1?", "/{tenant}", "/ü"] {
        refused(complete().prefix(prefix), ["authkit: the prefix has to be empty or like /v1"]);
    }
    for prefix in ["", "/v1", "/api/auth-v2"] {
        assert!(complete().prefix(prefix).build().is_ok(), "{prefix}");
    }
}

#[test]
fn the_configuration_is_a_table_of_sections_of_registered_plugins() {
    for tree in [json!([]), json!("session"), json!(5), json!(true)] {
        refused(complete().config(tree), ["authkit: the configuration has to be a table of sections"]);
    }
    refused(
        complete().config(json!({ "passwrd": {}, "mfa": { "a": 1 }, "session": {} })),
        [
            "authkit: the configuration has a section [mfa], but no such plugin is registered; add it, or drop the \
             section",
            "authkit: the configuration has a section [passwrd], but no such plugin is registered; add it, or drop \
             the section",
        ],
    );
    assert!(complete().config(json!({})).build().is_ok());
}

#[test]
fn a_section_that_nobody_reads_is_told() {
    refused(
        complete().config(json!({ "authkit": { "prefix": "/v2" } })),
        ["authkit: the section [authkit] is not read: core has no settings; drop it"],
    );
    refused(
        with(Odd::declaring(Manifest::new("odd", "0.1.0"))).config(json!({ "odd": {} })),
        ["odd: the section [odd] is not read: the plugin has no settings; drop it"],
    );
}

#[test]
fn the_main_store_keeps_everything_together_and_for_good() {
    let one_entity = "authkit: the store cannot write several entities in one commit, so it cannot be the main store";
    let lossy = "authkit: the store may lose acknowledged writes, so it cannot be the main store";
    refused(complete().store(Promising::one_entity()), [one_entity]);
    refused(complete().store(Promising::may_be_lost()), [lossy]);
}

#[test]
fn a_setup_without_plugins_says_which_roles_are_open() {
    refused(
        bare(),
        [
            "authkit: no plugin finds principals; add authkit-account or one with a user store of your own",
            "authkit: no plugin keeps sessions; add authkit-session",
            "authkit: no plugin shows sessions to clients; add authkit-session",
            "authkit: no plugin verifies anything; add authkit-password or another method",
        ],
    );
}

#[test]
fn a_role_that_a_plugin_did_not_come_to_fill_is_not_said_to_be_open() {
    refused(bare().plugin(Sessions::opaque().idle(Duration::ZERO)), ["session: idle has to be at least 60 seconds"]);
}

/// A store that is asked what it can promise, and for nothing else.
pub(super) struct Promising(Capabilities);

impl Promising {
    pub(super) fn one_entity() -> Self {
        let mut capabilities = Capabilities::FULL;
        capabilities.batches = BatchSpan::OneEntity;
        Self(capabilities)
    }

    pub(super) fn may_be_lost() -> Self {
        let mut capabilities = Capabilities::FULL;
        capabilities.durability = Acknowledgement::MayBeLost;
        Self(capabilities)
    }
}

#[async_trait]
impl Store for Promising {
    fn capabilities(&self) -> Capabilities {
        self.0
    }

    fn statements(&self, _: &[Migration]) -> Vec<String> {
        Vec::new()
    }

    async fn migrate(&self, _: &[Migration], _: &[Def]) -> Result<(), StoreError> {
        Err(StoreError::Busy)
    }

    async fn get(&self, _: &Scope, _: &Get) -> Result<Option<Row>, StoreError> {
        Err(StoreError::Busy)
    }

    async fn query(&self, _: &Scope, _: &Query) -> Result<Vec<Row>, StoreError> {
        Err(StoreError::Busy)
    }

    async fn commit(&self, _: &Scope, _: &[Op], _: Timestamp) -> Result<Vec<Done>, StoreError> {
        Err(StoreError::Busy)
    }

    async fn sweep(&self, _: &Def, _: Timestamp, _: usize) -> Result<u64, StoreError> {
        Err(StoreError::Busy)
    }
}
