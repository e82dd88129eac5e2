//! Work that hangs: a task and a receiver that do not come back are dropped after a minute, and hold up nobody else.

use std::{
    future::{Future, pending},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{
    About, Act, AuditEvent, AuthError, Batch, BoxError, Clock, Deliver, Manifest, Outcome, Parcel, Plugin, Problem,
    Registrar, RequestContext, Task,
};
use authkit_testkit::TestClock;
use end_to_end::{Backend, World, on_each_store};
use serde::Serialize;
use serde_json::json;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A task, two of them, and receivers of two topics; clones are the same ones.
#[derive(Clone, Default)]
struct Works(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    /// Whose work does not come back.
    hangs: Vec<&'static str>,
    begun: Vec<&'static str>,
    done: Vec<&'static str>,
    dropped: Vec<&'static str>,
}

/// One part of the works.
struct Part {
    name: &'static str,
    works: Works,
}

/// Notes that work was dropped before it was done.
struct Underway<'p>(&'p Part);

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        let mut log = self.0.works.0.lock().unwrap();
        log.dropped.push(self.0.name);
    }
}

impl Part {
    async fn work(&self) {
        let hangs = {
            let mut log = self.works.0.lock().unwrap();
            log.begun.push(self.name);
            log.hangs.contains(&self.name)
        };
        if hangs {
            let _underway = Underway(self);
            pending::<()>().await;
        }
        self.works.0.lock().unwrap().done.push(self.name);
    }
}

#[async_trait]
impl Task for Part {
    async fn run(&self, _: &RequestContext) -> Result<(), AuthError> {
        self.work().await;
        Ok(())
    }
}

#[async_trait]
impl Deliver for Part {
    async fn deliver(&self, _: &RequestContext, _: &Parcel) -> Result<(), BoxError> {
        self.work().await;
        Ok(())
    }
}

impl Plugin for Works {
    fn manifest(&self) -> Manifest {
        Manifest::new("works", "0.1.0").event::<Ordered>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let part = |name| Arc::new(Part { name, works: self.clone() });
        registrar.job("works.first", HOUR, part("first task"));
        registrar.job("works.second", HOUR, part("second task"));
        registrar.outbox("works.slow", part("slow receiver"));
        registrar.outbox("works.quick", part("quick receiver"));
        Ok(())
    }
}

impl Works {
    fn set_hanging(&self, hangs: impl IntoIterator<Item = &'static str>) {
        self.0.lock().unwrap().hangs = hangs.into_iter().collect();
    }

    fn begun(&self, name: &str) -> usize {
        self.0.lock().unwrap().begun.iter().filter(|begun| **begun == name).count()
    }

    fn done(&self, name: &str) -> usize {
        self.0.lock().unwrap().done.iter().filter(|done| **done == name).count()
    }

    fn dropped(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().dropped.clone()
    }
}

/// Something was ordered from the works.
#[derive(Serialize)]
struct Ordered;

impl AuditEvent for Ordered {
    const KIND: &'static str = "ordered";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

async fn with_works(backend: Backend) -> (World, Works) {
    let works = Works::default();
    let world = World::builder(backend).plugin(works.clone()).build().await;
    (world, works)
}

async fn order(world: &World, topics: &[&'static str]) {
    for topic in topics {
        let cx = world.cx();
        let mut batch = Batch::new(&cx);
        batch.send(topic, json!({}));
        cx.commit(Ordered, batch).await.expect("a commit");
        world.clock.advance(Duration::from_millis(1));
    }
}

/// Sleeps by the clock of the test.
fn sleep(clock: &TestClock, span: Duration) -> impl Future<Output = ()> + use<> {
    let (clock, until) = (clock.clone(), clock.now().plus(span));
    async move {
        while clock.now() < until {
            tokio::task::yield_now().await;
        }
    }
}

/// Runs the jobs, as a node does, until the script comes to its end.
async fn while_jobs_run(world: &World, script: impl Future<Output = ()>) {
    let clock = world.clock.clone();
    tokio::select! {
        () = world.auth.clone().run_jobs(|span| sleep(&clock, span)) => {}
        () = script => {}
    }
}

async fn until(condition: impl Fn() -> bool) {
    let patience = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), patience).await.expect("it happens soon");
}

on_each_store! {
    async fn a_task_that_hangs_is_dropped_after_a_minute_and_tried_again_in_its_next_turn(backend) {
        let (world, works) = with_works(backend).await;
        works.set_hanging(["first task"]);
        while_jobs_run(&world, async {
            until(|| works.begun("first task") == 1).await;
            world.clock.advance(MINUTE - Duration::from_millis(1));
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(works.dropped().is_empty(), "a minute is not over");
            assert_eq!(works.begun("second task"), 0);
            world.clock.advance(Duration::from_millis(1));
            until(|| works.done("second task") == 1).await;
            assert_eq!(works.dropped(), ["first task"]);

            works.set_hanging([]);
            world.clock.advance(HOUR);
            until(|| works.done("first task") == 1).await;
        })
        .await;
        assert_eq!(works.begun("first task"), 2);
    }

    async fn a_receiver_that_hangs_is_dropped_after_a_minute_and_gets_its_message_later(backend) {
        let (world, works) = with_works(backend).await;
        works.set_hanging(["slow receiver"]);
        order(&world, &["works.slow", "works.quick"]).await;
        while_jobs_run(&world, async {
            until(|| works.begun("slow receiver") == 1).await;
            assert_eq!(works.done("quick receiver"), 0);
            world.clock.advance(MINUTE);
            until(|| works.done("quick receiver") == 1 && works.done("second task") == 1).await;
            assert_eq!(works.dropped(), ["slow receiver"]);

            works.set_hanging([]);
            world.clock.advance(MINUTE);
            until(|| works.done("slow receiver") == 1).await;
        })
        .await;
        assert_eq!((works.begun("slow receiver"), works.begun("quick receiver")), (2, 1));
        world.clock.advance(24 * HOUR);
        world.auth.run_due_jobs().await;
        assert_eq!((works.begun("slow receiver"), works.begun("quick receiver")), (2, 1), "both are done with");
    }

    async fn many_messages_to_a_receiver_that_hangs_cost_the_others_one_minute(backend) {
        let (world, works) = with_works(backend).await;
        works.set_hanging(["slow receiver"]);
        order(&world, &["works.slow", "works.slow", "works.slow", "works.quick"]).await;
        while_jobs_run(&world, async {
            until(|| works.begun("slow receiver") == 1).await;
            world.clock.advance(MINUTE);
            until(|| works.done("quick receiver") == 1 || works.begun("slow receiver") == 2).await;
        })
        .await;
        assert_eq!(works.done("quick receiver"), 1, "each of a hundred messages to the slow one would cost a minute");
    }

    async fn a_message_is_leased_at_the_time_when_it_is_taken_up(backend) {
        let (world, works) = with_works(backend).await;
        works.set_hanging(["slow receiver", "quick receiver"]);
        order(&world, &["works.slow", "works.quick"]).await;
        while_jobs_run(&world, async {
            until(|| works.begun("slow receiver") == 1).await;
            world.clock.advance(2 * MINUTE);
            until(|| works.begun("quick receiver") == 1).await;
            works.set_hanging([]);
            // Another node looks while this one is at it.
            world.auth.run_due_jobs().await;
        })
        .await;
        assert_eq!(works.begun("quick receiver"), 1, "the lease was over before it began");
    }
}
