use authkit_core::{About, Act, AuditEvent, Outcome, PrincipalId, SessionId, Timestamp};
use serde::Serialize;

use crate::entity::LockScope;

/// An account was locked after failures. Its owner may want to be told; the caller is not.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct AccountLocked {
    /// Whose; none if the identifier leads to nobody.
    #[serde(skip)]
    pub principal: Option<PrincipalId>,
    /// For whom it is locked.
    pub scope: LockScope,
    /// After how many failures.
    pub failures: u32,
    /// When it opens by itself.
    pub until: Timestamp,
}

impl AuditEvent for AccountLocked {
    const KIND: &'static str = "account_locked";
    const ACT: Act = Act::Withdraws;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

/// The locks of an account were lifted before their time.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct AccountUnlocked {
    /// Whose.
    #[serde(skip)]
    pub principal: PrincipalId,
    /// The session in which it was done.
    #[serde(skip)]
    pub session: Option<SessionId>,
    /// By whom.
    pub by: Option<PrincipalId>,
    /// How many locks.
    pub locks: usize,
}

impl AuditEvent for AccountUnlocked {
    const KIND: &'static str = "account_unlocked";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal).session(self.session)
    }
}
