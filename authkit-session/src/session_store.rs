use std::time::Duration;

use async_trait::async_trait;
use authkit_core::{
    Aal, At, AuthError, Batch, Collection, Column, Cursor, Ending, EphemeralBatch, Evidence, Grant, JoinedReader, Json,
    Kept, NewSession, Page, Principal, PrincipalId, PrincipalKind, PrincipalRow, ReadOnly, Renewal, RequestContext,
    Rotation, Scan, Session, SessionId, SessionStore, SessionSummary, SessionTimes, Status, StoredSession, Timestamp,
    Volatile, codes,
};

use crate::{config::Lifetimes, entity::SessionRow};

/// What a request needs of a session and its principal: one statement reads both.
type SessionColumns = (
    Column<SessionRow, [u8; 32]>,
    Column<SessionRow, PrincipalId>,
    Column<SessionRow, i64>,
    Column<SessionRow, Aal>,
    Column<SessionRow, String>,
    Column<SessionRow, Json<Vec<Evidence>>>,
    Column<SessionRow, i64>,
    Column<SessionRow, i64>,
    Column<SessionRow, Timestamp>,
    Column<SessionRow, Timestamp>,
    Column<SessionRow, Timestamp, Volatile>,
    Column<SessionRow, Timestamp, Volatile>,
);
type PrincipalColumns = (
    Column<PrincipalRow, PrincipalKind>,
    Column<PrincipalRow, Status>,
    Column<PrincipalRow, i64>,
    Column<PrincipalRow, i64>,
);

/// A use is noted if the last noted one is so long ago.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// Keeps sessions as rows of the store.
pub(crate) struct RowSessions {
    rows: Collection<SessionRow>,
    hot: JoinedReader<SessionRow, SessionColumns, PrincipalRow, PrincipalColumns>,
    lifetimes: Lifetimes,
    permit: Permit,
}

/// Whether a session may get tokens, asked before the commit that issues them.
pub(crate) type Permit = Box<dyn Fn(&RequestContext, &StoredSession) -> Result<(), AuthError> + Send + Sync>;

impl RowSessions {
    pub(crate) fn new(
        rows: Collection<SessionRow>,
        principals: &ReadOnly<PrincipalRow>,
        lifetimes: Lifetimes,
        permit: Permit,
    ) -> Self {
        let session = (
            SessionRow::secret_hash,
            SessionRow::principal_id,
            SessionRow::epoch,
            SessionRow::aal,
            SessionRow::amr,
            SessionRow::evidence,
            SessionRow::generation,
            SessionRow::refreshes,
            SessionRow::created_at,
            SessionRow::ends_at,
            SessionRow::last_seen_at,
            SessionRow::expires_at,
        );
        let principal = (PrincipalRow::kind, PrincipalRow::status, PrincipalRow::epoch, PrincipalRow::sessions_from);
        let hot = rows.joined_reader(session, SessionRow::principal_id, principals, principal);
        Self { rows, hot, lifetimes, permit }
    }
}

#[async_trait]
impl SessionStore for RowSessions {
    fn insert(&self, cx: &RequestContext, grant: &Grant, batch: &mut Batch) -> Result<NewSession, AuthError> {
        let secret = batch.secret(cx);
        let ends_at = cx.now().plus(self.lifetimes.absolute);
        let expires_at = cx.now().plus(self.lifetimes.idle_of(cx.client(), grant)).min(ends_at);
        let id: SessionId = cx.new_id();
        let evidence = Json::new(&grant.evidence)?;
        let amr = grant.amr.join(" ");
        let row = SessionRow {
            id,
            secret_hash: secret.hash(),
            principal_id: grant.principal.id,
            epoch: grant.principal.epoch,
            aal: grant.aal,
            amr: amr.clone(),
            evidence: evidence.clone(),
            generation: 0,
            refreshes: 0,
            ip: cx.client().ip.map(|ip| ip.to_canonical().to_string()),
            user_agent: cx.client().user_agent.clone(),
            created_at: cx.now(),
            ends_at,
            last_seen_at: cx.now(),
            expires_at,
        };
        batch.insert(&self.rows, row);
        let times = SessionTimes { created_at: cx.now(), last_seen_at: cx.now(), expires_at, ends_at };
        let session = StoredSession::new(id, grant.principal.clone(), grant.aal, amr, evidence, 0, times);
        (self.permit)(cx, &session)?;
        Ok(NewSession { session, secret })
    }

    async fn find(&self, cx: &RequestContext, id: SessionId) -> Result<Option<Kept>, AuthError> {
        let Some((session, principal)) = self.hot.get(cx, At::id(id)).await? else {
            return Ok(None);
        };
        let (
            secret_hash,
            principal_id,
            session_epoch,
            aal,
            amr,
            evidence,
            generation,
            refreshes,
            created_at,
            ends_at,
            last_seen_at,
            expires_at,
        ) = session;
        let (kind, status, epoch, sessions_from) = principal;
        if status != Status::Active || session_epoch < sessions_from {
            return Ok(None);
        }
        let principal = Principal::read(principal_id, kind, status, epoch);
        let times = SessionTimes { created_at, last_seen_at, expires_at, ends_at };
        let session = StoredSession::new(id, principal, aal, amr, evidence, generation, times);
        Ok(Some(Kept { session, secret_hash, refreshes }))
    }

    async fn list(
        &self,
        cx: &RequestContext,
        principal: PrincipalId,
        after: Option<Cursor>,
    ) -> Result<Page<SessionSummary>, AuthError> {
        let scan = Scan::of(SessionRow::by_principal, (principal,)).descending().after(after);
        let page = self.rows.query(cx, scan).await?;
        Ok(page.map(summary))
    }

    fn end(&self, _: &RequestContext, principal: PrincipalId, which: Ending, batch: &mut Batch) {
        match which {
            Ending::All { epoch } => {
                batch.purge(&self.rows, SessionRow::by_principal, (principal,), [SessionRow::epoch.lt(epoch)]);
            }
            Ending::One(id) => {
                let own = [SessionRow::principal_id.eq(principal)];
                batch.take(&self.rows, At::id(id), own).or(&codes::NOT_FOUND);
            }
            Ending::Others { keep, epoch } => {
                let others = [SessionRow::id.ne(keep), SessionRow::epoch.lt(epoch)];
                batch.purge(&self.rows, SessionRow::by_principal, (principal,), others);
                let own = [SessionRow::principal_id.eq(principal)];
                batch.update(&self.rows, At::id(keep), own, [SessionRow::epoch.set(epoch)]).or(&codes::UNAUTHENTICATED);
            }
        }
    }

    async fn rotate(
        &self,
        cx: &RequestContext,
        session: SessionId,
        generation: i64,
        rotation: Rotation<'_>,
        batch: &mut Batch,
    ) -> Result<NewSession, AuthError> {
        let principal = rotation.principal();
        let row = self.rows.get(cx, At::id(session)).await?.filter(|row| row.principal_id == principal.id);
        let mut row = row.ok_or(AuthError::new(&codes::UNAUTHENTICATED))?;
        let secret = batch.secret(cx);
        let unrotated = [SessionRow::generation.eq(generation)];
        let mut changes = vec![
            SessionRow::secret_hash.set(secret.hash()),
            SessionRow::generation.plus(1),
            SessionRow::refreshes.set(0),
        ];
        if let Rotation::Raised(grant) = rotation {
            row.aal = grant.aal;
            row.amr = grant.amr.join(" ");
            row.evidence = Json::new(&grant.evidence)?;
            changes.push(SessionRow::aal.set(row.aal));
            changes.push(SessionRow::amr.set(row.amr.clone()));
            changes.push(SessionRow::evidence.set(row.evidence.clone()));
        }
        batch.update(&self.rows, At::id(session), unrotated, changes).or(&codes::UNAUTHENTICATED);
        let times = times_of(&row);
        let session = StoredSession::new(
            session,
            principal.clone(),
            row.aal,
            row.amr,
            row.evidence,
            generation.saturating_add(1),
            times,
        );
        (self.permit)(cx, &session)?;
        Ok(NewSession { session, secret })
    }

    fn renew(&self, cx: &RequestContext, kept: &Kept, renewal: Renewal, batch: &mut Batch) -> Kept {
        let at = At::id(kept.session.id);
        let unchanged = [SessionRow::refreshes.eq(kept.refreshes), SessionRow::secret_hash.eq(kept.secret_hash)];
        let mut renewed = kept.clone();
        let followed = match renewal {
            Renewal::Next => Some(SessionRow::refreshes.plus(1)),
            Renewal::Use => None,
            Renewal::Same => {
                batch.ensure(&self.rows, at, unchanged).or(&codes::CONFLICT);
                return renewed;
            }
        };
        renewed.refreshes = kept.refreshes.saturating_add(followed.is_some().into());
        renewed.session.last_seen_at = cx.now();
        renewed.session.expires_at = used_until(&kept.session, cx.now());
        let used = [
            SessionRow::last_seen_at.set(cx.now()).into(),
            SessionRow::expires_at.set(renewed.session.expires_at).into(),
        ];
        batch.update(&self.rows, at, unchanged, followed.into_iter().chain(used)).or(&codes::CONFLICT);
        renewed
    }

    async fn touch(&self, cx: &RequestContext, session: &Session) -> Result<(), AuthError> {
        if cx.now().since(session.last_seen_at) < TOUCH_EVERY {
            return Ok(());
        }
        let mut batch = EphemeralBatch::new(cx);
        // Somebody else may have noted a later use.
        let guards = [SessionRow::last_seen_at.eq(session.last_seen_at)];
        let changes =
            [SessionRow::last_seen_at.set(cx.now()), SessionRow::expires_at.set(used_until(session, cx.now()))];
        batch.touch(&self.rows, At::id(session.id), guards, changes);
        match cx.commit_ephemeral(batch).await {
            Err(error) if *error.code() == codes::CONFLICT => Ok(()),
            noted => noted.map(drop),
        }
    }
}

/// When a session ends that is used now: its idle span is the one it was issued with.
fn used_until(session: &StoredSession, now: Timestamp) -> Timestamp {
    let idle = session.expires_at.since(session.last_seen_at);
    now.plus(idle).min(session.ends_at)
}

const fn times_of(row: &SessionRow) -> SessionTimes {
    SessionTimes {
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        expires_at: row.expires_at,
        ends_at: row.ends_at,
    }
}

fn summary(row: SessionRow) -> SessionSummary {
    let mut summary = SessionSummary::new(row.id, row.aal, times_of(&row));
    summary.ip = row.ip;
    summary.user_agent = row.user_agent;
    summary.amr = row.amr.split_whitespace().map(str::to_owned).collect();
    summary
}
