//! A further factor that its owner removes: it is offered no more, and nothing proved with it before counts.

use std::sync::Arc;

use authkit_core::{
    Aal, Ability, About, Access, Act, At, AuditEvent, AuthError, Batch, Call, Challenge, Collection, Condition,
    CredentialVerifier, Effect, EndSessions, Entity, Evidence, Factors, HttpMethod, Manifest, MethodId, Operation,
    Outcome, Plugin, Principal, PrincipalId, Problem, Progress, Prompt, Registrar, Reply, RequestContext, Sealed,
    SecretText, StepContext, Verdict, codes, id_type,
};
use authkit_testkit::drop_at_every_await;
use end_to_end::{Backend, Browser, Demand, PASSWORD, World, on_each_store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as JsonValue, json};
use tokio::task::JoinSet;

const METHOD: MethodId = MethodId::from_static("fob");
/// What a session asks to do before it removes one.
const REMOVE: &str = "fob.remove";

id_type! {
    /// One fob.
    struct FobId;
}

/// A thing on a key ring that shows a number, always the same in this test.
#[derive(Debug, Entity)]
#[entity(
    table = "test_fobs",
    durable,
    unique(by_label: principal_id, label),
    references(principal_id -> auth_principals)
)]
struct FobRow {
    id: FobId,
    principal_id: PrincipalId,
    label: String,
    number: Sealed<String>,
}

struct Fobs;

impl Plugin for Fobs {
    fn manifest(&self) -> Manifest {
        Manifest::new("fob", "0.1.0").creates::<FobRow>().event::<FobRemoved>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let keeper = Arc::new(Keeper { rows: registrar.collection()? });
        registrar.verifier(keeper.clone());
        let summary = "Removes a fob and ends all other sessions.";
        registrar.operation(Operation::new(HttpMethod::Post, "/fobs/remove", Access::Session, summary, {
            let keeper = keeper.clone();
            move |call, input| {
                let keeper = keeper.clone();
                async move { keeper.remove(&call, input).await }
            }
        }));
        registrar.provide(keeper);
        Ok(())
    }
}

struct Keeper {
    rows: Collection<FobRow>,
}

/// What a fob shows, and which one it is.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Shown {
    label: String,
    number: String,
}

impl CredentialVerifier for Keeper {
    type Begin = ();
    type State = ();
    type Response = Shown;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, _: &'r Shown) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, shown: Shown) -> Result<Verdict, AuthError> {
        let principal = cx.principal.cloned().ok_or(AuthError::new(&codes::REJECTED))?;
        let row = self.rows.get(cx, At::key(FobRow::by_label, (principal.id, shown.label))).await?;
        let row = row.ok_or(AuthError::new(&codes::REJECTED))?;
        if self.rows.open(cx, FobRow::number, row.id, &row.number)? != shown.number {
            return Err(AuthError::new(&codes::REJECTED));
        }
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch).amr("otp");
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        effect: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let Shown { label, number } = effect.data()?;
        let ability = Ability::new(METHOD, Factors::POSSESSION).label(label.clone());
        let id = cx.new_id();
        let number = self.rows.seal(cx, FobRow::number, id, &number)?;
        batch.insert(&self.rows, FobRow { id, principal_id: principal.id, label, number }).or(&codes::CONFLICT);
        batch.add_enrolment(cx, principal, ability);
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema)]
struct Removal {
    label: String,
    /// The permission, from `POST /auth/step-up`.
    grant: SecretText,
}

impl Keeper {
    async fn remove(&self, call: &Call, input: Removal) -> Result<Reply<()>, AuthError> {
        let (cx, session) = (&call.cx, call.session()?);
        cx.redeem(session, REMOVE, input.grant.expose()).await?;
        let owner = &session.principal;
        let mut batch = Batch::new(cx);
        let at = At::key(FobRow::by_label, (owner.id, input.label.clone()));
        batch.take(&self.rows, at, []).or(&codes::NOT_FOUND);
        batch.remove_enrolment(cx, owner.id, &METHOD, &input.label);
        batch.raise_epoch(cx, owner, EndSessions::Others(session));
        let tokens = cx.commit_and_rotate(FobRemoved { principal: owner.id }, batch, session).await?;
        Ok(Reply::no_content().start(tokens))
    }
}

#[derive(Serialize)]
struct FobRemoved {
    #[serde(skip)]
    principal: PrincipalId,
}

impl AuditEvent for FobRemoved {
    const KIND: &'static str = "fob_removed";
    const ACT: Act = Act::Withdraws;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

#[derive(Serialize)]
struct FobGiven;

impl AuditEvent for FobGiven {
    const KIND: &'static str = "fob_given";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

/// Hands a fob out, as an administrator does.
async fn give(world: &World, address: &str, label: &str) {
    let (cx, keeper) = (world.cx(), world.auth.capability::<Keeper>().unwrap());
    let principal = cx.find_principal(&cx.identifier(address).unwrap()).await.unwrap().unwrap();
    let mut batch = Batch::new(&cx);
    let effect = Effect::new(METHOD, &json!(shown(label))).unwrap();
    keeper.apply(&cx, &principal, &effect, &mut batch).unwrap();
    batch.raise_epoch(&cx, &principal, EndSessions::None);
    cx.commit(FobGiven, batch).await.unwrap();
}

fn shown(label: &str) -> Shown {
    Shown { label: label.to_owned(), number: format!("the number of {label}") }
}

/// Two factors are demanded; ada has a password, a blue fob and a red one.
async fn world(backend: Backend) -> World {
    let demand = Demand(Condition::level(Aal::Aal2));
    let world = World::builder(backend).event::<FobGiven>().plugin(Fobs).plugin(demand).build().await;
    world.sign_up("ada@example.com").await;
    give(&world, "ada@example.com", "blue").await;
    give(&world, "ada@example.com", "red").await;
    world
}

async fn after_password(world: &World) -> Result<Challenge, AuthError> {
    let response = json!({ "identifier": "ada@example.com", "password": PASSWORD });
    match world.cx().sign_in(&MethodId::from_static("password"), response).await? {
        Progress::Challenged(challenge) => Ok(challenge),
        other => panic!("{other:?}"),
    }
}

async fn answer(world: &World, flow: &Challenge, label: &str) -> Result<Progress, AuthError> {
    world.cx().answer(flow.flow.expose(), &METHOD, json!(shown(label))).await
}

/// A browser in which ada has signed in with her password and this fob.
async fn browser<'w>(world: &'w World, label: &str) -> Browser<'w> {
    let mut browser = world.browser();
    let challenge = browser.login("ada@example.com", PASSWORD).await.json();
    let Shown { label, number } = shown(label);
    let flow = &challenge["challenge"]["flow"];
    let body = json!({ "flow": flow, "method": "fob", "label": label, "number": number });
    let answer = browser.post("/v1/auth/challenges/answer", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    browser
}

async fn permission(browser: &mut Browser<'_>, action: &str) -> JsonValue {
    let answer = browser.post("/v1/auth/step-up", json!({ "action": action })).await;
    assert_eq!(answer.json()["status"], "granted", "{answer:?}");
    answer.json()["grant"].clone()
}

async fn remove(browser: &mut Browser<'_>, label: &str) -> u16 {
    let grant = permission(browser, REMOVE).await;
    browser.post("/v1/fobs/remove", json!({ "label": label, "grant": grant })).await.status
}

/// Fobs and enrolments of them, which are there together or not at all.
async fn fobs(world: &World) -> usize {
    let fobs = world.rows("test_fobs", "id").await.len();
    let enrolments = world.rows("auth_enrolments", "id").await;
    assert_eq!(enrolments.iter().filter(|row| row["method"] == "fob").count(), fobs);
    fobs
}

on_each_store! {
    async fn what_was_removed_is_offered_no_more_and_what_remains_is(backend) {
        let world = world(backend).await;
        let mut ada = browser(&world, "blue").await;
        assert_eq!(remove(&mut ada, "blue").await, 204);
        let challenge = after_password(&world).await.unwrap();
        assert_eq!(challenge.offers.iter().map(|offer| offer.method.as_str()).collect::<Vec<_>>(), ["fob"]);
        let refused = answer(&world, &challenge, "blue").await.unwrap_err();
        assert_eq!(*refused.code(), codes::REJECTED);
        let done = answer(&world, refused.challenge().unwrap(), "red").await;
        assert!(matches!(done, Ok(Progress::SignedIn(_))), "{done:?}");

        assert_eq!(remove(&mut ada, "red").await, 204);
        assert_eq!(*after_password(&world).await.unwrap_err().code(), codes::UNREACHABLE);
        assert_eq!(fobs(&world).await, 0);
    }

    async fn flows_of_before_the_removal_issue_nothing_whatever_answers_them(backend) {
        let world = world(backend).await;
        let mut ada = browser(&world, "red").await;
        let (one, other) = (after_password(&world).await.unwrap(), after_password(&world).await.unwrap());
        assert_eq!(remove(&mut ada, "blue").await, 204);
        for (flow, label) in [(&one, "blue"), (&other, "red")] {
            let stale = answer(&world, flow, label).await.unwrap_err();
            assert_eq!(*stale.code(), codes::FLOW_INVALID);
            assert!(stale.challenge().is_none(), "the flow is over");
        }
        assert_eq!(world.rows("auth_sessions", "by_principal").await.len(), 1, "the one that removed it");
    }

    async fn only_the_session_that_removed_it_goes_on_with_a_new_token(backend) {
        let world = world(backend).await;
        let (mut here, mut there) = (browser(&world, "red").await, browser(&world, "blue").await);
        let mut copy = here.tab();
        assert_eq!(remove(&mut here, "blue").await, 204);
        assert!(here.is_signed_in().await);
        assert!(!there.is_signed_in().await && !copy.is_signed_in().await);
    }

    async fn a_permission_of_before_the_removal_is_void(backend) {
        let world = world(backend).await;
        let mut ada = browser(&world, "red").await;
        let grant = permission(&mut ada, REMOVE).await;
        assert_eq!(remove(&mut ada, "blue").await, 204);
        let late = ada.post("/v1/fobs/remove", json!({ "label": "red", "grant": grant })).await;
        assert_eq!((late.status, late.code().as_str()), (403, "core.step_up_required"));
        assert_eq!(fobs(&world).await, 1);
    }

    async fn removing_takes_a_permission_of_this_session_for_this_act(backend) {
        let world = world(backend).await;
        let (mut ada, mut other) = (browser(&world, "red").await, browser(&world, "red").await);
        let foreign = permission(&mut other, REMOVE).await;
        let another = permission(&mut ada, "another.act").await;
        for grant in [foreign, another, json!("nonsense")] {
            let refused = ada.post("/v1/fobs/remove", json!({ "label": "blue", "grant": grant })).await;
            assert_eq!((refused.status, refused.code().as_str()), (403, "core.step_up_required"));
        }
        assert_eq!(fobs(&world).await, 2);
    }

    async fn what_is_gone_or_somebody_elses_cannot_be_removed(backend) {
        let world = world(backend).await;
        let mut ada = browser(&world, "red").await;
        world.sign_up("eve@example.com").await;
        give(&world, "eve@example.com", "green").await;
        assert_eq!(remove(&mut ada, "green").await, 404);
        assert_eq!(remove(&mut ada, "blue").await, 204);
        assert_eq!(remove(&mut ada, "blue").await, 404);
        assert_eq!(fobs(&world).await, 2, "red and green");
        assert!(ada.is_signed_in().await, "what was refused changed nothing");
    }

    async fn no_session_of_a_removed_factor_survives_a_race(backend) {
        for _ in 0..10 {
            let world = Arc::new(world(backend).await);
            let mut ada = browser(&world, "red").await;
            let mut all = JoinSet::new();
            for _ in 0..4 {
                let challenge = after_password(&world).await.unwrap();
                let world = world.clone();
                all.spawn(async move { answer(&world, &challenge, "blue").await.is_ok() });
            }
            assert_eq!(remove(&mut ada, "blue").await, 204);
            all.join_all().await;
            assert_eq!(world.rows("auth_sessions", "by_principal").await.len(), 1);
            assert!(ada.is_signed_in().await);
        }
    }

    async fn of_two_removals_at_once_one_wins(backend) {
        for _ in 0..10 {
            let world = world(backend).await;
            let mut one = browser(&world, "red").await;
            let blue = json!({ "label": "blue", "grant": permission(&mut one, REMOVE).await });
            let red = json!({ "label": "red", "grant": permission(&mut one, REMOVE).await });
            let mut other = one.tab();
            let answers = tokio::join!(one.post("/v1/fobs/remove", blue), other.post("/v1/fobs/remove", red));
            let statuses = [answers.0.status, answers.1.status];
            assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
            assert_eq!(fobs(&world).await, 1);
        }
    }

    async fn a_removal_that_is_dropped_removes_everything_or_nothing(backend) {
        drop_at_every_await(
            async || {
                let world = world(backend).await;
                let mut ada = browser(&world, "red").await;
                let grant = permission(&mut ada, REMOVE).await;
                let cookies = ada.cookies.clone();
                (world, cookies, json!({ "label": "blue", "grant": grant }))
            },
            async |(world, cookies, body)| {
                let mut ada = world.browser();
                ada.cookies = cookies.clone();
                ada.post("/v1/fobs/remove", body.clone()).await.status
            },
            async |(world, _, _), status| {
                // A commit that was on its way lands before a later one.
                world.browser().login("nobody@example.com", "settles what is under way").await;
                let removed = world.audit().await.iter().filter(|event| event["kind"] == "fob_removed").count();
                assert_eq!(fobs(world).await, 2 - removed);
                assert!(status.is_none_or(|status| (status, removed) == (204, 1)), "{status:?}");
            },
        )
        .await;
    }
}
