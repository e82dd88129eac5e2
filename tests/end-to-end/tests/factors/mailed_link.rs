//! A mailed link that signs in once, from any browser; for an address of nobody everything looks the same.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use authkit_account::AccountAdmin;
use authkit_core::{
    Admission, Aftermath, At, Attempt, AuthError, Batch, Channel, Charge, Collection, CredentialVerifier, Effect, End,
    Entity, Evidence, Factors, FlowView, Id, MacKey, Manifest, MethodId, Notice, Order, Plugin, Principal, PrincipalId,
    Problem, Progress, Prompt, Registrar, RequestContext, Requirement, SecretText, Settle, Signals, Stage, StageId,
    StepContext, StepKind, TenantId, Timestamp, TokenKind, Verdict, codes, from_base64url, id_type,
};
use authkit_password::PasswordAdmin;
use authkit_testkit::{Counted, Fault, drop_at_every_await};
use end_to_end::{Answer, Backend, Log, OTHER_PASSWORD, World, on_each_store};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;

const METHOD: MethodId = MethodId::from_static("link");
const EMAIL: Channel = Channel::from_static("email");
const LIFE: Duration = Duration::from_secs(15 * 60);
/// How many mails one account is sent without a pause of an hour.
const MAILS: i64 = 3;
const PAUSE: Duration = Duration::from_secs(60 * 60);

id_type! {
    /// One link.
    struct LinkId;
}

/// A link that was asked for. One for an address of nobody is nobody's.
#[derive(Debug, Entity)]
#[entity(
    table = "test_mailed_links",
    durable,
    references(principal_id -> auth_principals),
    expires(expires_at)
)]
struct LinkRow {
    id: LinkId,
    principal_id: Option<PrincipalId>,
    /// A link does not outlive a change of credentials.
    epoch: i64,
    secret_hash: [u8; 32],
    expires_at: Timestamp,
}

struct MailedLinks;

impl Plugin for MailedLinks {
    fn manifest(&self) -> Manifest {
        Manifest::new("link", "0.1.0").creates::<LinkRow>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let links = Links { rows: registrar.collection()?, kind: TokenKind::new(registrar.keys(), "link") };
        registrar.verifier(Arc::new(links));
        registrar.stage(Arc::new(SendLimit { keys: registrar.keys().mac("limit") }));
        registrar.sends_notices();
        Ok(())
    }
}

struct Links {
    rows: Collection<LinkRow>,
    kind: TokenKind,
}

#[derive(Deserialize, JsonSchema)]
struct Address {
    email: String,
}

#[derive(Deserialize, JsonSchema)]
struct Clicked {
    token: SecretText,
}

impl CredentialVerifier for Links {
    type Begin = Address;
    type State = ();
    type Response = Clicked;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, _: &'r Clicked) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, address: &'i Address) -> Option<&'i str> {
        Some(&address.email)
    }

    async fn begin(&self, cx: &mut StepContext<'_>, _: Option<Address>) -> Result<Prompt<()>, AuthError> {
        let invalid = || AuthError::new(&codes::INVALID_INPUT).field("email", "Give a valid e-mail address.");
        let address = cx.identifier.ok_or_else(invalid)?.canonical.clone();
        // Somebody may have typed the address of a stranger. A mail to nobody is made all the same, and dropped later.
        let to = if cx.found.is_some() { address } else { String::new() };
        let secret = cx.batch.secret(cx.request());
        let row = LinkRow {
            id: cx.new_id(),
            principal_id: cx.found.map(|found| found.id),
            epoch: cx.found.map_or(0, |found| found.epoch),
            secret_hash: secret.hash(),
            expires_at: cx.now().plus(LIFE),
        };
        cx.batch.notify_token(&Notice::new("link", to), &self.kind, row.id, &secret)?;
        cx.batch.insert(&self.rows, row).or(&codes::CONFLICT);
        Ok(Prompt { public: json!({ "sent": true }), state: () })
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, clicked: Clicked) -> Result<Verdict, AuthError> {
        let claim = self.kind.parse(clicked.token.expose()).ok_or(rejected("no token of a link"))?;
        let id: LinkId = claim.id.into();
        let row = self.rows.get(cx, At::id(id)).await?.ok_or(rejected("the link is used, expired or unknown"))?;
        let owner = row.principal_id.filter(|_| claim.proves(&row.secret_hash));
        let owner = owner.ok_or(rejected("the link is nobody's or its secret is another one"))?;
        let principal = cx.principal(owner).await?.ok_or(rejected("the owner is gone"))?;
        if principal.epoch != row.epoch {
            return Err(rejected("the credentials changed since the link was mailed"));
        }
        cx.batch.take(&self.rows, At::id(id), [LinkRow::secret_hash.eq(claim.hash())]).or(&codes::REJECTED);
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch).channel(EMAIL);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&codes::INTERNAL).because("the method has no effects"))
    }
}

fn rejected(reason: &'static str) -> AuthError {
    AuthError::new(&codes::REJECTED).because(reason)
}

/// Limits the mails to one account, or to one address of nobody.
struct SendLimit {
    keys: MacKey,
}

#[async_trait]
impl Stage for SendLimit {
    fn id(&self) -> StageId {
        "link.limit"
    }

    fn order(&self) -> Order {
        Order::ANY
    }

    async fn admit(&self, _: &RequestContext, attempt: &Attempt<'_>) -> Result<Admission, AuthError> {
        let charge = |subject: [u8; 32]| {
            Charge::count("link.mails", self.keys.pseudonym(&[&subject]), MAILS, PAUSE)
                .settle(Settle::Keep)
                .refusal(&codes::LIMITED, Some(PAUSE))
        };
        let sends = attempt.step == StepKind::Begin && *attempt.method == METHOD;
        Ok(Admission::Pass(attempt.subject.filter(|_| sends).map(charge).into_iter().collect()))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, _: &mut Signals) -> Result<(), AuthError> {
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(Requirement::none())
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}

async fn world(backend: Backend) -> World {
    let world = World::builder(backend).plugin(MailedLinks).build().await;
    world.sign_up("ada@example.com").await;
    world
}

/// The mails that arrived, as address and token; what the provider was handed twice, it has sent once.
fn mails(world: &World) -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    let new = world.mailbox.notices().into_iter().filter(|notice| seen.insert(notice.id.clone()));
    new.map(|notice| (notice.to, notice.data["token"].as_str().unwrap().to_owned())).collect()
}

/// The token of the only mail.
fn token(world: &World) -> String {
    let [(_, token)] = mails(world).try_into().unwrap();
    token
}

async fn ask(world: &World, email: &str) -> Answer {
    let body = json!({ "method": "link", "input": { "email": email } });
    world.browser().post("/v1/auth/challenges/begin", body).await
}

/// A world in which ada was mailed a link.
async fn mailed(backend: Backend) -> (World, String) {
    let world = world(backend).await;
    assert_eq!(ask(&world, "ada@example.com").await.status, 200);
    world.auth.run_due_jobs().await;
    let token = token(&world);
    (world, token)
}

async fn click(world: &World, token: &str) -> Result<Progress, AuthError> {
    world.cx().sign_in(&METHOD, json!({ "token": token })).await
}

fn code(outcome: Result<Progress, AuthError>) -> &'static str {
    outcome.expect_err("a refusal").code().code
}

async fn ada(world: &World) -> Principal {
    let cx = world.cx();
    cx.find_principal(&cx.identifier("ada@example.com").unwrap()).await.unwrap().unwrap()
}

on_each_store! {
    async fn a_mailed_link_signs_in_from_another_browser(backend) {
        let world = world(backend).await;
        assert_eq!(ask(&world, "Ada@EXAMPLE.com").await.status, 200);
        assert!(mails(&world).is_empty(), "nothing is sent before the commit, nor by the request");
        world.auth.run_due_jobs().await;
        assert_eq!(mails(&world)[0].0, "ada@example.com");
        let mut elsewhere = world.browser();
        let answer = elsewhere.post("/v1/auth/login", json!({ "method": "link", "token": token(&world) })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["session"]["assurance"], "aal1");
        assert!(elsewhere.is_signed_in().await);
        assert!(world.rows("test_mailed_links", "id").await.is_empty());
    }

    async fn an_address_of_nobody_looks_like_one_of_somebody(backend) {
        let world = world(backend).await;
        let mut seen = Vec::new();
        for email in ["ada@example.com", "bob@example.com"] {
            let calls = world.store.calls();
            let answer = ask(&world, email).await;
            let headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            let calls = world.store.calls() - calls;
            let mut body = answer.json();
            body["flow"] = json!(body["flow"].as_str().map(str::len));
            assert_eq!(world.rows("auth_outbox", "id").await.len(), 1);
            let records = world.audit().await;
            let mut record = records.last().unwrap().clone();
            for own in ["id", "flow_id", "request_id", "ip"] {
                record[own] = json!(null);
            }
            seen.push(json!([answer.status, headers, answer.body.len(), calls, body, record]));
            world.auth.run_due_jobs().await;
            assert!(world.rows("auth_outbox", "id").await.is_empty());
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(mails(&world).len(), 1, "the mail to nobody was discarded when it was delivered");
        assert_eq!(ask(&world, "no address").await.status, 400);
    }

    async fn a_mail_survives_a_crash_between_commit_and_delivery(backend) {
        let crashed = world(backend).await;
        ask(&crashed, "ada@example.com").await;
        let world = World::builder(backend).plugin(MailedLinks).after(crashed).build().await;
        assert!(mails(&world).is_empty());
        world.auth.run_due_jobs().await;
        assert!(matches!(click(&world, &token(&world)).await, Ok(Progress::SignedIn(_))));
    }

    async fn a_mail_that_was_delivered_before_a_crash_comes_again_under_the_same_id(backend) {
        let crashed = world(backend).await;
        ask(&crashed, "ada@example.com").await;
        // The first commit takes the lease, the second one takes the row.
        crashed.store.inject(Counted::Commits, 2, Fault::Fails);
        crashed.auth.run_due_jobs().await;
        assert_eq!(crashed.mailbox.notices().len(), 1);
        crashed.store.heal();
        let world = World::builder(backend).plugin(MailedLinks).after(crashed).build().await;
        world.clock.advance(Duration::from_secs(61));
        world.auth.run_due_jobs().await;
        assert_eq!(world.mailbox.notices().len(), 2);
        assert!(matches!(click(&world, &token(&world)).await, Ok(Progress::SignedIn(_))));
    }

    async fn a_mail_arrives_once_wherever_the_delivery_is_dropped(backend) {
        drop_at_every_await(
            async || {
                let world = world(backend).await;
                ask(&world, "ada@example.com").await;
                world
            },
            async |world: &World| world.auth.run_due_jobs().await,
            async |world: &World, _| {
                // A lease that was on its way lands before a later commit.
                world.browser().login("nobody@example.com", "settles what is under way").await;
                world.clock.advance(Duration::from_secs(61));
                world.auth.run_due_jobs().await;
                assert!(matches!(click(world, &token(world)).await, Ok(Progress::SignedIn(_))));
            },
        )
        .await;
    }

    async fn the_token_stands_in_no_table_log_or_answer(backend) {
        let (log, guard) = Log::keep();
        let world = world(backend).await;
        let answer = ask(&world, "ada@example.com").await;
        let before = world.everything().await;
        // Something is logged about a delivery that fails.
        world.mailbox.fail(1);
        world.auth.run_due_jobs().await;
        world.clock.advance(Duration::from_secs(5));
        world.auth.run_due_jobs().await;
        let token = token(&world);
        click(&world, &token).await.unwrap();
        click(&world, &token).await.unwrap_err();
        drop(guard);

        let secret = &token["link_".len() + 22..];
        let bytes = from_base64url(&token["link_".len()..]).unwrap();
        let listed = json!(bytes[16..48]).to_string();
        let (after, answer) = (world.everything().await, format!("{answer:?}"));
        for (place, text) in [("tables", before), ("tables", after), ("log", log.text()), ("answer", answer)] {
            let found = text.contains(secret) || text.contains(&listed[1..listed.len() - 1]);
            assert!(!found, "the token is in the {place}");
        }
    }

    async fn a_link_is_used_once_and_fifty_clicks_are_one(backend) {
        let (world, token) = mailed(backend).await;
        let world = Arc::new(world);
        let mut all = JoinSet::new();
        for _ in 0..50 {
            let (world, token) = (world.clone(), token.clone());
            all.spawn(async move {
                match click(&world, &token).await {
                    Ok(Progress::SignedIn(_)) => 1,
                    refused => {
                        assert_eq!(code(refused), "core.rejected");
                        0
                    }
                }
            });
        }
        assert_eq!(all.join_all().await.into_iter().sum::<usize>(), 1);
        let failures = world.audit().await.iter().filter(|event| event["kind"] == "login_failure").count();
        assert_eq!(failures, 49, "each of them was judged, whether it lost before the commit or in it");
        assert_eq!(code(click(&world, &token).await), "core.rejected");
        assert_eq!(world.rows("auth_sessions", "by_principal").await.len(), 1);
    }

    async fn a_link_that_is_expired_forged_or_of_another_tenant_is_refused(backend) {
        let (world, token) = mailed(backend).await;
        let elsewhere: TenantId = Id::from_bytes([9; 16]).into();
        let foreign = world.cx_of(elsewhere).sign_in(&METHOD, json!({ "token": token })).await;
        assert_eq!(code(foreign), "core.rejected");
        for forged in ["", "link_", &token[..token.len() - 1], &token.replace("link_", "akf_")] {
            assert_eq!(code(click(&world, forged).await), "core.rejected");
        }
        world.clock.advance(LIFE);
        assert_eq!(code(click(&world, &token).await), "core.rejected");
    }

    async fn a_link_does_not_outlive_a_change_of_credentials_or_a_disable(backend) {
        let (world, token) = mailed(backend).await;
        let new = SecretText::new(OTHER_PASSWORD.to_owned());
        world.auth.capability::<PasswordAdmin>().unwrap().set(&world.cx(), &ada(&world).await, new).await.unwrap();
        assert_eq!(code(click(&world, &token).await), "core.rejected");

        let (world, token) = mailed(backend).await;
        let id = ada(&world).await.id;
        world.auth.capability::<AccountAdmin>().unwrap().disable(&world.cx(), id).await.unwrap();
        assert_eq!(code(click(&world, &token).await), "core.rejected");
    }

    async fn one_account_is_mailed_so_often_however_it_is_spelled(backend) {
        let world = world(backend).await;
        for name in ["ada", "bob"] {
            let spellings = [format!("{name}@example.com"), format!(" {}@example.com", name.to_uppercase())];
            let mut statuses = Vec::new();
            for n in 0..6 {
                statuses.push(ask(&world, &spellings[n % 2]).await.status);
            }
            assert_eq!(statuses, [200, 200, 200, 429, 429, 429]);
        }
        world.auth.run_due_jobs().await;
        assert_eq!(mails(&world).len(), 3);
        click(&world, &mails(&world)[0].1).await.unwrap();
        assert_eq!(ask(&world, "ada@example.com").await.status, 429, "a sign-in gives nothing back");
        world.clock.advance(PAUSE);
        assert_eq!(ask(&world, "ada@example.com").await.status, 200);
    }

    async fn parallel_requests_send_no_more_mails(backend) {
        let world = world(backend).await;
        let world = Arc::new(world);
        let mut all = JoinSet::new();
        for _ in 0..30 {
            let world = world.clone();
            all.spawn(async move { ask(&world, "ada@example.com").await.status });
        }
        let statuses = all.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3, "{statuses:?}");
        world.auth.run_due_jobs().await;
        assert_eq!(mails(&world).len(), 3);
    }
}
