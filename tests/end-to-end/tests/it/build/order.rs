//! The order of registration means nothing: every permutation builds the same, and does the same.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use authkit_account::Accounts;
use authkit_core::{
    Admission, Aftermath, Attempt, AuditEntry, AuthError, AuthManager, BoxError, Client, Clock as _, Direction, End,
    FlowView, LoginFailure, Manifest, MethodId, Migration, Order, Plugin, Problem, Query, Registrar, RequestContext,
    Requirement, Scope, Shape, Signals, Stage, StageId, Store, Subscriber, TenantId,
};
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_store_memory::MemoryStore;
use authkit_store_sqlx::SqlxStore;
use authkit_testkit::{SeededRng, TestClock};
use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Request, header},
};
use end_to_end::{
    PASSWORD,
    proofs::{Note, Noted, Tick},
};
use serde_json::{Value as JsonValue, json};
use tower::ServiceExt as _;

use super::{keys, parts::operation, passwords};

/// What two test plugins saw, in order.
type Seen = Arc<Mutex<Vec<String>>>;

/// Provides something, owns a table, looks on and listens.
struct Giver(Seen);

/// Needs what [`Giver`] provides, and looks on after it, though its stage comes first by name.
struct Taker(Seen);

struct Gift;

/// A stage and a listener that write down what they see.
struct Witness {
    id: StageId,
    order: Order,
    seen: Seen,
}

impl Plugin for Giver {
    fn manifest(&self) -> Manifest {
        Manifest::new("giver", "0.1.0").creates::<Note>().event::<Noted>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let witness = Arc::new(Witness { id: "z-first", order: Order::ANY, seen: self.0.clone() });
        registrar.stage(witness.clone());
        registrar.subscribe::<LoginFailure>(witness);
        registrar.provide(Arc::new(Gift));
        registrar.operation(operation("/gifts"));
        Ok(())
    }
}

impl Plugin for Taker {
    fn manifest(&self) -> Manifest {
        Manifest::new("taker", "0.1.0").creates::<Tick>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let witness =
            Arc::new(Witness { id: "a-last", order: Order::after(&["z-first", "throttle"]), seen: self.0.clone() });
        registrar.stage(witness.clone());
        registrar.subscribe::<LoginFailure>(witness);
        registrar.require::<Gift>();
        registrar.operation(operation("/takes"));
        Ok(())
    }
}

impl Witness {
    fn note(&self, what: &str) {
        self.seen.lock().unwrap().push(format!("{} {what}", self.id));
    }
}

#[async_trait]
impl Stage for Witness {
    fn id(&self) -> StageId {
        self.id
    }

    fn order(&self) -> Order {
        self.order
    }

    async fn admit(&self, _: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> {
        self.note("admits");
        Ok(Admission::Pass(Vec::new()))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, signals: &mut Signals) -> Result<(), AuthError> {
        signals.add(self.id, 1);
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(Requirement::none())
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        self.note("looks back");
        Ok(())
    }
}

#[async_trait]
impl Subscriber for Witness {
    async fn notice(&self, _: &RequestContext, entry: &AuditEntry) -> Result<(), BoxError> {
        self.note(&entry.kind);
        Ok(())
    }
}

/// A whole application whose plugins were added in one order, with a time and a chance of its own.
struct Assembled {
    auth: AuthManager,
    store: Arc<dyn Store>,
    clock: TestClock,
    seen: Seen,
}

impl Assembled {
    fn new(order: &[usize], store: Arc<dyn Store>) -> Self {
        let (clock, seen) = (TestClock::default(), Seen::default());
        let builder = AuthManager::builder()
            .public_url("http://localhost:3000")
            .keys(keys())
            .shared_store(store.clone())
            .clock(clock.clone())
            .rng(SeededRng::new(7));
        let builder = order.iter().fold(builder, |builder, plugin| match plugin {
            0 => builder.plugin(Accounts::default()),
            1 => builder.plugin(Sessions::opaque()),
            2 => builder.plugin(passwords()),
            3 => builder.plugin(Throttle::default()),
            4 => builder.plugin(Giver(seen.clone())),
            _ => builder.plugin(Taker(seen.clone())),
        });
        let auth = builder.build().unwrap();
        Self { auth, store, clock, seen }
    }

    /// All that can be told of the application without running it.
    fn declared(&self) -> [String; 5] {
        let auth = &self.auth;
        let route =
            |o: &authkit_core::Operation| format!("{o:?} {:?} {} {:?} {:?}", o.access, o.summary, o.input, o.output);
        let routes: Vec<String> = auth.operations().iter().map(route).collect();
        let steps: Vec<String> = auth.migrations().iter().map(Migration::checksum).collect();
        let methods: Vec<String> = auth
            .methods()
            .chain(auth.enrollable_methods())
            .map(|(method, schemas)| format!("{method} {schemas:?}"))
            .collect();
        [
            routes.join("\n"),
            steps.join("\n"),
            format!("{:#?}", auth.entities()),
            auth.migration_sql(),
            methods.join("\n"),
        ]
    }

    /// Every row of a table, as text.
    async fn rows(&self, table: &str) -> String {
        let def = self.auth.entities().iter().find(|def| def.table == table).unwrap();
        let query = Query {
            shape: Arc::new(Shape::whole(def)),
            index: 0,
            prefix: Vec::new(),
            from: std::ops::Bound::Unbounded,
            to: std::ops::Bound::Unbounded,
            filters: Vec::new(),
            direction: Direction::Ascending,
            after: None,
            limit: 1000,
            now: self.clock.now(),
        };
        let rows = self.store.query(&Scope::Tenant(TenantId::DEFAULT), &query).await.unwrap();
        format!("{table}: {rows:?}")
    }

    /// Sends a request; says what was answered, headers and all.
    async fn post(&self, path: &str, body: JsonValue) -> String {
        let mut request = Request::post(path)
            .header(header::ORIGIN, "http://localhost:3000")
            .header("sec-fetch-site", "same-origin")
            .header("x-request-id", "the-same")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        request.extensions_mut().insert(ConnectInfo(std::net::SocketAddr::from(([203, 0, 113, 5], 4711))));
        let router = authkit_axum::router(&self.auth).layer(authkit_axum::layer(&self.auth));
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        format!("{} {:?} {}", parts.status, parts.headers, String::from_utf8_lossy(&body))
    }
}

/// Every order of six plugins, in the order of the alphabet.
fn orders() -> Vec<Vec<usize>> {
    fn extend(order: &[usize], all: &mut Vec<Vec<usize>>) {
        if order.len() == 6 {
            all.push(order.to_vec());
        }
        for next in (0..6).filter(|next| !order.contains(next)) {
            extend(&[order, &[next]].concat(), all);
        }
    }
    let mut all = Vec::new();
    extend(&[], &mut all);
    all
}

#[tokio::test]
async fn every_order_of_registration_declares_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display());
    let store: Arc<dyn Store> = Arc::new(SqlxStore::connect(&url).await.unwrap());
    let orders = orders();
    assert_eq!(orders.len(), 720);
    let first = Assembled::new(&orders[0], store.clone()).declared();
    assert!(first.iter().all(|part| !part.is_empty()), "{first:?}");
    for order in &orders {
        assert_eq!(Assembled::new(order, store.clone()).declared(), first, "{order:?}");
    }
}

#[tokio::test]
async fn every_order_of_registration_runs_the_same_stages_and_limits() {
    let mut first: Option<(Vec<String>, String)> = None;
    for order in orders() {
        let app = Assembled::new(&order, Arc::new(MemoryStore::new()));
        app.auth.migrate().await.unwrap();
        let cx = app.auth.request(Client::default().ip([203, 0, 113, 5]));
        let guess = json!({ "identifier": "ada@example.com", "password": "a guess" });
        cx.sign_in(&MethodId::from_static("password"), guess).await.unwrap_err();
        let seen = app.seen.lock().unwrap().clone();
        let ran = (seen, app.rows("auth_counters").await);
        let first = first.get_or_insert_with(|| ran.clone());
        assert_eq!(ran, *first, "{order:?}");
    }
    let (seen, counters) = first.unwrap();
    assert_eq!(seen, ["z-first admits", "a-last admits", "z-first looks back", "a-last looks back"]);
    assert!(counters.contains("Row"), "{counters}");
}

#[tokio::test]
async fn some_orders_of_registration_answer_and_record_the_same_to_the_byte() {
    let mut first: Option<(Vec<String>, Vec<String>)> = None;
    for order in orders().iter().step_by(97) {
        let app = Assembled::new(order, Arc::new(MemoryStore::new()));
        app.auth.migrate().await.unwrap();
        let (right, wrong) = (
            json!({ "identifier": "ada@example.com", "password": PASSWORD }),
            json!({ "identifier": "ada@example.com", "password": "a guess" }),
        );
        let mut answers = vec![app.post("/v1/auth/signup", right.clone()).await];
        answers.push(app.post("/v1/auth/login", wrong.clone()).await);
        answers.push(app.post("/v1/auth/login", right.clone()).await);
        for _ in 0..6 {
            answers.push(app.post("/v1/auth/login", wrong.clone()).await);
        }
        app.auth.run_due_jobs().await;
        let mut kept = app.seen.lock().unwrap().clone();
        for table in app.auth.entities().iter().filter(|def| def.reach == authkit_core::Reach::Tenant) {
            kept.push(app.rows(table.table).await);
        }
        let ran = (answers, kept);
        let first = first.get_or_insert_with(|| ran.clone());
        assert_eq!(ran, *first, "{order:?}");
    }
    let (answers, kept) = first.unwrap();
    let statuses: Vec<&str> = answers.iter().map(|answer| &answer[..3]).collect();
    assert_eq!(statuses[..3], ["201", "401", "200"], "{answers:#?}");
    assert_eq!(statuses.last(), Some(&"429"), "{answers:#?}");
    for heard in ["z-first login_failure", "a-last login_failure"] {
        assert!(kept.iter().any(|seen| seen == heard), "{kept:#?}");
    }
    for kind in ["signup", "login_failure", "login_success", "rate_limited"] {
        assert!(kept.iter().any(|row| row.starts_with("auth_audit_log") && row.contains(kind)), "{kind}: {kept:#?}");
    }
}
