//! A vault that opens to fresh proofs only, and moves money with a grant.

use std::{future::Future, sync::Arc, time::Duration};

use authkit_account::AccountAdmin;
use authkit_core::{
    Aal, Ability, About, Access, Act, AuditEvent, AuthError, Batch, Call, Challenge, Class, Factors, HttpMethod, Id,
    Manifest, MethodId, OfferAction, Operation, Outcome, Plugin, PrincipalId, Problem, Progress, Registrar, Reply,
    SecretText, codes,
};
use authkit_risk::Throttle;
use authkit_testkit::drop_at_every_await;
use end_to_end::{Backend, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    numbers::{CARD, SecondFactors},
    steps::{
        ADA, BOB, BY_PASSWORD, answer, answer_password, challenged, give, granted, offered, recorded, sessions, shown,
        sign_in, signed_in,
    },
};

const FRESH: Duration = Duration::from_secs(5 * 60);
const LATER: Duration = Duration::from_secs(6 * 60);
const TRANSFER: &str = "vault.transfer";

#[derive(Clone, Copy, Debug)]
struct Vault;

#[derive(Deserialize, JsonSchema)]
struct Open {}

#[derive(Serialize, JsonSchema)]
struct Opened {
    gold: u32,
}

#[derive(Deserialize, JsonSchema)]
struct Transfer {
    grant: SecretText,
}

impl Plugin for Vault {
    fn manifest(&self) -> Manifest {
        Manifest::new("vault", "0.1.0").event::<Transferred>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        use HttpMethod::Post;
        registrar.operation(Operation::new(Post, "/vault/open", Access::FreshSession(FRESH), "Opens it.", open));
        registrar.operation(Operation::new(Post, "/vault/transfer", Access::Session, "Moves money.", transfer));
        Ok(())
    }
}

async fn open(_: Call, _: Open) -> Result<Reply<Opened>, AuthError> {
    Ok(Reply::ok(Opened { gold: 7 }))
}

async fn transfer(call: Call, input: Transfer) -> Result<Reply<()>, AuthError> {
    let session = call.session()?;
    call.cx.redeem(session, TRANSFER, input.grant.expose()).await?;
    call.cx.commit(Transferred { by: session.principal.id }, Batch::new(&call.cx)).await?;
    Ok(Reply::no_content())
}

#[derive(Serialize)]
struct Transferred {
    by: PrincipalId,
}

impl AuditEvent for Transferred {
    const KIND: &'static str = "vault_transferred";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.by)
    }
}

/// A world in which ada and bob have a card each.
async fn with_vault(backend: Backend) -> World {
    let world = World::builder(backend).plugin(SecondFactors).plugin(Vault).build().await;
    for (name, number) in [(ADA, "1234"), (BOB, "5678")] {
        let id = world.sign_up(name).await;
        give(&world, id, CARD, number).await;
    }
    world
}

/// The token of a new session of ada, with the password alone.
async fn token(world: &World) -> String {
    world.signed_in(ADA).await.cookies["authkit_session"].clone()
}

async fn step_up(world: &World, token: &str) -> Result<Progress, AuthError> {
    world.cx().step_up(&shown(world, token).await.unwrap(), TRANSFER).await
}

async fn raise(world: &World, token: &str, level: Aal) -> Result<Progress, AuthError> {
    world.cx().raise(&shown(world, token).await.unwrap(), level).await
}

async fn redeem(world: &World, token: &str, action: &str, grant: &str) -> Result<(), AuthError> {
    world.cx().redeem(&shown(world, token).await.unwrap(), action, grant).await
}

fn refuses(outcome: Result<(), AuthError>) {
    assert_eq!(*outcome.unwrap_err().code(), codes::STEP_UP_REQUIRED);
}

/// A flow that raises ada's session to two factors as soon as the card is shown, and the session's token.
async fn raising(world: &World) -> (String, Challenge) {
    let token = token(world).await;
    let challenge = challenged(raise(world, &token, Aal::Aal2).await);
    assert_eq!(offered(&challenge, OfferAction::Verify), ["card"]);
    (token, challenge)
}

/// Runs an act while a flow waits for its last proof; the proof is refused, and no session has two factors.
async fn too_late(backend: Backend, act: impl AsyncFnOnce(&World, &str)) -> World {
    let world = with_vault(backend).await;
    let (token, challenge) = raising(&world).await;
    act(&world, &token).await;
    let refused = answer(&world, &challenge, &CARD, "1234").await.unwrap_err();
    assert_eq!(refused.code().class, Class::Rejected, "{refused:?}");
    assert!(sessions(&world).await.iter().all(|row| row["aal"] == "aal1"));
    assert_eq!(recorded(&world, "session_raised").await, 0);
    world
}

async fn race<F: Future<Output = bool> + Send + 'static>(times: usize, act: impl Fn() -> F) -> usize {
    let mut all = JoinSet::new();
    for _ in 0..times {
        all.spawn(act());
    }
    all.join_all().await.into_iter().filter(|won| *won).count()
}

on_each_store! {
    async fn of_fifty_who_redeem_a_grant_one_does(backend) {
        let world = Arc::new(with_vault(backend).await);
        let token = token(&world).await;
        let grant = granted(step_up(&world, &token).await);
        let won = race(50, || {
            let (world, token, grant) = (world.clone(), token.clone(), grant.clone());
            async move { redeem(&world, &token, TRANSFER, &grant).await.is_ok() }
        }).await;
        assert_eq!((won, recorded(&world, "action_redeemed").await), (1, 1));
        refuses(redeem(&world, &token, TRANSFER, &grant).await);
    }

    async fn a_grant_is_for_one_action_of_one_session_of_one_tenant(backend) {
        let world = with_vault(backend).await;
        let (own, other) = (token(&world).await, token(&world).await);
        let bobs = world.signed_in(BOB).await.cookies["authkit_session"].clone();
        let grant = granted(step_up(&world, &own).await);
        refuses(redeem(&world, &own, "vault.burn", &grant).await);
        refuses(redeem(&world, &other, TRANSFER, &grant).await);
        refuses(redeem(&world, &bobs, TRANSFER, &grant).await);
        let session = shown(&world, &own).await.unwrap();
        let tenant = Id::from_bytes([9; 16]).into();
        refuses(world.cx_of(tenant).redeem(&session, TRANSFER, &grant).await);
        for garbage in ["", "akg_", &grant[..grant.len() - 1], own.as_str()] {
            refuses(redeem(&world, &own, TRANSFER, garbage).await);
        }
        redeem(&world, &own, TRANSFER, &grant).await.unwrap();
    }

    async fn a_grant_dies_with_time_and_with_a_change_of_credentials(backend) {
        let world = with_vault(backend).await;
        let token = token(&world).await;
        let (expired, outdated) = (granted(step_up(&world, &token).await), granted(step_up(&world, &token).await));
        let before = shown(&world, &token).await.unwrap();
        give(&world, before.principal.id, crate::numbers::KEY, "9999").await;
        refuses(redeem(&world, &token, TRANSFER, &outdated).await);
        refuses(world.cx().redeem(&before, TRANSFER, &outdated).await);
        world.clock.advance(FRESH);
        refuses(redeem(&world, &token, TRANSFER, &expired).await);
        assert_eq!(recorded(&world, "action_redeemed").await, 0);
    }

    async fn an_ended_session_takes_its_grants_along(backend) {
        let world = with_vault(backend).await;
        let mut browser = world.signed_in(ADA).await;
        let session = shown(&world, &browser.cookies["authkit_session"]).await.unwrap();
        let grant = granted(world.cx().step_up(&session, TRANSFER).await);
        let mut stolen = browser.tab();
        browser.post("/v1/auth/logout", json!({})).await;
        assert_eq!(stolen.post("/v1/vault/transfer", json!({ "grant": grant })).await.status, 401);
    }

    async fn an_action_is_done_over_http_after_a_fresh_proof(backend) {
        let world = with_vault(backend).await;
        let mut browser = world.signed_in(ADA).await;
        world.clock.advance(LATER);
        let asked = browser.post("/v1/auth/step-up", json!({ "action": TRANSFER })).await.json();
        assert_eq!((asked["status"].as_str(), asked["challenge"]["reason"].as_str()), (Some("challenge"), Some("step_up")));
        let flow = &asked["challenge"]["flow"];
        let wrong = json!({ "flow": flow, "method": "password", "password": "wrong" });
        let wrong = browser.post("/v1/auth/challenges/answer", wrong).await;
        assert_eq!((wrong.status, wrong.code().as_str()), (401, "core.rejected"));
        let right = json!({ "flow": wrong.json()["challenge"]["flow"], "method": "password", "password": PASSWORD });
        let done = browser.post("/v1/auth/challenges/answer", right).await.json();
        assert_eq!(done["status"], "granted", "{wrong:?} {done}");
        let grant = json!({ "grant": done["grant"] });
        assert_eq!(browser.post("/v1/vault/transfer", grant.clone()).await.status, 204);
        let again = browser.post("/v1/vault/transfer", grant).await;
        assert_eq!((again.status, again.code().as_str()), (403, "core.step_up_required"));
        assert_eq!(recorded(&world, "vault_transferred").await, 1);
    }

    async fn the_vault_opens_after_a_fresh_proof_and_the_token_before_is_dead(backend) {
        let world = with_vault(backend).await;
        let mut browser = world.signed_in(ADA).await;
        assert_eq!(browser.post("/v1/vault/open", json!({})).await.status, 200);
        world.clock.advance(LATER);
        let mut thief = browser.tab();
        let closed = browser.post("/v1/vault/open", json!({})).await;
        assert_eq!((closed.status, closed.code().as_str()), (403, "core.step_up_required"));
        let before = sessions(&world).await;

        let asked = browser.post("/v1/auth/step-up", json!({ "assurance": "aal2" })).await.json();
        let mut challenge = asked["challenge"].clone();
        while let Some(method) = challenge["offers"][0]["method"].as_str() {
            let body = match method {
                "password" => json!({ "flow": challenge["flow"], "method": method, "password": PASSWORD }),
                _ => json!({ "flow": challenge["flow"], "method": method, "number": "1234" }),
            };
            let done = browser.post("/v1/auth/challenges/answer", body).await;
            assert_eq!(done.status, 200, "{done:?}");
            challenge = done.json()["challenge"].clone();
        }
        assert_eq!(browser.post("/v1/vault/open", json!({})).await.status, 200);
        assert!(!thief.is_signed_in().await, "ASVS 5.0 V7.2.4");
        assert_eq!(thief.post("/v1/auth/step-up", json!({})).await.status, 401);

        let after = sessions(&world).await;
        assert_eq!((after.len(), &after[0]["id"], &after[0]["created_at"]), (1, &before[0]["id"], &before[0]["created_at"]));
        let mut amr: Vec<&str> = after[0]["amr"].as_str().unwrap().split(' ').collect();
        amr.sort_unstable();
        assert_eq!((after[0]["aal"].as_str(), amr), (Some("aal2"), vec!["mfa", "otp", "pwd"]));
        assert_eq!(after[0]["evidence"].as_array().unwrap().len(), 2, "one proof of each method: {after:?}");
        let audit = world.audit().await;
        let raised = audit.iter().find(|event| event["kind"] == "session_raised").unwrap();
        assert_eq!((&raised["session_id"], &raised["data"]["assurance"]), (&after[0]["id"], &json!("aal2")));
        world.clock.advance(LATER);
        assert_eq!(browser.post("/v1/vault/open", json!({})).await.status, 403);
    }

    async fn a_level_out_of_reach_changes_nothing(backend) {
        let world = World::builder(backend).plugin(Vault).build().await;
        world.sign_up(ADA).await;
        let mut browser = world.signed_in(ADA).await;
        let before = (sessions(&world).await, world.rows("auth_principals", "id").await);
        for level in ["aal2", "aal3"] {
            let refused = browser.post("/v1/auth/step-up", json!({ "assurance": level })).await;
            assert_eq!((refused.status, refused.code().as_str()), (403, "core.assurance_unreachable"));
        }
        let both = browser.post("/v1/auth/step-up", json!({ "assurance": "aal1", "action": TRANSFER })).await;
        assert_eq!(both.status, 400, "{both:?}");
        assert!(browser.is_signed_in().await);
        assert_eq!((sessions(&world).await, world.rows("auth_principals", "id").await), before);
        assert!(world.rows("auth_flows", "by_principal").await.is_empty());
    }

    async fn nothing_is_set_up_on_the_way_to_a_level_out_of_reach(backend) {
        let world = World::builder(backend).plugin(SecondFactors).build().await;
        world.sign_up(ADA).await;
        let token = token(&world).await;
        give(&world, shown(&world, &token).await.unwrap().principal.id, crate::numbers::KEY, "9999").await;
        let first = challenged(raise(&world, &token, Aal::Aal3).await);
        assert_eq!(offered(&first, OfferAction::Verify), ["key"]);
        let signed = signed_in(answer(&world, &first, &crate::numbers::KEY, "9999").await);
        assert_eq!(signed.session.aal, Aal::Aal3);
    }

    async fn two_old_proofs_count_for_nothing(backend) {
        let world = with_vault(backend).await;
        let (_, challenge) = raising(&world).await;
        let token = signed_in(answer(&world, &challenge, &CARD, "1234").await).tokens.access.expose().to_owned();
        world.clock.advance(LATER);
        let one = challenged(raise(&world, &token, Aal::Aal1).await);
        assert_eq!(offered(&one, OfferAction::Verify), ["password", "card"]);
        let both = challenged(raise(&world, &token, Aal::Aal2).await);
        let half = challenged(answer_password(&world, &both).await);
        assert_eq!(offered(&half, OfferAction::Verify), ["card"], "the old number is no fresh one");
        signed_in(answer(&world, &half, &CARD, "1234").await);
    }

    async fn a_session_that_proved_enough_gets_nothing_for_asking(backend) {
        let world = with_vault(backend).await;
        let token = token(&world).await;
        let session = shown(&world, &token).await.unwrap();
        let raised = world.cx().raise(&session, Aal::Aal1).await.unwrap();
        assert!(matches!(raised, Progress::Sufficient), "{raised:?}");
        assert_eq!(recorded(&world, "session_raised").await, 0);
        assert_eq!(shown(&world, &token).await.unwrap().generation, session.generation);
    }

    async fn of_many_answers_that_raise_one_wins(backend) {
        let world = Arc::new(with_vault(backend).await);
        let (_, challenge) = raising(&world).await;
        let flow = challenge.flow.expose().to_owned();
        let won = race(10, || {
            let (world, flow) = (world.clone(), flow.clone());
            async move { world.cx().answer(&flow, &CARD, json!({ "number": "1234" })).await.is_ok() }
        }).await;
        assert_eq!((won, recorded(&world, "session_raised").await), (1, 1));
        assert_eq!(world.rows("test_numbers", "by_method").await.iter().filter(|row| row["used"] == 1).count(), 1);
    }

    async fn a_session_that_ended_is_not_raised(backend) {
        let world = too_late(backend, async |world: &World, token: &str| {
            let mut browser = world.browser();
            browser.cookies.insert("authkit_session".to_owned(), token.to_owned());
            assert_eq!(browser.post("/v1/auth/logout", json!({})).await.status, 204);
        }).await;
        assert!(sessions(&world).await.is_empty());
    }

    async fn a_disabled_principal_raises_nothing(backend) {
        let world = too_late(backend, async |world: &World, token: &str| {
            let ada = shown(world, token).await.unwrap().principal.id;
            world.auth.capability::<AccountAdmin>().unwrap().disable(&world.cx(), ada).await.unwrap();
        }).await;
        assert!(sessions(&world).await.is_empty());
    }

    async fn a_password_that_changed_meanwhile_raises_nothing_here_or_elsewhere(backend) {
        for elsewhere in [false, true] {
            too_late(backend, async |world: &World, own: &str| {
                let mut browser = world.browser();
                let cookie = if elsewhere { token(world).await } else { own.to_owned() };
                browser.cookies.insert("authkit_session".to_owned(), cookie);
                let changed = browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await;
                assert_eq!(changed.status, 204, "{changed:?}");
                assert!(shown(world, own).await.is_none());
            }).await;
        }
    }

    async fn a_proof_of_somebody_else_raises_nothing(backend) {
        let world = with_vault(backend).await;
        // A verifier that does not look at whom the flow belongs to: it takes anybody's word.
        let anybody = MethodId::from_static("testkit");
        let token = token(&world).await;
        let ada = shown(&world, &token).await.unwrap().principal.clone();
        let bob = world.cx().find_principal(&world.cx().identifier(BOB).unwrap()).await.unwrap().unwrap();
        let cx = world.cx();
        let mut batch = Batch::new(&cx);
        batch.add_enrolment(&cx, &ada, Ability::new(anybody.clone(), Factors::POSSESSION));
        cx.commit(Transferred { by: ada.id }, batch).await.unwrap();

        let challenge = challenged(raise(&world, &token, Aal::Aal2).await);
        let flow = challenge.flow.expose();
        let word = world.cx().answer(flow, &anybody, json!({ "principal": bob.id })).await.unwrap_err();
        assert_eq!(*word.code(), codes::REJECTED);
        let flow = word.challenge().unwrap().flow.expose();
        let card = world.cx().answer(flow, &CARD, json!({ "identifier": BOB, "number": "5678" })).await.unwrap_err();
        assert_eq!(*card.code(), codes::REJECTED);
        assert_eq!(sessions(&world).await[0]["aal"], "aal1");
        assert!(shown(&world, &token).await.is_some());
    }

    async fn a_flow_begun_with_a_stolen_token_dies_with_the_token(backend) {
        let world = with_vault(backend).await;
        let (_, challenge) = raising(&world).await;
        let raised = signed_in(answer(&world, &challenge, &CARD, "1234").await);
        // The thief has copied the token, and knows the password.
        let stolen = raised.tokens.access.expose().to_owned();
        world.clock.advance(LATER);
        let waiting = challenged(raise(&world, &stolen, Aal::Aal1).await);
        let renewed = challenged(raise(&world, &stolen, Aal::Aal1).await);
        let owner = signed_in(answer(&world, &renewed, &CARD, "1234").await);
        assert!(shown(&world, &stolen).await.is_none(), "the owner has a new token");

        let late = answer_password(&world, &waiting).await;
        assert!(late.is_err(), "the thief gets a session of two factors for a password: {late:?}");
        assert!(shown(&world, owner.tokens.access.expose()).await.is_some(), "and the owner is out");
    }

    async fn guesses_in_a_session_count_like_any_other(backend) {
        let builder = World::builder(backend).plugin(SecondFactors).plugin(Vault).throttle(Throttle::default());
        let world = builder.build().await;
        world.sign_up(ADA).await;
        let token = token(&world).await;
        world.sign_up(BOB).await;
        world.clock.advance(LATER);
        for _ in 0..30 {
            world.clock.advance(Duration::from_secs(5));
            let guess = json!({ "identifier": BOB, "password": "a guess that is wrong" });
            drop(world.cx().sign_in(&BY_PASSWORD, guess).await);
        }
        let at_sign_in = recorded(&world, "login_failure").await;
        for _ in 0..30 {
            world.clock.advance(Duration::from_secs(5));
            let challenge = challenged(raise(&world, &token, Aal::Aal1).await);
            let guess = json!({ "password": "a guess that is wrong" });
            drop(world.cx().answer(challenge.flow.expose(), &BY_PASSWORD, guess).await);
        }
        let in_the_session = recorded(&world, "login_failure").await - at_sign_in;
        assert_eq!((at_sign_in, in_the_session), (5, 5), "then both are locked");
    }

    async fn the_first_factor_does_not_clear_guesses_at_the_second(backend) {
        let builder = World::builder(backend).plugin(SecondFactors).plugin(Vault).throttle(Throttle::default());
        let world = builder.build().await;
        let ada = world.sign_up(ADA).await;
        give(&world, ada, CARD, "1234").await;
        // The thief has the password. Nothing demands more to sign in, but the vault does.
        for _ in 0..30 {
            let Ok(Progress::SignedIn(thief)) = sign_in(&world, ADA).await else {
                break;
            };
            for _ in 0..4 {
                world.clock.advance(Duration::from_secs(15));
                let challenge = challenged(raise(&world, thief.tokens.access.expose(), Aal::Aal2).await);
                drop(answer(&world, &challenge, &CARD, "a guess").await);
            }
        }
        let judged = recorded(&world, "login_failure").await;
        assert!(judged <= 20, "{judged} guesses in a row at a number of few digits, and no lock");
    }

    async fn dropped_anywhere_a_session_is_raised_whole_or_not_at_all(backend) {
        drop_at_every_await(
            async || {
                let world = with_vault(backend).await;
                let (token, challenge) = raising(&world).await;
                (world, token, challenge)
            },
            async |(world, _, challenge): &(World, String, Challenge)| {
                signed_in(answer(world, challenge, &CARD, "1234").await).tokens.access.expose().to_owned()
            },
            async |(world, before, challenge): &(World, String, Challenge), output| {
                // A commit that was under way lands before this one.
                world.browser().login("nobody@example.com", "settles what is under way").await;
                let raised = recorded(world, "session_raised").await;
                let row = &sessions(world).await[0];
                assert_eq!(row["aal"], if raised == 1 { "aal2" } else { "aal1" });
                let cards = world.rows("test_numbers", "by_method").await;
                assert_eq!(cards.iter().filter(|card| card["used"] == 1).count(), raised);
                assert_eq!(world.rows("auth_flows", "by_principal").await.len(), 1 - raised);
                assert_eq!(shown(world, before).await.is_some(), raised == 0);
                match output {
                    Some(token) => assert!(raised == 1 && shown(world, &token).await.is_some()),
                    None if raised == 0 => {
                        signed_in(answer(world, challenge, &CARD, "1234").await);
                    }
                    None => {}
                }
            },
        )
        .await;
    }
}
