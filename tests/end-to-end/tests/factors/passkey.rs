//! A passkey: alone without a user name, and as second factor. HMAC under the credential's key stands in for WebAuthn.

use std::sync::Arc;

use authkit_account::AccountAdmin;
use authkit_core::{
    Aal, Ability, About, Act, At, AuditEvent, AuthError, Batch, Challenge, Collection, Condition, CredentialVerifier,
    Effect, EndSessions, Enroller, Entity, Evidence, Factors, Manifest, MethodId, Outcome, Plugin, Principal,
    PrincipalId, Problem, Progress, Prompt, Registrar, RequestContext, Sealed, Session, StepContext, Verdict, codes,
    id_type,
};
use end_to_end::{Backend, Demand, PASSWORD, World, on_each_store};
use hmac::{Hmac, KeyInit as _, Mac as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as JsonValue, json};
use sha2::Sha256;
use tokio::task::JoinSet;

const METHOD: MethodId = MethodId::from_static("passkey");

id_type! {
    /// One passkey.
    struct PasskeyId;
}

#[derive(Debug, Entity)]
#[entity(
    table = "test_passkeys",
    durable,
    unique(by_credential: credential),
    references(principal_id -> auth_principals)
)]
struct PasskeyRow {
    id: PasskeyId,
    principal_id: PrincipalId,
    /// By what the authenticator names it.
    credential: String,
    /// In WebAuthn a public key.
    key: Sealed<[u8; 32]>,
    /// How often the authenticator signed, as of the last sign-in.
    counter: i64,
}

struct Passkeys;

impl Plugin for Passkeys {
    fn manifest(&self) -> Manifest {
        Manifest::new("passkey", "0.1.0").creates::<PasskeyRow>().event::<PasskeyRemoved>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let keeper = Arc::new(Keeper { rows: registrar.collection()? });
        registrar.verifier(keeper.clone());
        registrar.enroller(Arc::new(PasskeyEnroller));
        registrar.provide(keeper);
        Ok(())
    }
}

/// What an authenticator answers a nonce with.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Assertion {
    credential: String,
    counter: i64,
    /// Whether a finger or a PIN unlocked the authenticator.
    user_verified: bool,
    signature: [u8; 32],
}

impl Assertion {
    fn mac(&self, key: &[u8; 32], nonce: &[u8; 32]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
        mac.chain_update(nonce).chain_update(self.counter.to_be_bytes()).chain_update([u8::from(self.user_verified)])
    }

    fn is_signed(&self, key: &[u8; 32], nonce: &[u8; 32]) -> bool {
        self.mac(key, nonce).verify_slice(&self.signature).is_ok()
    }

    fn evidence(&self, cx: &RequestContext, principal: &Principal) -> Evidence {
        let verified = if self.user_verified { Factors::INHERENCE } else { Factors::NONE };
        Evidence::new(METHOD, Factors::POSSESSION.and(verified), cx.now(), principal.epoch)
            .amr("swk")
            .phishing_resistant()
    }
}

struct Keeper {
    rows: Collection<PasskeyRow>,
}

impl CredentialVerifier for Keeper {
    type Begin = ();
    type State = [u8; 32];
    type Response = Assertion;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, _: &'r Assertion) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, cx: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<[u8; 32]>, AuthError> {
        Ok(nonce(cx))
    }

    async fn verify(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<[u8; 32]>,
        assertion: Assertion,
    ) -> Result<Verdict, AuthError> {
        let nonce = state.ok_or(rejected("nothing was asked"))?;
        let row = self.rows.get(cx, At::key(PasskeyRow::by_credential, (assertion.credential.clone(),))).await?;
        let row = row.ok_or(rejected("there is no such passkey"))?;
        if cx.principal.is_some_and(|bound| bound.id != row.principal_id) {
            return Err(rejected("the passkey is somebody else's"));
        }
        // The response names nobody, so only the passkey says whose record it is.
        let principal = cx.principal(row.principal_id).await?.ok_or(rejected("the owner is gone"))?;
        if !assertion.is_signed(&self.rows.open(cx, PasskeyRow::key, row.id, &row.key)?, &nonce) {
            return Err(rejected("the signature is not of this passkey and nonce").about(&principal));
        }
        if assertion.counter <= row.counter {
            return Err(rejected("the counter went back: there is a copy of the passkey").about(&principal));
        }
        let evidence = assertion.evidence(cx, &principal);
        // Once more in the commit, against answers that race.
        let ahead = [PasskeyRow::counter.lt(assertion.counter)];
        let changes = [PasskeyRow::counter.set(assertion.counter)];
        cx.batch.update(&self.rows, At::id(row.id), ahead, changes).or(&codes::REJECTED);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        effect: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let Attestation { key, assertion: Assertion { credential, counter, .. } } = effect.data()?;
        let ability = ability().label(credential.clone());
        let id = cx.new_id();
        let key = self.rows.seal(cx, PasskeyRow::key, id, &key)?;
        let row = PasskeyRow { id, principal_id: principal.id, credential, key, counter };
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        batch.add_enrolment(cx, principal, ability);
        Ok(())
    }
}

impl Keeper {
    /// Takes a passkey from its owner; what was proved before counts no more.
    async fn remove(&self, cx: &RequestContext, principal: &Principal, credential: &str) -> Result<(), AuthError> {
        let mut batch = Batch::new(cx);
        let at = At::key(PasskeyRow::by_credential, (credential.to_owned(),));
        batch.take(&self.rows, at, [PasskeyRow::principal_id.eq(principal.id)]).or(&codes::NOT_FOUND);
        batch.remove_enrolment(cx, principal.id, &METHOD, credential);
        batch.raise_epoch(cx, principal, EndSessions::All);
        cx.commit(PasskeyRemoved { principal: principal.id }, batch).await.map(drop)
    }
}

#[derive(Serialize)]
struct PasskeyRemoved {
    #[serde(skip)]
    principal: PrincipalId,
}

impl AuditEvent for PasskeyRemoved {
    const KIND: &'static str = "passkey_removed";
    const ACT: Act = Act::Withdraws;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

struct PasskeyEnroller;

/// A new passkey, and its first answer.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Attestation {
    key: [u8; 32],
    #[serde(flatten)]
    assertion: Assertion,
}

impl Enroller for PasskeyEnroller {
    type Begin = ();
    type State = [u8; 32];
    type Response = Attestation;

    fn ability(&self) -> Ability {
        ability()
    }

    async fn begin(&self, cx: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<[u8; 32]>, AuthError> {
        Ok(nonce(cx))
    }

    async fn confirm(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<[u8; 32]>,
        attestation: Attestation,
    ) -> Result<Effect, AuthError> {
        let nonce = state.ok_or(rejected("nothing was asked"))?;
        let principal = cx.principal.ok_or(rejected("a passkey for nobody"))?;
        if !attestation.assertion.is_signed(&attestation.key, &nonce) {
            return Err(rejected("the signature is not of this passkey and nonce"));
        }
        Ok(Effect::new(METHOD, &attestation)?.proving(attestation.assertion.evidence(cx, principal)))
    }
}

/// What a passkey proves if it is unlocked.
fn ability() -> Ability {
    Ability::new(METHOD, Factors::POSSESSION.and(Factors::INHERENCE)).phishing_resistant()
}

fn nonce(cx: &RequestContext) -> Prompt<[u8; 32]> {
    let nonce = cx.random();
    Prompt { public: json!({ "nonce": nonce }), state: nonce }
}

fn rejected(reason: &'static str) -> AuthError {
    AuthError::new(&codes::REJECTED).because(reason)
}

/// Somebody's authenticator, with one passkey in it.
#[derive(Clone)]
struct Authenticator {
    credential: String,
    key: [u8; 32],
    counter: i64,
}

impl Authenticator {
    fn new(serial: u8) -> Self {
        Self { credential: format!("passkey {serial}"), key: [serial; 32], counter: 0 }
    }

    fn assert(&mut self, challenge: &Challenge) -> Assertion {
        self.sign(challenge, |_| {})
    }

    /// Answers somebody who touched it and did not unlock it.
    fn assert_touched(&mut self, challenge: &Challenge) -> Assertion {
        self.sign(challenge, |assertion| assertion.user_verified = false)
    }

    fn sign(&mut self, challenge: &Challenge, alter: impl FnOnce(&mut Assertion)) -> Assertion {
        self.counter += 1;
        let offer = challenge.offers.iter().find(|offer| offer.method == METHOD).expect("an offer");
        let nonce = serde_json::from_value(offer.prompt["nonce"].clone()).expect("a nonce");
        let (credential, counter) = (self.credential.clone(), self.counter);
        let mut assertion = Assertion { credential, counter, user_verified: true, signature: [0; 32] };
        alter(&mut assertion);
        assertion.signature = assertion.mac(&self.key, &nonce).finalize().into_bytes().into();
        assertion
    }
}

/// Two factors are demanded; ada and eve have a password and a passkey each.
async fn world(backend: Backend) -> (World, Authenticator, Authenticator) {
    let world = World::builder(backend).plugin(Passkeys).plugin(Demand(Condition::level(Aal::Aal2))).build().await;
    let (mut ada, mut eve) = (Authenticator::new(1), Authenticator::new(2));
    for (address, authenticator) in [("ada@example.com", &mut ada), ("eve@example.com", &mut eve)] {
        world.sign_up(address).await;
        let flow = after_password(&world, address).await;
        let challenge = begin(&world, Some(&flow)).await;
        let attestation = Attestation { key: authenticator.key, assertion: authenticator.assert(&challenge) };
        signed_in(answer(&world, &challenge, &attestation).await);
    }
    (world, ada, eve)
}

async fn after_password(world: &World, address: &str) -> Challenge {
    let response = json!({ "identifier": address, "password": PASSWORD });
    challenged(world.cx().sign_in(&MethodId::from_static("password"), response).await)
}

async fn begin(world: &World, flow: Option<&Challenge>) -> Challenge {
    world.cx().begin(&METHOD, JsonValue::Null, flow.map(|flow| flow.flow.expose())).await.expect("a nonce")
}

async fn answer(world: &World, flow: &Challenge, response: &impl Serialize) -> Result<Progress, AuthError> {
    world.cx().answer(flow.flow.expose(), &METHOD, json!(response)).await
}

fn signed_in(outcome: Result<Progress, AuthError>) -> Session {
    match outcome {
        Ok(Progress::SignedIn(signed_in)) => signed_in.session,
        other => panic!("{other:?}"),
    }
}

fn challenged(outcome: Result<Progress, AuthError>) -> Challenge {
    match outcome {
        Ok(Progress::Challenged(challenge)) => challenge,
        other => panic!("{other:?}"),
    }
}

fn code(outcome: Result<Progress, AuthError>) -> &'static str {
    outcome.expect_err("a refusal").code().code
}

async fn principal(world: &World, address: &str) -> Principal {
    let cx = world.cx();
    cx.find_principal(&cx.identifier(address).unwrap()).await.unwrap().unwrap()
}

async fn sessions(world: &World) -> usize {
    world.rows("auth_sessions", "by_principal").await.len()
}

on_each_store! {
    async fn a_passkey_alone_reaches_the_level_of_two_factors_without_a_user_name(backend) {
        let (world, mut ada, _) = world(backend).await;
        let challenge = begin(&world, None).await;
        let session = signed_in(answer(&world, &challenge, &ada.assert(&challenge)).await);
        assert_eq!(session.principal.id, principal(&world, "ada@example.com").await.id);
        assert_eq!((session.aal, session.amr.as_str()), (Aal::Aal2, "swk mfa"));
        assert!(session.evidence.get().unwrap()[0].phishing_resistant);
    }

    async fn the_same_passkey_is_a_second_factor_after_a_password(backend) {
        let (world, mut ada, _) = world(backend).await;
        let challenge = after_password(&world, "ada@example.com").await;
        assert_eq!(challenge.offers.iter().map(|offer| offer.method.as_str()).collect::<Vec<_>>(), ["passkey"]);
        let challenge = begin(&world, Some(&challenge)).await;
        let session = signed_in(answer(&world, &challenge, &ada.assert_touched(&challenge)).await);
        assert_eq!((session.aal, session.amr.as_str()), (Aal::Aal2, "pwd swk mfa"));
    }

    async fn a_passkey_that_nobody_unlocked_is_one_factor(backend) {
        let (world, mut ada, _) = world(backend).await;
        let challenge = begin(&world, None).await;
        let more = challenged(answer(&world, &challenge, &ada.assert_touched(&challenge)).await);
        assert!(more.offers.iter().any(|offer| offer.method.as_str() == "password"), "{:?}", more.offers);
        let password = MethodId::from_static("password");
        let done = world.cx().answer(more.flow.expose(), &password, json!({ "password": PASSWORD })).await;
        assert_eq!(signed_in(done).aal, Aal::Aal2);
    }

    async fn an_assertion_is_used_once(backend) {
        let (world, mut ada, _) = world(backend).await;
        let first = begin(&world, None).await;
        let assertion = ada.assert(&first);
        signed_in(answer(&world, &first, &assertion).await);
        assert_eq!(code(answer(&world, &first, &assertion).await), "core.flow_invalid");
        let second = begin(&world, None).await;
        assert_eq!(code(answer(&world, &second, &assertion).await), "core.rejected");
        assert_eq!(code(world.cx().sign_in(&METHOD, json!(assertion)).await), "core.rejected");
    }

    async fn an_answer_to_the_nonce_of_another_flow_is_refused(backend) {
        let (world, mut ada, _) = world(backend).await;
        let (mine, theirs) = (begin(&world, None).await, begin(&world, None).await);
        let assertion = ada.assert(&theirs);
        assert_eq!(code(answer(&world, &mine, &assertion).await), "core.rejected");
        signed_in(answer(&world, &theirs, &assertion).await);
    }

    async fn a_passkey_signs_for_what_it_says_and_for_nothing_else(backend) {
        let (world, mut ada, eve) = world(backend).await;
        let mut challenge = begin(&world, None).await;
        let signed = ada.assert_touched(&challenge);
        let forgeries = [
            Assertion { user_verified: true, ..signed.clone() },
            Assertion { counter: 1000, ..signed.clone() },
            Assertion { credential: eve.credential.clone(), ..signed.clone() },
            Assertion { credential: "passkey 3".to_owned(), ..signed.clone() },
        ];
        for forged in forgeries {
            let refused = answer(&world, &challenge, &forged).await.expect_err("a refusal");
            assert_eq!(*refused.code(), codes::REJECTED);
            let next = refused.challenge().expect("the flow goes on").flow.expose().to_owned();
            challenge.flow = authkit_core::SecretText::new(next);
        }
        challenged(answer(&world, &challenge, &signed).await);
    }

    async fn a_passkey_of_another_person_is_no_second_factor(backend) {
        let (world, _, mut eve) = world(backend).await;
        let issued = sessions(&world).await;
        let challenge = begin(&world, Some(&after_password(&world, "ada@example.com").await)).await;
        assert_eq!(code(answer(&world, &challenge, &eve.assert(&challenge)).await), "core.rejected");
        assert_eq!(sessions(&world).await, issued);
    }

    async fn a_flow_stays_with_whoever_answered_it_first(backend) {
        let (world, mut ada, mut eve) = world(backend).await;
        let begun = begin(&world, None).await;
        let more = challenged(answer(&world, &begun, &ada.assert_touched(&begun)).await);
        assert_eq!(code(answer(&world, &begun, &eve.assert(&begun)).await), "core.flow_invalid", "its token is spent");

        let again = begin(&world, Some(&more)).await;
        let refused = answer(&world, &again, &eve.assert(&again)).await.expect_err("a refusal");
        let flow = refused.challenge().expect("the flow goes on").flow.expose();
        let password = MethodId::from_static("password");
        let eves = json!({ "identifier": "eve@example.com", "password": PASSWORD });
        let session = signed_in(world.cx().answer(flow, &password, eves).await);
        let ada = principal(&world, "ada@example.com").await;
        assert_eq!(session.principal.id, ada.id, "the password is compared with ada's, whoever is named");
    }

    async fn a_counter_that_goes_back_is_refused_and_recorded(backend) {
        let (world, mut ada, _) = world(backend).await;
        let mut copy = ada.clone();
        let challenge = begin(&world, None).await;
        signed_in(answer(&world, &challenge, &ada.assert(&challenge)).await);
        let before = world.audit().await.len();
        let challenge = begin(&world, None).await;
        assert_eq!(code(answer(&world, &challenge, &copy.assert(&challenge)).await), "core.rejected");
        let records = world.audit().await;
        assert_eq!(records.len(), before + 2, "a challenge and a failure");
        assert_eq!(records.last().unwrap()["kind"], "login_failure");
    }

    async fn a_refused_passkey_is_recorded_for_its_owner_and_looks_like_any_other(backend) {
        let (world, mut ada, eve) = world(backend).await;
        let [adas, eves] = [principal(&world, "ada@example.com").await, principal(&world, "eve@example.com").await];
        let mut seen = Vec::new();
        let stranger = Authenticator::new(3).credential;
        let cases = [(ada.credential.clone(), json!(adas.id)), (eve.credential, json!(eves.id)), (stranger, json!(null))];
        for (credential, owner) in cases {
            let challenge = begin(&world, None).await;
            let mut assertion = ada.assert(&challenge);
            (assertion.credential, assertion.signature) = (credential, [0; 32]);
            let body = json!({ "flow": challenge.flow.expose(), "method": METHOD });
            let body = [body.as_object().unwrap().clone(), json!(assertion).as_object().unwrap().clone()];
            let body: JsonValue = body.into_iter().flatten().collect();
            let mut answer = world.browser().post("/v1/auth/challenges/answer", body).await.json();
            answer["challenge"]["flow"] = json!(null);
            answer["challenge"]["offers"][0]["prompt"] = json!(null);
            answer["request_id"] = json!(null);
            seen.push(answer);
            let record = world.audit().await.pop().unwrap();
            assert_eq!((&record["kind"], &record["principal_id"]), (&json!("login_failure"), &owner));
        }
        assert_eq!(seen[0]["code"], "core.rejected");
        assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:?}");
    }

    async fn a_refusal_in_the_flow_of_another_person_is_recorded_for_that_one(backend) {
        let (world, _, mut eve) = world(backend).await;
        let challenge = begin(&world, Some(&after_password(&world, "ada@example.com").await)).await;
        assert_eq!(code(answer(&world, &challenge, &eve.assert(&challenge)).await), "core.rejected");
        let record = world.audit().await.pop().unwrap();
        assert_eq!(record["principal_id"], json!(principal(&world, "ada@example.com").await.id));
    }

    async fn of_many_answers_to_one_nonce_one_wins(backend) {
        let (world, mut ada, _) = world(backend).await;
        let challenge = begin(&world, None).await;
        let (flow, assertion) = (challenge.flow.expose().to_owned(), ada.assert(&challenge));
        assert_eq!(wins(Arc::new(world), vec![(flow, assertion); 20]).await, 1);
    }

    async fn of_many_copies_of_a_passkey_with_one_counter_one_wins(backend) {
        let (world, ada, _) = world(backend).await;
        let mut answers = Vec::new();
        for _ in 0..20 {
            let challenge = begin(&world, None).await;
            answers.push((challenge.flow.expose().to_owned(), ada.clone().assert(&challenge)));
        }
        let world = Arc::new(world);
        assert_eq!(wins(world.clone(), answers).await, 1);
        let owner = json!(principal(&world, "ada@example.com").await.id);
        let failure = |event: &JsonValue| event["kind"] == "login_failure" && event["principal_id"] == owner;
        let failures = world.audit().await.iter().filter(|event| failure(event)).count();
        assert_eq!(failures, 19, "each of them was judged, whether it lost before the commit or in it");
    }

    async fn a_disabled_person_is_refused_whenever_that_happened(backend) {
        let (world, mut ada, _) = world(backend).await;
        let (alone, second) = (begin(&world, None).await, after_password(&world, "ada@example.com").await);
        let second = begin(&world, Some(&second)).await;
        let id = principal(&world, "ada@example.com").await.id;
        world.auth.capability::<AccountAdmin>().unwrap().disable(&world.cx(), id).await.unwrap();
        assert_eq!(code(answer(&world, &alone, &ada.assert(&alone)).await), "core.rejected");
        assert_eq!(code(answer(&world, &second, &ada.assert(&second)).await), "core.flow_invalid");
        let later = begin(&world, None).await;
        assert_eq!(code(answer(&world, &later, &ada.assert(&later)).await), "core.rejected");
        assert_eq!(sessions(&world).await, 1, "eve's");
    }

    async fn a_passkey_removed_after_the_nonce_was_given_out_opens_nothing(backend) {
        let (world, mut ada, _) = world(backend).await;
        let (alone, second) = (begin(&world, None).await, after_password(&world, "ada@example.com").await);
        let second = begin(&world, Some(&second)).await;
        remove(&world, "ada@example.com", &ada.credential).await;
        assert_eq!(code(answer(&world, &alone, &ada.assert(&alone)).await), "core.rejected");
        assert_eq!(code(answer(&world, &second, &ada.assert(&second)).await), "core.flow_invalid");
        assert_eq!(sessions(&world).await, 1, "eve's");
    }

    async fn no_session_of_a_passkey_survives_its_removal_in_a_race(backend) {
        for _ in 0..10 {
            let (world, mut ada, _) = world(backend).await;
            let world = Arc::new(world);
            let challenge = begin(&world, None).await;
            let (flow, assertion) = (challenge.flow.expose().to_owned(), ada.assert(&challenge));
            let racing = tokio::spawn(wins(world.clone(), vec![(flow, assertion)]));
            remove(&world, "ada@example.com", &ada.credential).await;
            racing.await.unwrap();
            assert_eq!(sessions(&world).await, 1, "eve's");
        }
    }

    async fn nobody_removes_the_passkey_of_another_person(backend) {
        let (world, ada, _) = world(backend).await;
        let eve = principal(&world, "eve@example.com").await;
        let keeper = world.auth.capability::<Keeper>().unwrap();
        let refused = keeper.remove(&world.cx(), &eve, &ada.credential).await.unwrap_err();
        assert_eq!(*refused.code(), codes::NOT_FOUND);
    }
}

/// How many of some answers, given at the same time, sign in.
async fn wins(world: Arc<World>, answers: Vec<(String, Assertion)>) -> usize {
    let mut all = JoinSet::new();
    for (flow, assertion) in answers {
        let world = world.clone();
        all.spawn(async move {
            match world.cx().answer(&flow, &METHOD, json!(assertion)).await {
                Ok(Progress::SignedIn(_)) => 1,
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert!([&codes::REJECTED, &codes::FLOW_INVALID].contains(&error.code()), "{error:?}");
                    0
                }
            }
        });
    }
    all.join_all().await.into_iter().sum()
}

async fn remove(world: &World, address: &str, credential: &str) {
    let keeper = world.auth.capability::<Keeper>().unwrap();
    keeper.remove(&world.cx(), &principal(world, address).await, credential).await.expect("a removal");
}
