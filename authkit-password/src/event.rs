use authkit_core::{About, Act, AuditEvent, Outcome, PrincipalId, SessionId};
use serde::Serialize;

/// A principal changed its password, which ended its other sessions.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct PasswordChanged {
    /// Whose.
    #[serde(skip)]
    pub principal: PrincipalId,
    /// In which session, which goes on.
    #[serde(skip)]
    pub session: SessionId,
}

impl AuditEvent for PasswordChanged {
    const KIND: &'static str = "password_changed";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal).session(self.session).method("password")
    }
}

/// The application set a principal's password, which ended all of its sessions.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct PasswordSet {
    /// Whose.
    #[serde(skip)]
    pub principal: PrincipalId,
}

impl AuditEvent for PasswordSet {
    const KIND: &'static str = "password_set";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal).method("password")
    }
}
