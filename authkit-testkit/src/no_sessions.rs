//! Sessions for the tests of a plugin that is alone.

use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{
    Aal, AuthError, Batch, Cursor, Ending, Evidence, Grant, Issue, Json, Kept, Manifest, NewSession, Page, Plugin,
    Principal, PrincipalId, Problem, Receipt, RefreshState, Registrar, Renewal, RequestContext, Rotation, Session,
    SessionId, SessionStore, SessionSummary, SessionTimes, Shown, StoredSession, TokenKind, TokenStrategy, Tokens,
    codes,
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
        issue(cx, cx.new_id(), grant.principal.clone(), grant.aal, &grant.evidence, batch)
    }

    async fn find(&self, _: &RequestContext, _: SessionId) -> Result<Option<Kept>, AuthError> {
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

    async fn rotate(
        &self,
        cx: &RequestContext,
        id: SessionId,
        _: i64,
        rotation: Rotation<'_>,
        batch: &mut Batch,
    ) -> Result<NewSession, AuthError> {
        issue(cx, id, rotation.principal().clone(), Aal::Aal1, &[], batch)
    }

    fn renew(&self, _: &RequestContext, kept: &Kept, _: Renewal, _: &mut Batch) -> Kept {
        kept.clone()
    }

    async fn touch(&self, _: &RequestContext, _: &Session) -> Result<(), AuthError> {
        Ok(())
    }
}

fn issue(
    cx: &RequestContext,
    id: SessionId,
    principal: Principal,
    aal: Aal,
    evidence: &[Evidence],
    batch: &mut Batch,
) -> Result<NewSession, AuthError> {
    let now = cx.now();
    let times = SessionTimes { created_at: now, last_seen_at: now, expires_at: now, ends_at: now };
    let amr: Vec<String> = evidence.iter().flat_map(|proof| proof.amr.iter().cloned()).collect();
    let session = StoredSession::new(id, principal, aal, amr.join(" "), Json::new(&evidence.to_vec())?, 0, times);
    Ok(NewSession { session, secret: batch.secret(cx) })
}

struct Tickets(TokenKind);

#[async_trait]
impl TokenStrategy for Tickets {
    async fn mint(&self, _: &RequestContext, new: &NewSession, receipt: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        Ok(Tokens::new(receipt.token(&self.0, new.session.id, &new.secret)?, new.session.expires_at))
    }

    async fn mint_again(&self, _: &RequestContext, _: &Kept, _: &Receipt<Issue>) -> Result<Tokens, AuthError> {
        Err(AuthError::new(&codes::NOT_FOUND))
    }

    async fn authenticate(&self, _: &RequestContext, _: &str) -> Result<Option<Shown>, AuthError> {
        Ok(None)
    }

    async fn inspect_refresh(&self, _: &RequestContext, _: &str) -> Result<RefreshState, AuthError> {
        Ok(RefreshState::Dead)
    }
}
