//! A setup with one method in it, and people who sign in.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use authkit_core::{
    AuthError, AuthManager, Challenge, Channel, Clock as _, Direction, Factors, Field as _, MethodId, MethodSchemas,
    OfferAction, PrincipalId, Progress, Query, RequestContext, Row, Scope, SecretText, Shape, Status, StoreError,
    TenantId, Value, codes,
};
use serde_json::{Value as JsonValue, json};

use super::watch::{OPENER, Seen, Watch};
use crate::{
    Counted, Fault, Faulty, Mailbox, TestClock,
    plugin_suite::{AnyPlugin, MakeStore, people, setup::Surroundings},
};

/// A setup with the method in it.
#[non_exhaustive]
pub struct World {
    /// The whole.
    pub auth: AuthManager,
    /// The time.
    pub clock: TestClock,
    /// What was sent to people.
    pub mailbox: Mailbox,
    pub(crate) store: Faulty<dyn authkit_core::Store>,
    method: MethodId,
    watch: Watch,
    requests: AtomicU32,
}

/// Somebody of a [`World`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Person {
    /// The identifier that leads to the principal, in every setup that has the testkit's own people.
    pub name: String,
    /// Who it is.
    pub principal: PrincipalId,
}

/// Somebody who has to answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Asked {
    /// The identifier under which the answer is given.
    pub name: String,
    /// What the method shows; null if it had nothing to begin.
    pub prompt: JsonValue,
    /// The flow in which the answer is given.
    flow: Option<SecretText>,
    /// Whether the method had anything to begin.
    pub(crate) begun: bool,
}

impl World {
    pub(crate) async fn new(store: MakeStore, plugin: AnyPlugin, method: MethodId) -> Self {
        let around = Surroundings::new(store).await;
        let watch = Watch::new(method.clone());
        let (_, auth) = around.complete(&[plugin, AnyPlugin::new(watch.clone())]);
        auth.migrate().await.expect("the migrations apply");
        let Surroundings { store, clock, mailbox } = around;
        Self { auth, clock, mailbox, store, method, watch, requests: AtomicU32::new(1) }
    }

    /// A request of a client that was never seen before.
    #[must_use]
    pub fn cx(&self) -> RequestContext {
        self.auth.request(people::client(self.requests.fetch_add(1, Ordering::Relaxed)))
    }

    /// Sets the method up for somebody by its enroller, inside a sign-in.
    ///
    /// It is begun, if there is anything to begin; `answer` is given what that shows.
    ///
    /// # Panics
    ///
    /// If it is refused, or if setting it up proves nothing.
    pub async fn enrol(&self, person: &Person, answer: impl FnOnce(&JsonValue) -> JsonValue) {
        let challenge = self.open(person).await;
        let offer = challenge.offers.iter().find(|offer| offer.method == self.method);
        let action = offer.map(|offer| offer.action);
        assert_eq!(action, Some(OfferAction::Enrol), "an enroller of the method is registered");
        let (flow, prompt) = self.begin_in(challenge).await;
        let prompt = prompt.unwrap_or_default();
        let done = self.cx().answer(flow.expose(), &self.method, answer(&prompt)).await;
        assert!(matches!(done, Ok(Progress::SignedIn(_))), "the method is set up and proved by that: {done:?}");
    }

    /// Adds somebody who can prove nothing yet.
    pub(crate) async fn add(&self, name: &str) -> Person {
        let principal = people::add(&self.auth, name).await;
        Person { name: name.to_owned(), principal: principal.id }
    }

    pub(crate) async fn disable(&self, person: &Person) {
        people::set_status(&self.auth, person.principal, Status::Disabled).await;
    }

    /// Lets the time pass in which a code that was used to enrol stays used.
    pub(crate) fn rest(&self) {
        self.clock.advance(Duration::from_secs(120));
    }

    /// Begins the method, if it has anything to begin, for whoever says to have this name.
    pub(crate) async fn ask(&self, cx: &RequestContext, name: &str, input: JsonValue) -> Result<Asked, AuthError> {
        match cx.begin(&self.method, input, None).await {
            Ok(challenge) => {
                let (flow, prompt) = self.shown(challenge).await;
                Ok(Asked { name: name.to_owned(), prompt, flow: Some(flow), begun: true })
            }
            Err(error) if *error.code() == codes::UNKNOWN_METHOD => {
                Ok(Asked { name: name.to_owned(), prompt: JsonValue::Null, flow: None, begun: false })
            }
            Err(error) => Err(error),
        }
    }

    /// Opens a flow that is bound to somebody, and asks for an answer under a name.
    pub(crate) async fn ask_further(&self, bound: &Person, name: &str) -> Asked {
        let challenge = self.open(bound).await;
        let offer = challenge.offers.iter().find(|offer| offer.method == self.method);
        let action = offer.map(|offer| offer.action);
        assert_eq!(action, Some(OfferAction::Verify), "whoever enrolled is offered to answer with it");
        let (flow, prompt) = self.begin_in(challenge).await;
        let begun = prompt.is_some();
        Asked { name: name.to_owned(), prompt: prompt.unwrap_or_default(), flow: Some(flow), begun }
    }

    /// The challenge that the testkit's own sign-in leads to.
    pub(crate) async fn open(&self, person: &Person) -> Challenge {
        match self.cx().sign_in(&OPENER, json!({ "principal": person.principal })).await {
            Ok(Progress::Challenged(challenge)) => challenge,
            other => panic!("the method is neither enrolled nor is there an enroller: {other:?}"),
        }
    }

    /// Begins the method in a flow, if it has anything to begin.
    async fn begin_in(&self, challenge: Challenge) -> (SecretText, Option<JsonValue>) {
        match self.cx().begin(&self.method, JsonValue::Null, Some(challenge.flow.expose())).await {
            Ok(begun) => {
                let (flow, prompt) = self.shown(begun).await;
                (flow, Some(prompt))
            }
            Err(error) if *error.code() == codes::UNKNOWN_METHOD => (challenge.flow, None),
            Err(error) => panic!("the method does not begin: {error:?}"),
        }
    }

    /// The flow and what the method shows in it, once what was to be sent is sent.
    async fn shown(&self, challenge: Challenge) -> (SecretText, JsonValue) {
        self.auth.run_due_jobs().await;
        let offer = challenge.offers.into_iter().find(|offer| offer.method == self.method);
        (challenge.flow, offer.map(|offer| offer.prompt).unwrap_or_default())
    }

    /// Gives an answer where it was asked for.
    pub(crate) async fn answer(&self, asked: &Asked, response: JsonValue) -> Result<Progress, AuthError> {
        self.answer_in(&self.cx(), asked, response).await
    }

    pub(crate) async fn answer_in(
        &self,
        cx: &RequestContext,
        asked: &Asked,
        response: JsonValue,
    ) -> Result<Progress, AuthError> {
        match &asked.flow {
            Some(flow) => cx.answer(flow.expose(), &self.method, response).await,
            None => cx.sign_in(&self.method, response).await,
        }
    }

    /// The same question in the same flow after a refusal, which changed its token.
    pub(crate) fn asked_again(&self, asked: &Asked, refused: &AuthError) -> Asked {
        let flow = refused.challenge().map(|challenge| SecretText::new(challenge.flow.expose().to_owned()));
        Asked { name: asked.name.clone(), prompt: asked.prompt.clone(), flow, begun: asked.begun }
    }

    /// How often the method was answered with success, setting it up included.
    pub(crate) async fn sign_ins(&self) -> usize {
        self.log().await.iter().filter(|(kind, _)| kind == "login_success").count()
    }

    /// What clients may send to begin the method, and to answer.
    pub(crate) fn schemas(&self) -> MethodSchemas {
        let own = self.auth.methods().find(|(method, _)| **method == self.method);
        own.map(|(_, schemas)| schemas).expect("the plugin verifies the method")
    }

    /// What somebody's enrolment promises: kinds of factor, channel, and whether an answer is bound to its origin.
    pub(crate) async fn promised(&self, person: &Person) -> (Factors, Option<Channel>, bool) {
        let def = self.auth.entities().iter().find(|def| def.table == "auth_enrolments").expect("enrolments");
        let rows = self.table(def).await.expect("rows are read");
        let read = |row: &Row, name| row.values[def.position(name).expect("a column of that name")].clone();
        let is_own = |row: &&Row| {
            read(row, "principal_id") == Value::Id(person.principal.into())
                && read(row, "method") == Value::Text(self.method.as_str().to_owned())
        };
        let row = rows.iter().find(is_own).expect("an enrolment");
        let factors = Factors::from_value(read(row, "factors")).expect("kinds of factor");
        let channel = Option::<Channel>::from_value(read(row, "channel")).expect("a channel");
        (factors, channel, read(row, "phishing_resistant") == Value::Bool(true))
    }

    /// What stages saw since this was asked last.
    pub(crate) fn seen(&self) -> Seen {
        self.watch.take()
    }

    /// Makes every call of the store wait once, so that whoever races meets everybody else.
    pub(crate) fn slow(&self) {
        for n in 1..=2000 {
            self.store.inject(Counted::Calls, n, Fault::Delayed(1));
        }
    }

    /// All rows of the default tenant that a method may have written, by table, as text.
    pub(crate) async fn rows(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut all = BTreeMap::new();
        for def in self.auth.entities() {
            let own = !CORE_RECORDS.contains(&def.table);
            if own {
                let rows = self.table(def).await.expect("rows are read");
                all.insert(def.table, rows.iter().map(|row| text(&row.values)).collect());
            }
        }
        all
    }

    /// Everything that is stored in the default tenant, as one text.
    pub(crate) async fn everything(&self) -> String {
        let mut all = String::new();
        for def in self.auth.entities() {
            for row in self.table(def).await.expect("rows are read") {
                all.push_str(&format!("{}: {}\n", def.table, text(&row.values)));
            }
        }
        all
    }

    /// What the log says happened: kind, and to whom.
    pub(crate) async fn log(&self) -> Vec<(String, Option<PrincipalId>)> {
        let def = self.auth.entities().iter().find(|def| def.table == "auth_audit_log").expect("a log");
        let (kind, principal) = (def.position("kind"), def.position("principal_id"));
        let rows = self.table(def).await.expect("rows are read");
        let entry = |row: &Row| {
            let value = |at: Option<usize>| at.and_then(|at| row.values.get(at));
            let principal = match value(principal) {
                Some(Value::Id(id)) => Some(PrincipalId::from(*id)),
                _ => None,
            };
            match value(kind) {
                Some(Value::Text(kind)) => (kind.clone(), principal),
                other => panic!("a kind of event is a text: {other:?}"),
            }
        };
        rows.iter().map(entry).collect()
    }

    async fn table(&self, def: &authkit_core::Def) -> Result<Vec<Row>, StoreError> {
        let query = Query {
            shape: Arc::new(Shape::whole(def)),
            index: 0,
            prefix: Vec::new(),
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            filters: Vec::new(),
            direction: Direction::Ascending,
            after: None,
            limit: 100_000,
            now: self.clock.now(),
        };
        self.store.inner().query(&Scope::Tenant(TenantId::DEFAULT), &query).await
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Where core writes on its own account, whatever a method does.
const CORE_RECORDS: [&str; 5] = ["auth_audit_log", "auth_counters", "auth_flows", "auth_jobs", "auth_outbox"];

/// Values as text; bytes as the text that they would be.
fn text(values: &[Value]) -> String {
    let shown = |value: &Value| match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Json(text) | Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    values.iter().map(shown).collect::<Vec<_>>().join(" | ")
}
