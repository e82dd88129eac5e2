//! Sinks for records: one that has to agree before anything is granted, one that is told, one that listens to an event.

use std::{
    collections::BTreeSet,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use authkit_account::AccountAdmin;
use authkit_core::{
    Ability, About, Act, AuditEntry, AuditEvent, AuditLogger, Batch, BoxError, Factors, Id, LoggerRole, LoginFailure,
    Manifest, MethodId, Outcome, Plugin, Principal, PrincipalKind, Problem, Registrar, RequestContext, SecretText,
    Settlement, Subscriber, TenantId, codes,
};
use authkit_password::PasswordAdmin;
use authkit_risk::Throttle;
use authkit_testkit::{Answer, Counted, Fault};
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde::Serialize;
use serde_json::{Value as JsonValue, json};
use tokio::sync::Notify;

/// A logger that does as it is told, and remembers what it heard. Clones are the same one.
#[derive(Clone)]
struct Ledger(Arc<State>);

struct State {
    id: &'static str,
    role: LoggerRole,
    mood: Mutex<Mood>,
    heard: Mutex<Vec<(Heard, AuditEntry)>>,
    waits: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Keeps everything.
    Well,
    /// Refuses what it is asked.
    Refuses,
    /// Does not answer when it is asked.
    Hangs,
    /// Fails when it is told.
    Fails,
    /// Does not come back when it is told.
    Sticks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Asked,
    Aborted,
    Committed,
}

impl Ledger {
    fn new(id: &'static str, role: LoggerRole) -> Self {
        let (mood, heard) = (Mutex::new(Mood::Well), Mutex::default());
        Self(Arc::new(State { id, role, mood, heard, waits: Notify::new() }))
    }

    fn required() -> Self {
        Self::new("ledger", LoggerRole::Required)
    }

    fn additional() -> Self {
        Self::new("ledger", LoggerRole::Additional)
    }

    fn set(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    fn hear(&self, heard: Heard, entry: &AuditEntry) -> Mood {
        self.0.heard.lock().unwrap().push((heard, entry.clone()));
        *self.0.mood.lock().unwrap()
    }

    fn entries(&self, heard: Heard) -> Vec<AuditEntry> {
        let all = self.0.heard.lock().unwrap();
        all.iter().filter(|(what, _)| *what == heard).map(|(_, entry)| entry.clone()).collect()
    }

    /// The kinds of what was heard so far, in order; forgets it.
    fn take(&self) -> Vec<(Heard, String)> {
        self.0.heard.lock().unwrap().drain(..).map(|(heard, entry)| (heard, entry.kind)).collect()
    }

    async fn wait(&self) -> Result<(), BoxError> {
        self.0.waits.notify_one();
        pending().await
    }
}

impl Plugin for Ledger {
    fn manifest(&self) -> Manifest {
        Manifest::new(self.0.id, "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.audit_logger(Arc::new(self.clone()), self.0.role);
        Ok(())
    }
}

#[async_trait]
impl AuditLogger for Ledger {
    fn id(&self) -> &'static str {
        self.0.id
    }

    async fn prepare(&self, entry: &AuditEntry) -> Result<(), BoxError> {
        match self.hear(Heard::Asked, entry) {
            Mood::Refuses => Err("the ledger is full".into()),
            Mood::Hangs => self.wait().await,
            _ => Ok(()),
        }
    }

    async fn settled(&self, entry: &AuditEntry, settlement: Settlement) -> Result<(), BoxError> {
        let heard = match settlement {
            Settlement::Committed => Heard::Committed,
            _ => Heard::Aborted,
        };
        match self.hear(heard, entry) {
            Mood::Fails => Err("the ledger cannot be reached".into()),
            Mood::Sticks => self.wait().await,
            _ => Ok(()),
        }
    }
}

/// Listens to failed sign-ins.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<(TenantId, AuditEntry)>>>);

impl Plugin for Listener {
    fn manifest(&self) -> Manifest {
        Manifest::new("listener", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.subscribe::<LoginFailure>(Arc::new(self.clone()));
        Ok(())
    }
}

#[async_trait]
impl Subscriber for Listener {
    async fn notice(&self, cx: &RequestContext, entry: &AuditEntry) -> Result<(), BoxError> {
        self.0.lock().unwrap().push((cx.tenant(), entry.clone()));
        Ok(())
    }
}

/// Something was sent.
#[derive(Serialize)]
struct Sent;

impl AuditEvent for Sent {
    const KIND: &'static str = "sent";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

const ADA: &str = "ada@example.com";
const METHOD: MethodId = MethodId::from_static("password");

/// An event that no plugin declares.
#[derive(Serialize)]
struct Undeclared;

impl AuditEvent for Undeclared {
    const KIND: &'static str = "undeclared";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

/// Declares what is sent.
struct Sender;

impl Plugin for Sender {
    fn manifest(&self) -> Manifest {
        Manifest::new("sender", "0.1.0").event::<Sent>()
    }

    fn register(&self, _: &mut Registrar<'_>) -> Result<(), Problem> {
        Ok(())
    }
}

async fn with(backend: Backend, ledger: &Ledger) -> World {
    World::builder(backend).plugin(ledger.clone()).build().await
}

/// The same application after a crash: its memory is gone, its store is not, and it is an hour later.
async fn restarted(backend: Backend, crashed: &World, plugins: &[&Ledger]) -> World {
    let builder = World::builder(backend).store(crashed.store.inner().clone());
    let builder = plugins.iter().fold(builder, |builder, ledger| builder.plugin(Ledger::clone(ledger)));
    let world = builder.build().await;
    world.clock.advance(Duration::from_secs(3600));
    world
}

/// Every row of every table.
async fn everything(world: &World) -> Vec<(&'static str, Vec<JsonValue>)> {
    let mut tables = Vec::new();
    for def in world.auth.entities() {
        tables.push((def.table, world.rows(def.table, "id").await));
    }
    tables
}

fn credentials(password: &str) -> JsonValue {
    json!({ "identifier": ADA, "password": password })
}

/// Breaks a sign-in at every store call, and the call after it; then what loggers were told is what landed.
async fn told_the_truth(backend: Backend, fault: Fault) {
    for call in 1..8 {
        let ledger = Ledger::required();
        let world = with(backend, &ledger).await;
        world.sign_up(ADA).await;
        world.store.inject(Counted::Calls, call, fault);
        world.store.inject(Counted::Calls, call + 1, Fault::Fails);
        let answer = world.browser().login(ADA, PASSWORD).await;
        world.store.heal();
        world.auth.run_due_jobs().await;
        let context = format!("{fault:?} at call {call}: {answer:?}");
        let ids = |entries: Vec<AuditEntry>| -> BTreeSet<String> {
            entries.iter().map(|entry| entry.id.to_string()).collect()
        };
        let landed = world.audit().await.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
        assert!(ids(ledger.entries(Heard::Aborted)).is_disjoint(&landed), "{context}");
        assert_eq!(ids(ledger.entries(Heard::Committed)), landed, "{context}");
    }
}

on_each_store! {
    async fn while_a_required_logger_refuses_nothing_is_granted_and_nothing_written(backend) {
        let ledger = Ledger::required();
        let world = with(backend, &ledger).await;
        let bob = world.sign_up("bob@example.com").await;
        let eve = world.sign_up("eve@example.com").await;
        let mut browser = world.signed_in("bob@example.com").await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        let passwords = world.auth.capability::<PasswordAdmin>().unwrap();
        admin.disable(&world.cx(), eve).await.unwrap();
        let before = everything(&world).await;
        for mood in [Mood::Refuses, Mood::Well] {
            ledger.set(mood);
            let answers = [
                world.browser().post("/v1/auth/signup", credentials(PASSWORD)).await,
                world.browser().login("bob@example.com", PASSWORD).await,
                browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await,
            ];
            let cx = world.cx();
            let principal = cx.principal(bob).await.unwrap().unwrap();
            let acts = [
                admin.enable(&cx, eve).await,
                admin.invite(&cx, None, Duration::from_secs(60)).await.map(drop),
                admin.seed(&cx, PrincipalKind::Service, "bot@example.com").await.map(drop),
                passwords.set(&cx, &principal, SecretText::new(PASSWORD.to_owned())).await,
            ];
            if mood == Mood::Well {
                assert!(answers.iter().all(|answer| answer.status < 300), "asked again, it works: {answers:?}");
                assert!(acts.iter().all(Result::is_ok), "asked again, it works: {acts:?}");
                continue;
            }
            for answer in answers {
                assert_eq!((answer.status, answer.code().as_str()), (503, "core.audit_unavailable"), "{answer:?}");
                assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
            }
            for act in acts {
                assert_eq!(*act.unwrap_err().code(), codes::AUDIT_UNAVAILABLE);
            }
            assert_eq!(everything(&world).await, before);
        }
    }

    async fn a_request_that_is_dropped_while_a_required_logger_hangs_leaves_nothing(backend) {
        let ledger = Ledger::required();
        let world = with(backend, &ledger).await;
        world.sign_up(ADA).await;
        let before = everything(&world).await;
        ledger.set(Mood::Hangs);
        for path in ["/v1/auth/login", "/v1/auth/signup"] {
            let identifier = if path.ends_with("login") { ADA } else { "bob@example.com" };
            let body = json!({ "identifier": identifier, "password": PASSWORD });
            let mut browser = world.browser();
            tokio::select! {
                answer = browser.post(path, body) => panic!("granted unasked: {answer:?}"),
                () = ledger.0.waits.notified() => {}
            }
        }
        assert_eq!(everything(&world).await, before);
        ledger.set(Mood::Well);
        world.signed_in(ADA).await;
        world.sign_up("bob@example.com").await;
    }

    async fn refusing_and_revoking_never_ask_a_logger(backend) {
        for mood in [Mood::Refuses, Mood::Hangs] {
            let ledger = Ledger::required();
            let world = with(backend, &ledger).await;
            let ada = world.sign_up(ADA).await;
            let bob = world.sign_up("bob@example.com").await;
            let mut sessions = Vec::new();
            for _ in 0..4 {
                sessions.push(world.signed_in(ADA).await);
            }
            let [here, there, third, fourth] = &mut sessions[..] else { panic!("four sessions") };
            let listed = there.get("/v1/sessions").await.json();
            let listed = listed["sessions"].as_array().unwrap();
            let current = listed.iter().find(|session| session["current"] == true).unwrap();
            let own = format!("/v1/sessions/{}", current["id"].as_str().unwrap());
            ledger.take();
            ledger.set(mood);

            assert_eq!(world.browser().login(ADA, "a wrong password").await.status, 401);
            assert_eq!(world.browser().login("nobody@example.com", "a wrong password").await.status, 401);
            assert_eq!(world.browser().post("/v1/auth/signup", credentials(PASSWORD)).await.status, 409);
            assert_eq!(third.post("/v1/auth/logout", json!({})).await.status, 204);
            assert_eq!(here.delete(&own).await.status, 204);
            assert_eq!(here.delete("/v1/sessions/all").await.status, 204);
            assert!(!there.is_signed_in().await && !third.is_signed_in().await && !fourth.is_signed_in().await);
            let admin = world.auth.capability::<AccountAdmin>().unwrap();
            admin.disable(&world.cx(), ada).await.unwrap();
            admin.delete(&world.cx(), bob).await.unwrap();
            assert!(!here.is_signed_in().await);
            assert_eq!(ledger.take(), []);
            ledger.set(Mood::Well);
            world.auth.run_due_jobs().await;
            let told: Vec<String> = ledger.entries(Heard::Committed).into_iter().map(|entry| entry.kind).collect();
            for kind in ["login_failure", "signup_refused", "logout", "session_revoked", "account_deleted"] {
                assert!(told.iter().any(|told| told == kind), "{kind} is told afterwards: {told:?}");
            }
        }
    }

    async fn the_right_password_is_no_failed_guess_while_a_logger_refuses(backend) {
        let ledger = Ledger::required();
        let world = World::builder(backend).plugin(ledger.clone()).throttle(Throttle::default()).build().await;
        world.sign_up(ADA).await;
        let mut browser = world.signed_in(ADA).await;
        ledger.set(Mood::Refuses);
        for n in 0..9 {
            let refused = browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
            assert_eq!((refused.status, refused.code().as_str()), (503, "core.audit_unavailable"), "time {n}");
        }
        ledger.set(Mood::Well);
        let changed = browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
        assert_eq!(changed.status, 204, "{changed:?}");
    }

    async fn a_commit_that_fails_is_told_as_aborted(backend) {
        for fault in [Fault::Fails, Fault::UnknownBefore] {
            let ledger = Ledger::required();
            let world = with(backend, &ledger).await;
            world.sign_up(ADA).await;
            ledger.take();
            world.store.inject(Counted::Commits, 1, fault);
            assert_eq!(world.browser().login(ADA, PASSWORD).await.status, 503, "{fault:?}");
            let (asked, aborted) = (ledger.entries(Heard::Asked), ledger.entries(Heard::Aborted));
            assert_eq!((asked.len(), aborted.len()), (1, 1), "{fault:?}");
            assert_eq!((&asked[0].kind, asked[0].id), (&"login_success".to_owned(), aborted[0].id), "{fault:?}");
            world.auth.run_due_jobs().await;
            assert!(ledger.entries(Heard::Committed).iter().all(|entry| entry.id != asked[0].id), "{fault:?}");
        }
    }

    async fn no_logger_is_asked_about_an_act_that_cannot_be_written_at_all(backend) {
        let ledger = Ledger::required();
        let world = World::builder(backend).plugin(ledger.clone()).plugin(Sender).build().await;
        let cx = world.cx();
        let mut unheard = Batch::new(&cx);
        unheard.send("nobody.receives.this", json!({}));
        let ada = Principal::new(&cx, PrincipalKind::Human);
        let mut unwritable = Batch::new(&cx);
        let label = "a".repeat(256);
        unwritable.add_enrolment(&cx, &ada, Ability::new(METHOD, Factors::KNOWLEDGE).label(label));
        let foreign = Batch::new(&world.cx_of(Id::from_bytes([9; 16]).into()));
        for batch in [unheard, unwritable, foreign] {
            assert!(cx.commit(Sent, batch).await.is_err());
        }
        assert!(cx.commit(Undeclared, Batch::new(&cx)).await.is_err());
        assert_eq!(ledger.take(), []);
        cx.commit(Sent, Batch::new(&cx)).await.unwrap();
        assert_eq!(ledger.take(), [(Heard::Asked, "sent".to_owned())]);
    }

    async fn a_logger_is_never_told_aborted_of_what_landed(backend) {
        for fault in [Fault::Fails, Fault::UnknownAfter, Fault::UnknownBefore] {
            told_the_truth(backend, fault).await;
        }
    }

    async fn a_logger_is_never_told_aborted_of_what_landed_twice(backend) {
        told_the_truth(backend, Fault::Duplicated(Answer::Second)).await;
    }

    async fn a_crash_after_the_commit_is_told_as_committed_by_another_node(backend) {
        let (ledger, again) = (Ledger::required(), Ledger::required());
        let world = with(backend, &ledger).await;
        let ada = world.sign_up(ADA).await;
        assert_eq!(ledger.take(), [(Heard::Asked, "signup".to_owned())]);

        let restarted = restarted(backend, &world, &[&again]).await;
        again.set(Mood::Fails);
        restarted.auth.run_due_jobs().await;
        assert_eq!(again.take().len(), 1, "told, but the ledger could not be reached");
        again.set(Mood::Well);
        restarted.auth.run_due_jobs().await;
        assert_eq!(again.take(), [], "it waits");
        restarted.clock.advance(Duration::from_secs(60));
        restarted.auth.run_due_jobs().await;
        let told = again.entries(Heard::Committed);
        assert_eq!((told.len(), told[0].principal_id), (1, Some(ada)));
        restarted.clock.advance(Duration::from_secs(86_400));
        restarted.auth.run_due_jobs().await;
        assert_eq!(again.entries(Heard::Committed).len(), 1, "and it is done");
    }

    async fn a_logger_that_was_told_but_not_ticked_off_is_told_again(backend) {
        let ledger = Ledger::required();
        let world = with(backend, &ledger).await;
        world.sign_up(ADA).await;
        // The first commit leases the message, the second would remove it.
        world.store.inject(Counted::Commits, 2, Fault::Fails);
        world.auth.run_due_jobs().await;
        world.clock.advance(Duration::from_secs(61));
        world.auth.run_due_jobs().await;
        let told = ledger.entries(Heard::Committed);
        assert_eq!((told.len(), told[0].id), (2, told[1].id));
    }

    async fn messages_find_their_logger_when_another_one_is_added_meanwhile(backend) {
        let (before, ledger) = (Ledger::required(), Ledger::required());
        let added = Ledger::new("archive", LoggerRole::Additional);
        let world = with(backend, &before).await;
        world.sign_up(ADA).await;
        let restarted = restarted(backend, &world, &[&added, &ledger]).await;
        restarted.auth.run_due_jobs().await;
        assert_eq!(ledger.take(), [(Heard::Committed, "signup".to_owned())]);
        assert_eq!(added.take(), [], "it was not there");
    }

    async fn of_two_required_loggers_both_are_told_when_the_second_refuses(backend) {
        let (first, second) = (Ledger::new("first", LoggerRole::Required), Ledger::new("second", LoggerRole::Required));
        let world = World::builder(backend).plugin(second.clone()).plugin(first.clone()).build().await;
        second.set(Mood::Refuses);
        assert_eq!(world.browser().post("/v1/auth/signup", credentials(PASSWORD)).await.status, 503);
        let expected = [(Heard::Asked, "signup".to_owned()), (Heard::Aborted, "signup".to_owned())];
        assert_eq!(first.take(), expected);
        assert_eq!(second.take(), expected);
        world.auth.run_due_jobs().await;
        assert_eq!((first.take(), second.take()), (Vec::new(), Vec::new()));
    }

    async fn a_logger_that_fails_when_it_is_told_of_an_abort_changes_no_answer(backend) {
        let ledger = Ledger::required();
        let world = with(backend, &ledger).await;
        world.sign_up(ADA).await;
        ledger.set(Mood::Fails);
        world.store.inject(Counted::Commits, 1, Fault::Fails);
        let refused = world.browser().login(ADA, PASSWORD).await;
        assert_eq!((refused.status, refused.code().as_str()), (503, "core.unavailable"));
    }

    async fn an_additional_logger_is_not_asked_and_a_failing_one_is_told_again(backend) {
        let ledger = Ledger::additional();
        let world = with(backend, &ledger).await;
        ledger.set(Mood::Fails);
        world.sign_up(ADA).await;
        assert_eq!(ledger.take(), []);
        for _ in 0..3 {
            world.auth.run_due_jobs().await;
            assert_eq!(ledger.take(), [(Heard::Committed, "signup".to_owned())]);
            world.clock.advance(Duration::from_secs(60));
        }
        let mut browser = world.signed_in(ADA).await;
        assert_eq!(browser.post("/v1/auth/logout", json!({})).await.status, 204);
        ledger.set(Mood::Well);
        world.auth.run_due_jobs().await;
        let told: BTreeSet<String> = ledger.entries(Heard::Committed).into_iter().map(|entry| entry.kind).collect();
        assert_eq!((ledger.take().len(), told.len()), (3, 3), "{told:?}");
        world.clock.advance(Duration::from_secs(86_400));
        world.auth.run_due_jobs().await;
        assert_eq!(ledger.take(), []);
    }

    async fn a_logger_that_does_not_come_back_holds_up_nobody_else(backend) {
        let (ledger, listener) = (Ledger::additional(), Listener::default());
        let world = World::builder(backend).plugin(ledger.clone()).plugin(listener.clone()).build().await;
        ledger.set(Mood::Sticks);
        world.browser().login(ADA, "a wrong password").await;
        let heard = || listener.0.lock().unwrap().len();
        tokio::select! {
            () = world.auth.clone().run_jobs(|_| tokio::task::yield_now()) => {}
            () = async {
                ledger.0.waits.notified().await;
                for _ in 0..100_000 {
                    if heard() > 0 {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        assert_eq!(heard(), 1, "a sink that hangs cannot hold anything up");
    }

    async fn a_subscriber_hears_exactly_what_was_recorded_in_the_tenant_where_it_happened(backend) {
        let listener = Listener::default();
        let world = World::builder(backend).plugin(listener.clone()).build().await;
        let ada = world.sign_up(ADA).await;
        world.browser().login(ADA, "a wrong password").await;
        let other: TenantId = Id::from_bytes([9; 16]).into();
        let elsewhere = world.cx_of(other).sign_in(&METHOD, credentials("a wrong password")).await;
        assert!(elsewhere.is_err());
        world.signed_in(ADA).await;
        world.auth.run_due_jobs().await;

        let mut heard = listener.0.lock().unwrap().clone();
        heard.sort_by_key(|(tenant, _)| *tenant);
        let [(TenantId::DEFAULT, here), (there, stranger)] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((*there, stranger.tenant, stranger.principal_id), (other, other, None));
        assert_eq!(here.principal_id, Some(ada));
        let mut recorded = world.audit().await.into_iter().find(|event| event["kind"] == "login_failure").unwrap();
        recorded["at"] = recorded["created_at"].take();
        recorded["tenant"] = json!(TenantId::DEFAULT);
        let columns = recorded.as_object_mut().unwrap();
        columns.retain(|name, _| !["created_at", "schema_version"].contains(&name.as_str()));
        assert_eq!(serde_json::to_value(here).unwrap(), recorded);
    }

    async fn no_entry_holds_what_was_typed(backend) {
        const WRONG: &str = "canary-wrong-5e60f1-password";
        const MISPLACED: &str = "canary-misplaced-c0ffee-password";
        let (required, additional) = (Ledger::required(), Ledger::new("other", LoggerRole::Additional));
        let world = World::builder(backend).plugin(required.clone()).plugin(additional.clone());
        let world = world.throttle(Throttle::default()).build().await;
        world.sign_up(ADA).await;
        let mut browser = world.signed_in(ADA).await;
        let token = browser.cookies["authkit_session"].clone();
        let eve = "eve@example.com";
        for (identifier, password) in [(ADA, WRONG), (MISPLACED, PASSWORD), (MISPLACED, MISPLACED), (eve, WRONG)] {
            world.browser().login(identifier, password).await;
        }
        world.browser().post("/v1/auth/signup", credentials(WRONG)).await;
        browser.post("/v1/account/change-password", change(WRONG, MISPLACED)).await;
        browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
        world.auth.run_due_jobs().await;
        for ledger in [required, additional] {
            let heard = ledger.0.heard.lock().unwrap();
            assert!(heard.len() >= 8, "{}", heard.len());
            let text: String = heard.iter().map(|(_, entry)| serde_json::to_string(entry).unwrap()).collect();
            for canary in [PASSWORD, OTHER_PASSWORD, WRONG, MISPLACED, "eve@", &token[4..40]] {
                assert!(!text.contains(canary), "{canary} in {text}");
            }
        }
    }
}
