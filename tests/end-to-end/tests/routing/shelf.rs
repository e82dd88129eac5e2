//! A plugin with tables of every sort, as one that nobody foresaw would have them, routed.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use authkit_core::{
    About, Act, At, AuditEvent, AuthError, Batch, BoxError, Class, Collection, Deliver, Entity, EphemeralBatch,
    ErrorCode, Manifest, Outcome, Parcel, Plugin, Problem, Registrar, RequestContext, Timestamp, codes, id_type,
};
use authkit_testkit::{Answer, Counted, Fault};
use end_to_end::World;
use serde::Serialize;
use serde_json::{Value as JsonValue, json};

use crate::stores::{Moment, Stores, die_at, go_on, meanwhile, on_each_pair, settlements};

id_type! {
    /// One jar.
    pub(crate) struct JarId;
    /// One lid.
    pub(crate) struct LidId;
    /// One crumb.
    pub(crate) struct CrumbId;
}

/// Durable, with a name of its own.
#[derive(Debug, Entity)]
#[entity(table = "test_jars", durable, unique(by_name: name), routable)]
pub(crate) struct Jar {
    id: JarId,
    name: String,
    cookies: i64,
}

/// Refers to a jar.
#[derive(Debug, Entity)]
#[entity(table = "test_lids", durable, index(by_jar: jar_id), references(jar_id -> test_jars), routable)]
pub(crate) struct Lid {
    id: LidId,
    jar_id: JarId,
}

/// Needs no record.
#[derive(Debug, Entity)]
#[entity(table = "test_crumbs", ephemeral, unique(by_name: name), expires(expires_at), routable)]
pub(crate) struct Crumb {
    id: CrumbId,
    name: String,
    expires_at: Timestamp,
}

/// Something was put on a shelf or taken from it.
#[derive(Debug, Serialize)]
pub(crate) struct Shelved;

impl AuditEvent for Shelved {
    const KIND: &'static str = "shelved";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

static EMPTY: ErrorCode = ErrorCode::new("shelf.empty", Class::Conflict, "There is nothing left.");

/// The tables, and the messages that were sent.
#[derive(Clone, Default)]
pub(crate) struct Shelves(Arc<Mutex<Vec<JsonValue>>>);

pub(crate) struct Shelf {
    jars: Collection<Jar>,
    lids: Collection<Lid>,
    crumbs: Collection<Crumb>,
}

impl Plugin for Shelves {
    fn manifest(&self) -> Manifest {
        Manifest::new("shelf", "0.1.0")
            .creates::<Jar>()
            .creates::<Lid>()
            .creates::<Crumb>()
            .event::<Shelved>()
            .error(&EMPTY)
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let shelf =
            Shelf { jars: registrar.collection()?, lids: registrar.collection()?, crumbs: registrar.collection()? };
        registrar.provide(Arc::new(shelf));
        registrar.outbox("shelf.news", Arc::new(self.clone()));
        Ok(())
    }
}

impl Shelves {
    /// The messages that arrived.
    pub(crate) fn heard(&self) -> Vec<JsonValue> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Deliver for Shelves {
    async fn deliver(&self, _: &RequestContext, parcel: &Parcel) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(parcel.data.clone());
        Ok(())
    }
}

impl Shelf {
    fn jar(&self, cx: &RequestContext, name: &str, batch: &mut Batch) -> JarId {
        let jar = Jar { id: cx.new_id(), name: name.to_owned(), cookies: 0 };
        let id = jar.id;
        batch.insert(&self.jars, jar).or(&codes::CONFLICT);
        id
    }

    async fn put(&self, cx: &RequestContext, name: &str) -> Result<JarId, AuthError> {
        let mut batch = Batch::new(cx);
        let id = self.jar(cx, name, &mut batch);
        cx.commit(Shelved, batch).await.map(|_| id)
    }

    /// Adds cookies to a jar that holds so many.
    async fn fill(&self, cx: &RequestContext, jar: JarId, from: i64, to: i64) -> Result<(), AuthError> {
        let mut batch = Batch::new(cx);
        batch.update(&self.jars, At::id(jar), [Jar::cookies.eq(from)], [Jar::cookies.set(to)]).or(&EMPTY);
        cx.commit(Shelved, batch).await.map(drop)
    }

    fn crumb(&self, cx: &RequestContext, batch: &mut EphemeralBatch) -> CrumbId {
        let id = cx.new_id();
        batch.insert(&self.crumbs, Crumb { id, name: "a".to_owned(), expires_at: Timestamp::MAX });
        id
    }
}

/// An application with these tables in the second store.
async fn routed<const N: usize>(stores: &Stores, tables: [&'static str; N]) -> (World, Arc<Shelf>, Shelves) {
    let shelves = Shelves::default();
    let builder = stores.plain().plugin(shelves.clone());
    let world = builder.route(tables, stores.second.clone()).build().await;
    let shelf = world.auth.capability::<Shelf>().unwrap();
    (world, shelf, shelves)
}

const JARS: [&str; 2] = ["test_jars", "test_lids"];

on_each_pair! {
    async fn a_taken_key_is_the_error_that_the_plugin_named_and_nothing_is_done(stores) {
        let (world, shelf, _) = routed(stores, JARS).await;
        shelf.put(&world.cx(), "plum").await.unwrap();
        let error = shelf.put(&world.cx(), "plum").await.unwrap_err();
        assert_eq!(*error.code(), codes::CONFLICT);
        assert_eq!(settlements(&world, "shelved").await, ["committed", "aborted"]);
        assert_eq!(world.rows_in(stores.gate(), "test_jars", "by_name").await.len(), 1);
        stores.assert_at_rest(&world).await;
    }

    async fn a_guard_that_is_lost_is_the_error_that_the_plugin_named(stores) {
        let (world, shelf, _) = routed(stores, JARS).await;
        let jar = shelf.put(&world.cx(), "plum").await.unwrap();
        let error = shelf.fill(&world.cx(), jar, 7, 8).await.unwrap_err();
        assert_eq!(*error.code(), EMPTY);
        assert_eq!(settlements(&world, "shelved").await, ["committed", "aborted"]);
        stores.assert_at_rest(&world).await;
    }

    async fn references_hold_within_the_second_store(stores) {
        let (world, shelf, _) = routed(stores, JARS).await;
        let cx = world.cx();
        let jar = shelf.put(&cx, "plum").await.unwrap();
        let mut batch = Batch::new(&cx);
        batch.insert(&shelf.lids, Lid { id: cx.new_id(), jar_id: jar });
        cx.commit(Shelved, batch).await.unwrap();
        let mut batch = Batch::new(&cx);
        batch.insert(&shelf.lids, Lid { id: cx.new_id(), jar_id: cx.new_id() });
        assert_eq!(*cx.commit(Shelved, batch).await.unwrap_err().code(), codes::CONFLICT);
        let mut batch = Batch::new(&cx);
        batch.take(&shelf.jars, At::id(jar), []);
        cx.commit(Shelved, batch).await.unwrap();
        assert!(world.rows_in(stores.gate(), "test_lids", "by_jar").await.is_empty());
    }

    async fn all_records_of_a_commit_are_settled_together(stores) {
        let (world, shelf, _) = routed(stores, JARS).await;
        let cx = world.cx();
        let mut batch = Batch::new(&cx);
        shelf.jar(&cx, "plum", &mut batch);
        batch.record(&Shelved);
        die_at(stores.gate(), 1, Moment::Made, cx.commit(Shelved, batch)).await;
        assert_eq!(settlements(&world, "shelved").await, ["pending", "pending"]);
        go_on(&world).await;
        assert_eq!(settlements(&world, "shelved").await, ["committed", "committed"]);
        stores.assert_at_rest(&world).await;
    }

    async fn what_needs_no_record_goes_to_its_store_alone(stores) {
        let (world, shelf, _) = routed(stores, ["test_crumbs"]).await;
        let before = world.store.calls();
        let mut batch = EphemeralBatch::new(&world.cx());
        shelf.crumb(&world.cx(), &mut batch);
        world.cx().commit_ephemeral(batch).await.unwrap();
        let mut batch = EphemeralBatch::new(&world.cx());
        shelf.crumb(&world.cx(), &mut batch);
        assert_eq!(*world.cx().commit_ephemeral(batch).await.unwrap_err().code(), codes::CONFLICT);
        assert_eq!(world.store.calls(), before);
        assert_eq!(world.rows_in(stores.gate(), "test_crumbs", "by_name").await.len(), 1);
    }

    async fn what_needs_no_record_cannot_be_in_two_stores(stores) {
        let (world, shelf, _) = routed(stores, JARS).await;
        let cx = world.cx();
        let mut batch = EphemeralBatch::new(&cx);
        shelf.crumb(&cx, &mut batch);
        batch.touch(&shelf.jars, At::id(cx.new_id()), [], []);
        let error = cx.commit_ephemeral(batch).await.unwrap_err();
        assert_eq!(*error.code(), codes::INTERNAL);
        assert_eq!(error.internal(), "a batch without a record writes to two stores");
        assert!(world.rows("test_crumbs", "by_name").await.is_empty());
    }

    async fn nothing_is_in_three_stores_at_once(stores) {
        let others = stores.fresh().await;
        let builder = stores.plain().plugin(Shelves::default()).route(JARS, stores.second.clone());
        let world = builder.route(["test_crumbs"], others.second.clone()).build().await;
        let shelf = world.auth.capability::<Shelf>().unwrap();
        let cx = world.cx();
        let mut batch = Batch::new(&cx);
        shelf.jar(&cx, "plum", &mut batch);
        batch.insert(&shelf.crumbs, Crumb { id: cx.new_id(), name: "a".to_owned(), expires_at: Timestamp::MAX });
        let error = cx.commit(Shelved, batch).await.unwrap_err();
        assert_eq!(*error.code(), codes::INTERNAL);
        assert_eq!(error.internal(), "a batch writes to two other stores");
        assert!(settlements(&world, "shelved").await.is_empty());
    }

    async fn an_act_that_was_found_to_be_none_stays_none(stores) {
        for moment in [Moment::Asked, Moment::Made] {
            let stores = stores.fresh().await;
            let (world, shelf, _) = routed(&stores, JARS).await;
            let jar = shelf.put(&world.cx(), "plum").await.unwrap();
            // Asked while the guard is lost, and answered once it would hold.
            let cx = world.cx();
            let slow = shelf.fill(&cx, jar, 7, 8);
            let other = async || {
                go_on(&world).await;
                shelf.fill(&world.cx(), jar, 0, 7).await.unwrap();
            };
            let outcome = meanwhile(stores.gate(), 1, moment, slow, other).await;
            go_on(&world).await;
            let [_, settled, _] = settlements(&world, "shelved").await.try_into().unwrap();
            let [row] = world.rows_in(stores.gate(), "test_jars", "by_name").await.try_into().unwrap();
            assert_eq!(settled == "committed", row["cookies"] == 8, "{settled}: {row}");
            assert_eq!(outcome.is_ok(), row["cookies"] == 8, "{outcome:?}: {row}");
            stores.assert_at_rest(&world).await;
        }
    }

    async fn an_act_that_was_left_and_found_to_be_none_stays_none(stores) {
        let (world, shelf, _) = routed(stores, JARS).await;
        let jar = shelf.put(&world.cx(), "plum").await.unwrap();
        die_at(stores.gate(), 1, Moment::Made, shelf.fill(&world.cx(), jar, 7, 8)).await;
        go_on(&world).await;
        assert_eq!(settlements(&world, "shelved").await, ["committed", "aborted"]);
        stores.assert_at_rest(&world).await;
    }

    async fn no_fault_of_the_second_store_makes_a_refused_act_a_done_one(stores) {
        for fault in [Fault::Fails, Fault::Duplicated(Answer::Second), Fault::UnknownAfter, Fault::UnknownBefore] {
            for n in 1..4 {
                let stores = stores.fresh().await;
                let (world, shelf, _) = routed(&stores, JARS).await;
                let jar = shelf.put(&world.cx(), "plum").await.unwrap();
                stores.second.inject(Counted::Calls, n, fault);
                let error = shelf.fill(&world.cx(), jar, 7, 8).await.unwrap_err();
                let known = *error.code() == EMPTY;
                assert!(known || *error.code() == codes::UNAVAILABLE, "{fault:?} at call {n}: {error:?}");
                stores.second.heal();
                if known {
                    shelf.fill(&world.cx(), jar, 0, 7).await.unwrap();
                }
                go_on(&world).await;
                let [_, settled, ..] = &settlements(&world, "shelved").await[..] else { panic!("two records") };
                assert_eq!(settled, "aborted", "{fault:?} at call {n}");
                stores.assert_at_rest(&world).await;
            }
        }
    }

    async fn a_message_is_sent_for_what_was_done_only(stores) {
        let (world, shelf, shelves) = routed(stores, JARS).await;
        shelf.put(&world.cx(), "plum").await.unwrap();
        let cx = world.cx();
        for (name, news) in [("plum", "refused"), ("fig", "done")] {
            let mut batch = Batch::new(&cx);
            shelf.jar(&cx, name, &mut batch);
            batch.send("shelf.news", json!(news));
            assert_eq!(cx.commit(Shelved, batch).await.is_ok(), news == "done");
        }
        go_on(&world).await;
        assert_eq!(shelves.heard(), [json!("done")]);
    }

    async fn a_message_is_sent_once_whoever_makes_the_act(stores) {
        for moment in [Moment::Asked, Moment::Made] {
            let stores = stores.fresh().await;
            let (world, shelf, shelves) = routed(&stores, JARS).await;
            let cx = world.cx();
            let news = |name: &str| {
                let mut batch = Batch::new(&cx);
                shelf.jar(&cx, name, &mut batch);
                batch.send("shelf.news", json!(name));
                cx.commit(Shelved, batch)
            };
            die_at(stores.gate(), 1, moment, news("left")).await;
            assert!(shelves.heard().is_empty());
            go_on(&world).await;
            go_on(&world).await;
            assert_eq!(shelves.heard(), [json!("left")]);
            meanwhile(stores.gate(), 1, moment, news("slow"), async || go_on(&world).await).await.unwrap();
            go_on(&world).await;
            assert_eq!(shelves.heard(), [json!("left"), json!("slow")]);
            stores.assert_at_rest(&world).await;
        }
    }

    async fn a_message_to_nobody_is_refused_before_anything_is_done(stores) {
        let (world, shelf, _) = routed(stores, JARS).await;
        let cx = world.cx();
        let mut batch = Batch::new(&cx);
        shelf.jar(&cx, "plum", &mut batch);
        batch.send("shelf.nobody", json!(null));
        let error = cx.commit(Shelved, batch).await.unwrap_err();
        assert_eq!(error.internal(), "a message was sent to a topic without a receiver");
        go_on(&world).await;
        assert!(world.rows_in(stores.gate(), "test_jars", "by_name").await.is_empty());
        stores.assert_at_rest(&world).await;
    }

    async fn what_the_main_store_only_looked_at_does_not_make_a_refused_act_a_done_one(stores) {
        let (world, shelf, shelves) = routed(stores, JARS).await;
        shelf.put(&world.cx(), "plum").await.unwrap();
        let cx = world.cx();
        let mut batch = EphemeralBatch::new(&cx);
        let crumb = shelf.crumb(&cx, &mut batch);
        cx.commit_ephemeral(batch).await.unwrap();
        let mut batch = Batch::new(&cx);
        batch.ensure(&shelf.crumbs, At::id(crumb), []);
        shelf.jar(&cx, "plum", &mut batch);
        batch.send("shelf.news", json!("refused"));
        assert_eq!(*cx.commit(Shelved, batch).await.unwrap_err().code(), codes::CONFLICT);
        go_on(&world).await;
        assert_eq!(settlements(&world, "shelved").await, ["committed", "aborted"]);
        assert!(shelves.heard().is_empty());
    }

    async fn no_plugin_sends_to_a_topic_of_core(stores) {
        let (world, _, _) = routed(stores, JARS).await;
        let jar = Jar { id: world.cx().new_id(), name: "forged".to_owned(), cookies: 0 };
        let write = authkit_core::Write::Insert { values: jar.into_values() };
        let errand = json!({ "act": "Grants", "entries": [], "writes": [["test_jars", write]], "messages": [] });
        for topic in ["core.route", "core.audit_logger", "core.subscriber", "core.anything"] {
            let cx = world.cx();
            let mut batch = Batch::new(&cx);
            batch.send(topic, errand.clone());
            let error = cx.commit(Shelved, batch).await.unwrap_err();
            assert_eq!(error.internal(), "a message was sent to a topic of core");
        }
        assert!(world.rows("auth_outbox", "by_due").await.is_empty());
        assert!(settlements(&world, "shelved").await.is_empty());
    }
}
