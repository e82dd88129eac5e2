//! Stages that want to undo what others do.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{
    Admission, Aftermath, Attempt, AuthError, Batch, Charge, End, FlowView, Manifest, Mark, Order, Plugin, Problem,
    Progress, Registrar, RequestContext, Requirement, SecretText, Signals, Stage, StageId, codes,
};
use authkit_risk::Throttle;
use end_to_end::{Backend, World, WorldBuilder, on_each_store, proofs::Noted};
use serde_json::json;

use super::{Notes, PASSWORDS, Right, foreign, is_written, with_password};

/// A stage, and the plugin that registers it, that does what a test says.
#[derive(Clone)]
struct Told {
    id: StageId,
    charges: Vec<Charge>,
    assess: fn(&mut Signals),
    decide: fn(&Signals) -> Requirement,
    after: Arc<After>,
}

type After = dyn Fn(&RequestContext, &End<'_>, &mut Aftermath) + Send + Sync;

impl Told {
    fn nothing(id: StageId) -> Self {
        Self { id, charges: Vec::new(), assess: |_| {}, decide: |_| Requirement::none(), after: Arc::new(|_, _, _| {}) }
    }

    fn after(self, after: impl Fn(&RequestContext, &End<'_>, &mut Aftermath) + Send + Sync + 'static) -> Self {
        Self { after: Arc::new(after), ..self }
    }

    /// Wants nothing of what others leave to remain.
    fn wiping(id: StageId) -> Self {
        let wiping = Self { assess: |signals| *signals = Signals::default(), ..Self::nothing(id) };
        wiping.after(|cx, _, aftermath| {
            aftermath.batch = Batch::new(cx);
            aftermath.mark = Some(Mark::new(SecretText::new("wiped".to_owned()), Duration::from_secs(60)));
        })
    }
}

impl Plugin for Told {
    fn manifest(&self) -> Manifest {
        Manifest::new(self.id, "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(self.clone()));
        Ok(())
    }
}

#[async_trait]
impl Stage for Told {
    fn id(&self) -> StageId {
        self.id
    }

    fn order(&self) -> Order {
        Order::ANY
    }

    async fn admit(&self, _: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> {
        Ok(Admission::Pass(self.charges.clone()))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, signals: &mut Signals) -> Result<(), AuthError> {
        (self.assess)(signals);
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, signals: &Signals) -> Result<Requirement, AuthError> {
        Ok((self.decide)(signals))
    }

    async fn after(&self, cx: &RequestContext, end: &End<'_>, aftermath: &mut Aftermath) -> Result<(), AuthError> {
        (self.after)(cx, end, aftermath);
        Ok(())
    }
}

/// An application with stages that want to wipe what others leave, before and after all of these.
fn wiped(backend: Backend) -> WorldBuilder {
    World::builder(backend).plugin(Told::wiping("a-wiper")).plugin(Told::wiping("z-wiper"))
}

on_each_store! {
    async fn no_stage_takes_back_what_another_found_or_writes(backend) {
        let wary = Told {
            assess: |signals| signals.add("new_country", 9),
            decide: |signals| match signals.iter().any(|signal| signal == ("new_country", 9)) {
                true => Requirement::deny("new_country"),
                false => Requirement::none(),
            },
            ..Told::nothing("m-wary")
        };
        let wary = wary.after(|_, _, aftermath| aftermath.batch.record(&Noted));
        let world = wiped(backend).event::<Noted>().plugin(wary).build().await;
        world.sign_up("ada@example.com").await;
        assert_eq!(*with_password(&world.cx(), "ada@example.com").await.unwrap_err().code(), codes::DENIED);
        let wrong = json!({ "identifier": "ada@example.com", "password": "a wrong guess" });
        assert_eq!(*world.cx().sign_in(&PASSWORDS, wrong).await.unwrap_err().code(), codes::REJECTED);
        let audit = world.audit().await;
        assert_eq!(audit.iter().filter(|event| event["kind"] == "noted").count(), 2);
    }

    async fn no_stage_takes_the_mark_of_another(backend) {
        let world = wiped(backend).throttle(Throttle::default()).build().await;
        world.sign_up("ada@example.com").await;
        let Ok(Progress::SignedIn(signed_in)) = with_password(&world.cx(), "ada@example.com").await else {
            panic!("the right password");
        };
        let mark = signed_in.mark.unwrap();
        let client = authkit_core::Client::default().device(mark.text);
        assert!(client.mark("lockout").is_some_and(|mark| mark.len() > 40), "as the lockout left it");
        assert_eq!((client.mark("a-wiper"), client.mark("z-wiper")), (Some("wiped"), Some("wiped")));
        assert!(mark.life > Duration::from_secs(60), "as long as the lockout asked for");
    }

    async fn no_batch_of_another_tenant_is_committed_through_a_stage(backend) {
        let kept: Arc<Mutex<Option<Batch>>> = Arc::default();
        let shelf = kept.clone();
        let keeper = Told::nothing("keeper").after(move |_, _, aftermath| {
            if let Some(batch) = shelf.lock().unwrap().take() {
                aftermath.batch = batch;
            }
        });
        let world = World::builder(backend).plugin(Notes::default()).plugin(keeper).build().await;
        let right = world.auth.capability::<Right>().unwrap();
        world.sign_up("ada@example.com").await;
        for password in [end_to_end::PASSWORD, "a wrong guess"] {
            let (id, batch) = foreign(&world, &right);
            *kept.lock().unwrap() = Some(batch);
            let response = json!({ "identifier": "ada@example.com", "password": password });
            let refused = world.cx().sign_in(&PASSWORDS, response).await.unwrap_err();
            assert_eq!(*refused.code(), codes::INTERNAL);
            assert!(!is_written(&world, &right, id).await);
        }
        assert!(world.rows("auth_sessions", "by_principal").await.is_empty());
        assert!(matches!(with_password(&world.cx(), "ada@example.com").await, Ok(Progress::SignedIn(_))));
    }

    async fn no_charge_counts_down(backend) {
        for by in [-1, -1000, i64::MIN] {
            let mut charge = Charge::count("odd.charge", [7; 32], 10, Duration::from_secs(60));
            charge.by = by;
            let odd = Told { charges: vec![charge], ..Told::nothing("odd") };
            let world = World::builder(backend).throttle(Throttle::default()).plugin(odd).build().await;
            let refused = with_password(&world.cx(), "ada@example.com").await.unwrap_err();
            assert_eq!(*refused.code(), codes::INTERNAL, "{by}");
            assert!(world.audit().await.is_empty(), "nothing was judged");
            assert!(world.rows("auth_counters", "by_key").await.is_empty(), "and nothing was counted");
        }
    }
}
