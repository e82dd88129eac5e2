//! Many things wrong at once: every one of them is told.

use std::{sync::Arc, time::Duration};

use authkit_account::Accounts;
use authkit_core::{AuthManager, Class, ErrorCode, KeyRing, Manifest, Order, Plugin as _};
use authkit_risk::Throttle;
use authkit_testkit::TestSignIn;
use end_to_end::proofs::{Note, Noted, Tick};
use serde_json::json;

use super::{
    Odd,
    parts::{Nothing, Unheard, Watch, operation},
    passwords, refused,
    setup::Promising,
};

static FOREIGN: ErrorCode = ErrorCode::new("foreign.taken", Class::Conflict, "It is taken.");

/// Two plugins that agree in nothing but their names for things.
fn clashing() -> [Odd; 2] {
    let manifest = |id| Manifest::new(id, "0.1.0").event::<Noted>().error(&FOREIGN).creates::<Note>();
    let one = Odd::declaring(manifest("one").declares::<Tick>()).tries(|registrar| {
        TestSignIn::default().register(registrar)?;
        registrar.job("tidy", Duration::from_secs(60), Arc::new(Nothing));
        registrar.operation(operation("/things"));
        registrar.stage(Arc::new(Watch::new("a", Order::after(&["b"]))));
        registrar.user_store(Arc::new(Nothing));
        registrar.require::<Nothing>();
        Ok(())
    });
    let other = Odd::declaring(manifest("other")).tries(|registrar| {
        TestSignIn::default().register(registrar)?;
        registrar.job("tidy", Duration::from_secs(60), Arc::new(Nothing));
        registrar.operation(operation("/things"));
        registrar.stage(Arc::new(Watch::new("b", Order::after(&["a", "geo"]))));
        registrar.enroller(Arc::new(Nothing));
        registrar.subscribe::<Unheard>(Arc::new(Nothing));
        registrar.collection::<Tick>().map(drop)
    });
    [one, other]
}

#[test]
fn a_problem_of_each_kind_hides_none_of_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let [one, other] = clashing();
    let builder = AuthManager::builder()
        .public_url("https://example.com")
        .keys(KeyRing::dev_file(directory.path().join("key")).unwrap())
        .store(Promising::may_be_lost())
        .prefix("v1")
        .config(json!({ "mfa": {}, "throttle": { "device_life": 0 } }))
        .plugin(Accounts::default())
        .plugin(passwords())
        .plugin(Throttle::default())
        .plugin(one)
        .plugin(other);
    refused(
        builder,
        [
            "authkit: 2 plugins find principals; keep one of them",
            "authkit: a development key file serves only a loopback public_url; use KeyRing::from_env()",
            "authkit: migration 1 of other: the table proof_notes exists already",
            "authkit: the configuration has a section [mfa], but no such plugin is registered; add it, or drop the \
             section",
            "authkit: the error code foreign.taken is declared more than once, by one and other; rename or drop one",
            "authkit: the event noted is declared more than once, by one and other; rename or drop one",
            "authkit: the job tidy is declared more than once, by one and other; rename or drop one",
            "authkit: the method testkit is declared more than once, by one and other; rename or drop one",
            "authkit: the prefix has to be empty or like /v1",
            "authkit: the route GET /things is declared more than once, by one and other; rename or drop one",
            "authkit: the stages a, b wait for each other or themselves; change what one runs after",
            "authkit: the store may lose acknowledged writes, so it cannot be the main store",
            "authkit: the table proof_notes is declared more than once, by one and other; rename or drop one",
            "one: needs it::build::parts::Nothing, which no plugin provides; add the plugin that does",
            "one: no migration creates the table proof_ticks; add .creates::<…>() or a Step::Create",
            "one: the error code foreign.taken has to begin with one.",
            "other: enrols nothing, which no plugin verifies; register its verifier",
            "other: subscribes to unheard, which no plugin declares; add the plugin that does, or .event::<…>() \
             to its manifest",
            "other: the entity proof_ticks is used but not declared in the manifest; add .creates::<…>() to it",
            "other: the error code foreign.taken has to begin with other.",
            "other: the stage b runs after geo, which nobody registers; add its plugin, or drop it from the order",
            "throttle: device_life has to be 1 second to 400 days, which is as long as browsers keep a cookie",
        ],
    );
}

#[test]
fn what_manifests_and_settings_say_is_told_even_without_address_keys_and_store() {
    let manifest = |id| Manifest::new(id, "0.1.0").event::<Noted>().error(&FOREIGN).creates::<Note>();
    let builder = AuthManager::builder()
        .prefix("v1")
        .config(json!({ "mfa": {} }))
        .plugin(Odd::declaring(manifest("one").declares::<Tick>()))
        .plugin(Odd::declaring(manifest("other")));
    refused(
        builder,
        [
            "authkit: migration 1 of other: the table proof_notes exists already",
            "authkit: no plugin finds principals; add authkit-account or one with a user store of your own",
            "authkit: no plugin keeps sessions; add authkit-session",
            "authkit: no plugin shows sessions to clients; add authkit-session",
            "authkit: no plugin verifies anything; add authkit-password or another method",
            "authkit: the configuration has a section [mfa], but no such plugin is registered; add it, or drop the \
             section",
            "authkit: the error code foreign.taken is declared more than once, by one and other; rename or drop one",
            "authkit: the event noted is declared more than once, by one and other; rename or drop one",
            "authkit: the prefix has to be empty or like /v1",
            "authkit: the table proof_notes is declared more than once, by one and other; rename or drop one",
            "authkit: there are no keys; add .keys(KeyRing::from_env()?), or KeyRing::dev_file for development",
            "authkit: there is no public_url; add .public_url(\"https://…\")",
            "authkit: there is no store; add .store(…)",
            "one: no migration creates the table proof_ticks; add .creates::<…>() or a Step::Create",
            "one: the error code foreign.taken has to begin with one.",
            "other: the error code foreign.taken has to begin with other.",
        ],
    );
}
