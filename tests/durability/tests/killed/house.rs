//! The application, and what is read of its database around it.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use authkit_account::{AccountAdmin, Accounts};
use authkit_core::{
    At, AuthManager, Batch, Client, Clock as _, Direction, Id, KeyRing, MethodId, Principal, PrincipalKind, Progress,
    Query, Scope, SessionId, Shape, SignedIn, Store as _, TenantId, Value, codes,
};
use authkit_session::Sessions;
use authkit_store_sqlx::{SqlxConfig, SqlxStore};
use authkit_testkit::{TestClock, TestSignIn};
use serde_json::{Value as JsonValue, json};

use crate::{
    Outcome,
    vouchers::{Purse, Voucher, VoucherId, VoucherSpent, Vouchers, VouchersMade},
};

/// How many connections write: one for each spender and each family.
pub(crate) const WRITERS: usize = 6;

/// The application over one server, which it does not know to die.
pub(crate) struct House {
    auth: AuthManager,
    purse: Arc<Purse>,
    principal: Principal,
    number: AtomicI64,
    clock: TestClock,
    /// Connections of its own.
    around: SqlxStore,
}

/// One client that refreshes.
pub(crate) struct Family {
    pub(crate) session: SessionId,
    /// The newest refresh token that it knows.
    pub(crate) token: String,
    /// How often it got an answer.
    pub(crate) answered: i64,
}

impl House {
    pub(crate) async fn new(url: &str) -> Self {
        let config = || SqlxConfig::new(url).busy_timeout(Duration::from_secs(5)).writers(WRITERS);
        let connect = || SqlxStore::connect_with(config());
        let (store, around) = (connect().await.expect("a store"), connect().await.expect("a store"));
        let secret = std::array::from_fn(|at| (at as u8).wrapping_mul(29).wrapping_add(7));
        let clock = TestClock::default();
        let auth = AuthManager::builder()
            .clock(clock.clone())
            .public_url("http://localhost:3000")
            .keys(KeyRing::new([secret]).expect("a good key"))
            .store(store)
            .plugin(Accounts::default())
            .plugin(Sessions::jwt())
            .plugin(TestSignIn::default())
            .plugin(Vouchers)
            .build()
            .expect("a complete setup");
        auth.migrate().await.expect("migrations");
        let admin = auth.capability::<AccountAdmin>().expect("accounts");
        let cx = auth.request(Client::default());
        let principal = admin.seed(&cx, PrincipalKind::Human, "ada@example.com").await.expect("an account");
        let purse = auth.capability::<Purse>().expect("vouchers");
        Self { auth, purse, principal, number: AtomicI64::new(0), clock, around }
    }

    pub(crate) async fn make_vouchers(&self, count: usize) -> Arc<Vec<VoucherId>> {
        let cx = self.auth.request(Client::default());
        let mut batch = Batch::new(&cx);
        let mut made = Vec::new();
        for _ in 0..count {
            let id: VoucherId = cx.new_id();
            batch.insert(&self.purse.0, Voucher { id, number: self.number.fetch_add(1, Ordering::SeqCst) });
            made.push(id);
        }
        cx.commit(VouchersMade, batch).await.expect("vouchers");
        Arc::new(made)
    }

    pub(crate) async fn spend(&self, voucher: VoucherId) -> Outcome<()> {
        let cx = self.auth.request(Client::default());
        let mut batch = Batch::new(&cx);
        batch.take(&self.purse.0, At::id(voucher), []).or(&codes::NOT_FOUND);
        cx.commit(VoucherSpent { voucher }, batch).await.map(drop)
    }

    pub(crate) async fn sign_in(&self) -> Family {
        let cx = self.auth.request(Client::default().bearer());
        let response = json!({ "principal": self.principal.id });
        let progress = cx.sign_in(&MethodId::from_static("testkit"), response).await.expect("a session");
        let Progress::SignedIn(signed_in) = progress else { panic!("more was demanded") };
        Family { session: signed_in.session.id, token: refresh_token(&signed_in), answered: 0 }
    }

    /// Refreshes, so long after the time before that the token is followed by another.
    pub(crate) async fn refresh(&self, token: &str) -> Outcome<String> {
        self.clock.advance(Duration::from_secs(11));
        let cx = self.auth.request(Client::default().bearer());
        cx.refresh(token).await.map(|signed_in| refresh_token(&signed_in))
    }

    /// Asks until the application has found its way back to the server.
    #[expect(clippy::disallowed_methods, reason = "a server is waited for, which has a clock of its own")]
    pub(crate) async fn revived(&self) {
        for _ in 0..200 {
            let cx = self.auth.request(Client::default());
            if cx.principal(self.principal.id).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the application does not find the server that came back");
    }

    /// Whoever was told that he spent a voucher was the only one, and there is one record of each that is gone.
    pub(crate) async fn check_vouchers(&self, vouchers: &[VoucherId], spent: &[usize]) {
        let left = self.rows("test_vouchers", &["id"]).await;
        let mut records: BTreeMap<String, usize> = BTreeMap::new();
        for data in self.records("voucher_spent").await {
            *records.entry(data["voucher"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        for (voucher, spent) in vouchers.iter().zip(spent) {
            let is_left = left.iter().any(|row| row == &[Value::Id((*voucher).into())]);
            let recorded = records.get(&voucher.to_string()).copied().unwrap_or(0);
            assert!(*spent <= 1, "{voucher} was spent {spent} times");
            assert_eq!(recorded, usize::from(!is_left), "{voucher}: left {is_left}, {recorded} records");
            assert!(*spent <= recorded, "{voucher} was spent, and the server has lost it");
        }
    }

    /// The number of each family is that of its records, and no answer is missing.
    pub(crate) async fn check_families(&self, families: &[Family]) {
        let sessions = self.rows("auth_sessions", &["id", "refreshes"]).await;
        let mut records: BTreeMap<Id, [i64; 2]> = BTreeMap::new();
        for row in self.rows("auth_audit_log", &["kind", "session_id", "data"]).await {
            let [Value::Text(kind), Value::Id(session), Value::Json(data)] = row.as_slice() else { continue };
            if kind == "token_refreshed" {
                let data: JsonValue = serde_json::from_str(data).expect("JSON");
                records.entry(*session).or_default()[usize::from(data["again"] == true)] += 1;
            }
        }
        for family in families {
            let id: Id = family.session.into();
            let row = sessions.iter().find(|row| row.first() == Some(&Value::Id(id))).expect("the session is there");
            let Some(Value::Int(refreshes)) = row.get(1) else { panic!("a number of refreshes: {row:?}") };
            let [steps, again] = records.get(&id).copied().unwrap_or_default();
            assert_eq!(*refreshes, steps, "number and records of a family");
            assert!(family.answered <= steps + again, "{} answers, {steps} + {again} records", family.answered);
        }
    }

    async fn records(&self, kind: &str) -> Vec<JsonValue> {
        let rows = self.rows("auth_audit_log", &["kind", "data"]).await.into_iter();
        let of_kind = rows.filter(|row| row.first() == Some(&Value::Text(kind.to_owned())));
        of_kind
            .filter_map(
                |row| if let Some(Value::Json(data)) = row.get(1) { serde_json::from_str(data).ok() } else { None },
            )
            .collect()
    }

    async fn rows(&self, table: &str, columns: &[&str]) -> Vec<Vec<Value>> {
        let defs = self.auth.entities();
        let def = defs.iter().find(|def| def.table == table).expect("a table of that name");
        let columns = columns.iter().filter_map(|name| def.columns.iter().position(|column| column.name == *name));
        let shape = Shape { def: def.clone(), columns: columns.collect(), join: None };
        let query = Query {
            shape: Arc::new(shape),
            index: 0,
            prefix: Vec::new(),
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            filters: Vec::new(),
            direction: Direction::Ascending,
            after: None,
            limit: 1_000_000,
            now: self.clock.now(),
        };
        let rows = self.around.query(&Scope::Tenant(TenantId::DEFAULT), &query).await.expect("rows");
        rows.into_iter().map(|row| row.values).collect()
    }
}

fn refresh_token(signed_in: &SignedIn) -> String {
    signed_in.tokens.refresh.as_ref().expect("a refresh token").text.expose().to_owned()
}
