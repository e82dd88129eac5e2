use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may sign up, what sign-up tells, and how long deleted accounts wait. In a configuration tree spans are whole
/// seconds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AccountConfig {
    /// Who may sign up; everybody unless set.
    pub sign_up: SignUpPolicy,
    /// Whether sign-up tells that an address is taken; it does unless set.
    pub disclosure: Disclosure,
    /// How long a deleted account can be restored before it is purged; 30 days unless set.
    #[serde(with = "authkit_core::seconds")]
    #[schemars(with = "u64")]
    pub deletion_grace: Duration,
}

/// Who may sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignUpPolicy {
    /// Nobody; accounts are made by the application.
    Closed,
    /// Whoever shows an invitation.
    Invite,
    /// Everybody.
    Open,
}

/// Whether sign-up tells that an address is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Disclosure {
    /// New and taken addresses get the same answer. Fits only where an owner is told of it by mail.
    Conceal,
    /// A taken address is refused as such.
    Reveal,
}

impl Default for AccountConfig {
    fn default() -> Self {
        Self {
            sign_up: SignUpPolicy::Open,
            disclosure: Disclosure::Reveal,
            deletion_grace: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

impl AccountConfig {
    /// What is wrong with the values.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        (self.deletion_grace > LONGEST_GRACE).then_some("deletion_grace has to be at most 3650 days")
    }
}

const LONGEST_GRACE: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_open_reveals_and_keeps_deleted_accounts_thirty_days() {
        let config = AccountConfig::default();
        assert_eq!(config.problem(), None);
        let tree = serde_json::json!({ "sign_up": "open", "disclosure": "reveal", "deletion_grace": 2_592_000 });
        assert_eq!(serde_json::to_value(&config).unwrap(), tree);
    }

    #[test]
    fn grace_beyond_ten_years_is_refused() {
        let grace = |days: u64| AccountConfig {
            deletion_grace: Duration::from_secs(days * 24 * 60 * 60),
            ..AccountConfig::default()
        };
        assert_eq!(grace(0).problem(), None);
        assert_eq!(grace(3650).problem(), None);
        assert!(grace(3651).problem().is_some());
    }
}
