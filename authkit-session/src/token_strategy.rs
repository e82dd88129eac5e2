use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{
    AuthError, Issue, Kept, KeyRing, NewSession, Receipt, RefreshState, RequestContext, SessionStore as _, Shown,
    TokenKind, TokenStrategy, Tokens, codes,
};

use crate::session_store::RowSessions;

/// Tokens that say nothing by themselves: the row does.
pub(crate) struct OpaqueTokens {
    kind: TokenKind,
    sessions: Arc<RowSessions>,
}

/// What an opaque token begins with, before `_`.
pub(crate) const PREFIX: &str = "aks";

impl OpaqueTokens {
    pub(crate) fn new(keys: &KeyRing, sessions: Arc<RowSessions>) -> Self {
        Self { kind: TokenKind::new(keys, PREFIX), sessions }
    }
}

#[async_trait]
impl TokenStrategy for OpaqueTokens {
    async fn mint(&self, _: &RequestContext, new: &NewSession, receipt: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        let access = receipt.token(&self.kind, new.session.id, &new.secret)?;
        Ok(Tokens::new(access, new.session.expires_at))
    }

    async fn mint_again(&self, _: &RequestContext, _: &Kept, _: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        Err(AuthError::new(&codes::INTERNAL).because("an opaque token is not refreshed"))
    }

    async fn authenticate(&self, cx: &RequestContext, token: &str) -> Result<Option<Shown>, AuthError> {
        let Some(claim) = self.kind.parse(token) else {
            return Ok(None);
        };
        let kept = self.sessions.find(cx, claim.id.into()).await?;
        let proved = kept.filter(|kept| claim.proves(&kept.secret_hash));
        Ok(proved.map(|kept| Shown::Stored(kept.session)))
    }

    async fn inspect_refresh(&self, _: &RequestContext, _: &str) -> Result<RefreshState, AuthError> {
        Ok(RefreshState::Dead)
    }
}
