//! Claims of the application's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use authkit_core::{Call, HttpMethod, MethodId, PrincipalId, RequestContext, StoredSession, codes};
use serde_json::{Map, Value as JsonValue, json};

use crate::{
    acts::{end_others, goes_on, jwt, refresh, refresh_token, shown, signed_in},
    world::{World, add_principal, bearer, sign_in},
};

fn adding(name: &str, value: JsonValue) -> authkit_session::JwtSessions {
    let claim = (name.to_owned(), value);
    jwt().claims(move |_: &RequestContext, _: &StoredSession| Map::from_iter([claim.clone()]))
}

#[tokio::test]
async fn a_claim_of_the_application_is_no_harm_to_the_others() {
    let world = World::new();
    let auth = world.node(adding("roles", json!({ "a": [1, "b", null] }))).await;
    let token = signed_in(&auth).await.tokens.access;
    assert!(shown(&auth, &token).await.is_some());
}

/// No token is made with this claim.
async fn check_refused(name: &str, value: JsonValue) {
    let world = World::new();
    let auth = world.node(adding(name, value)).await;
    let cx = bearer(&auth);
    let principal = add_principal(&cx).await;
    let refused = cx.sign_in(&MethodId::from_static("testkit"), json!({ "principal": principal.id })).await;
    assert_eq!(*refused.unwrap_err().code(), codes::INTERNAL, "{name}");
    assert_eq!(sessions(&world, principal.id).await, 1, "{name}: a session was issued for nothing");
}

/// How many sessions a principal has, with the one in which it looks.
async fn sessions(world: &World, principal: PrincipalId) -> usize {
    let auth = world.node(jwt()).await;
    let cx = bearer(&auth);
    let session = Some(sign_in(&cx, principal).await.session);
    let list = auth.operations().iter().find(|op| op.path == "/sessions" && op.method == HttpMethod::Get).unwrap();
    let reply = list.call(Call { cx, session, input: json!({}), path: Vec::new() }).await.unwrap();
    reply.body.unwrap()["sessions"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_claim_that_authkit_writes_itself_is_refused() {
    let own = [
        "acr",
        "amr",
        "aud",
        "auth_time",
        "client_id",
        "epoch",
        "exp",
        "gen",
        "iat",
        "iss",
        "jti",
        "kind",
        "nbf",
        "sid",
        "sub",
        "ten",
    ];
    for name in own {
        check_refused(name, json!("x")).await;
    }
}

#[tokio::test]
async fn a_claim_that_could_not_be_read_back_is_refused() {
    check_refused("long", json!("x".repeat(8192))).await;
    check_refused("quo\"te", json!(1)).await;
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    check_refused("deep", deep).await;
}

#[tokio::test]
async fn claims_of_five_kibibytes_are_refused_and_a_little_less_is_read_back() {
    let world = World::new();
    let auth = world.node(adding("long", json!("x".repeat(4_500)))).await;
    let token = signed_in(&auth).await.tokens.access;
    assert!(shown(&auth, &token).await.is_some());
    check_refused("long", json!("x".repeat(5_000))).await;
}

/// A hook that gives a good claim, or one that is refused.
fn bad_if(
    bad: &Arc<AtomicBool>,
) -> impl Fn(&RequestContext, &StoredSession) -> Map<String, JsonValue> + Send + Sync + 'static {
    let bad = bad.clone();
    move |_, _| {
        let name = if bad.load(Ordering::Relaxed) { "sub" } else { "roles" };
        Map::from_iter([(name.to_owned(), json!(1))])
    }
}

#[tokio::test]
async fn a_refused_claim_leaves_the_session_as_it_was() {
    let world = World::new();
    let bad = Arc::new(AtomicBool::new(false));
    let auth = world.node(jwt().claims(bad_if(&bad))).await;
    let first = signed_in(&auth).await;
    bad.store(true, Ordering::Relaxed);
    assert_eq!(*end_others(&auth, &first.session).await.unwrap_err().code(), codes::INTERNAL);
    bad.store(false, Ordering::Relaxed);
    assert!(goes_on(&auth, refresh_token(&first.tokens)).await);
}

#[tokio::test]
async fn a_claim_that_is_refused_at_a_refresh_signs_nobody_out() {
    let world = World::new();
    let bad = Arc::new(AtomicBool::new(false));
    let auth = world.node(jwt().claims(bad_if(&bad))).await;
    let first = signed_in(&auth).await;
    bad.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(*refresh(&auth, refresh_token(&first.tokens)).await.unwrap_err().code(), codes::INTERNAL);
    }
    bad.store(false, Ordering::Relaxed);
    let second = refresh(&auth, refresh_token(&first.tokens)).await.unwrap();
    assert!(goes_on(&auth, &second).await);
}
