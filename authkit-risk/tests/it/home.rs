//! The least application in which something can be guessed.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{
    About, Act, AuditEvent, AuthError, AuthManager, Batch, Builder, Client, CredentialVerifier, Effect, Evidence,
    Factors, Id, Identifier, IdentifierKind, KeyRing, Manifest, MethodId, Outcome, Plugin, Principal, PrincipalId,
    PrincipalKind, Problem, Progress, Prompt, Registrar, RequestContext, SecretText, SignedIn, StepContext, UserStore,
    Verdict, codes,
};
use authkit_risk::{LockoutAdmin, Throttle};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{Faulty, NoSessions, SeededRng, TestClock};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as JsonValue, json};

pub(crate) const METHOD: MethodId = MethodId::from_static("word");
pub(crate) const RIGHT: &str = "right";
pub(crate) const WRONG: &str = "wrong";
/// An answer that cannot be judged at the moment.
pub(crate) const LATER: &str = "later";

pub(crate) struct World {
    pub(crate) auth: AuthManager,
    pub(crate) store: Faulty<MemoryStore>,
    pub(crate) clock: TestClock,
}

/// Where a request comes from.
pub(crate) struct Browser {
    pub(crate) ip: IpAddr,
    pub(crate) mark: Option<String>,
}

impl Browser {
    pub(crate) fn new(n: u32) -> Self {
        let [_, b, c, d] = n.to_be_bytes();
        Self { ip: IpAddr::from([10, b, c, d]), mark: None }
    }
}

pub(crate) fn builder() -> Builder {
    AuthManager::builder()
        .public_url("http://localhost:3000")
        .keys(KeyRing::new([std::array::from_fn(|at| at as u8 * 7)]).unwrap())
        .plugin(NoSessions::default())
        .plugin(Home::default())
}

impl World {
    pub(crate) async fn new(throttle: Throttle) -> Self {
        Self::configured(throttle, json!({})).await
    }

    /// With this section over what is set in code.
    pub(crate) async fn configured(throttle: Throttle, section: JsonValue) -> Self {
        let (store, clock) = (Faulty::new(MemoryStore::new()), TestClock::default());
        let builder = builder().store(store.clone()).clock(clock.clone()).rng(SeededRng::new(1)).plugin(throttle);
        let auth = builder.config(json!({ "throttle": section })).build().unwrap();
        auth.migrate().await.unwrap();
        Self { auth, store, clock }
    }

    pub(crate) fn cx(&self, browser: &Browser) -> RequestContext {
        let client = Client::default().ip(browser.ip);
        self.auth.request(match &browser.mark {
            Some(mark) => client.device(SecretText::new(mark.clone())),
            None => client,
        })
    }

    pub(crate) fn admin(&self) -> Arc<LockoutAdmin> {
        self.auth.capability().unwrap()
    }

    pub(crate) async fn add(&self, name: &str) -> PrincipalId {
        let cx = self.auth.request(Client::default());
        let principal = Principal::new(&cx, PrincipalKind::Human);
        let mut batch = Batch::new(&cx);
        batch.add_principal(&cx, &principal);
        cx.commit(Arranged, batch).await.unwrap();
        self.auth.capability::<Names>().unwrap().0.lock().unwrap().insert(name.to_owned(), principal.id);
        principal.id
    }

    /// Tries to sign in, a quarter of a minute after whatever was before.
    pub(crate) async fn tries(&self, browser: &mut Browser, name: &str, word: &str) -> Result<SignedIn, &'static str> {
        self.clock.advance(Duration::from_secs(15));
        let response = json!({ "name": name, "word": word });
        match self.cx(browser).sign_in(&METHOD, response).await {
            Ok(Progress::SignedIn(signed_in)) => {
                browser.mark = signed_in.mark.as_ref().map(|mark| mark.text.expose().to_owned());
                Ok(*signed_in)
            }
            Ok(other) => panic!("more was demanded: {other:?}"),
            Err(error) => Err(error.code().code),
        }
    }
}

/// Finds principals by name, lets them prove themselves by a word, and keeps no session.
#[derive(Default)]
struct Home {
    names: Arc<Names>,
}

#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<String, PrincipalId>>);

impl Plugin for Home {
    fn manifest(&self) -> Manifest {
        Manifest::new("home", "0.0.0").event::<Arranged>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.user_store(self.names.clone());
        registrar.provide(self.names.clone());
        registrar.identifier_kind(Arc::new(Name));
        registrar.verifier(Arc::new(Words));
        Ok(())
    }
}

struct Name;

impl IdentifierKind for Name {
    fn kind(&self) -> &'static str {
        "name"
    }

    fn canonical(&self, text: &str) -> Option<String> {
        (!text.is_empty()).then(|| text.to_lowercase())
    }
}

#[async_trait]
impl UserStore for Names {
    async fn find(&self, cx: &RequestContext, identifier: &Identifier) -> Result<Option<Principal>, AuthError> {
        let id = self.0.lock().unwrap().get(&identifier.canonical).copied();
        cx.principal(id.unwrap_or(Id::NIL.into())).await
    }

    fn insert(&self, _: &RequestContext, _: &Principal, _: &[Identifier], _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&codes::INTERNAL))
    }
}

struct Words;

#[derive(Deserialize, JsonSchema)]
struct Answer {
    name: Option<String>,
    word: String,
}

impl CredentialVerifier for Words {
    type Begin = ();
    type State = ();
    type Response = Answer;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, answer: &'r Answer) -> Option<&'r str> {
        answer.name.as_deref()
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, answer: Answer) -> Result<Verdict, AuthError> {
        let principal = match (cx.principal, cx.identifier) {
            (Some(bound), _) => Some(bound.clone()),
            (None, Some(identifier)) => cx.find_principal(identifier).await?,
            (None, None) => None,
        };
        match (principal, answer.word.as_str()) {
            (_, LATER) => Err(AuthError::new(&codes::UNAVAILABLE)),
            (Some(principal), RIGHT) => {
                let evidence = Evidence::new(METHOD, Factors::KNOWLEDGE, cx.now(), principal.epoch);
                Ok(Verdict::Proven { principal, evidence })
            }
            _ => Err(AuthError::new(&codes::REJECTED)),
        }
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&codes::INTERNAL))
    }
}

/// A test arranged something.
#[derive(Serialize)]
struct Arranged;

impl AuditEvent for Arranged {
    const KIND: &'static str = "arranged";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}
