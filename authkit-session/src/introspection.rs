use std::{fmt, sync::Arc};

use authkit_core::{
    Aal, AuthError, PrincipalId, RefreshState, RequestContext, SessionId, SessionStore as _, Shown, StoredSession,
    TokenStrategy,
};
use serde::Serialize;

use crate::session_store::RowSessions;

/// Says what a token is worth; `auth.capability::<Introspection>()`.
///
/// For an operation of the application's own, open to other services that it trusts: who may ask is not decided here.
///
/// # Examples
///
/// A route for the application's other services, behind a check of its own:
///
/// ```
/// use authkit_core::{AuthError, AuthManager, Client, codes};
/// use authkit_session::{Introspected, Introspection};
///
/// async fn introspect(auth: &AuthManager, token: &str) -> Result<Introspected, AuthError> {
///     let introspection = auth.capability::<Introspection>().ok_or(AuthError::new(&codes::NOT_FOUND))?;
///     introspection.introspect(&auth.request(Client::default()), token).await
/// }
/// ```
pub struct Introspection {
    tokens: Arc<dyn TokenStrategy>,
    sessions: Arc<RowSessions>,
}

/// What a token is worth, as RFC 7662 §2.2 writes it: of one that does not work nothing else is said.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Introspected {
    /// Whether it works now.
    pub active: bool,
    /// What it shows, if it works.
    #[serde(flatten)]
    pub token: Option<ActiveToken>,
}

/// What a token that works shows.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ActiveToken {
    /// What it is for. A refresh token proves nothing to other services.
    pub token_use: TokenUse,
    /// Whose it is.
    pub sub: PrincipalId,
    /// Its session.
    pub sid: SessionId,
    /// When it stops working unless it is used, in seconds since the Unix epoch.
    pub exp: i64,
    /// When it was made, or when its session was last used, in seconds since the Unix epoch.
    pub iat: i64,
    /// The level that was proved.
    pub acr: Aal,
    /// Authentication method references (RFC 8176).
    pub amr: Vec<String>,
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenUse {
    /// To make requests.
    Access,
    /// To be exchanged for the next tokens.
    Refresh,
}

impl Introspection {
    pub(crate) fn new(tokens: Arc<dyn TokenStrategy>, sessions: Arc<RowSessions>) -> Self {
        Self { tokens, sessions }
    }

    /// Judges an access token or a refresh token, in one store call at most. A signed one is asked about in the store as
    /// well, so one whose session has ended is not active. Nothing changes: a refresh token that was used again ends
    /// no session here.
    ///
    /// # Errors
    ///
    /// When the store fails; a token that shows nothing is no error.
    pub async fn introspect(&self, cx: &RequestContext, token: &str) -> Result<Introspected, AuthError> {
        let shown = self.tokens.authenticate(cx, token).await?;
        let token = match shown {
            Some(Shown::Stored(session)) => Some(ActiveToken::of(TokenUse::Access, &session)),
            Some(Shown::Claimed(claimed)) => {
                let kept = self.sessions.find(cx, claimed.id).await?;
                let goes_on = kept.is_some_and(|kept| {
                    kept.session.generation == claimed.generation && kept.session.principal.id == claimed.principal.id
                });
                goes_on.then(|| ActiveToken::of(TokenUse::Access, &claimed))
            }
            None => match self.tokens.inspect_refresh(cx, token).await? {
                RefreshState::Lasting(kept) | RefreshState::Newest(kept) | RefreshState::Replaced(kept) => {
                    Some(ActiveToken::of(TokenUse::Refresh, &kept.session))
                }
                RefreshState::Dead | RefreshState::Reused(..) => None,
            },
        };
        Ok(Introspected { active: token.is_some(), token })
    }
}

impl ActiveToken {
    fn of(token_use: TokenUse, session: &StoredSession) -> Self {
        Self {
            token_use,
            sub: session.principal.id,
            sid: session.id,
            exp: session.expires_at.millis().div_euclid(1000),
            iat: session.last_seen_at.millis().div_euclid(1000),
            acr: session.aal,
            amr: session.amr.split_whitespace().map(str::to_owned).collect(),
        }
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Introspection")
    }
}
