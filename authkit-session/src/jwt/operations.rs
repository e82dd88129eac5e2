use std::sync::Arc;

use authkit_core::{
    Aal, Access, AuthError, Call, HttpMethod, Operation, Principal, Reply, SecretText, SessionId, SignedIn, Timestamp,
    codes,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    key::Jwks,
    signing_keys::{PUBLISHED_FOR, SigningKeys},
};

/// Exchanges a refresh token for the next tokens.
pub(crate) fn refresh() -> Operation {
    let summary = "Exchanges a refresh token for the next tokens.";
    Operation::new(
        HttpMethod::Post,
        "/auth/refresh",
        Access::Public,
        summary,
        |call: Call, input: RefreshInput| async move {
            let token = presented(&call, &input)?;
            let signed_in = call.cx.refresh(token.expose()).await?;
            Ok(Reply::ok(Refreshed::from(&signed_in)).start(signed_in.tokens).mark(signed_in.mark))
        },
    )
    .starts_session()
}

/// Publishes the keys that verify access tokens.
pub(crate) fn published_keys(keys: Arc<SigningKeys>) -> Operation {
    let summary = "Lists the keys that verify access tokens (RFC 7517).";
    Operation::new(HttpMethod::Get, "/.well-known/jwks.json", Access::Public, summary, move |call: Call, _: Nothing| {
        let keys = keys.clone();
        async move { Ok(Reply::<Jwks>::ok(keys.published(&call.cx).await?).fresh_for(PUBLISHED_FOR)) }
    })
}

#[derive(Deserialize, JsonSchema)]
struct RefreshInput {
    /// The newest refresh token; absent if a browser keeps it as a cookie.
    refresh_token: Option<SecretText>,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// The session that goes on. Its tokens are rendered by the edge.
#[derive(Serialize, JsonSchema)]
struct Refreshed {
    /// Whose it is.
    principal: Principal,
    /// Which.
    session: RefreshedSession,
}

#[derive(Serialize, JsonSchema)]
struct RefreshedSession {
    /// Not secret.
    id: SessionId,
    /// When it ends unless it is refreshed.
    expires_at: Timestamp,
    /// The level that was proved.
    assurance: Aal,
    /// Authentication method references (RFC 8176).
    amr: Vec<String>,
}

impl From<&SignedIn> for Refreshed {
    fn from(signed_in: &SignedIn) -> Self {
        let session = &signed_in.session;
        let body = RefreshedSession {
            id: session.id,
            expires_at: session.expires_at,
            assurance: session.aal,
            amr: session.amr.split_whitespace().map(str::to_owned).collect(),
        };
        Self { principal: session.principal.clone(), session: body }
    }
}

/// The token of the body or that of the cookie; two that differ are nobody's intention.
fn presented<'c>(call: &'c Call, input: &'c RefreshInput) -> Result<&'c SecretText, AuthError> {
    match (&input.refresh_token, &call.cx.client().refresh) {
        (Some(body), Some(cookie)) if body.expose() != cookie.expose() => {
            let message = "Send one refresh token, not two.";
            Err(AuthError::new(&codes::INVALID_INPUT).field("refresh_token", message))
        }
        (Some(token), _) | (None, Some(token)) => Ok(token),
        (None, None) => Err(AuthError::new(&codes::UNAUTHENTICATED)),
    }
}
