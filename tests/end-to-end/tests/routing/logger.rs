//! Who else is told: a required logger hears how an act ended once that is known, a subscriber of what was done only.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use authkit_core::{
    AuditEntry, AuditEvent as _, AuditLogger, BoxError, LoggerRole, LoginSuccess, Manifest, Plugin, Problem, Registrar,
    RequestContext, SessionRevoked, Settlement, Subscriber,
};
use authkit_testkit::{Counted, Fault};
use end_to_end::{PASSWORD, World};

use crate::stores::{Moment, Stores, die_at, go_on, on_each_pair, settlements};

/// A required logger and a subscriber in one, which write down what they hear.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    told: Vec<String>,
    refuses: bool,
}

impl Ear {
    fn told(&self) -> Vec<String> {
        mem::take(&mut self.0.lock().unwrap().told)
    }

    fn note(&self, entry: &AuditEntry, what: &str) -> Result<(), BoxError> {
        let mut heard = self.0.lock().unwrap();
        if entry.kind == LoginSuccess::KIND || entry.kind == SessionRevoked::KIND {
            heard.told.push(format!("{} {what}", entry.kind));
        }
        Ok(())
    }
}

impl Plugin for Ear {
    fn manifest(&self) -> Manifest {
        Manifest::new("ear", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.audit_logger(Arc::new(self.clone()), LoggerRole::Required);
        registrar.subscribe::<LoginSuccess>(Arc::new(self.clone()));
        registrar.subscribe::<SessionRevoked>(Arc::new(self.clone()));
        Ok(())
    }
}

#[async_trait]
impl AuditLogger for Ear {
    fn id(&self) -> &'static str {
        "ear"
    }

    async fn prepare(&self, entry: &AuditEntry) -> Result<(), BoxError> {
        self.note(entry, "prepared")?;
        if self.0.lock().unwrap().refuses { Err("no".into()) } else { Ok(()) }
    }

    async fn settled(&self, entry: &AuditEntry, settlement: Settlement) -> Result<(), BoxError> {
        self.note(entry, settlement.as_str())
    }
}

#[async_trait]
impl Subscriber for Ear {
    async fn notice(&self, _: &RequestContext, entry: &AuditEntry) -> Result<(), BoxError> {
        self.note(entry, "noticed")
    }
}

async fn listening(stores: &Stores) -> (World, Ear) {
    let ear = Ear::default();
    let world = stores.builder().plugin(ear.clone()).build().await;
    world.sign_up("ada@example.com").await;
    (world, ear)
}

const DONE: [&str; 2] = ["login_success committed", "login_success noticed"];

on_each_pair! {
    async fn both_are_told_of_a_sign_in_once_it_is_settled(stores) {
        let (world, ear) = listening(stores).await;
        world.signed_in("ada@example.com").await;
        assert_eq!(ear.told(), ["login_success prepared"]);
        world.auth.run_due_jobs().await;
        assert_eq!(ear.told(), DONE);
    }

    async fn nobody_is_told_while_the_second_store_is_away(stores) {
        let (world, ear) = listening(stores).await;
        stores.take_down();
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 503);
        go_on(&world).await;
        assert_eq!(ear.told(), ["login_success prepared"]);
        stores.second.heal();
        go_on(&world).await;
        go_on(&world).await;
        assert_eq!(ear.told(), DONE);
        go_on(&world).await;
        assert!(ear.told().is_empty());
    }

    async fn both_are_told_once_though_the_settling_died(stores) {
        for moment in [Moment::Asked, Moment::Made] {
            let stores = stores.fresh().await;
            let (world, ear) = listening(&stores).await;
            die_at(&stores.main, 2, moment, world.browser().login("ada@example.com", PASSWORD)).await;
            assert_eq!(ear.told(), ["login_success prepared"]);
            go_on(&world).await;
            go_on(&world).await;
            assert_eq!(ear.told(), DONE);
        }
    }

    async fn a_logger_that_refuses_leaves_nothing_in_either_store(stores) {
        let (world, ear) = listening(stores).await;
        ear.0.lock().unwrap().refuses = true;
        let before = stores.second.calls();
        let answer = world.browser().login("ada@example.com", PASSWORD).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "core.audit_unavailable"), "{answer:?}");
        assert_eq!(stores.second.calls(), before);
        assert!(settlements(&world, "login_success").await.is_empty());
        assert_eq!(ear.told(), ["login_success prepared", "login_success aborted"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_decision_that_failed_is_told_as_aborted(stores) {
        let (world, ear) = listening(stores).await;
        world.store.inject(Counted::Commits, 1, Fault::Fails);
        assert_eq!(world.browser().login("ada@example.com", PASSWORD).await.status, 503);
        assert_eq!(ear.told(), ["login_success prepared", "login_success aborted"]);
        stores.assert_at_rest(&world).await;
    }

    async fn a_revocation_that_was_none_is_noticed_by_nobody(stores) {
        let (world, ear) = listening(stores).await;
        let mut browser = world.signed_in("ada@example.com").await;
        go_on(&world).await;
        ear.told();
        let nothing: authkit_core::Id = world.cx().new_id();
        assert_eq!(browser.delete(&format!("/v1/sessions/{nothing}")).await.status, 404);
        go_on(&world).await;
        assert!(ear.told().is_empty(), "nobody waits for a logger to take something away, so it needs no word");
    }
}
