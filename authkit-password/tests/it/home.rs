//! The least application that passwords can live in, with everything that the tests ask of it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use authkit_core::{
    About, Act, At, AuditEvent, AuthError, AuthManager, Batch, Call, Client, Collection, Def, Entity, Get, Identifier,
    IdentifierKind, JoinedReader, KeyRing, Lookup, Manifest, MethodId, Op, Outcome, Plugin, Principal, PrincipalId,
    PrincipalKind, PrincipalRow, Problem, Progress, Registrar, Reply, RequestContext, Scope, Session, Set, Shape,
    SignUp, SignedIn, Status, Store, TenantId, UserStore, Value, Write, codes, id_type,
};
use authkit_password::Passwords;
use authkit_store_memory::MemoryStore;
use authkit_testkit::{Faulty, NoSessions, SeededRng, TestClock};
use serde::Serialize;
use serde_json::{Value as JsonValue, json};

pub(crate) const METHOD: MethodId = MethodId::from_static("password");
pub(crate) const PASSWORD: &str = "velvet anchor 61 plum";
pub(crate) const OTHER: &str = "marble kettle 28 finch";

/// An application with somebody in it.
pub(crate) struct World {
    pub(crate) auth: AuthManager,
    pub(crate) store: Faulty<MemoryStore>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(MemoryStore::new(), cheap()).await
    }

    pub(crate) async fn over(store: MemoryStore, passwords: Passwords) -> Self {
        let store = Faulty::new(store);
        let auth = AuthManager::builder()
            .public_url("http://localhost:3000")
            .keys(KeyRing::new([std::array::from_fn(|at| at as u8 * 7)]).unwrap())
            .store(store.clone())
            .clock(TestClock::default())
            .rng(SeededRng::new(WORLDS.fetch_add(1, Ordering::Relaxed)))
            .plugin(NoSessions::default())
            .plugin(Home)
            .plugin(passwords)
            .build()
            .unwrap();
        auth.migrate().await.unwrap();
        Self { auth, store }
    }

    pub(crate) fn cx(&self) -> RequestContext {
        self.auth.request(Client::default())
    }

    pub(crate) async fn sign_up(&self, name: &str, password: &str) -> Result<Principal, AuthError> {
        let cx = self.cx();
        let sign_up = SignUp {
            principal: Principal::new(&cx, PrincipalKind::Human),
            identifiers: vec![cx.identifier(name).unwrap()],
            method: METHOD,
            response: json!({ "password": password }),
            batch: Batch::new(&cx),
        };
        cx.sign_up(sign_up).await
    }

    pub(crate) async fn answer(&self, response: JsonValue) -> Result<SignedIn, AuthError> {
        match self.cx().sign_in(&METHOD, response).await? {
            Progress::SignedIn(signed_in) => Ok(*signed_in),
            other => panic!("more was demanded: {other:?}"),
        }
    }

    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Result<Session, AuthError> {
        let response = json!({ "identifier": name, "password": password });
        self.answer(response).await.map(|signed_in| signed_in.session)
    }

    pub(crate) async fn change(&self, session: &Session, current: &str, new: &str) -> Result<Reply, AuthError> {
        let operation = self.auth.operations().iter().find(|o| o.path == "/account/change-password").unwrap();
        let input = json!({ "current_password": current, "new_password": new });
        operation.call(Call { cx: self.cx(), session: Some(session.clone()), input, path: Vec::new() }).await
    }

    /// Adds somebody who has no password, in this status.
    pub(crate) async fn add(&self, name: &str, status: Status) -> Principal {
        let cx = self.cx();
        let mut principal = Principal::new(&cx, PrincipalKind::Human);
        principal.status = status;
        self.insert(&cx, name, principal, |_, _| {}).await
    }

    /// Adds somebody, and whatever else belongs to the commit.
    pub(crate) async fn arrange(
        &self,
        name: &str,
        also: impl FnOnce(&RequestContext, &Principal, &mut Batch),
    ) -> Principal {
        let cx = self.cx();
        let principal = Principal::new(&cx, PrincipalKind::Human);
        self.insert(&cx, name, principal, |principal, batch| also(&cx, principal, batch)).await
    }

    async fn insert(
        &self,
        cx: &RequestContext,
        name: &str,
        principal: Principal,
        also: impl FnOnce(&Principal, &mut Batch),
    ) -> Principal {
        let mut batch = Batch::new(cx);
        batch.add_principal(cx, &principal);
        also(&principal, &mut batch);
        let names = self.auth.capability::<Names>().unwrap();
        names.insert(cx, &principal, &[cx.identifier(name).unwrap()], &mut batch).unwrap();
        cx.commit(Arranged, batch).await.unwrap();
        principal
    }

    /// Disables somebody.
    pub(crate) async fn disable(&self, principal: &Principal) {
        let cx = self.cx();
        let mut batch = Batch::new(&cx);
        batch.set_status(&cx, principal, Status::Disabled);
        cx.commit(Arranged, batch).await.unwrap();
    }

    /// The stored hash of a principal's password.
    pub(crate) async fn stored_hash(&self, principal: PrincipalId) -> Option<String> {
        let get = Get { shape: Arc::new(Shape::whole(&passwords())), at: of(principal), now: self.cx().now() };
        let row = self.store.inner().get(&SCOPE, &get).await.unwrap()?;
        match row.values.get(HASH) {
            Some(Value::Text(hash)) => Some(hash.clone()),
            other => panic!("no hash: {other:?}"),
        }
    }

    /// Overwrites the stored hash of a principal's password, as nothing but a fault would.
    pub(crate) async fn spoil_hash(&self, principal: PrincipalId, text: &str) {
        let set = vec![Set::To(HASH, Value::Text(text.to_owned()))];
        let op = Op { def: passwords(), write: Write::Update { at: of(principal), guards: Vec::new(), set } };
        self.store.inner().commit(&SCOPE, &[op], self.cx().now()).await.unwrap();
    }
}

/// Passwords whose hashes take microseconds.
pub(crate) fn cheap() -> Passwords {
    Passwords::default().dangerously_weak_hashing().service_name("Roadrunner")
}

/// The public code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, AuthError>) -> &'static str {
    outcome.unwrap_err().code().code
}

/// The fields of a refusal, and what is said of them.
pub(crate) fn told(error: &AuthError) -> Vec<(&str, &str)> {
    error.fields().iter().map(|field| (field.field, field.message.as_str())).collect()
}

/// Two worlds over one store must not draw the same ids.
static WORLDS: AtomicU64 = AtomicU64::new(1);

const SCOPE: Scope = Scope::Tenant(TenantId::DEFAULT);
const HASH: usize = 2;

fn passwords() -> Def {
    let def = cheap().manifest().entities.remove(0);
    assert_eq!(def.position("hash"), Some(HASH));
    def
}

fn of(principal: PrincipalId) -> Lookup {
    Lookup { index: 1, key: vec![Value::Id(principal.into())] }
}

/// Finds principals by name, and lets sessions live nowhere.
struct Home;

impl Plugin for Home {
    fn manifest(&self) -> Manifest {
        Manifest::new("home", "0.0.0").creates::<NameRow>().event::<Arranged>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let rows: Collection<NameRow> = registrar.collection()?;
        let principal = (PrincipalRow::kind, PrincipalRow::status, PrincipalRow::epoch);
        let via = NameRow::principal_id;
        let lookup = rows.joined_reader((via,), via, &registrar.principals(), principal);
        let names = Arc::new(Names { rows, lookup });
        registrar.user_store(names.clone());
        registrar.provide(names);
        registrar.identifier_kind(Arc::new(Name));
        Ok(())
    }
}

struct Name;

impl IdentifierKind for Name {
    fn kind(&self) -> &'static str {
        "name"
    }

    fn canonical(&self, text: &str) -> Option<String> {
        (!text.is_empty() && text.is_ascii()).then(|| text.to_lowercase())
    }
}

id_type! {
    struct NameId;
}

#[derive(Entity)]
#[entity(table = "home_names", durable, unique(by_name: name), references(principal_id -> auth_principals))]
struct NameRow {
    id: NameId,
    name: String,
    principal_id: PrincipalId,
}

pub(crate) struct Names {
    rows: Collection<NameRow>,
    lookup: NameLookup,
}

type Column<E, T> = authkit_core::Column<E, T>;
type NameLookup = JoinedReader<
    NameRow,
    (Column<NameRow, PrincipalId>,),
    PrincipalRow,
    (Column<PrincipalRow, PrincipalKind>, Column<PrincipalRow, Status>, Column<PrincipalRow, i64>),
>;

#[async_trait]
impl UserStore for Names {
    async fn find(&self, cx: &RequestContext, identifier: &Identifier) -> Result<Option<Principal>, AuthError> {
        let found = self.lookup.get(cx, At::key(NameRow::by_name, (identifier.canonical.clone(),))).await?;
        Ok(found.map(|((id,), (kind, status, epoch))| Principal::read(id, kind, status, epoch)))
    }

    fn insert(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        identifiers: &[Identifier],
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        for identifier in identifiers {
            let row = NameRow { id: cx.new_id(), name: identifier.canonical.clone(), principal_id: principal.id };
            batch.insert(&self.rows, row).or(&codes::CONFLICT);
        }
        Ok(())
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
