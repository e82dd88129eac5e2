//! What a plugin in bad faith tries with what it is handed, and does not get.

mod positions;
mod stages;
mod verifiers;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use authkit_core::{
    About, Access, Act, At, AuditEntry, AuditEvent, AuditId, AuditLogger, AuthError, Batch, BoxError, Collection,
    Column, DecodeError, EndSessions, Entity, EntityDef, Ephemeral, EphemeralBatch, HttpMethod, Id, LoggerRole,
    Manifest, MethodId, Operation, Outcome, Plugin, Problem, Progress, Registrar, Reply, RequestContext, Settlement,
    SignedIn, Subscriber, TenantId, Value, Volatile, Write, codes,
};
use axum::{body::Body, http::Request};
use end_to_end::{
    Backend, PASSWORD, World, on_each_store,
    proofs::{Note, NoteId, Noted},
};
use serde::Serialize;
use serde_json::{Value as JsonValue, json};
use tower::ServiceExt as _;

use crate::build::{Odd, complete};

/// Owns the notes, lends the right to them to the test, and has a logger that can be told to refuse.
#[derive(Clone, Default)]
struct Notes {
    refuses: Arc<AtomicBool>,
    /// Of which acts it was told, as their logger or their subscriber.
    told: Arc<Mutex<Vec<AuditId>>>,
}

/// The right to the notes.
struct Right(Collection<Note>);

impl Plugin for Notes {
    fn manifest(&self) -> Manifest {
        Manifest::new("notes", "0.1.0").creates::<Note>().event::<Noted>().event::<Erased>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.provide(Arc::new(Right(registrar.collection()?)));
        registrar.audit_logger(Arc::new(self.clone()), LoggerRole::Required);
        registrar.subscribe::<Noted>(Arc::new(self.clone()));
        Ok(())
    }
}

#[async_trait]
impl AuditLogger for Notes {
    fn id(&self) -> &'static str {
        "notes"
    }

    async fn prepare(&self, _: &AuditEntry) -> Result<(), BoxError> {
        if self.refuses.load(Ordering::SeqCst) { Err("it is out of paper".into()) } else { Ok(()) }
    }

    async fn settled(&self, entry: &AuditEntry, _: Settlement) -> Result<(), BoxError> {
        self.told.lock().unwrap().push(entry.id);
        Ok(())
    }
}

#[async_trait]
impl Subscriber for Notes {
    async fn notice(&self, _: &RequestContext, entry: &AuditEntry) -> Result<(), BoxError> {
        self.told.lock().unwrap().push(entry.id);
        Ok(())
    }
}

/// An event that takes something away.
#[derive(Serialize)]
struct Erased;

impl AuditEvent for Erased {
    const KIND: &'static str = "erased";
    const ACT: Act = Act::Withdraws;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

/// An event that nobody declares.
#[derive(Serialize)]
struct Unheard;

impl AuditEvent for Unheard {
    const KIND: &'static str = "unheard";
    const ACT: Act = Act::Withdraws;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

/// An event that calls itself a sign-in.
#[derive(Serialize)]
struct Forged;

impl AuditEvent for Forged {
    const KIND: &'static str = "login_success";
    const ACT: Act = Act::Withdraws;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

/// An application with the notes.
async fn with_notes(backend: Backend) -> (World, Arc<Right>, Notes) {
    let notes = Notes::default();
    let world = World::builder(backend).plugin(notes.clone()).build().await;
    let right = world.auth.capability::<Right>().unwrap();
    (world, right, notes)
}

fn note(cx: &RequestContext) -> Note {
    Note { id: cx.new_id(), owner_id: cx.new_id(), name: "a".into(), count: 0, made_at: cx.now(), seen_at: cx.now() }
}

/// A batch of another tenant, and the note in it.
fn foreign(world: &World, right: &Right) -> (NoteId, Batch) {
    let cx = world.cx_of(OTHER.into());
    let (row, mut batch) = (note(&cx), Batch::new(&cx));
    let id = row.id;
    batch.insert(&right.0, row);
    (id, batch)
}

/// Whether a note is in either tenant.
async fn is_written(world: &World, right: &Right, id: NoteId) -> bool {
    let mut found = false;
    for cx in [world.cx(), world.cx_of(OTHER.into())] {
        found |= right.0.get(&cx, At::id(id)).await.unwrap().is_some();
    }
    found
}

const OTHER: Id = Id::from_bytes([9; 16]);
const PASSWORDS: MethodId = MethodId::from_static("password");

/// Signs in with the right password.
async fn with_password(cx: &RequestContext, identifier: &str) -> Result<Progress, AuthError> {
    cx.sign_in(&PASSWORDS, json!({ "identifier": identifier, "password": PASSWORD })).await
}

async fn signed_in(cx: &RequestContext, identifier: &str) -> Box<SignedIn> {
    match with_password(cx, identifier).await.unwrap() {
        Progress::SignedIn(signed_in) => signed_in,
        other => panic!("{other:?}"),
    }
}

on_each_store! {
    async fn a_forged_column_does_not_write_what_is_recorded(backend) {
        let (world, right, _) = with_notes(backend).await;
        let cx = world.cx();
        let (note, mut batch) = (note(&cx), Batch::new(&cx));
        let id = note.id;
        batch.insert(&right.0, note);
        cx.commit(Noted, batch).await.unwrap();
        let records = world.audit().await;

        let forged = Column::<Note, i64, Volatile>::at(Note::count.position());
        let mut batch = EphemeralBatch::new(&cx);
        batch.touch(&right.0, At::id(id), [], [Note::seen_at.set(cx.now()), forged.set(41)]);
        let refused = cx.commit_ephemeral(batch).await.unwrap_err();
        assert_eq!(*refused.code(), codes::INTERNAL);
        assert_eq!(right.0.get(&cx, At::id(id)).await.unwrap().unwrap().count, 0);
        assert_eq!(world.audit().await, records);
    }

    async fn a_batch_is_committed_for_the_tenant_for_which_it_was_begun(backend) {
        let (world, right, _) = with_notes(backend).await;
        let (cx, other) = (world.cx(), world.cx_of(OTHER.into()));
        let (id, batch) = foreign(&world, &right);
        assert_eq!(*cx.commit(Noted, batch).await.unwrap_err().code(), codes::INTERNAL);
        assert_eq!(*cx.commit_ephemeral(EphemeralBatch::new(&other)).await.unwrap_err().code(), codes::INTERNAL);
        assert!(!is_written(&world, &right, id).await);
        assert!(world.audit().await.is_empty());
    }

    async fn no_message_goes_to_a_topic_of_core(backend) {
        let (world, right, notes) = with_notes(backend).await;
        let cx = world.cx();
        let (row, forged) = (note(&cx), cx.new_id::<AuditId>());
        let id = row.id;
        let entry = json!({
            "id": forged, "tenant": TenantId::DEFAULT, "at": cx.now(), "kind": "noted", "outcome": "success",
            "settlement": "committed", "principal_id": null, "actor_id": null, "session_id": null, "flow_id": null,
            "method": null, "ip": null, "user_agent": null, "request_id": null, "data": null,
        });
        serde_json::from_value::<AuditEntry>(entry.clone()).expect("an entry as core sends it");
        let write = Write::Insert { values: row.into_values() };
        let messages = [
            ("core.route", json!({
                "act": "Grants", "entries": [entry], "whole": true, "writes": [["proof_notes", write]],
            })),
            ("core.subscriber", json!({ "to": "notes", "entry": entry })),
            ("core.audit_logger", json!({ "to": "notes", "entry": entry })),
        ];
        for (topic, data) in messages {
            let mut batch = Batch::new(&cx);
            batch.send(topic, data);
            assert_eq!(*cx.commit(Noted, batch).await.unwrap_err().code(), codes::INTERNAL, "{topic}");
        }
        assert!(world.audit().await.is_empty());
        world.auth.run_due_jobs().await;
        assert!(!is_written(&world, &right, id).await);
        assert!(!notes.told.lock().unwrap().contains(&forged));
        // What core sends itself arrives.
        let receipt = cx.commit(Noted, Batch::new(&cx)).await.unwrap();
        world.auth.run_due_jobs().await;
        assert_eq!(*notes.told.lock().unwrap(), [receipt.audit_id(); 2]);
    }

    async fn an_event_is_recorded_if_a_plugin_declares_its_kind_and_its_type(backend) {
        let (world, ..) = with_notes(backend).await;
        let cx = world.cx();
        assert_eq!(*cx.commit(Unheard, Batch::new(&cx)).await.unwrap_err().code(), codes::INTERNAL);
        assert_eq!(*cx.commit(Forged, Batch::new(&cx)).await.unwrap_err().code(), codes::INTERNAL);
        // No more so beside one that is declared.
        let (mut unheard, mut forged) = (Batch::new(&cx), Batch::new(&cx));
        unheard.record(&Unheard);
        forged.record(&Forged);
        for batch in [unheard, forged] {
            assert_eq!(*cx.commit(Noted, batch).await.unwrap_err().code(), codes::INTERNAL);
        }
        assert!(world.audit().await.is_empty());
    }

    async fn what_grants_asks_the_required_logger_even_beside_what_withdraws(backend) {
        let (world, right, notes) = with_notes(backend).await;
        let cx = world.cx();
        notes.refuses.store(true, Ordering::SeqCst);
        cx.commit(Erased, Batch::new(&cx)).await.unwrap();
        let records = world.audit().await;

        let (row, mut batch) = (note(&cx), Batch::new(&cx));
        let id = row.id;
        batch.insert(&right.0, row);
        batch.record(&Noted);
        let refused = cx.commit(Erased, batch).await.unwrap_err();
        assert_eq!(*refused.code(), codes::AUDIT_UNAVAILABLE);
        assert!(right.0.get(&cx, At::id(id)).await.unwrap().is_none());
        assert_eq!(world.audit().await, records);
    }

    async fn sessions_do_not_end_around_the_session_of_somebody_else(backend) {
        let (world, ..) = with_notes(backend).await;
        let ada = world.sign_up("ada@example.com").await;
        world.sign_up("bob@example.com").await;
        let cx = world.cx();
        let (hers, his) = (signed_in(&cx, "ada@example.com").await, signed_in(&cx, "bob@example.com").await);
        let before = (world.rows("auth_sessions", "by_principal").await, world.audit().await);

        let ada = cx.principal(ada).await.unwrap().unwrap();
        let mut batch = Batch::new(&cx);
        batch.raise_epoch(&cx, &ada, EndSessions::Others(&his.session));
        let refused = cx.commit(Noted, batch).await.unwrap_err();
        assert_eq!(*refused.code(), codes::UNAUTHENTICATED);
        assert_eq!((world.rows("auth_sessions", "by_principal").await, world.audit().await), before);
        for signed_in in [hers, his] {
            assert!(cx.authenticate(signed_in.tokens.access.expose()).await.unwrap().is_some());
        }
    }
}

/// The notes, said to be ephemeral.
struct Loose(Note);

impl Entity for Loose {
    type Id = NoteId;
    type Durability = Ephemeral;

    fn def() -> EntityDef {
        Note::def()
    }

    fn into_values(self) -> Vec<Value> {
        self.0.into_values()
    }

    fn from_values(values: impl Iterator<Item = Value>) -> Result<Self, DecodeError> {
        Note::from_values(values).map(Self)
    }
}

#[test]
fn a_durable_table_is_not_had_as_an_ephemeral_entity() {
    let mut loose = Loose::def();
    loose.durability = authkit_core::Durability::Ephemeral;
    for declared in [Manifest::new("odd", "0.1.0").creates::<Note>(), Manifest::new("odd", "0.1.0").creates::<Loose>()]
    {
        let odd = Odd::declaring(declared).tries(|registrar| registrar.collection::<Loose>().map(drop));
        let error = complete().plugin(odd).build().unwrap_err();
        let said: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            ["odd: the entity proof_notes is used but not declared in the manifest; add .creates::<…>() to it"]
        );
    }
}

#[test]
fn plugins_derive_other_keys_for_one_purpose() {
    let tags: Arc<[OnceLock<[u8; 32]>; 2]> = Arc::default();
    let plugin = |at: usize, id| {
        let tags = tags.clone();
        Odd::adding(id, move |registrar| {
            tags[at].set(registrar.keys().mac("a purpose").tag(&[b"a message"])).unwrap();
        })
    };
    complete().plugin(plugin(0, "one")).plugin(plugin(1, "other")).build().unwrap();
    let [one, other] = [0, 1].map(|at| *tags[at].get().unwrap());
    assert_ne!(one, other);
    assert_ne!(one, end_to_end::keys().mac("a purpose").tag(&[b"a message"]), "nor those of the application");
}

/// Takes the name of another plugin once it was asked for its own.
struct Turncoat(AtomicBool);

impl Plugin for Turncoat {
    fn manifest(&self) -> Manifest {
        Manifest::new(if self.0.swap(true, Ordering::SeqCst) { "password" } else { "odd" }, "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        assert_eq!(format!("{registrar:?}"), "Registrar(odd)");
        Ok(())
    }
}

#[test]
fn a_plugin_is_what_it_said_first_and_reads_no_section_of_another() {
    assert!(complete().plugin(Turncoat(AtomicBool::new(false))).build().is_ok());
}

/// Numbers that look random and are the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn path(&mut self) -> &'static str {
        let good = ["a", "b", "auth", "login", "sessions", "openapi.json", "{id}", "{name}"];
        let bad = ["{*rest}", "{}", "a{id}", ":a", ""];
        let mut part = || if self.below(50) == 0 { self.one_of(&bad) } else { self.one_of(&good) };
        let path: Vec<&str> = (0..4).map(|_| part()).collect();
        format!("/{}", path[self.below(4)..].join("/")).leak()
    }
}

#[tokio::test]
async fn whatever_paths_are_accepted_are_mounted_beside_each_other_and_answer() {
    let (mut draw, mut accepted) = (Draw(7), 0);
    for _ in 0..600 {
        let prefix = draw.one_of(&["", "/v1", "/auth", "/a/b"]);
        let operations: Vec<_> =
            (0..3).map(|_| (draw.one_of(&[HttpMethod::Get, HttpMethod::Delete]), draw.path())).collect();
        let said = format!("{prefix} {operations:?}");
        let added = operations.clone();
        let odd = Odd::adding("odd", move |registrar| {
            for (method, path) in &added {
                let nothing = |_, _: JsonValue| async { Ok(Reply::<()>::no_content()) };
                registrar.operation(Operation::new(*method, path, Access::Public, "Says nothing.", nothing));
            }
        });
        let Ok(auth) = complete().prefix(prefix).plugin(odd).build() else {
            continue;
        };
        accepted += 1;
        let router = catch_unwind(AssertUnwindSafe(|| authkit_axum::router(&auth))).expect(&said);
        for (method, path) in operations {
            let uri = format!("{prefix}{}", path.replace(['{', '}'], "_"));
            let request = Request::builder().method(method.as_str()).uri(uri).header("sec-fetch-site", "same-origin");
            let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(answer.status(), 204, "{path} of {said}");
        }
    }
    assert!(accepted > 100, "{accepted}");
}
