//! A secret that was reset by mail and a code by mail are one factor, until the secret is used beside something else.

use std::sync::Arc;

use async_trait::async_trait;
use authkit_account::AccountAdmin;
use authkit_core::{
    Aal, Ability, About, Act, Admission, Aftermath, At, Attempt, AuditEvent, AuthError, Batch, Challenge, Channel,
    Collection, Condition, CredentialVerifier, Effect, End, EndSessions, Entity, Evidence, Factors, FlowView, MacKey,
    Manifest, MethodId, OfferAction, Order, Outcome, Plugin, Principal, PrincipalId, PrincipalKind, Problem, Progress,
    Prompt, Registrar, RequestContext, Requirement, SecretText, Session, Signals, Stage, StageId, StepContext, Verdict,
    codes, id_type,
};
use end_to_end::{Backend, Demand, PASSWORD, World, on_each_store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A secret that one knows, and that can be reset by mail.
const PHRASE: MethodId = MethodId::from_static("phrase");
/// A code that comes by mail; always the same in this test.
const MAIL_CODE: MethodId = MethodId::from_static("mail_code");
/// A code that a device shows; always the same in this test.
const DEVICE: MethodId = MethodId::from_static("device");
const EMAIL: Channel = Channel::from_static("email");

id_type! {
    /// One text.
    struct TextId;
}

/// A text that proves something.
#[derive(Debug, Entity)]
#[entity(
    table = "test_texts",
    durable,
    unique(by_method: principal_id, method),
    references(principal_id -> auth_principals)
)]
struct TextRow {
    id: TextId,
    principal_id: PrincipalId,
    method: MethodId,
    /// HMAC of the text.
    mac: [u8; 32],
    /// By which channel it comes, or was set.
    channel: Option<Channel>,
}

struct Texts;

impl Plugin for Texts {
    fn manifest(&self) -> Manifest {
        Manifest::new("texts", "0.1.0").creates::<TextRow>().event::<TextSet>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let keeper = Arc::new(Keeper { rows: registrar.collection()?, macs: registrar.keys().mac("texts") });
        for (method, factors) in
            [(PHRASE, Factors::KNOWLEDGE), (MAIL_CODE, Factors::POSSESSION), (DEVICE, Factors::POSSESSION)]
        {
            registrar.verifier(Arc::new(TextVerifier { method, factors, keeper: keeper.clone() }));
        }
        registrar.stage(Arc::new(ClearChannel(keeper.clone())));
        registrar.provide(keeper);
        Ok(())
    }
}

struct Keeper {
    rows: Collection<TextRow>,
    macs: MacKey,
}

impl Keeper {
    /// Gives somebody a first text.
    async fn set(&self, cx: &RequestContext, principal: &Principal, ability: Ability, text: &str) {
        let row = TextRow {
            id: cx.new_id(),
            principal_id: principal.id,
            method: ability.method.clone(),
            mac: self.macs.tag(&[text.as_bytes()]),
            channel: ability.channel.clone(),
        };
        let mut batch = Batch::new(cx);
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        batch.add_enrolment(cx, principal, ability);
        batch.raise_epoch(cx, principal, EndSessions::None);
        cx.commit(TextSet { principal: principal.id }, batch).await.expect("a first text");
    }

    /// Replaces the phrase of somebody who has shown to read their mail, and nothing else.
    async fn reset_by_mail(&self, cx: &RequestContext, principal: &Principal, text: &str) -> Result<(), AuthError> {
        let mut batch = Batch::new(cx);
        let changes = [TextRow::mac.set(self.macs.tag(&[text.as_bytes()])), TextRow::channel.set(Some(EMAIL))];
        batch
            .update(&self.rows, At::key(TextRow::by_method, (principal.id, PHRASE)), [], changes)
            .or(&codes::NOT_FOUND);
        enrol_phrase_over(cx, principal, Some(EMAIL), &mut batch);
        batch.raise_epoch(cx, principal, EndSessions::All);
        cx.commit(TextSet { principal: principal.id }, batch).await.map(drop)
    }
}

/// Says over which channel the phrase counts from now on.
fn enrol_phrase_over(cx: &RequestContext, principal: &Principal, channel: Option<Channel>, batch: &mut Batch) {
    batch.remove_enrolment(cx, principal.id, &PHRASE, "");
    batch.add_enrolment(cx, principal, Ability::new(PHRASE, Factors::KNOWLEDGE).channel(channel));
}

#[derive(Serialize)]
struct TextSet {
    #[serde(skip)]
    principal: PrincipalId,
}

impl AuditEvent for TextSet {
    const KIND: &'static str = "text_set";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

/// Verifies the texts of one method.
struct TextVerifier {
    method: MethodId,
    factors: Factors,
    keeper: Arc<Keeper>,
}

#[derive(Deserialize, JsonSchema)]
struct Typed {
    identifier: Option<String>,
    text: SecretText,
}

impl CredentialVerifier for TextVerifier {
    type Begin = ();
    type State = ();
    type Response = Typed;

    fn method(&self) -> MethodId {
        self.method.clone()
    }

    fn hint<'r>(&self, typed: &'r Typed) -> Option<&'r str> {
        typed.identifier.as_deref()
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, typed: Typed) -> Result<Verdict, AuthError> {
        let principal = cx.principal.or(cx.found).cloned().ok_or(AuthError::new(&codes::REJECTED))?;
        let key = (principal.id, self.method.clone());
        let row = self.keeper.rows.get(cx, At::key(TextRow::by_method, key)).await?;
        let row = row.ok_or(AuthError::new(&codes::REJECTED))?;
        if !self.keeper.macs.verify(&[typed.text.expose().as_bytes()], &row.mac) {
            return Err(AuthError::new(&codes::REJECTED));
        }
        let evidence = Evidence::new(self.method.clone(), self.factors, cx.now(), principal.epoch);
        Ok(Verdict::Proven { principal, evidence: evidence.channel(row.channel) })
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&codes::INTERNAL).because("the method has no effects"))
    }
}

/// Forgets that a phrase was reset by mail once it is proved together with another factor that does not come by mail.
struct ClearChannel(Arc<Keeper>);

#[async_trait]
impl Stage for ClearChannel {
    fn id(&self) -> StageId {
        "clear_channel"
    }

    fn order(&self) -> Order {
        Order::ANY
    }

    async fn admit(&self, _: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> {
        Ok(Admission::Pass(Vec::new()))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, _: &mut Signals) -> Result<(), AuthError> {
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(Requirement::none())
    }

    async fn after(&self, cx: &RequestContext, end: &End<'_>, aftermath: &mut Aftermath) -> Result<(), AuthError> {
        let End::Issued { principal, evidence, .. } = end else {
            return Ok(());
        };
        let was_reset = |proof: &Evidence| proof.method == PHRASE && proof.channel == Some(EMAIL);
        let is_another = |proof: &Evidence| proof.factors == Factors::POSSESSION && proof.channel != Some(EMAIL);
        if evidence.iter().any(was_reset) && evidence.iter().any(is_another) {
            let batch = &mut aftermath.batch;
            let phrase = At::key(TextRow::by_method, (principal.id, PHRASE));
            batch.update(&self.0.rows, phrase, [], [TextRow::channel.set(None::<Channel>)]).or(&codes::CONFLICT);
            enrol_phrase_over(cx, principal, None, batch);
        }
        Ok(())
    }
}

const FIRST: &str = "the first phrase";
const SECOND: &str = "the phrase that was set by mail";

/// Two factors are demanded of ada, who can answer these methods beside her phrase.
async fn world(backend: Backend, further: &[MethodId]) -> World {
    let world = World::builder(backend).plugin(Texts).plugin(Demand(Condition::level(Aal::Aal2))).build().await;
    let admin = world.auth.capability::<AccountAdmin>().unwrap();
    admin.create(&world.cx(), PrincipalKind::Human, &["ada@example.com"]).await.unwrap();
    give(&world, Ability::new(PHRASE, Factors::KNOWLEDGE), FIRST).await;
    for method in further {
        let channel = (*method == MAIL_CODE).then_some(EMAIL);
        give(&world, Ability::new(method.clone(), Factors::POSSESSION).channel(channel), method.as_str()).await;
    }
    world
}

async fn give(world: &World, ability: Ability, text: &str) {
    world.auth.capability::<Keeper>().unwrap().set(&world.cx(), &ada(world).await, ability, text).await;
}

/// The same, once the phrase was reset by mail.
async fn world_after_reset(backend: Backend, further: &[MethodId]) -> World {
    let world = world(backend, further).await;
    reset(&world).await;
    world
}

async fn reset(world: &World) {
    let keeper = world.auth.capability::<Keeper>().unwrap();
    keeper.reset_by_mail(&world.cx(), &ada(world).await, SECOND).await.unwrap();
}

async fn ada(world: &World) -> Principal {
    let cx = world.cx();
    cx.find_principal(&cx.identifier("ada@example.com").unwrap()).await.unwrap().unwrap()
}

async fn start(world: &World, method: &MethodId, text: &str) -> Result<Progress, AuthError> {
    world.cx().sign_in(method, json!({ "identifier": "ada@example.com", "text": text })).await
}

async fn go_on(world: &World, flow: &Challenge, method: &MethodId, text: &str) -> Result<Progress, AuthError> {
    world.cx().answer(flow.flow.expose(), method, json!({ "text": text })).await
}

fn challenged(outcome: Result<Progress, AuthError>) -> Challenge {
    match outcome {
        Ok(Progress::Challenged(challenge)) => challenge,
        other => panic!("{other:?}"),
    }
}

fn signed_in(outcome: Result<Progress, AuthError>) -> Session {
    match outcome {
        Ok(Progress::SignedIn(signed_in)) => signed_in.session,
        other => panic!("{other:?}"),
    }
}

fn offered(challenge: &Challenge) -> Vec<(&str, OfferAction)> {
    challenge.offers.iter().map(|offer| (offer.method.as_str(), offer.action)).collect()
}

on_each_store! {
    async fn a_phrase_and_a_mailed_code_are_two_factors_unless_it_was_reset_by_mail(backend) {
        let world = world(backend, &[MAIL_CODE]).await;
        let challenge = challenged(start(&world, &PHRASE, FIRST).await);
        assert_eq!(offered(&challenge), [("mail_code", OfferAction::Verify)]);
        assert_eq!(signed_in(go_on(&world, &challenge, &MAIL_CODE, "mail_code").await).aal, Aal::Aal2);
    }

    async fn after_a_reset_by_mail_only_a_factor_of_another_channel_is_offered(backend) {
        let world = world_after_reset(backend, &[MAIL_CODE, DEVICE]).await;
        let challenge = challenged(start(&world, &PHRASE, SECOND).await);
        assert_eq!(challenge.reason, "demanded");
        assert_eq!(offered(&challenge), [("device", OfferAction::Verify)]);
        let refused = go_on(&world, &challenge, &MAIL_CODE, "mail_code").await.unwrap_err();
        assert_eq!(*refused.code(), codes::UNKNOWN_METHOD);
    }

    async fn whoever_reads_the_mail_and_nothing_else_gets_no_session_and_no_new_factor(backend) {
        let texts = |method: &MethodId| if *method == PHRASE { SECOND } else { "mail_code" };
        for further in [&[MAIL_CODE][..], &[MAIL_CODE, DEVICE], &[DEVICE, MAIL_CODE]] {
            for [first, second] in [[PHRASE, MAIL_CODE], [MAIL_CODE, PHRASE]] {
                let world = world_after_reset(backend, further).await;
                let case = format!("{further:?}, {first} first");
                let mut outcome = start(&world, &first, texts(&first)).await;
                if let Ok(Progress::Challenged(challenge)) = &outcome
                    && offered(challenge).contains(&(second.as_str(), OfferAction::Verify))
                {
                    outcome = go_on(&world, challenge, &second, texts(&second)).await;
                }
                match &outcome {
                    Ok(Progress::Challenged(challenge)) => {
                        assert_eq!(offered(challenge), [("device", OfferAction::Verify)], "{case}");
                    }
                    Ok(other) => panic!("{case}: {other:?}"),
                    Err(error) => assert_eq!(*error.code(), codes::UNREACHABLE, "{case}"),
                }
            }
        }
    }

    async fn whoever_reads_the_mail_cannot_choose_a_password_that_stands_in_for_the_device(backend) {
        let world = world_after_reset(backend, &[MAIL_CODE, DEVICE]).await;
        let challenge = challenged(start(&world, &MAIL_CODE, "mail_code").await);
        let challenge = challenged(go_on(&world, &challenge, &PHRASE, SECOND).await);
        let chosen = json!({ "password": PASSWORD });
        let outcome = world.cx().answer(challenge.flow.expose(), &MethodId::from_static("password"), chosen).await;
        assert!(outcome.is_err(), "{outcome:?}");
    }

    async fn the_order_of_proofs_means_nothing(backend) {
        let all = [(PHRASE, SECOND), (MAIL_CODE, "mail_code"), (DEVICE, "device")];
        for order in [[0, 2, 1], [2, 0, 1], [1, 0, 2], [1, 2, 0], [0, 1, 2], [2, 1, 0]] {
            let world = world_after_reset(backend, &[MAIL_CODE, DEVICE]).await;
            let mut outcome = None;
            for (method, text) in order.map(|at| &all[at]) {
                outcome = match outcome {
                    None => Some(start(&world, method, text).await),
                    Some(Ok(Progress::Challenged(flow))) => Some(match go_on(&world, &flow, method, text).await {
                        // What does not help is not offered; the flow waits for what does.
                        Err(error) if *error.code() == codes::UNKNOWN_METHOD => Ok(Progress::Challenged(flow)),
                        other => other,
                    }),
                    done => done,
                };
            }
            assert_eq!(signed_in(outcome.unwrap()).aal, Aal::Aal2, "{order:?}");
        }
    }

    async fn a_device_beside_it_makes_the_phrase_a_factor_of_its_own_again(backend) {
        let world = world_after_reset(backend, &[MAIL_CODE, DEVICE]).await;
        let challenge = challenged(start(&world, &PHRASE, SECOND).await);
        assert_eq!(signed_in(go_on(&world, &challenge, &DEVICE, "device").await).aal, Aal::Aal2);
        for _ in 0..2 {
            let challenge = challenged(start(&world, &PHRASE, SECOND).await);
            assert_eq!(offered(&challenge).len(), 2, "{:?}", challenge.offers);
            assert_eq!(signed_in(go_on(&world, &challenge, &MAIL_CODE, "mail_code").await).aal, Aal::Aal2);
        }
        reset(&world).await;
        let challenge = challenged(start(&world, &PHRASE, SECOND).await);
        assert_eq!(offered(&challenge), [("device", OfferAction::Verify)], "and by mail again");
    }

    async fn two_sign_ins_at_once_may_both_clear_the_channel(backend) {
        let world = Arc::new(world_after_reset(backend, &[MAIL_CODE, DEVICE]).await);
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..5 {
            let (world, challenge) = (world.clone(), challenged(start(&world, &PHRASE, SECOND).await));
            all.spawn(async move { signed_in(go_on(&world, &challenge, &DEVICE, "device").await).aal });
        }
        assert_eq!(all.join_all().await, [Aal::Aal2; 5]);
    }

    async fn a_flow_of_before_the_reset_clears_nothing(backend) {
        let world = world(backend, &[MAIL_CODE, DEVICE]).await;
        let challenge = challenged(start(&world, &PHRASE, FIRST).await);
        reset(&world).await;
        let stale = go_on(&world, &challenge, &DEVICE, "device").await.unwrap_err();
        assert_eq!(*stale.code(), codes::FLOW_INVALID);
        let rows = world.rows("test_texts", "id").await;
        let phrase = rows.iter().find(|row| row["method"] == "phrase").unwrap();
        assert_eq!(phrase["channel"], "email");
    }
}
