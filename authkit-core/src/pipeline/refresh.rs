//! Refreshing: the next tokens of a session, for the newest one of before.

use std::time::Duration;

use super::{Proved, issuable};
use crate::{
    batch::{Batch, Bump, Receipt},
    charge::Counter,
    collection::At,
    context::RequestContext,
    error::{AuthError, codes},
    event::{RefreshTokenReused, TokenRefreshed},
    flow::Purpose,
    id::{Id, SessionId},
    operations::end_own,
    principal::EndSessions,
    session::{Ending, Issue, Kept, RefreshState, Renewal, ReuseEnds, Session, SignedIn},
};

/// How often a refresh is tried again because another one was faster.
const TRIES: usize = 8;
/// How often the same tokens are given out again within a minute. Many tabs that lose answers stay far below it, and so
/// do processes that start at once and read one token that lasts.
const AGAIN_A_MINUTE: i64 = 300;
/// A minute, in milliseconds.
const MINUTE: i64 = 60_000;

impl RequestContext {
    /// Exchanges a refresh token for the next tokens of its session: one read and one commit.
    ///
    /// Stages say what has to be proved, as for a sign-in; what the session has not proved needs a new sign-in. Nothing
    /// is charged: a token cannot be guessed, and one that was made up is refused without a store call.
    ///
    /// # Errors
    ///
    /// [`codes::UNAUTHENTICATED`] if the token shows no living session, or one that has to be signed in anew. A token
    /// that was replaced long ago ends its session, or all of the account, since two hold copies of it.
    /// [`codes::LIMITED`] if the same refresh token is asked for more than 300 times a minute, with when to ask again.
    pub async fn refresh(&self, token: &str) -> Result<SignedIn, AuthError> {
        for _ in 1..TRIES {
            match self.try_refresh(token).await {
                Err(error) if *error.code() == codes::CONFLICT => {}
                done => return done,
            }
        }
        self.try_refresh(token).await
    }

    async fn try_refresh(&self, token: &str) -> Result<SignedIn, AuthError> {
        let (kept, renewal) = match self.engine.tokens.inspect_refresh(self, token).await? {
            RefreshState::Lasting(kept) => (kept, Renewal::Use),
            RefreshState::Newest(kept) => (kept, Renewal::Next),
            RefreshState::Replaced(kept) => (kept, Renewal::Same),
            RefreshState::Reused(kept, ends) => {
                self.end_reused(&kept, ends, None).await?;
                return Err(AuthError::new(&codes::UNAUTHENTICATED).because("a refresh token was used again"));
            }
            RefreshState::Dead => {
                self.turned_away("core.refresh_token");
                return Err(AuthError::new(&codes::UNAUTHENTICATED).because("a refresh token that shows nothing"));
            }
        };
        self.still_suffices(&kept).await?;

        let mut batch = Batch::new(self);
        let principal = &kept.session.principal;
        batch.ensure(&self.engine.spine.principals, At::id(principal.id), issuable(principal)).or(&codes::CONFLICT);
        let renewed = self.engine.sessions.renew(self, &kept, renewal, &mut batch);
        if renewal != Renewal::Next {
            self.count_again(kept.session.id, &mut batch);
        }
        let event =
            TokenRefreshed { principal: principal.id, session: kept.session.id, again: renewal == Renewal::Same };
        let committed = self.commit(event, batch).await.map_err(|error| self.refused_again(error));
        let receipt: Receipt<Issue> = committed?.retype();
        let tokens = self.engine.tokens.mint_again(self, &renewed, &receipt).await?;
        Ok(SignedIn::new(Session::stored(renewed.session), tokens, None))
    }

    /// Counts a refresh by which nothing rotates, in the commit that records it: nothing else bounds how often a client
    /// may ask for it. A counter is of one minute, so a client that asks now and then is never refused.
    fn count_again(&self, session: SessionId, batch: &mut Batch) {
        let id: Id = session.into();
        let minute = self.now().millis().div_euclid(MINUTE).to_be_bytes();
        let key = self.engine.pseudonyms.pseudonym(&[b"refresh", id.as_bytes(), &minute]);
        let expires_at = self.now().plus(Duration::from_secs(2 * 60));
        let counter = Counter { id: self.new_id(), key, value: 0, expires_at };
        let bump = Bump { by: 1, floor: None, max: Some(AGAIN_A_MINUTE) };
        batch.bump(&self.engine.counters, Counter::by_key, counter, Counter::value, bump).or(&codes::LIMITED);
    }

    /// Says when the count begins anew, if that is what the commit failed by.
    fn refused_again(&self, error: AuthError) -> AuthError {
        if *error.code() != codes::LIMITED {
            return error;
        }
        self.turned_away("core.refresh_again");
        let left = MINUTE.saturating_sub(self.now().millis().rem_euclid(MINUTE));
        error.retry_after(Duration::from_millis(left.unsigned_abs()))
    }

    /// Whether what the session proved still meets what is demanded.
    async fn still_suffices(&self, kept: &Kept) -> Result<(), AuthError> {
        let purpose = Purpose::Refresh { session: kept.session.id };
        let proved = Proved {
            principal: kept.session.principal.clone(),
            evidence: super::session_evidence(&kept.session)?,
            effects: Vec::new(),
            batch: Batch::new(self),
            reason: "refresh",
        };
        let (requirement, _) = self.requirement(&purpose, &proved, &[]).await?;
        match requirement.unmet(&proved.evidence, self.now()) {
            None => Ok(()),
            Some(unmet) => {
                self.turned_away("core.refresh_demands_more");
                Err(AuthError::new(&codes::UNAUTHENTICATED).because(unmet.reason))
            }
        }
    }

    /// Ends what a reused token ends; of its principal's sessions, all but the one that is kept.
    async fn end_reused(&self, kept: &Kept, ends: ReuseEnds, keep: Option<&Session>) -> Result<(), AuthError> {
        let (principal, session) = (kept.session.principal.id, kept.session.id);
        let keep = keep.filter(|keep| keep.principal.id == principal);
        let mut batch = Batch::new(self);
        match ends {
            ReuseEnds::Session => self.engine.sessions.end(self, principal, Ending::One(session), &mut batch),
            ReuseEnds::Account => {
                let which = keep.map_or(EndSessions::All, EndSessions::Others);
                batch.raise_epoch(self, &kept.session.principal, which);
            }
        }
        match self.commit(RefreshTokenReused { principal, session, ends }, batch).await {
            Err(error) if *error.code() == codes::NOT_FOUND => Ok(()),
            ended => ended.map(drop),
        }
    }

    /// Ends what a refresh token shows, and says whether it showed a living session.
    ///
    /// A session that was issued to the same client just now is kept, whatever a reused token ends: it was proved.
    pub(crate) async fn end_refreshed(&self, token: &str, mut keep: Option<&Session>) -> Result<bool, AuthError> {
        for _ in 1..TRIES {
            match self.try_end_refreshed(token, keep).await {
                Err(error) if *error.code() == codes::CONFLICT => {}
                // The one to be kept has ended meanwhile.
                Err(error) if *error.code() == codes::UNAUTHENTICATED => keep = None,
                done => return done,
            }
        }
        self.try_end_refreshed(token, keep).await
    }

    async fn try_end_refreshed(&self, token: &str, keep: Option<&Session>) -> Result<bool, AuthError> {
        match self.engine.tokens.inspect_refresh(self, token).await? {
            RefreshState::Lasting(kept) | RefreshState::Newest(kept) | RefreshState::Replaced(kept) => {
                end_own(self, &kept.session).await?;
            }
            RefreshState::Reused(kept, ends) => self.end_reused(&kept, ends, keep).await?,
            RefreshState::Dead => return Ok(false),
        }
        Ok(true)
    }
}
