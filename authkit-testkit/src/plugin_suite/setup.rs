//! Setups that are complete but for what they are given, over a store that can be broken.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use authkit_core::{AuthManager, BuildError, KeyRing, Manifest, Plugin, Problem, Registrar, Store};
use serde_json::Value as JsonValue;

use crate::{
    Faulty, Mailbox, NoSessions, SeededRng, TestClock, TestSignIn,
    plugin_suite::{
        people::{Arranging, People},
        words::Words,
    },
};

/// Makes an empty store.
pub type MakeStore = fn() -> Pin<Box<dyn Future<Output = Arc<dyn Store>>>>;

/// A plugin whose type the suite does not know.
#[derive(Clone)]
pub struct AnyPlugin(Arc<dyn Plugin>);

impl AnyPlugin {
    /// Forgets the type.
    #[must_use]
    pub fn new(plugin: impl Plugin) -> Self {
        Self(Arc::new(plugin))
    }
}

impl Plugin for AnyPlugin {
    fn manifest(&self) -> Manifest {
        self.0.manifest()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        self.0.register(registrar)
    }
}

impl fmt::Debug for AnyPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyPlugin({})", self.manifest().id)
    }
}

/// What is around the plugins of a setup.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) store: Faulty<dyn Store>,
    pub(crate) clock: TestClock,
    pub(crate) mailbox: Mailbox,
}

impl Surroundings {
    pub(crate) async fn new(store: MakeStore) -> Self {
        Self { store: Faulty::over(store().await), clock: TestClock::default(), mailbox: Mailbox::new() }
    }

    /// A setup of exactly these plugins.
    pub(crate) fn build(&self, plugins: &[AnyPlugin], config: JsonValue) -> Result<AuthManager, BuildError> {
        let keys = KeyRing::new([std::array::from_fn(|at| (at as u8).wrapping_mul(31).wrapping_add(5))]);
        let mut builder = AuthManager::builder()
            .public_url("http://localhost:3000")
            .keys(keys.expect("a good key"))
            .store(self.store.clone())
            .clock(self.clock.clone())
            .rng(SeededRng::new(11))
            .notifier(self.mailbox.clone())
            .config(config);
        for plugin in plugins {
            builder = builder.plugin(plugin.clone());
        }
        builder.build()
    }

    /// The plugins, those of the testkit that fill the slots which they leave empty, and what they make.
    pub(crate) fn complete(&self, given: &[AnyPlugin]) -> (Vec<AnyPlugin>, AuthManager) {
        let complete = self.try_complete(given);
        complete.unwrap_or_else(|error| panic!("no setup with the plugin builds; add what it needs: {error}"))
    }

    /// The same; where nothing builds, the shortest list of problems.
    pub(crate) fn try_complete(&self, given: &[AnyPlugin]) -> Result<(Vec<AnyPlugin>, AuthManager), BuildError> {
        let ids: Vec<_> = given.iter().map(|plugin| plugin.manifest().id).collect();
        let mut least = None;
        for filling in fillings() {
            let mut plugins = given.to_vec();
            plugins.extend(filling.into_iter().filter(|filler| !ids.contains(&filler.manifest().id)));
            match (self.build(&plugins, JsonValue::Null), &least) {
                (Ok(auth), _) => return Ok((plugins, auth)),
                (Err(error), Some(BuildError { problems, .. })) if error.problems.len() >= problems.len() => {}
                (Err(error), _) => least = Some(error),
            }
        }
        Err(least.expect("there are several fillings"))
    }
}

/// Every choice of what a setup may lack, most first.
///
/// There is one user store, one store of sessions and one verifier per method, so what is there already is not added.
fn fillings() -> impl Iterator<Item = Vec<AnyPlugin>> {
    let all = || [AnyPlugin::new(Words), AnyPlugin::new(People), AnyPlugin::new(NoSessions::default())];
    let chosen = move |choice: u8| {
        let wanted = all().into_iter().enumerate().filter(move |(at, _)| choice & (1 << at) == 0);
        let mut filling: Vec<_> = wanted.map(|(_, filler)| filler).collect();
        filling.extend([AnyPlugin::new(TestSignIn::default()), AnyPlugin::new(Arranging)]);
        filling
    };
    (0..8).map(chosen)
}
