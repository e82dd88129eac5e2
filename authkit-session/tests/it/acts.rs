//! What happens to sessions in these tests.

use authkit_core::{
    AuthError, AuthManager, Batch, Call, Client, EndSessions, PrincipalId, RequestContext, SecretText, Session,
    SignedIn, Status, Tokens, codes,
};
use authkit_session::{Introspection, JwtSessions, Sessions};
use serde_json::{Value as JsonValue, json};

use crate::world::{Arranged, World, add_principal, bearer, sign_in};

/// Signed tokens with everything else left alone.
pub(crate) fn jwt() -> JwtSessions {
    Sessions::jwt()
}

/// Somebody who is signed in with a client that keeps tokens itself.
pub(crate) async fn signed_in(auth: &AuthManager) -> SignedIn {
    let cx = bearer(auth);
    let principal = add_principal(&cx).await;
    sign_in(&cx, principal.id).await
}

/// One node, and somebody who is signed in.
pub(crate) async fn installation() -> (World, AuthManager, SignedIn) {
    let world = World::new();
    let auth = world.node(jwt()).await;
    let signed_in = signed_in(&auth).await;
    (world, auth, signed_in)
}

/// Refreshes; returns the next refresh token.
pub(crate) async fn refresh(auth: &AuthManager, token: &str) -> Result<String, AuthError> {
    let signed_in = bearer(auth).refresh(token).await?;
    Ok(refresh_token(&signed_in.tokens).to_owned())
}

/// Whether the token is refused like every other that shows nothing.
pub(crate) async fn is_refused(auth: &AuthManager, token: &str) -> bool {
    matches!(refresh(auth, token).await, Err(error) if *error.code() == codes::UNAUTHENTICATED)
}

/// Whether the session that a refresh token shows goes on; asking changes nothing.
pub(crate) async fn goes_on(auth: &AuthManager, token: &str) -> bool {
    let introspection = auth.capability::<Introspection>().unwrap();
    introspection.introspect(&bearer(auth), token).await.unwrap().active
}

/// Text of the refresh token.
pub(crate) fn refresh_token(tokens: &Tokens) -> &str {
    tokens.refresh.as_ref().unwrap().text.expose()
}

/// The session that an access token shows.
pub(crate) async fn shown(auth: &AuthManager, token: &SecretText) -> Option<Session> {
    bearer(auth).authenticate(token.expose()).await.unwrap()
}

/// Disables a principal, which ends its sessions.
pub(crate) async fn disable(cx: &RequestContext, id: PrincipalId) {
    let principal = cx.principal(id).await.unwrap().unwrap();
    let mut batch = Batch::new(cx);
    batch.set_status(cx, &principal, Status::Disabled);
    cx.commit(Arranged, batch).await.unwrap();
}

/// Ends all sessions of a principal, as an application that sets a password does.
pub(crate) async fn end_all(cx: &RequestContext, id: PrincipalId) {
    let principal = cx.principal(id).await.unwrap().unwrap();
    let mut batch = Batch::new(cx);
    batch.raise_epoch(cx, &principal, EndSessions::All);
    cx.commit(Arranged, batch).await.unwrap();
}

/// Ends all other sessions and gives this one new tokens, as a change of password does.
pub(crate) async fn end_others(auth: &AuthManager, session: &Session) -> Result<Tokens, AuthError> {
    let cx = bearer(auth);
    let session = cx.confirm(session).await.unwrap().unwrap();
    let mut batch = Batch::new(&cx);
    batch.raise_epoch(&cx, &session.principal, EndSessions::Others(&session));
    cx.commit_and_rotate(Arranged, batch, &session).await
}

/// A client whose tokens a browser keeps.
pub(crate) fn browser(auth: &AuthManager) -> RequestContext {
    auth.request(Client::default())
}

/// What an account's owner reads about it after another sign-in, newest first: only records of this kind.
pub(crate) async fn records(auth: &AuthManager, owner: PrincipalId, kind: &str) -> Vec<JsonValue> {
    let cx = bearer(auth);
    let session = Some(sign_in(&cx, owner).await.session);
    let operation = auth.operations().iter().find(|operation| operation.path == "/account/audit-events").unwrap();
    let input = json!({ "limit": "100" });
    let reply = operation.call(Call { cx, session, input, path: Vec::new() }).await.unwrap();
    let events = reply.body.unwrap()["events"].as_array().unwrap().clone();
    events.into_iter().filter(|event| event["kind"] == kind).collect()
}
