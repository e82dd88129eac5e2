//! What happens to sessions in these tests.

use authkit_core::{
    AuthError, AuthManager, Batch, Call, Client, EndSessions, PrincipalId, Reply, RequestContext, SecretText, Session,
    SessionChange, SignedIn, Status, Tokens, codes,
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

/// What a client shows of itself, whatever it asks for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Shows<'a> {
    pub(crate) session: Option<&'a Session>,
    pub(crate) refresh: Option<&'a str>,
}

impl Shows<'_> {
    /// Posts to an operation, as an edge does.
    pub(crate) async fn post(self, auth: &AuthManager, path: &str, input: JsonValue) -> Result<Reply, AuthError> {
        let operation = auth.operations().iter().find(|operation| operation.path == path).unwrap();
        let mut client = Client::default().bearer();
        if let Some(token) = self.refresh {
            client = client.refresh(SecretText::new(token.to_owned()));
        }
        operation.call(Call { cx: auth.request(client), session: self.session.cloned(), input, path: Vec::new() }).await
    }

    /// Signs in by the operation.
    pub(crate) async fn sign_in(self, auth: &AuthManager, principal: PrincipalId) -> Result<Tokens, AuthError> {
        let input = json!({ "method": "testkit", "principal": principal });
        let SessionChange::Start(tokens) = self.post(auth, "/auth/login", input).await?.session else {
            panic!("no tokens")
        };
        Ok(tokens)
    }

    /// Signs out by the operation.
    pub(crate) async fn sign_out(self, auth: &AuthManager) -> Result<(), AuthError> {
        let reply = self.post(auth, "/auth/logout", json!({})).await?;
        assert!(matches!(reply.session, SessionChange::End), "{reply:?}");
        Ok(())
    }
}

/// Whether tokens are of a living session: the access token and the refresh token.
pub(crate) async fn work(auth: &AuthManager, tokens: &Tokens) -> bool {
    let session = shown(auth, &tokens.access).await.unwrap();
    let alive = bearer(auth).confirm(&session).await.unwrap().is_some();
    assert_eq!(alive, refresh(auth, refresh_token(tokens)).await.is_ok());
    alive
}

/// The ids of all sessions of a session's principal.
pub(crate) async fn sessions(auth: &AuthManager, session: &Session) -> Vec<String> {
    let body = call(auth, "/sessions", session, Vec::new()).await.body.unwrap();
    let ids = body["sessions"].as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// Ends a session of the same principal.
pub(crate) async fn ended_by(auth: &AuthManager, session: &Session, id: &str) {
    call(auth, "/sessions/{id}", session, vec![("id".to_owned(), id.to_owned())]).await;
}

async fn call(auth: &AuthManager, at: &str, session: &Session, path: Vec<(String, String)>) -> Reply {
    let operation = auth.operations().iter().find(|operation| operation.path == at).unwrap();
    let call = Call { cx: bearer(auth), session: Some(session.clone()), input: json!({}), path };
    operation.call(call).await.unwrap()
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
