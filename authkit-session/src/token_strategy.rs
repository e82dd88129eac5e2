use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{
    AuthError, Issue, KeyRing, NewSession, Receipt, RequestContext, SessionStore, StoredSession, TokenKind,
    TokenStrategy, Tokens,
};

use crate::session_store::RowSessions;

/// Tokens that say nothing by themselves: the row does.
pub(crate) struct OpaqueTokens {
    kind: TokenKind,
    sessions: Arc<RowSessions>,
}

impl OpaqueTokens {
    pub(crate) fn new(keys: &KeyRing, sessions: Arc<RowSessions>) -> Self {
        Self { kind: TokenKind::new(keys, "aks"), sessions }
    }
}

#[async_trait]
impl TokenStrategy for OpaqueTokens {
    fn mint(&self, new: &NewSession, receipt: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        let access = receipt.token(&self.kind, new.session.id, &new.secret)?;
        Ok(Tokens::new(access, new.session.expires_at))
    }

    async fn authenticate(&self, cx: &RequestContext, token: &str) -> Result<Option<StoredSession>, AuthError> {
        match self.kind.parse(token) {
            Some(claim) => self.sessions.find(cx, claim.id.into(), &claim).await,
            None => Ok(None),
        }
    }
}
