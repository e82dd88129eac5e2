use authkit_core::{About, Act, AuditEvent, MethodId, Outcome, PrincipalId, PrincipalKind};
use serde::Serialize;

use crate::invitation::InvitationId;

macro_rules! account_events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $act:ident;)+) => { $(
        $(#[$meta])*
        #[derive(Debug, Serialize)]
        #[non_exhaustive]
        pub struct $name {
            /// Whose account.
            #[serde(skip)]
            pub principal: PrincipalId,
        }

        impl AuditEvent for $name {
            const KIND: &'static str = $kind;
            const ACT: Act = Act::$act;

            fn about(&self) -> About {
                About::new(Outcome::Success).principal(self.principal)
            }
        }
    )+ };
}

account_events! {
    /// An account was deleted; until its grace is over it can be restored.
    AccountDeleted = "account_deleted", Withdraws;
    /// An account was shut out.
    AccountDisabled = "account_disabled", Withdraws;
    /// An account that was shut out was let in again.
    AccountEnabled = "account_enabled", Grants;
    /// A deleted account was removed for good.
    AccountPurged = "account_purged", Withdraws;
    /// A deleted account was brought back, still shut out.
    AccountRestored = "account_restored", Grants;
}

/// An account was made by the application.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct AccountCreated {
    /// Whose account.
    #[serde(skip)]
    pub principal: PrincipalId,
    /// What it is.
    pub principal_kind: PrincipalKind,
}

impl AuditEvent for AccountCreated {
    const KIND: &'static str = "account_created";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

/// An account of another system was taken over.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct AccountImported {
    /// Whose account.
    #[serde(skip)]
    pub principal: PrincipalId,
    /// What it is.
    pub principal_kind: PrincipalKind,
    /// The methods whose credentials came along.
    pub credentials: Vec<MethodId>,
}

impl AuditEvent for AccountImported {
    const KIND: &'static str = "account_imported";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

/// An invitation was made.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct InvitationCreated {
    /// Which; the id is part of the token, but not its secret.
    pub invitation: InvitationId,
}

impl AuditEvent for InvitationCreated {
    const KIND: &'static str = "invitation_created";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

/// An invitation was used up by a sign-up.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct InvitationRedeemed {
    /// Which.
    pub invitation: InvitationId,
}

impl AuditEvent for InvitationRedeemed {
    const KIND: &'static str = "invitation_redeemed";
    const ACT: Act = Act::Withdraws;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_away_never_waits_for_a_logger_and_giving_does() {
        assert_eq!(AccountDeleted::ACT, Act::Withdraws);
        assert_eq!(AccountDisabled::ACT, Act::Withdraws);
        assert_eq!(AccountPurged::ACT, Act::Withdraws);
        assert_eq!(AccountCreated::ACT, Act::Grants);
        assert_eq!(AccountEnabled::ACT, Act::Grants);
        assert_eq!(AccountImported::ACT, Act::Grants);
        assert_eq!(AccountRestored::ACT, Act::Grants);
        assert_eq!(InvitationCreated::ACT, Act::Grants);
    }
}
