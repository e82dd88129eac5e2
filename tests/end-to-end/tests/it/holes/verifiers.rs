//! Methods that want to act in the name of others, or to get rid of what guards the commit.

use std::sync::{Arc, Mutex};

use authkit_core::{
    Aal, Ability, AuthError, Batch, Condition, CredentialVerifier, Effect, Enroller, Evidence, Factors, Manifest,
    MethodId, OfferAction, Plugin, Principal, PrincipalKind, Problem, Progress, Prompt, Registrar, RequestContext,
    SignUp, StepContext, Verdict, codes,
};
use end_to_end::{Backend, Demand, PASSWORD, World, WorldBuilder, on_each_store};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Notes, PASSWORDS, Right, foreign, is_written, signed_in, with_password};

const ODD: MethodId = MethodId::from_static("odd");

/// What the method does in place of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bad {
    /// Nothing: it works, and everybody may answer.
    No,
    /// Brings evidence of a password.
    Evidence,
    /// Brings an effect of the password.
    Effect,
    /// Brings an effect of its own that proves a password.
    EffectEvidence,
    /// Replaces the batch that it is to fill.
    Batch,
}

/// A method, and the plugin that registers it.
#[derive(Clone)]
struct Odd {
    bad: Bad,
    /// What it puts in place of the step's batch.
    kept: Arc<Mutex<Option<Batch>>>,
}

impl Odd {
    fn new(bad: Bad) -> Self {
        Self { bad, kept: Arc::default() }
    }

    fn effect(&self, cx: &RequestContext, principal: &Principal) -> Result<Effect, AuthError> {
        let evidence = |method| Evidence::new(method, Factors::POSSESSION, cx.now(), principal.epoch);
        match self.bad {
            Bad::Effect => Effect::new(PASSWORDS, &json!({ "hash": "forged" })),
            Bad::EffectEvidence => Ok(Effect::new(ODD, &())?.proving(evidence(PASSWORDS))),
            _ => Ok(Effect::new(ODD, &())?.proving(evidence(ODD))),
        }
    }
}

impl Plugin for Odd {
    fn manifest(&self) -> Manifest {
        Manifest::new("odd", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.verifier(Arc::new(self.clone()));
        registrar.enroller(Arc::new(Enrols(self.clone())));
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema)]
struct Name {
    identifier: Option<String>,
}

impl CredentialVerifier for Odd {
    type Begin = ();
    type State = ();
    type Response = Name;

    fn method(&self) -> MethodId {
        ODD
    }

    fn hint<'r>(&self, response: &'r Name) -> Option<&'r str> {
        response.identifier.as_deref()
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, _: Name) -> Result<Verdict, AuthError> {
        if let Some(batch) = self.kept.lock().unwrap().take() {
            cx.batch = batch;
        }
        let principal = cx.principal.or(cx.found).cloned().ok_or(AuthError::new(&codes::REJECTED))?;
        if self.bad == Bad::Effect {
            let effect = self.effect(cx, &principal)?;
            return Ok(Verdict::ProveFirst { candidate: principal, effect, reason: "odd" });
        }
        let method = if self.bad == Bad::Evidence { PASSWORDS } else { ODD };
        let evidence = Evidence::new(method, Factors::POSSESSION, cx.now(), principal.epoch);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        _: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        if self.bad == Bad::Batch {
            *batch = Batch::new(cx);
        }
        batch.add_enrolment(cx, principal, Ability::new(ODD, Factors::POSSESSION));
        Ok(())
    }
}

struct Enrols(Odd);

impl Enroller for Enrols {
    type Begin = ();
    type State = ();
    type Response = Name;

    fn ability(&self) -> Ability {
        Ability::new(ODD, Factors::POSSESSION)
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Ok(Prompt { public: json!(null), state: () })
    }

    async fn confirm(&self, cx: &mut StepContext<'_>, _: Option<()>, _: Name) -> Result<Effect, AuthError> {
        let principal = cx.principal.ok_or(AuthError::new(&codes::REJECTED))?;
        self.0.effect(cx, principal)
    }
}

/// An application with the method, the notes, and somebody.
async fn with(builder: WorldBuilder, odd: &Odd) -> (World, Arc<Right>) {
    let world = builder.plugin(Notes::default()).plugin(odd.clone()).build().await;
    world.sign_up("ada@example.com").await;
    let right = world.auth.capability::<Right>().unwrap();
    (world, right)
}

/// The same, where every sign-in demands two factors.
async fn with_two(backend: Backend, odd: &Odd) -> World {
    with(World::builder(backend).plugin(Demand(Condition::level(Aal::Aal2))), odd).await.0
}

/// The token of a flow in which the password was proved and the method is being set up.
async fn enrolling(world: &World) -> String {
    let Ok(Progress::Challenged(challenge)) = with_password(&world.cx(), "ada@example.com").await else {
        panic!("the right password, and more is demanded");
    };
    assert_eq!(challenge.offers[0].action, OfferAction::Enrol);
    let begun = world.cx().begin(&ODD, json!(null), Some(challenge.flow.expose())).await.unwrap();
    begun.flow.expose().to_owned()
}

async fn sessions(world: &World) -> usize {
    world.rows("auth_sessions", "by_principal").await.len()
}

on_each_store! {
    async fn a_method_proves_nothing_in_the_name_of_another(backend) {
        for bad in [Bad::Evidence, Bad::Effect] {
            let (world, _) = with(World::builder(backend), &Odd::new(bad)).await;
            let passwords = world.rows("auth_passwords", "by_principal").await;
            let refused = world.cx().sign_in(&ODD, json!({ "identifier": "ada@example.com" })).await.unwrap_err();
            assert_eq!(*refused.code(), codes::INTERNAL, "{bad:?}");
            assert_eq!(sessions(&world).await, 0);
            assert_eq!(world.rows("auth_passwords", "by_principal").await, passwords);
        }
    }

    async fn a_method_enrols_nothing_in_the_name_of_another(backend) {
        for bad in [Bad::Effect, Bad::EffectEvidence] {
            let world = with_two(backend, &Odd::new(bad)).await;
            let passwords = world.rows("auth_passwords", "by_principal").await;
            let flow = enrolling(&world).await;
            let refused = world.cx().answer(&flow, &ODD, json!({})).await.unwrap_err();
            assert_eq!(*refused.code(), codes::INTERNAL, "{bad:?}");
            assert_eq!(sessions(&world).await, 0);
            assert_eq!(world.rows("auth_passwords", "by_principal").await, passwords);
        }
    }

    async fn applying_an_effect_does_not_drop_what_guards_the_commit(backend) {
        let world = with_two(backend, &Odd::new(Bad::Batch)).await;
        let flow = enrolling(&world).await;
        let done = world.cx().answer(&flow, &ODD, json!({})).await;
        assert!(matches!(done, Ok(Progress::SignedIn(_))), "{done:?}");
        let again = world.cx().answer(&flow, &ODD, json!({})).await.unwrap_err();
        assert_eq!(*again.code(), codes::FLOW_INVALID, "a flow issues once");
        assert_eq!(sessions(&world).await, 1);

        // Nor the principal that signs up with it.
        let cx = world.cx();
        let bob = Principal::new(&cx, PrincipalKind::Human);
        let sign_up = SignUp {
            principal: bob.clone(),
            identifiers: vec![cx.identifier("bob@example.com").unwrap()],
            method: ODD,
            response: json!({}),
            batch: Batch::new(&cx),
        };
        cx.sign_up(sign_up).await.unwrap();
        let found = cx.find_principal(&cx.identifier("bob@example.com").unwrap()).await.unwrap();
        assert_eq!(found.map(|principal| principal.id), Some(bob.id));
    }

    async fn of_many_answers_one_issues_though_the_effect_drops_its_batch(backend) {
        let world = Arc::new(with_two(backend, &Odd::new(Bad::Batch)).await);
        let flow = enrolling(&world).await;
        let mut answers = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (world, flow) = (world.clone(), flow.clone());
            answers.spawn(async move { usize::from(world.cx().answer(&flow, &ODD, json!({})).await.is_ok()) });
        }
        assert_eq!(answers.join_all().await.into_iter().sum::<usize>(), 1);
        assert_eq!(sessions(&world).await, 1);
    }

    async fn no_batch_of_another_tenant_is_committed_through_a_step(backend) {
        let odd = Odd::new(Bad::No);
        let (world, right) = with(World::builder(backend), &odd).await;
        let response = json!({ "identifier": "ada@example.com" });
        let (id, batch) = foreign(&world, &right);
        *odd.kept.lock().unwrap() = Some(batch);
        let refused = world.cx().sign_in(&ODD, response.clone()).await.unwrap_err();
        assert_eq!(*refused.code(), codes::INTERNAL);
        assert!(!is_written(&world, &right, id).await);
        assert_eq!(sessions(&world).await, 0);
        assert!(matches!(world.cx().sign_in(&ODD, response).await, Ok(Progress::SignedIn(_))));
    }

    async fn no_batch_of_another_tenant_is_committed_through_a_sign_up(backend) {
        let (world, right) = with(World::builder(backend), &Odd::new(Bad::No)).await;
        let cx = world.cx();
        let (id, batch) = foreign(&world, &right);
        let identifier = cx.identifier("bob@example.com").unwrap();
        let sign_up = SignUp {
            principal: Principal::new(&cx, PrincipalKind::Human),
            identifiers: vec![identifier.clone()],
            method: PASSWORDS,
            response: json!({ "password": PASSWORD }),
            batch,
        };
        assert_eq!(*cx.sign_up(sign_up).await.unwrap_err().code(), codes::INTERNAL);
        assert!(!is_written(&world, &right, id).await);
        assert!(cx.find_principal(&identifier).await.unwrap().is_none());
        signed_in(&cx, "ada@example.com").await;
    }
}
