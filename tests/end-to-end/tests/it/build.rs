//! `build()` reports everything at once, and the order of registration means nothing.

use authkit_account::Accounts;
use authkit_core::{AuthManager, Builder, KeyRing, Manifest, Plugin, Problem, Registrar};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_memory::MemoryStore;
use serde_json::json;

fn keys() -> KeyRing {
    KeyRing::new([std::array::from_fn(|at| at as u8 * 3)]).unwrap()
}

fn problems(builder: Builder) -> Vec<String> {
    let error = builder.build().expect_err("an incomplete setup");
    error.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_setup_says_everything_that_is_missing() {
    let said = problems(AuthManager::builder());
    for part in ["public_url", "keys", "store"] {
        assert!(said.iter().any(|problem| problem.contains(part)), "{part}: {said:?}");
    }
}

#[test]
fn a_setup_without_plugins_says_which_roles_are_open() {
    let builder = AuthManager::builder().public_url("http://localhost:1").keys(keys()).store(MemoryStore::new());
    let said = problems(builder).join("\n");
    for part in ["authkit-account", "authkit-session", "authkit-password"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn an_open_address_is_refused_and_so_is_a_development_key_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = KeyRing::dev_file(directory.path().join("key")).unwrap();
    let said = problems(AuthManager::builder().public_url("http://example.com").keys(file.clone()));
    assert!(said.iter().any(|problem| problem.contains("not https")), "{said:?}");
    let said = problems(AuthManager::builder().public_url("https://example.com").keys(file));
    assert!(said.iter().any(|problem| problem.contains("development key")), "{said:?}");
}

#[test]
fn a_plugin_that_is_added_twice_is_named() {
    let said = problems(complete().plugin(Sessions::opaque())).join("\n");
    assert!(said.contains("the plugin session is declared more than once"), "{said}");
    assert!(said.contains("auth_sessions"), "{said}");
}

#[test]
fn unknown_sections_and_keys_of_the_configuration_are_refused() {
    let config = json!({ "passwrd": {}, "session": { "idle": 3600, "idel": 1 } });
    let said = problems(complete().config(config)).join("\n");
    assert!(said.contains("[passwrd]"), "{said}");
    assert!(said.contains("session.idel"), "{said}");
    let said = problems(complete().config(json!({ "session": { "idle": 5 } }))).join("\n");
    assert!(said.contains("idle has to be at least 60 seconds"), "{said}");
    assert!(complete().config(json!({ "session": { "idle": 3600 } })).build().is_ok());
}

struct Needy;

impl Plugin for Needy {
    fn manifest(&self) -> Manifest {
        Manifest::new("needy", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.require::<Self>();
        Ok(())
    }
}

#[test]
fn a_capability_that_nobody_provides_is_named() {
    let said = problems(complete().plugin(Needy)).join("\n");
    assert!(said.contains("needy: needs") && said.contains("Needy"), "{said}");
}

fn complete() -> Builder {
    assemble(&[0, 1, 2, 3])
}

fn assemble(order: &[usize]) -> Builder {
    let builder = AuthManager::builder().public_url("http://localhost:1").keys(keys()).store(MemoryStore::new());
    order.iter().fold(builder, |builder, which| match which {
        0 => builder.plugin(Accounts::default()),
        1 => builder.plugin(Sessions::opaque()),
        2 => builder.plugin(Passwords::default().dangerously_weak_hashing()),
        _ => builder.plugin(Throttle::default()),
    })
}

#[test]
fn every_order_of_registration_builds_the_same() {
    let fingerprint = |order: &[usize]| {
        let auth = assemble(order).build().unwrap();
        let routes: Vec<String> = auth.operations().iter().map(|o| format!("{o:?} {:?}", o.access)).collect();
        let steps: Vec<String> = auth.migrations().iter().map(authkit_core::Migration::checksum).collect();
        (routes, steps, format!("{:?}", auth.entities()))
    };
    let first = fingerprint(&[0, 1, 2, 3]);
    for a in 0..4 {
        for b in 0..4 {
            for c in 0..4 {
                for d in 0..4 {
                    let order = [a, b, c, d];
                    if (0..4).all(|n| order.contains(&n)) {
                        assert_eq!(fingerprint(&order), first, "{order:?}");
                    }
                }
            }
        }
    }
}
