use std::{collections::BTreeSet, fmt, sync::Arc};

use authkit_core::{At, AuthError, Batch, Collection, PrincipalId, RequestContext, Scan, Session, Timestamp, codes};
use serde::Serialize;

use crate::{
    entity::{LockId, LockRow, LockScope},
    event::AccountUnlocked,
    lockout::{Group, Place, Plan},
};

/// What an application does about locks on its own authority; `auth.capability::<LockoutAdmin>()` returns it.
///
/// Nothing here asks who calls: whoever can reach it may do everything.
///
/// # Examples
///
/// The help desk lifts the locks of somebody who called:
///
/// ```
/// use authkit_core::{AuthError, AuthManager, Client, PrincipalId, codes};
/// use authkit_risk::LockoutAdmin;
///
/// async fn unlock(auth: &AuthManager, helper: PrincipalId, caller: PrincipalId) -> Result<usize, AuthError> {
///     let locks = auth.capability::<LockoutAdmin>().ok_or(AuthError::new(&codes::NOT_FOUND))?;
///     let cx = auth.request(Client::default()).acting(helper);
///     locks.unlock(&cx, caller, None).await
/// }
/// ```
pub struct LockoutAdmin {
    pub(crate) rows: Collection<LockRow>,
    pub(crate) plan: Arc<Plan>,
}

/// A lock of an account, past or present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LockSummary {
    /// Unique within its tenant.
    pub id: LockId,
    /// For whom the account was locked.
    pub scope: LockScope,
    /// After how many failures in a row.
    pub failures: i64,
    /// Since when.
    pub locked_at: Timestamp,
    /// When it opens by itself. A successful sign-in elsewhere may have opened it before.
    pub until: Timestamp,
    /// When it was lifted.
    pub unlocked_at: Option<Timestamp>,
    /// By whom it was lifted, if that was said.
    pub unlocked_by: Option<PrincipalId>,
}

impl LockoutAdmin {
    /// The latest 100 locks of an account within a year, newest first.
    ///
    /// # Errors
    ///
    /// When the store fails; an account that was never locked is no error.
    pub async fn history(&self, cx: &RequestContext, principal: PrincipalId) -> Result<Vec<LockSummary>, AuthError> {
        Ok(self.latest(cx, principal).await?.iter().map(LockSummary::from).collect())
    }

    /// Lifts the locks of an account and starts their counters afresh; returns how many locks. `by` is whoever does it.
    ///
    /// The counters of the account as a whole start afresh even if no lock is left, unless it was never locked.
    ///
    /// # Errors
    ///
    /// [`codes::CONFLICT`] if another call lifts the same locks; else when the store fails.
    pub async fn unlock(
        &self,
        cx: &RequestContext,
        principal: PrincipalId,
        by: Option<&Session>,
    ) -> Result<usize, AuthError> {
        let rows = self.latest(cx, principal).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut batch = Batch::new(cx);
        let mut counters = BTreeSet::new();
        let actor = by.map(|session| session.principal.id);
        let subjects: BTreeSet<[u8; 32]> = rows.iter().map(|row| row.subject).collect();
        for subject in &subjects {
            let account = self.plan.group(LockScope::Account, subject, Place::Client(&[]));
            counters.extend(self.plan.counters(account));
        }
        let mut locks = 0;
        for row in rows.iter().filter(|row| row.unlocked_at.is_none() && row.until > cx.now()) {
            counters.extend(self.plan.counters(Group { scope: row.scope, id: row.counters }));
            let changes = [LockRow::unlocked_at.set(Some(cx.now())), LockRow::unlocked_by.set(actor)];
            let locked = [LockRow::unlocked_at.eq(None)];
            batch.update(&self.rows, At::id(row.id), locked, changes).or(&codes::CONFLICT);
            locks += 1;
        }
        for key in counters {
            batch.clear_counter(cx, key);
        }
        let event = AccountUnlocked { principal, session: by.map(|session| session.id), by: actor, locks };
        cx.commit(event, batch).await?;
        Ok(locks)
    }

    async fn latest(&self, cx: &RequestContext, principal: PrincipalId) -> Result<Vec<LockRow>, AuthError> {
        let scan = Scan::of(LockRow::by_principal, (Some(principal),)).descending().limit(LATEST);
        Ok(self.rows.query(cx, scan).await?.items)
    }
}

impl From<&LockRow> for LockSummary {
    fn from(row: &LockRow) -> Self {
        Self {
            id: row.id,
            scope: row.scope,
            failures: row.failures,
            locked_at: row.locked_at,
            until: row.until,
            unlocked_at: row.unlocked_at,
            unlocked_by: row.unlocked_by,
        }
    }
}

impl fmt::Debug for LockoutAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockoutAdmin")
    }
}

/// How many locks are looked at. The steps of the account keep the number of those that last below this.
const LATEST: usize = 100;
