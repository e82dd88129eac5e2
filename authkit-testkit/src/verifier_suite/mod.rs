//! One test per fact that holds of every method to prove who one is.
#![expect(clippy::expect_used, clippy::panic, reason = "this is test code, and a test fails by panicking")]

pub mod accounts;
pub mod begun;
pub mod enrolled;
pub mod flows;
pub mod input;
pub mod interrupted;
pub mod proofs;
pub mod secrets;
mod watch;
mod world;

use std::{
    fmt,
    future::{Future, poll_fn},
    rc::Rc,
    task::Poll,
};

use authkit_core::{AuthError, MethodId, Plugin, Progress, SignedIn, codes};
use serde_json::Value as JsonValue;

pub use self::world::{Asked, Person, World};
use crate::plugin_suite::MakeStore;

/// Holds a method to what every [`CredentialVerifier`](authkit_core::CredentialVerifier) has to keep: one test per fact.
///
/// `store` is an expression that makes a fresh, **empty** store; it may await. `case` makes a [`VerifierCase`]. Both are
/// evaluated several times per test.
///
/// # Examples
///
/// The whole of `tests/conformance.rs` of a method that takes a name and a text:
/// ```
/// use authkit_core::{MethodId, Plugin};
/// use authkit_store_memory::MemoryStore;
/// use authkit_testkit::{Asked, Opening, Person, Uses, VerifierCase, World, verifier_suite};
/// use serde_json::{Value, json};
///
/// # use authkit_testkit::NoSessions as Passwords;
/// struct Case;
///
/// impl VerifierCase for Case {
///     type Credential = &'static str;
///     const METHOD: MethodId = MethodId::from_static("password");
///     const OPENING: Opening = Opening::ByIdentifier;
///     const USES: Uses = Uses::Reusable;
///
///     fn plugin(&self) -> impl Plugin {
///         Passwords::default()
///     }
///
///     async fn enrol(&self, world: &World, person: &Person) -> Self::Credential {
///         world.enrol(person, |_| json!({ "password": "velvet anchor 61 plum" })).await;
///         "velvet anchor 61 plum"
///     }
///
///     async fn right(&self, _: &World, password: &Self::Credential, asked: &Asked) -> Value {
///         json!({ "identifier": asked.name, "password": password })
///     }
///
///     async fn wrong(&self, _: &World, _: &Self::Credential, asked: &Asked) -> Value {
///         json!({ "identifier": asked.name, "password": "marble kettle 28 finch" })
///     }
/// }
///
/// verifier_suite!(store = MemoryStore::new(), case = Case);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! verifier_suite {
    (store = $store:expr, case = $case:expr $(,)?) => {
        $crate::__verifier_clauses! { [$crate::__verifier_test] $crate::verifier_suite::Suite::new(
            || {
                ::std::boxed::Box::pin(async {
                    ::std::sync::Arc::new($store) as ::std::sync::Arc<dyn $crate::__private::Store>
                })
            },
            $case,
        ) }
    };
}

/// Names every clause to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __verifier_clauses {
    ([$($each:tt)+] $($suite:tt)+) => { $($each)+! { ($($suite)+)
        proofs {
            a_right_answer_proves_its_principal
            its_evidence_is_of_this_method_and_moment
            a_wrong_answer_is_rejected
            a_right_answer_counts_as_often_as_declared
            of_racing_right_answers_as_many_count_as_declared
        }
        accounts {
            an_unknown_account_looks_like_a_wrong_answer
            somebody_without_the_credential_looks_like_a_wrong_answer
            a_disabled_principal_looks_like_a_wrong_answer
            another_tenant_looks_like_a_wrong_answer
            limits_count_whom_it_names
        }
        flows {
            a_right_answer_is_a_further_factor
            in_the_flow_of_another_it_proves_nothing
        }
        enrolled {
            enrolling_it_offers_it
            enrolling_it_raises_the_epoch
        }
        begun {
            beginning_with_junk_is_refused
            beginning_tells_known_and_unknown_alike
            an_answer_before_the_beginning_is_refused
        }
        input {
            its_answers_have_no_reserved_field
            junk_answers_are_refused
            spoilt_right_answers_are_refused
        }
        interrupted {
            a_refusal_writes_nothing
            a_dropped_answer_leaves_nothing_behind
            a_fault_is_neither_a_proof_nor_a_refusal
            a_lost_answer_of_the_store_is_no_second_use
        }
        secrets {
            no_secret_is_stored_or_shown
        }
    } };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __verifier_test {
    ($suite:tt $($module:ident { $($fact:ident)+ })+) => { $($(
        #[$crate::__private::tokio::test(flavor = "multi_thread", crate = "authkit_testkit::__private::tokio")]
        async fn $fact() {
            $crate::verifier_suite::$module::$fact $suite .await;
        }
    )+)+ };
}

/// What [`verifier_suite!`] has to know of a method: how one gets a credential, and what one answers with it.
pub trait VerifierCase: 'static {
    /// What its owner holds or knows.
    type Credential;

    /// The method.
    const METHOD: MethodId;
    /// Whether, and how, an answer tells whose it is.
    const OPENING: Opening;
    /// How often one right answer counts.
    const USES: Uses;

    /// The plugin that verifies the method, alone on core.
    fn plugin(&self) -> impl Plugin;

    /// Gives somebody a credential that nobody else has: with [`World::enrol`], or by a capability of the plugin.
    fn enrol(&self, world: &World, person: &Person) -> impl Future<Output = Self::Credential>;

    /// The right answer of the owner of a credential, under the name that is asked for. It is sent at once, and then
    /// perhaps again. The name may be another's or nobody's; then anything will do that has the form of a right answer.
    fn right(&self, world: &World, credential: &Self::Credential, asked: &Asked) -> impl Future<Output = JsonValue>;

    /// An answer of the same form that is wrong.
    fn wrong(&self, world: &World, credential: &Self::Credential, asked: &Asked) -> impl Future<Output = JsonValue>;

    /// What a client says to begin, to sign in under this name; nothing unless overridden.
    fn begin_input(&self, _name: &str) -> JsonValue {
        JsonValue::Null
    }
}

/// Whether, and how, an answer tells whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth")]
pub enum Opening {
    /// The answer, or what it begins with, names an account.
    ByIdentifier,
    /// The credential itself tells: a passkey, a key of a program.
    ByCredential,
    /// Not at all: it is a further factor only.
    Never,
}

/// How often one right answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Uses {
    /// Again and again: a password.
    Reusable,
    /// Once: a code, a signature over a nonce.
    Single,
}

/// Where an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// As the first of a sign-in.
    First,
    /// In a flow that is bound to somebody.
    Further,
}

/// A method, and the store that it lives on.
pub struct Suite<C> {
    store: MakeStore,
    case: Rc<C>,
}

impl<C: VerifierCase> Suite<C> {
    /// For the macro.
    #[must_use]
    pub fn new(store: MakeStore, case: C) -> Self {
        Self { store, case: Rc::new(case) }
    }

    /// A world of its own, with nobody in it.
    async fn world(&self) -> World {
        World::new(self.store, crate::plugin_suite::AnyPlugin::new(self.case.plugin()), C::METHOD).await
    }

    /// A world with somebody who has a credential.
    async fn with_ada(&self) -> Known<C> {
        let world = self.world().await;
        let ada = world.add("ada").await;
        let credential = self.case.enrol(&world, &ada).await;
        world.rest();
        Known { case: self.case.clone(), world, ada, credential }
    }

    /// Where answers of this method may be given.
    fn positions(&self) -> &'static [Position] {
        match C::OPENING {
            Opening::Never => &[Position::Further],
            Opening::ByCredential | Opening::ByIdentifier => &[Position::First, Position::Further],
        }
    }

    /// Whether answers or beginnings name an account.
    fn names_accounts(&self) -> bool {
        C::OPENING == Opening::ByIdentifier
    }
}

impl<C> fmt::Debug for Suite<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Suite")
    }
}

/// Somebody who has a credential.
struct Known<C: VerifierCase> {
    case: Rc<C>,
    world: World,
    ada: Person,
    credential: C::Credential,
}

impl<C: VerifierCase> Known<C> {
    async fn ask(&self, position: Position) -> Asked {
        match position {
            Position::First => self.ask_as(&self.ada.name).await,
            Position::Further => self.world.ask_further(&self.ada, &self.ada.name).await,
        }
    }

    /// Asks whoever says to have this name.
    async fn ask_as(&self, name: &str) -> Asked {
        let asked = self.world.ask(&self.world.cx(), name, self.case.begin_input(name)).await;
        asked.expect("the method begins, or has nothing to begin")
    }

    async fn right(&self, asked: &Asked) -> JsonValue {
        self.case.right(&self.world, &self.credential, asked).await
    }

    async fn wrong(&self, asked: &Asked) -> JsonValue {
        self.case.wrong(&self.world, &self.credential, asked).await
    }

    /// Asks again and gives the right answer; whoever can sign in is signed in.
    async fn signs_in(&self, position: Position) {
        let asked = self.ask(position).await;
        let right = self.right(&asked).await;
        self.accepts(&asked, right, "the right answer").await;
    }

    /// The answer signs its owner in.
    async fn accepts(&self, asked: &Asked, response: JsonValue, what: &str) -> Box<SignedIn> {
        match self.world.answer(asked, response).await {
            Ok(Progress::SignedIn(signed_in)) => signed_in,
            other => panic!("{what} does not sign in: {other:?}"),
        }
    }

    /// The answer is refused as every wrong one is.
    async fn rejects(&self, asked: &Asked, response: JsonValue, what: &str) -> AuthError {
        match self.world.answer(asked, response).await {
            Err(error) if *error.code() == codes::REJECTED && error.fields().is_empty() => error,
            other => panic!("{what} is not REJECTED: {other:?}"),
        }
    }
}

/// Polls all futures again and again, in turn, so that each meets every other at every step.
async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    let mut done: Vec<_> = waiting.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (slot, output) in waiting.iter_mut().zip(&mut done) {
            if let Some(future) = slot
                && let Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
                *slot = None;
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
