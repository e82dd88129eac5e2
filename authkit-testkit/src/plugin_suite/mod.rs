//! One test per fact that holds of every plugin.
#![expect(clippy::expect_used, clippy::panic, reason = "this is test code, and a test fails by panicking")]

pub mod declared;
pub mod faults;
pub(crate) mod guarded;
pub mod input;
pub(crate) mod junk;
pub mod operations;
pub(crate) mod people;
pub mod registered;
pub(crate) mod setup;
mod words;

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

pub use self::setup::{AnyPlugin, MakeStore};
use self::{
    junk::{plausible, property_names, required},
    setup::Surroundings,
};
use crate::sign_in_as;
use authkit_core::{AuthManager, Client, Operation, Plugin as _, RequestContext, Session};
use serde_json::{Value as JsonValue, json};

/// Holds a plugin to what every plugin has to keep, alone on core: one test per fact.
///
/// `store` is an expression that makes a fresh, **empty** store; it may await. `plugin` makes the plugin, and `with`
/// whatever it cannot be built without. Where these have no user store, no sessions or no way to sign in, those of the
/// testkit are added. Every expression is evaluated several times per test.
///
/// # Examples
///
/// The whole of `tests/conformance.rs` of a plugin without needs:
/// ```
/// # use authkit_testkit::NoSessions as MyPlugin;
/// use authkit_store_memory::MemoryStore;
///
/// authkit_testkit::plugin_suite!(store = MemoryStore::new(), plugin = MyPlugin::default());
/// # fn main() {}
/// ```
///
/// A plugin that needs another one:
/// ```
/// # use authkit_store_memory::MemoryStore;
/// # use authkit_testkit::{NoSessions as MyPlugin, TestSignIn as Another, plugin_suite};
/// plugin_suite!(store = MemoryStore::new(), plugin = MyPlugin::default(), with = [Another::default()]);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin_suite {
    (store = $store:expr, plugin = $plugin:expr $(, with = [$($companion:expr),* $(,)?])? $(,)?) => {
        $crate::__plugin_clauses! { [$crate::__plugin_test] $crate::plugin_suite::Subject {
            store: || {
                ::std::boxed::Box::pin(async {
                    ::std::sync::Arc::new($store) as ::std::sync::Arc<dyn $crate::__private::Store>
                })
            },
            plugin: || $crate::plugin_suite::AnyPlugin::new($plugin),
            companions: || ::std::vec![$($($crate::plugin_suite::AnyPlugin::new($companion)),*)?],
        } }
    };
}

/// Names every clause to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __plugin_clauses {
    ([$($each:tt)+] $($subject:tt)+) => { $($each)+! { ($($subject)+)
        declared {
            its_manifest_is_the_same_every_time
            its_errors_are_its_own_and_say_a_sentence
            its_events_are_named_in_snake_case
            its_tables_have_names_of_their_own
            its_migrations_are_numbered_without_gaps
        }
        registered {
            every_order_of_registration_gives_the_same
            registering_it_twice_is_refused_by_name
            building_touches_no_store
            its_entities_are_what_its_migrations_make
            migrating_again_and_elsewhere_changes_nothing
            an_unknown_setting_is_refused_by_name
        }
        operations {
            its_operations_say_what_they_are
            no_operation_takes_a_secret_in_an_address
            no_operation_lets_strangers_past_its_access
        }
        input {
            no_input_of_an_operation_breaks_it
            no_path_of_an_operation_breaks_it
            no_answer_to_a_method_breaks_it
            no_enrolment_breaks_it
        }
        faults {
            operations_say_that_the_store_is_unavailable
            operations_work_again_after_a_fault
            jobs_outlive_a_fault
        }
    } };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __plugin_test {
    ($subject:tt $($module:ident { $($fact:ident)+ })+) => { $($(
        #[$crate::__private::tokio::test(flavor = "multi_thread", crate = "authkit_testkit::__private::tokio")]
        async fn $fact() {
            $crate::plugin_suite::$module::$fact $subject .await;
        }
    )+)+ };
}

/// The plugin that is looked at, and what it lives in.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the macro makes it")]
pub struct Subject {
    /// Makes an empty store.
    pub store: MakeStore,
    /// Makes the plugin.
    pub plugin: fn() -> AnyPlugin,
    /// Makes what it cannot be built without.
    pub companions: fn() -> Vec<AnyPlugin>,
}

impl Subject {
    fn given(&self) -> Vec<AnyPlugin> {
        let mut given = vec![(self.plugin)()];
        given.extend((self.companions)());
        given
    }

    /// A complete setup, migrated, over a store of its own.
    async fn place(&self) -> Place {
        let around = Surroundings::new(self.store).await;
        let (plugins, auth) = around.complete(&self.given());
        auth.migrate().await.expect("the migrations apply");
        // Where the companions do not build without the plugin, theirs are looked at as well.
        let others = around.try_complete(&(self.companions)()).or_else(|_| around.try_complete(&[]));
        let (_, others) = others.expect("core builds with what the testkit adds");
        let foreign: Vec<_> = others.operations().iter().map(route).collect();
        let operations = auth.operations().iter().filter(|own| !foreign.contains(&route(own))).cloned().collect();
        Place { around, plugins, auth, operations, requests: AtomicU32::new(1) }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}

/// A running setup.
struct Place {
    around: Surroundings,
    /// The plugin that is looked at is the first.
    plugins: Vec<AnyPlugin>,
    auth: AuthManager,
    /// Those of the plugin itself.
    operations: Vec<Operation>,
    requests: AtomicU32,
}

impl Place {
    /// A request of a client that was never seen before.
    fn cx(&self) -> RequestContext {
        self.auth.request(self.client())
    }

    fn client(&self) -> Client {
        people::client(self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Its own of the operations that every place has: another's may keep what belongs to another store.
    fn own(&self, operation: &Operation) -> &Operation {
        let mut own = self.operations.iter();
        own.find(|own| route(own) == route(operation)).expect("every place has the same operations")
    }

    /// The session of somebody new.
    async fn session(&self) -> Session {
        let n = self.requests.fetch_add(1, Ordering::Relaxed);
        let principal = people::add(&self.auth, &format!("somebody{n}")).await;
        let signed_in = sign_in_as(&self.auth, principal.id).await;
        signed_in.expect("somebody with two factors signs in").session
    }

    /// Input that an operation could be meant to have: everything, what it needs, and that with what sets a method up.
    fn plausible(&self, operation: &Operation) -> Vec<JsonValue> {
        let mut all = vec![plausible(&operation.input)];
        let least = required(&operation.input);
        for (method, schemas) in self.auth.enrollable_methods() {
            let mut with_method = least.clone();
            if let (Some(fields), Some(more)) = (with_method.as_object_mut(), plausible(&schemas.response).as_object())
            {
                fields.extend(more.clone());
                if property_names(&operation.input).iter().any(|name| name == "method") {
                    fields.insert("method".to_owned(), json!(method));
                }
            }
            all.push(with_method);
        }
        all.push(least);
        all.dedup();
        all
    }

    /// Whether a public error is one of core's or declared by one of the plugins.
    fn is_declared(&self, code: &str) -> bool {
        let declared = |plugin: &AnyPlugin| plugin.manifest().errors.iter().any(|error| error.code == code);
        code.starts_with("core.") || self.plugins.iter().any(declared)
    }
}

fn route(operation: &Operation) -> (&'static str, &'static str) {
    (operation.method.as_str(), operation.path)
}
