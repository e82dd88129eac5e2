//! An outside identity that is linked to the account with its e-mail address, once that account has proved itself too.

use std::sync::Arc;

use authkit_account::AccountAdmin;
use authkit_core::{
    Ability, At, AuthError, Batch, Challenge, Collection, CredentialVerifier, Effect, Entity, Evidence, Factors,
    Manifest, MethodId, Plugin, Principal, PrincipalId, Problem, Progress, Prompt, Registrar, RequestContext,
    SecretText, StepContext, Verdict, codes, id_type,
};
use authkit_password::PasswordAdmin;
use authkit_testkit::drop_at_every_await;
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, on_each_store};
use hmac::{Hmac, KeyInit as _, Mac as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as JsonValue, json};
use sha2::Sha256;
use tokio::task::JoinSet;

const METHOD: MethodId = MethodId::from_static("outside");
const PASSWORD_METHOD: MethodId = MethodId::from_static("password");

id_type! {
    /// One link.
    struct LinkId;
}

/// An outside identity that is somebody's.
#[derive(Debug, Entity)]
#[entity(
    table = "test_outside_links",
    durable,
    unique(by_subject: subject),
    references(principal_id -> auth_principals)
)]
struct LinkRow {
    id: LinkId,
    principal_id: PrincipalId,
    subject: String,
}

/// What the provider says about somebody. Its MAC stands in for the signature of an ID token.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct IdToken {
    subject: String,
    email: String,
    email_verified: bool,
    mac: [u8; 32],
}

impl IdToken {
    fn sign(&self, provider: &[u8; 32], nonce: &[u8; 32]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(provider).expect("HMAC takes keys of every length");
        mac.chain_update(nonce).chain_update(json!([self.subject, self.email, self.email_verified]).to_string())
    }
}

/// Signing in by one provider, whose key it knows.
struct Outside {
    provider: [u8; 32],
}

impl Plugin for Outside {
    fn manifest(&self) -> Manifest {
        Manifest::new("outside", "0.1.0").creates::<LinkRow>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.verifier(Arc::new(Links { rows: registrar.collection()?, provider: self.provider }));
        Ok(())
    }
}

struct Links {
    rows: Collection<LinkRow>,
    provider: [u8; 32],
}

impl CredentialVerifier for Links {
    type Begin = ();
    type State = [u8; 32];
    type Response = IdToken;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, _: &'r IdToken) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, cx: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<[u8; 32]>, AuthError> {
        let nonce = cx.random();
        Ok(Prompt { public: json!({ "nonce": nonce }), state: nonce })
    }

    async fn verify(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<[u8; 32]>,
        token: IdToken,
    ) -> Result<Verdict, AuthError> {
        let nonce = state.ok_or(rejected("nothing was asked"))?;
        if token.sign(&self.provider, &nonce).verify_slice(&token.mac).is_err() {
            return Err(rejected("the token is not of this provider and nonce"));
        }
        if let Some(link) = self.rows.get(cx, At::key(LinkRow::by_subject, (token.subject.clone(),))).await? {
            let principal = cx.principal(link.principal_id).await?.ok_or(rejected("the owner is gone"))?;
            let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch);
            return Ok(Verdict::Proven { principal, evidence });
        }
        // An address that the provider has not verified is what anybody may have typed there.
        let address = token.email_verified.then(|| cx.identifier(&token.email)).flatten();
        let address = address.ok_or(rejected("an identity of nobody, without a verified address"))?;
        let candidate = cx.find_principal(&address).await?.ok_or(rejected("an identity of nobody"))?;
        Ok(Verdict::ProveFirst { candidate, effect: Effect::new(METHOD, &token.subject)?, reason: "link" })
    }

    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        effect: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let subject: String = effect.data()?;
        let row = LinkRow { id: cx.new_id(), principal_id: principal.id, subject: subject.clone() };
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        batch.add_enrolment(cx, principal, Ability::new(METHOD, Factors::POSSESSION).label(subject));
        Ok(())
    }
}

fn rejected(reason: &'static str) -> AuthError {
    AuthError::new(&codes::REJECTED).because(reason)
}

const PROVIDER: [u8; 32] = [7; 32];

/// An identity at the provider.
#[derive(Clone, Copy)]
struct Identity {
    subject: &'static str,
    email: &'static str,
}

const ADAS: Identity = Identity { subject: "4711", email: "ada@example.com" };

impl Identity {
    /// Signs in at the provider and comes back with what it says.
    async fn comes(self, world: &World) -> Result<Progress, AuthError> {
        self.comes_as(world, None, |_| {}).await
    }

    async fn comes_as(
        self,
        world: &World,
        flow: Option<&Challenge>,
        alter: impl FnOnce(&mut IdToken),
    ) -> Result<Progress, AuthError> {
        let challenge = world.cx().begin(&METHOD, JsonValue::Null, flow.map(|flow| flow.flow.expose())).await?;
        let token = self.token(&challenge, alter);
        world.cx().answer(challenge.flow.expose(), &METHOD, json!(token)).await
    }

    fn token(self, challenge: &Challenge, alter: impl FnOnce(&mut IdToken)) -> IdToken {
        let offer = challenge.offers.iter().find(|offer| offer.method == METHOD).expect("an offer");
        let nonce = serde_json::from_value(offer.prompt["nonce"].clone()).expect("a nonce");
        let (subject, email) = (self.subject.to_owned(), self.email.to_owned());
        let mut token = IdToken { subject, email, email_verified: true, mac: [0; 32] };
        alter(&mut token);
        token.mac = token.sign(&PROVIDER, &nonce).finalize().into_bytes().into();
        token
    }
}

async fn world(backend: Backend) -> World {
    let world = World::builder(backend).plugin(Outside { provider: PROVIDER }).build().await;
    world.sign_up("ada@example.com").await;
    world.sign_up("eve@example.com").await;
    world
}

/// Ada's outside identity came, and ada has to prove herself.
async fn candidate(world: &World) -> Challenge {
    challenged(ADAS.comes(world).await)
}

async fn prove(world: &World, flow: &Challenge, identifier: &str, password: &str) -> Result<Progress, AuthError> {
    let response = json!({ "identifier": identifier, "password": password });
    world.cx().answer(flow.flow.expose(), &PASSWORD_METHOD, response).await
}

fn challenged(outcome: Result<Progress, AuthError>) -> Challenge {
    match outcome {
        Ok(Progress::Challenged(challenge)) => challenge,
        other => panic!("{other:?}"),
    }
}

fn signed_in(outcome: Result<Progress, AuthError>) -> PrincipalId {
    match outcome {
        Ok(Progress::SignedIn(signed_in)) => signed_in.session.principal.id,
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

async fn set_password(world: &World, address: &str, password: &str) {
    let passwords = world.auth.capability::<PasswordAdmin>().unwrap();
    let new = SecretText::new(password.to_owned());
    passwords.set(&world.cx(), &principal(world, address).await, new).await.unwrap();
}

/// Links and enrolments of them, which are there together or not at all.
async fn links(world: &World) -> usize {
    let links = world.rows("test_outside_links", "id").await.len();
    let enrolments = world.rows("auth_enrolments", "id").await;
    assert_eq!(enrolments.iter().filter(|row| row["method"] == "outside").count(), links);
    links
}

async fn sessions(world: &World) -> usize {
    world.rows("auth_sessions", "by_principal").await.len()
}

on_each_store! {
    async fn an_identity_is_linked_after_the_password_and_signs_in_alone_from_then_on(backend) {
        let world = world(backend).await;
        let ada = principal(&world, "ada@example.com").await.id;
        let challenge = candidate(&world).await;
        assert_eq!(challenge.reason, "link");
        assert_eq!(challenge.offers.iter().map(|offer| offer.method.as_str()).collect::<Vec<_>>(), ["password"]);
        assert_eq!((links(&world).await, sessions(&world).await), (0, 0), "nothing before the proof");
        assert_eq!(signed_in(prove(&world, &challenge, "ada@example.com", PASSWORD).await), ada);
        assert_eq!(links(&world).await, 1);
        assert_eq!(signed_in(ADAS.comes(&world).await), ada);
        let elsewhere = Identity { email: "new@example.net", ..ADAS };
        assert_eq!(signed_in(elsewhere.comes(&world).await), ada, "the subject counts, not the address");
    }

    async fn an_abandoned_flow_links_nothing(backend) {
        let world = world(backend).await;
        let challenge = candidate(&world).await;
        world.clock.advance(std::time::Duration::from_secs(11 * 60));
        assert_eq!(code(prove(&world, &challenge, "ada@example.com", PASSWORD).await), "core.flow_invalid");
        world.auth.run_due_jobs().await;
        assert_eq!((links(&world).await, sessions(&world).await), (0, 0));
        candidate(&world).await;
    }

    async fn an_address_that_the_provider_has_not_verified_makes_nobody_a_candidate(backend) {
        let world = world(backend).await;
        let typed = ADAS.comes_as(&world, None, |token| token.email_verified = false).await;
        assert_eq!(code(typed), "core.rejected");
        let unknown = Identity { email: "nobody@example.com", ..ADAS };
        assert_eq!(code(unknown.comes(&world).await), "core.rejected");
    }

    async fn a_token_counts_in_the_flow_that_asked_for_it(backend) {
        let world = world(backend).await;
        let begin = || async { world.cx().begin(&METHOD, JsonValue::Null, None).await.unwrap() };
        let (mine, theirs) = (begin().await, begin().await);
        let token = ADAS.token(&theirs, |_| {});
        let verified = IdToken { email_verified: true, ..ADAS.token(&theirs, |token| token.email_verified = false) };
        for (flow, token) in [(&mine, &token), (&theirs, &verified)] {
            let refused = world.cx().answer(flow.flow.expose(), &METHOD, json!(token)).await;
            assert_eq!(code(refused), "core.rejected");
        }
    }

    async fn whoever_proves_to_be_somebody_else_links_nothing(backend) {
        let world = world(backend).await;
        set_password(&world, "eve@example.com", OTHER_PASSWORD).await;
        let challenge = candidate(&world).await;
        let refused = prove(&world, &challenge, "eve@example.com", OTHER_PASSWORD).await.unwrap_err();
        assert_eq!(*refused.code(), codes::REJECTED);
        // A method that proves anybody is not offered to whom it is not enrolled for.
        let next = refused.challenge().unwrap().flow.expose();
        let eve = principal(&world, "eve@example.com").await.id;
        let forced = world.cx().answer(next, &MethodId::from_static("testkit"), json!({ "principal": eve })).await;
        assert_eq!(code(forced), "core.unknown_method");
        assert_eq!((links(&world).await, sessions(&world).await), (0, 0));
    }

    async fn an_outside_identity_does_not_vouch_for_itself(backend) {
        let world = world(backend).await;
        signed_in(prove(&world, &candidate(&world).await, "ada@example.com", PASSWORD).await);
        // Ada has one already, so the method is offered; another one with her address comes twice.
        let other = Identity { subject: "0815", ..ADAS };
        let challenge = challenged(other.comes(&world).await);
        let challenge = challenged(other.comes_as(&world, Some(&challenge), |_| {}).await);
        assert_eq!((links(&world).await, sessions(&world).await), (1, 1));
        signed_in(prove(&world, &challenge, "ada@example.com", PASSWORD).await);
        assert_eq!(links(&world).await, 2, "it came twice, and is linked once");
    }

    async fn a_linked_identity_vouches_for_another_one(backend) {
        let world = world(backend).await;
        signed_in(prove(&world, &candidate(&world).await, "ada@example.com", PASSWORD).await);
        let other = Identity { subject: "0815", ..ADAS };
        let challenge = challenged(other.comes(&world).await);
        signed_in(ADAS.comes_as(&world, Some(&challenge), |_| {}).await);
        assert_eq!(links(&world).await, 2);
    }

    async fn a_linking_flow_is_answered_once(backend) {
        let world = Arc::new(world(backend).await);
        let challenge = candidate(&world).await;
        let flow = challenge.flow.expose();
        let mut all = JoinSet::new();
        for _ in 0..10 {
            let (world, flow) = (world.clone(), flow.to_owned());
            let response = json!({ "password": PASSWORD });
            all.spawn(async move { world.cx().answer(&flow, &PASSWORD_METHOD, response).await.is_ok() });
        }
        assert_eq!(all.join_all().await.into_iter().filter(|won| *won).count(), 1);
        assert_eq!(code(prove(&world, &challenge, "ada@example.com", PASSWORD).await), "core.flow_invalid");
        assert_eq!((links(&world).await, sessions(&world).await), (1, 1));
    }

    async fn a_candidate_that_was_disabled_links_nothing_then_or_later(backend) {
        let world = world(backend).await;
        let challenge = candidate(&world).await;
        let ada = principal(&world, "ada@example.com").await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        admin.disable(&world.cx(), ada.id).await.unwrap();
        let refused = prove(&world, &challenge, "ada@example.com", PASSWORD).await.unwrap_err();
        assert_eq!(refused.code().class, authkit_core::Class::Rejected);
        assert_eq!(code(ADAS.comes(&world).await), "core.rejected", "nor does it become a candidate");
        assert_eq!((links(&world).await, sessions(&world).await), (0, 0));
    }

    async fn a_flow_of_before_a_disable_links_nothing_after_it(backend) {
        let world = world(backend).await;
        let challenge = candidate(&world).await;
        let ada = principal(&world, "ada@example.com").await;
        let admin = world.auth.capability::<AccountAdmin>().unwrap();
        admin.disable(&world.cx(), ada.id).await.unwrap();
        admin.enable(&world.cx(), ada.id).await.unwrap();
        assert_eq!(code(prove(&world, &challenge, "ada@example.com", PASSWORD).await), "core.flow_invalid");
        assert_eq!((links(&world).await, sessions(&world).await), (0, 0));
    }

    async fn a_flow_of_before_a_change_of_password_links_nothing_after_it(backend) {
        for password in [PASSWORD, OTHER_PASSWORD] {
            let world = world(backend).await;
            let challenge = candidate(&world).await;
            set_password(&world, "ada@example.com", OTHER_PASSWORD).await;
            let refused = prove(&world, &challenge, "ada@example.com", password).await.expect_err("a stale flow");
            assert_eq!(refused.code().class, authkit_core::Class::Rejected);
            assert_eq!((links(&world).await, sessions(&world).await), (0, 0));
        }
    }

    async fn an_identity_belongs_to_one_person_whoever_is_faster(backend) {
        for _ in 0..10 {
            let world = Arc::new(world(backend).await);
            // Between the two its owner gave it another address.
            let mut flows = Vec::new();
            for email in ["ada@example.com", "eve@example.com"] {
                flows.push((challenged(Identity { email, ..ADAS }.comes(&world).await), email));
            }
            let mut all = JoinSet::new();
            for (challenge, address) in flows {
                let world = world.clone();
                all.spawn(async move { prove(&world, &challenge, address, PASSWORD).await.map(|_| address) });
            }
            let outcomes = all.join_all().await;
            let won: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
            assert_eq!((won.len(), links(&world).await, sessions(&world).await), (1, 1, 1));
            assert_eq!(signed_in(ADAS.comes(&world).await), principal(&world, won[0]).await.id);
        }
    }

    async fn a_link_is_there_if_and_only_if_the_answer_landed(backend) {
        drop_at_every_await(
            async || {
                let world = world(backend).await;
                let challenge = candidate(&world).await;
                (world, challenge)
            },
            async |(world, challenge): &(World, Challenge)| {
                prove(world, challenge, "ada@example.com", PASSWORD).await
            },
            async |(world, _): &(World, Challenge), outcome| {
                // A commit that was on its way lands before a later one.
                world.browser().login("nobody@example.com", "settles what is under way").await;
                let (links, sessions) = (links(world).await, sessions(world).await);
                assert_eq!(links, sessions);
                if let Some(outcome) = outcome {
                    signed_in(outcome);
                    assert_eq!(links, 1);
                }
            },
        )
        .await;
    }
}
