//! Sessions for the tests of a plugin that is alone.

use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{
    AuthError, Batch, Cursor, Ending, Grant, Issue, Json, Manifest, NewSession, Page, Plugin, PrincipalId, Problem,
    Receipt, Registrar, RequestContext, Session, SessionId, SessionStore, SessionSummary, SessionTimes, TokenClaim,
    TokenKind, TokenStrategy, Tokens, codes,
};

/// Issues sessions and keeps none: enough for the tests of a plugin that has nothing to do with sessions.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoSessions;

impl Plugin for NoSessions {
    fn manifest(&self) -> Manifest {
        Manifest::new("no-sessions", env!("CARGO_PKG_VERSION"))
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.session_store(Arc::new(Nowhere));
        registrar.token_strategy(Arc::new(Tickets(TokenKind::new(registrar.keys(), "ticket"))));
        Ok(())
    }
}

struct Nowhere;

#[async_trait]
impl SessionStore for Nowhere {
    fn insert(&self, cx: &RequestContext, grant: &Grant, batch: &mut Batch) -> Result<NewSession, AuthError> {
        let evidence = Json::new(&grant.evidence)?;
        let (principal, amr) = (grant.principal.clone(), grant.amr.join(" "));
        let times = SessionTimes { created_at: cx.now(), last_seen_at: cx.now(), expires_at: cx.now() };
        let session = Session::new(cx.new_id(), principal, grant.aal, amr, evidence, times);
        Ok(NewSession { session, secret: batch.secret(cx) })
    }

    async fn find(&self, _: &RequestContext, _: SessionId, _: &TokenClaim) -> Result<Option<Session>, AuthError> {
        Ok(None)
    }

    async fn list(
        &self,
        _: &RequestContext,
        _: PrincipalId,
        _: Option<Cursor>,
    ) -> Result<Page<SessionSummary>, AuthError> {
        Err(AuthError::new(&codes::NOT_FOUND))
    }

    fn end(&self, _: &RequestContext, _: PrincipalId, _: Ending, _: &mut Batch) {}

    fn rotate(&self, cx: &RequestContext, session: &Session, batch: &mut Batch) -> Result<NewSession, AuthError> {
        Ok(NewSession { session: session.clone(), secret: batch.secret(cx) })
    }

    async fn touch(&self, _: &RequestContext, _: &Session) -> Result<(), AuthError> {
        Ok(())
    }
}

struct Tickets(TokenKind);

#[async_trait]
impl TokenStrategy for Tickets {
    fn mint(&self, new: &NewSession, receipt: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        Ok(Tokens::new(receipt.token(&self.0, new.session.id, &new.secret)?, new.session.expires_at))
    }

    async fn authenticate(&self, _: &RequestContext, _: &str) -> Result<Option<Session>, AuthError> {
        Ok(None)
    }
}
