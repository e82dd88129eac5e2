//! The least application that accounts can live in: nothing but fobs proves anything.

use std::{ops::Bound, sync::Arc};

use authkit_account::{AccountAdmin, AccountImport, Accounts, ImportRun, ImportTotals, RefusedRow};
use authkit_core::{
    Ability, About, Act, At, AuditEvent, AuthError, AuthManager, Batch, Client, Collection, CredentialImporter,
    CredentialVerifier, Direction, Effect, Entity, Factors, KeyRing, Manifest, MethodId, Outcome, Plugin, Principal,
    PrincipalId, PrincipalRow, Problem, Prompt, Query, ReadOnly, Registrar, RequestContext, Scope, Shape, StepContext,
    Store, TenantId, Timestamp, Value, Verdict, codes, id_type,
};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{Faulty, NoSessions, SeededRng, TestClock};
use serde::{Deserialize, Serialize};

/// An application with nobody in it.
pub(crate) struct World {
    pub(crate) auth: AuthManager,
    pub(crate) store: Faulty<dyn Store>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new())).await
    }

    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        let store = Faulty::over(store);
        let auth = AuthManager::builder()
            .public_url("http://localhost:3000")
            .keys(KeyRing::new([std::array::from_fn(|at| u8::try_from(at * 7).unwrap())]).unwrap())
            .store(store.clone())
            .clock(TestClock::default())
            .rng(SeededRng::new(1))
            .plugin(NoSessions::default())
            .plugin(Accounts::default())
            .plugin(Fobs)
            .build()
            .unwrap();
        auth.migrate().await.unwrap();
        Self { auth, store }
    }

    pub(crate) fn cx(&self) -> RequestContext {
        self.auth.request(Client::default())
    }

    pub(crate) fn cx_of(&self, tenant: TenantId) -> RequestContext {
        self.auth.request_to(tenant, Client::default())
    }

    pub(crate) fn accounts(&self) -> Arc<AccountAdmin> {
        self.auth.capability().unwrap()
    }

    pub(crate) fn imports(&self) -> Arc<AccountImport> {
        self.auth.capability().unwrap()
    }

    /// Imports a file in one piece.
    pub(crate) async fn import(&self, file: &[u8]) -> Result<Report, AuthError> {
        self.pass(self.imports().begin(), file).await
    }

    pub(crate) async fn dry_run(&self, file: &[u8]) -> Result<Report, AuthError> {
        self.pass(self.imports().begin_dry_run(), file).await
    }

    async fn pass(&self, mut run: ImportRun, file: &[u8]) -> Result<Report, AuthError> {
        let mut refused = run.feed(&self.cx(), file).await?;
        refused.extend(run.finish(&self.cx()).await?);
        Ok(Report { refused, totals: run.totals() })
    }

    pub(crate) async fn find(&self, identifier: &str) -> Option<Principal> {
        self.accounts().find(&self.cx(), identifier).await.unwrap()
    }

    pub(crate) async fn created_at(&self, principal: PrincipalId) -> Timestamp {
        let principals: Arc<ReadOnly<PrincipalRow>> = self.auth.capability().unwrap();
        principals.get(&self.cx(), At::id(principal)).await.unwrap().unwrap().created_at
    }

    /// The kinds of the records about somebody.
    pub(crate) async fn records_of(&self, principal: PrincipalId) -> Vec<String> {
        let def = self.auth.entities().iter().find(|def| def.table == "auth_audit_log").unwrap();
        let index = def.indexes.iter().position(|index| index.name == "by_principal").unwrap();
        let query = Query {
            shape: Arc::new(Shape::whole(def)),
            index,
            prefix: vec![Value::Id(principal.into())],
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            filters: Vec::new(),
            direction: Direction::Ascending,
            after: None,
            limit: 100,
            now: self.cx().now(),
        };
        let rows = self.store.inner().query(&Scope::Tenant(TenantId::DEFAULT), &query).await.unwrap();
        let kind = def.position("kind").unwrap();
        let text = |value: Option<&Value>| match value {
            Some(Value::Text(text)) => text.clone(),
            other => panic!("no kind: {other:?}"),
        };
        rows.iter().map(|row| text(row.values.get(kind))).collect()
    }

    pub(crate) async fn remove(&self, principal: &Principal) {
        let cx = self.cx();
        let mut batch = Batch::new(&cx);
        batch.remove_principal(&cx, principal);
        cx.commit(Arranged, batch).await.unwrap();
    }

    /// The serial number of somebody's fob.
    pub(crate) async fn fob(&self, principal: PrincipalId) -> Option<String> {
        let fobs: Arc<Collection<FobRow>> = self.auth.capability().unwrap();
        fobs.get(&self.cx(), At::key(FobRow::by_principal, (principal,))).await.unwrap().map(|row| row.serial)
    }
}

/// What an import came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) refused: Vec<RefusedRow>,
    pub(crate) totals: ImportTotals,
}

impl Report {
    pub(crate) fn numbers(&self) -> [u64; 3] {
        [self.totals.imported, self.totals.present, self.totals.refused]
    }

    /// Lines and codes of what was refused.
    pub(crate) fn codes(&self) -> Vec<(u64, &'static str)> {
        self.refused.iter().map(|row| (row.line, row.code)).collect()
    }
}

const FOB: MethodId = MethodId::from_static("fob");

struct Fobs;

impl Plugin for Fobs {
    fn manifest(&self) -> Manifest {
        Manifest::new("fob", "0.0.0").creates::<FobRow>().event::<Arranged>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let fobs: Collection<FobRow> = registrar.collection()?;
        registrar.verifier(Arc::new(FobVerifier));
        registrar.importer(Arc::new(FobImporter(fobs.clone())));
        registrar.provide(Arc::new(fobs));
        let principals = registrar.principals();
        registrar.provide(Arc::new(principals));
        Ok(())
    }
}

id_type! {
    struct FobId;
}

#[derive(Entity)]
#[entity(
    table = "fobs",
    durable,
    unique(by_principal: principal_id),
    unique(by_serial: serial),
    references(principal_id -> auth_principals)
)]
struct FobRow {
    id: FobId,
    principal_id: PrincipalId,
    serial: String,
}

struct FobImporter(Collection<FobRow>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fob {
    serial: String,
}

impl CredentialImporter for FobImporter {
    type Given = Fob;

    fn method(&self) -> MethodId {
        FOB
    }

    fn import(&self, cx: &RequestContext, to: &Principal, fob: Fob, batch: &mut Batch) -> Result<(), AuthError> {
        // Something is in the batch already when it refuses.
        batch.add_enrolment(cx, to, Ability::new(FOB, Factors::POSSESSION));
        if fob.serial.len() > 12 {
            return Err(AuthError::new(&codes::INVALID_INPUT).field("fob", "The serial is too long."));
        }
        let row = FobRow { id: cx.new_id(), principal_id: to.id, serial: fob.serial };
        batch.insert(&self.0, row).or(&codes::CONFLICT);
        Ok(())
    }
}

struct FobVerifier;

impl CredentialVerifier for FobVerifier {
    type Begin = ();
    type State = ();
    type Response = ();

    fn method(&self) -> MethodId {
        FOB
    }

    fn hint<'r>(&self, (): &'r ()) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, _: &mut StepContext<'_>, _: Option<()>, (): ()) -> Result<Verdict, AuthError> {
        Err(AuthError::new(&codes::REJECTED))
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
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
