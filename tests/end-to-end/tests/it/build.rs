//! What `build()` says about every wrong setup, word for word, and that the order of registration means nothing.

mod commands;
mod order;
mod parts;
mod paths;
mod routing;
mod schema;
mod settings;
mod settings_page;
mod setup;
mod together;

use authkit_account::Accounts;
use authkit_core::{AuthManager, Builder, KeyRing, Manifest, Plugin, Problem, Registrar};
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_memory::MemoryStore;

fn keys() -> KeyRing {
    KeyRing::new([std::array::from_fn(|at| at as u8 * 3)]).unwrap()
}

/// Everything that is no plugin.
fn bare() -> Builder {
    AuthManager::builder().public_url("http://localhost:1").keys(keys()).store(MemoryStore::new())
}

/// Every plugin that a setup needs.
fn plugins(builder: Builder) -> Builder {
    builder.plugin(Accounts::default()).plugin(Sessions::opaque()).plugin(passwords()).plugin(Throttle::default())
}

/// A setup without a problem.
pub(super) fn complete() -> Builder {
    plugins(bare())
}

fn passwords() -> Passwords {
    Passwords::default().threads(1).dangerously_weak_hashing()
}

fn problems(builder: Builder) -> Vec<String> {
    let error = builder.build().expect_err("a wrong setup");
    assert!(error.problems.is_sorted(), "{error}");
    error.problems.iter().map(ToString::to_string).collect()
}

/// These problems, and no others.
#[track_caller]
fn refused<const N: usize>(builder: Builder, expected: [&str; N]) {
    assert_eq!(problems(builder), expected);
}

/// A plugin that declares and registers whatever a test wants.
pub(super) struct Odd {
    manifest: Manifest,
    register: Box<Register>,
}

type Register = dyn Fn(&mut Registrar<'_>) -> Result<(), Problem> + Send + Sync;

impl Odd {
    pub(super) fn declaring(manifest: Manifest) -> Self {
        Self { manifest, register: Box::new(|_| Ok(())) }
    }

    pub(super) fn adding(id: &'static str, add: impl Fn(&mut Registrar<'_>) + Send + Sync + 'static) -> Self {
        let register = Box::new(move |registrar: &mut Registrar<'_>| {
            add(registrar);
            Ok(())
        });
        Self { manifest: Manifest::new(id, "0.1.0"), register }
    }

    fn trying(id: &'static str, register: fn(&mut Registrar<'_>) -> Result<(), Problem>) -> Self {
        Self::declaring(Manifest::new(id, "0.1.0")).tries(register)
    }

    pub(super) fn tries(self, register: fn(&mut Registrar<'_>) -> Result<(), Problem>) -> Self {
        Self { register: Box::new(register), ..self }
    }
}

impl Plugin for Odd {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        (self.register)(registrar)
    }
}

/// A setup that would have no problem without this plugin.
fn with(plugin: Odd) -> Builder {
    complete().plugin(plugin)
}

/// A setup in which two plugins add the same.
fn twice(add: fn(&mut Registrar<'_>)) -> Builder {
    complete().plugin(Odd::adding("one", add)).plugin(Odd::adding("other", add))
}
