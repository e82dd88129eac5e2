//! What a client does in a flow, step by step.

use authkit_core::{AuthError, Challenge, MethodId, OfferAction, PrincipalId, Progress, Session, SignedIn};
use end_to_end::{PASSWORD, World};
use serde_json::{Value as JsonValue, json};

use crate::numbers::Numbers;

pub(crate) const BY_PASSWORD: MethodId = MethodId::from_static("password");
pub(crate) const ADA: &str = "ada@example.com";
pub(crate) const BOB: &str = "bob@example.com";

/// Signs in with [`PASSWORD`].
pub(crate) async fn sign_in(world: &World, identifier: &str) -> Result<Progress, AuthError> {
    world.cx().sign_in(&BY_PASSWORD, json!({ "identifier": identifier, "password": PASSWORD })).await
}

/// Answers with [`PASSWORD`].
pub(crate) async fn answer_password(world: &World, challenge: &Challenge) -> Result<Progress, AuthError> {
    world.cx().answer(challenge.flow.expose(), &BY_PASSWORD, json!({ "password": PASSWORD })).await
}

/// Answers with a number.
pub(crate) async fn answer(
    world: &World,
    challenge: &Challenge,
    method: &MethodId,
    number: &str,
) -> Result<Progress, AuthError> {
    world.cx().answer(challenge.flow.expose(), method, json!({ "number": number })).await
}

/// Begins to set a number up, and reads it off.
pub(crate) async fn begin_enrolment(world: &World, challenge: &Challenge, method: &MethodId) -> (Challenge, String) {
    let begun = world.cx().begin(method, json!(null), Some(challenge.flow.expose())).await.expect("an offer");
    let offer = begun.offers.iter().find(|offer| offer.method == *method).expect("the offer");
    let number = offer.prompt["number"].as_str().expect("a number").to_owned();
    (begun, number)
}

/// Gives somebody a number, as the application does.
pub(crate) async fn give(world: &World, principal: PrincipalId, method: MethodId, number: &str) {
    let numbers = world.auth.capability::<Numbers>().expect("the plugin");
    numbers.give(&world.cx(), principal, method, number).await.expect("a number");
}

/// The session that a token shows, if it is alive.
pub(crate) async fn shown(world: &World, token: &str) -> Option<Session> {
    world.cx().authenticate(token).await.expect("a read")
}

pub(crate) fn challenged(progress: Result<Progress, AuthError>) -> Challenge {
    match progress.expect("a right proof") {
        Progress::Challenged(challenge) => challenge,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn signed_in(progress: Result<Progress, AuthError>) -> SignedIn {
    match progress.expect("a right proof") {
        Progress::SignedIn(signed_in) => *signed_in,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn granted(progress: Result<Progress, AuthError>) -> String {
    match progress.expect("a right proof") {
        Progress::Granted(grant) => grant.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// The methods that a challenge offers to answer, or to set up.
pub(crate) fn offered(challenge: &Challenge, action: OfferAction) -> Vec<&str> {
    let offers = challenge.offers.iter().filter(|offer| offer.action == action);
    offers.map(|offer| offer.method.as_str()).collect()
}

/// How many records there are of a kind.
pub(crate) async fn recorded(world: &World, kind: &str) -> usize {
    world.audit().await.iter().filter(|event| event["kind"] == kind).count()
}

/// The session rows.
pub(crate) async fn sessions(world: &World) -> Vec<JsonValue> {
    world.rows("auth_sessions", "by_principal").await
}
