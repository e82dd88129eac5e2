//! Setups with sessions and nothing else, over a store that counts.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use authkit_core::{
    About, Act, AuditEvent, AuthError, AuthManager, Batch, Client, Identifier, KeyRing, Manifest, MethodId, Outcome,
    Plugin, Principal, PrincipalId, PrincipalKind, Problem, Progress, Registrar, RequestContext, SignedIn, UserStore,
    codes,
};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{Faulty, SeededRng, TestClock, TestSignIn};
use serde::Serialize;
use serde_json::{Value as JsonValue, json};

pub(crate) const ISSUER: &str = "http://localhost:3000";

/// What all nodes of an installation share.
pub(crate) struct World {
    /// A call may be late by the outer one, and fail after that by the inner one.
    pub(crate) store: Faulty<Faulty<MemoryStore>>,
    pub(crate) clock: TestClock,
    nodes: AtomicU64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            store: Faulty::new(Faulty::new(MemoryStore::new())),
            clock: TestClock::default(),
            nodes: AtomicU64::new(1),
        }
    }

    /// One more node, under the first key.
    pub(crate) async fn node(&self, plugin: impl Plugin) -> AuthManager {
        self.node_with(plugin, &[1], JsonValue::Null).await
    }

    /// One more node, under keys of these seeds, newest first.
    pub(crate) async fn node_with(&self, plugin: impl Plugin, keys: &[u8], config: JsonValue) -> AuthManager {
        let secret = |seed: &u8| std::array::from_fn(|at| (at as u8).wrapping_mul(29).wrapping_add(*seed));
        let auth = AuthManager::builder()
            .public_url(ISSUER)
            .keys(KeyRing::new(keys.iter().map(secret)).unwrap())
            .store(self.store.clone())
            .clock(self.clock.clone())
            .rng(SeededRng::new(self.nodes.fetch_add(1, Ordering::Relaxed)))
            .config(config)
            .plugin(plugin)
            .plugin(TestSignIn::default())
            .plugin(Nobody)
            .build()
            .unwrap();
        auth.migrate().await.unwrap();
        auth
    }
}

/// A client that keeps its tokens itself.
pub(crate) fn bearer(auth: &AuthManager) -> RequestContext {
    auth.request(Client::default().bearer())
}

/// Adds an active principal.
pub(crate) async fn add_principal(cx: &RequestContext) -> Principal {
    let principal = Principal::new(cx, PrincipalKind::Human);
    let mut batch = Batch::new(cx);
    batch.add_principal(cx, &principal);
    cx.commit(Arranged, batch).await.unwrap();
    principal
}

/// Signs a principal in.
pub(crate) async fn sign_in(cx: &RequestContext, principal: PrincipalId) -> SignedIn {
    let method = MethodId::from_static("testkit");
    match cx.sign_in(&method, json!({ "principal": principal })).await.unwrap() {
        Progress::SignedIn(signed_in) => *signed_in,
        other => panic!("{other:?}"),
    }
}

/// What is arranged for a test.
#[derive(Serialize)]
pub(crate) struct Arranged;

impl AuditEvent for Arranged {
    const KIND: &'static str = "arranged";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

/// Finds nobody: the tests know ids.
struct Nobody;

impl Plugin for Nobody {
    fn manifest(&self) -> Manifest {
        Manifest::new("nobody", "0.0.0").event::<Arranged>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.user_store(std::sync::Arc::new(Self));
        Ok(())
    }
}

#[async_trait]
impl UserStore for Nobody {
    async fn find(&self, _: &RequestContext, _: &Identifier) -> Result<Option<Principal>, AuthError> {
        Ok(None)
    }

    fn insert(&self, _: &RequestContext, _: &Principal, _: &[Identifier], _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&codes::INTERNAL).because("there are no identifiers"))
    }
}
