//! Two factors are demanded of everybody; who has one sets the other up inside the flow, and no thief does.

use std::{sync::Arc, time::Duration};

use authkit_account::AccountAdmin;
use authkit_core::{Aal, Class, Condition, OfferAction, Progress, Purpose, Requirement, codes};
use end_to_end::{Backend, PASSWORD, World, on_each_store};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    numbers::{CARD, KEY, SecondFactors},
    policy::Policy,
    steps::{
        ADA, answer, answer_password, begin_enrolment, challenged, give, granted, offered, recorded, sessions, shown,
        sign_in, signed_in,
    },
};

const ROUNDS: usize = 10;

fn two_factors() -> Policy {
    Policy::new("two_factors", |_, _| Requirement::of("second_factor", Condition::level(Aal::Aal2)))
}

async fn demanding(backend: Backend) -> World {
    let world = World::builder(backend).plugin(SecondFactors).plugin(two_factors()).build().await;
    world.sign_up(ADA).await;
    world
}

/// What is set up, the password included.
async fn set_up(world: &World) -> Vec<String> {
    let rows = world.rows("auth_enrolments", "by_principal").await;
    rows.iter().map(|row| row["method"].as_str().unwrap().to_owned()).collect()
}

async fn numbers(world: &World) -> usize {
    world.rows("test_numbers", "by_method").await.len()
}

on_each_store! {
    async fn a_thief_of_the_password_is_asked_for_the_card_and_offered_nothing_to_set_up(backend) {
        let world = demanding(backend).await;
        let ada = world.cx().find_principal(&world.cx().identifier(ADA).unwrap()).await.unwrap().unwrap();
        give(&world, ada.id, CARD, "1234").await;
        let thief = challenged(sign_in(&world, ADA).await);
        assert_eq!(offered(&thief, OfferAction::Verify), ["card"]);
        assert!(offered(&thief, OfferAction::Enrol).is_empty());

        for method in [&CARD, &KEY] {
            let begun = world.cx().begin(method, json!(null), Some(thief.flow.expose())).await.unwrap_err();
            assert_eq!(*begun.code(), codes::UNKNOWN_METHOD, "{method}");
        }
        let answered = answer(&world, &thief, &KEY, "1234").await.unwrap_err();
        assert_eq!(*answered.code(), codes::UNKNOWN_METHOD, "it was not offered");
        let mut browser = world.browser();
        let flow = thief.flow.expose();
        let insisting = json!({ "flow": flow, "method": "key", "action": "enrol", "input": { "action": "enrol" } });
        assert_eq!(browser.post("/v1/auth/challenges/begin", insisting.clone()).await.code(), "core.unknown_method");
        assert_eq!(browser.post("/v1/auth/challenges/answer", insisting).await.code(), "core.unknown_method");
        assert_eq!((numbers(&world).await, sessions(&world).await.len()), (1, 0));
    }

    async fn a_flow_begun_before_the_card_existed_sets_nothing_up(backend) {
        let world = demanding(backend).await;
        let (thief, chosen) = begin_enrolment(&world, &challenged(sign_in(&world, ADA).await), &KEY).await;
        let (owner, number) = begin_enrolment(&world, &challenged(sign_in(&world, ADA).await), &CARD).await;
        signed_in(answer(&world, &owner, &CARD, &number).await);

        let late = answer(&world, &thief, &KEY, &chosen).await.unwrap_err();
        assert_eq!(late.code().class, Class::Rejected, "{late:?}");
        assert!(late.challenge().is_none(), "the flow is over");
        assert_eq!(set_up(&world).await, ["password", "card"]);
        assert_eq!(sessions(&world).await.len(), 1, "the owner's");
    }

    async fn nothing_is_begun_or_judged_in_a_flow_that_cannot_succeed(backend) {
        let world = demanding(backend).await;
        let ada = world.cx().find_principal(&world.cx().identifier(ADA).unwrap()).await.unwrap().unwrap();
        let waiting = challenged(sign_in(&world, ADA).await);
        give(&world, ada.id, CARD, "1234").await;
        let begun = world.cx().begin(&KEY, json!(null), Some(waiting.flow.expose())).await.map(drop);
        assert_eq!(*begun.unwrap_err().code(), codes::FLOW_INVALID);

        for changed in ["credentials", "status"] {
            let (first, second) = (challenged(sign_in(&world, ADA).await), challenged(sign_in(&world, ADA).await));
            match changed {
                "credentials" => give(&world, ada.id, KEY, "5678").await,
                _ => world.auth.capability::<AccountAdmin>().unwrap().disable(&world.cx(), ada.id).await.unwrap(),
            }
            for (flow, number) in [(&first, "1234"), (&second, "a guess")] {
                let ended = answer(&world, flow, &CARD, number).await.unwrap_err();
                assert_eq!(*ended.code(), codes::FLOW_INVALID, "{changed}: right and wrong numbers look alike");
                assert!(ended.challenge().is_none(), "{changed}");
            }
        }
        assert!(world.rows("auth_flows", "by_principal").await.is_empty());
        let audit = world.audit().await;
        let ended: Vec<_> = audit.iter().filter(|event| event["kind"] == "login_failure").collect();
        assert_eq!(ended.len(), 5, "{ended:?}");
        assert!(ended.iter().all(|event| event["data"]["error"] == "core.flow_invalid"), "{ended:?}");
    }

    async fn an_offer_that_was_not_begun_is_not_confirmed(backend) {
        let world = demanding(backend).await;
        let challenge = challenged(sign_in(&world, ADA).await);
        for number in ["", "0", "null"] {
            let refused = answer(&world, &challenge, &CARD, number).await.unwrap_err();
            assert_eq!(refused.code().class, Class::Rejected);
        }
        assert_eq!(numbers(&world).await, 0);
    }

    async fn a_stolen_session_sets_nothing_up_without_a_fresh_proof(backend) {
        let world = World::builder(backend).plugin(SecondFactors).build().await;
        world.sign_up(ADA).await;
        let stolen = world.signed_in(ADA).await.cookies["authkit_session"].clone();
        world.clock.advance(Duration::from_secs(5 * 60 + 1));
        let session = shown(&world, &stolen).await.unwrap();
        let challenge = challenged(world.cx().raise(&session, Aal::Aal2).await);
        assert_eq!(offered(&challenge, OfferAction::Verify), ["password"]);
        assert!(offered(&challenge, OfferAction::Enrol).is_empty());
        for method in [&CARD, &KEY] {
            let begun = world.cx().begin(method, json!(null), Some(challenge.flow.expose())).await.unwrap_err();
            assert_eq!(*begun.code(), codes::UNKNOWN_METHOD);
        }
        let proved = challenged(answer_password(&world, &challenge).await);
        assert_eq!(offered(&proved, OfferAction::Enrol), ["card", "key"], "the owner has the password");
        let (begun, number) = begin_enrolment(&world, &proved, &CARD).await;
        let raised = signed_in(answer(&world, &begun, &CARD, &number).await);
        assert_eq!(shown(&world, raised.tokens.access.expose()).await.unwrap().aal, Aal::Aal2);
        assert!(shown(&world, &stolen).await.is_none());
    }

    async fn an_action_that_demands_the_card_sets_it_up_on_the_way(backend) {
        let for_wires = Policy::new("for_wires", |_, flow| match flow.purpose {
            Purpose::StepUp { .. } => Requirement::of("second_factor", Condition::level(Aal::Aal2)),
            _ => Requirement::none(),
        });
        let world = World::builder(backend).plugin(SecondFactors).plugin(for_wires).build().await;
        world.sign_up(ADA).await;
        let token = world.signed_in(ADA).await.cookies["authkit_session"].clone();
        let session = shown(&world, &token).await.unwrap();
        let challenge = challenged(world.cx().step_up(&session, "wire.money").await);
        let (begun, number) = begin_enrolment(&world, &challenge, &CARD).await;
        let grant = granted(answer(&world, &begun, &CARD, &number).await);
        assert!(world.cx().redeem(&session, "wire.money", &grant).await.is_err(), "the session as it was before");
        let session = shown(&world, &token).await.unwrap();
        world.cx().redeem(&session, "wire.money", &grant).await.unwrap();
    }

    async fn a_session_and_the_password_stolen_together_set_nothing_up_beside_the_card(backend) {
        let world = World::builder(backend).plugin(SecondFactors).build().await;
        let ada = world.sign_up(ADA).await;
        let stolen = world.signed_in(ADA).await.cookies["authkit_session"].clone();
        give(&world, ada, CARD, "1234").await;
        for wait in [0, 6 * 60] {
            world.clock.advance(Duration::from_secs(wait));
            let session = shown(&world, &stolen).await.unwrap();
            let mut challenge = challenged(world.cx().raise(&session, Aal::Aal2).await);
            assert!(offered(&challenge, OfferAction::Enrol).is_empty(), "{challenge:?}");
            if offered(&challenge, OfferAction::Verify).contains(&"password") {
                challenge = challenged(answer_password(&world, &challenge).await);
            }
            assert_eq!(offered(&challenge, OfferAction::Verify), ["card"]);
            assert!(offered(&challenge, OfferAction::Enrol).is_empty());
            let begun = world.cx().begin(&KEY, json!(null), Some(challenge.flow.expose())).await.unwrap_err();
            assert_eq!(*begun.code(), codes::UNKNOWN_METHOD);
        }
    }

    async fn of_two_flows_that_enrol_at_once_one_wins(backend) {
        for _ in 0..ROUNDS {
            let world = Arc::new(demanding(backend).await);
            let mut begun = Vec::new();
            for method in [CARD, KEY, CARD, KEY] {
                let challenge = challenged(sign_in(&world, ADA).await);
                begun.push((begin_enrolment(&world, &challenge, &method).await, method));
            }
            let mut all = JoinSet::new();
            for ((challenge, number), method) in begun {
                let world = world.clone();
                all.spawn(async move {
                    let done = answer(&world, &challenge, &method, &number).await;
                    usize::from(done.inspect_err(|lost| assert_eq!(lost.code().class, Class::Rejected)).is_ok())
                });
            }
            assert_eq!(all.join_all().await.into_iter().sum::<usize>(), 1);
            assert_eq!((numbers(&world).await, set_up(&world).await.len()), (1, 2));
            assert_eq!((sessions(&world).await.len(), recorded(&world, "login_success").await), (1, 1));
        }
    }

    async fn of_many_answers_that_enrol_in_one_flow_one_wins(backend) {
        for _ in 0..ROUNDS {
            let world = Arc::new(demanding(backend).await);
            let (challenge, number) =
                begin_enrolment(&world, &challenged(sign_in(&world, ADA).await), &CARD).await;
            let mut all = JoinSet::new();
            for _ in 0..5 {
                let (world, flow, number) = (world.clone(), challenge.flow.expose().to_owned(), number.clone());
                all.spawn(async move {
                    let done = world.cx().answer(&flow, &CARD, json!({ "number": number })).await;
                    usize::from(done.is_ok())
                });
            }
            assert_eq!(all.join_all().await.into_iter().sum::<usize>(), 1);
            assert_eq!((numbers(&world).await, sessions(&world).await.len()), (1, 1));
        }
    }

    async fn an_abandoned_enrolment_leaves_nothing(backend) {
        let world = demanding(backend).await;
        let before = world.rows("auth_principals", "id").await;
        let (begun, number) = begin_enrolment(&world, &challenged(sign_in(&world, ADA).await), &CARD).await;
        let refused = answer(&world, &begun, &CARD, "a slip").await.unwrap_err();
        let last = refused.challenge().unwrap().flow.expose().to_owned();
        world.clock.advance(Duration::from_secs(11 * 60));
        let late = world.cx().answer(&last, &CARD, json!({ "number": number })).await.unwrap_err();
        assert_eq!(*late.code(), codes::FLOW_INVALID);
        world.auth.run_due_jobs().await;
        assert_eq!((numbers(&world).await, set_up(&world).await), (0, vec!["password".to_owned()]));
        assert!(world.rows("auth_flows", "by_principal").await.is_empty());
        assert_eq!(world.rows("auth_principals", "id").await, before);
    }

    async fn the_first_sign_in_sets_the_card_up_and_the_next_one_asks_for_it(backend) {
        let world = demanding(backend).await;
        let mut browser = world.browser();
        let asked = browser.login(ADA, PASSWORD).await.json();
        assert_eq!(asked["status"], "challenge");
        assert_eq!(asked["challenge"]["reason"], "second_factor");
        let begin = json!({ "flow": asked["challenge"]["flow"], "method": "card" });
        let begun = browser.post("/v1/auth/challenges/begin", begin).await.json();
        let offers = begun["offers"].as_array().unwrap();
        let number = &offers.iter().find(|offer| offer["method"] == "card").unwrap()["prompt"]["number"];
        let confirm = json!({ "flow": begun["flow"], "method": "card", "number": number });
        let done = browser.post("/v1/auth/challenges/answer", confirm).await.json();
        assert_eq!(done["status"], "signed_in", "{done}");
        assert!(browser.is_signed_in().await);
        assert_eq!(sessions(&world).await[0]["aal"], "aal2");
        assert_eq!(sessions(&world).await[0]["amr"], "pwd otp mfa");

        let next = challenged(sign_in(&world, ADA).await);
        assert_eq!(offered(&next, OfferAction::Verify), ["card"]);
        let done = answer(&world, &next, &CARD, number.as_str().unwrap()).await;
        assert!(matches!(done, Ok(Progress::SignedIn(_))), "{done:?}");
    }
}
