use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{
    AuthError, Issue, Kept, NewSession, Receipt, RefreshState, RequestContext, SecretText, SessionStore as _, Shown,
    StoredSession, TokenStrategy, Tokens, codes, from_base64url,
};

use super::{claims::AccessClaims, refresh::RefreshTokens, signing_keys::SigningKeys, token::Parts};
use crate::{
    session_store::RowSessions,
    token_strategy::{OpaqueTokens, PREFIX},
};

/// Signed access tokens for clients that keep tokens themselves; opaque ones for those that keep a cookie, since a
/// cookie can be ended at once and needs no refresh.
pub(crate) struct JwtTokens {
    pub(crate) opaque: OpaqueTokens,
    pub(crate) sessions: Arc<RowSessions>,
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) refresh: RefreshTokens,
    pub(crate) claims: Arc<AccessClaims>,
}

impl JwtTokens {
    async fn tokens(
        &self,
        cx: &RequestContext,
        session: &StoredSession,
        secret_hash: &[u8; 32],
        refreshes: i64,
    ) -> Result<Tokens, AuthError> {
        let (payload, expires_at) = self.claims.write(cx, session)?;
        let key = self.keys.current(cx).await?;
        let token = key.sign(&payload).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))?;
        let refresh = self.refresh.token(session.id, refreshes, secret_hash);
        Ok(Tokens::new(SecretText::new(token), expires_at).refreshed_by(refresh, session.expires_at))
    }

    async fn claimed(&self, cx: &RequestContext, token: &str) -> Result<Option<StoredSession>, AuthError> {
        let Some(parts) = Parts::of(token) else {
            return Ok(None);
        };
        if self.keys.signer_of(cx, parts).await?.is_none() {
            return Ok(None);
        }
        let payload = from_base64url(parts.payload);
        Ok(payload.and_then(|payload| self.claims.judge(cx, &payload)))
    }
}

#[async_trait]
impl TokenStrategy for JwtTokens {
    async fn mint(&self, cx: &RequestContext, new: &NewSession, receipt: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        if !cx.client().bearer {
            return self.opaque.mint(cx, new, receipt).await;
        }
        self.tokens(cx, &new.session, &new.secret.hash(), 0).await
    }

    async fn mint_again(&self, cx: &RequestContext, kept: &Kept, _: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        self.tokens(cx, &kept.session, &kept.secret_hash, kept.refreshes).await
    }

    async fn authenticate(&self, cx: &RequestContext, token: &str) -> Result<Option<Shown>, AuthError> {
        if token.starts_with(PREFIX) {
            return self.opaque.authenticate(cx, token).await;
        }
        Ok(self.claimed(cx, token).await?.map(Shown::Claimed))
    }

    async fn inspect_refresh(&self, cx: &RequestContext, token: &str) -> Result<RefreshState, AuthError> {
        let Some(claim) = self.refresh.parse(token) else {
            return Ok(RefreshState::Dead);
        };
        let kept = self.sessions.find(cx, claim.id).await?;
        Ok(kept.map_or(RefreshState::Dead, |kept| self.refresh.judge(&claim, kept, cx.now())))
    }
}
