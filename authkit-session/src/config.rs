use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long sessions live. In a configuration tree spans are whole seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SessionConfig {
    /// A session that is not used for so long ends; 24 hours unless set.
    ///
    /// NIST SP 800-63B-4 §2.2.3 wants at most an hour where AAL2 is demanded.
    #[serde(with = "authkit_core::seconds")]
    pub idle: Duration,
    /// A session ends after so long, however much it is used; 30 days unless set.
    #[serde(with = "authkit_core::seconds")]
    pub absolute: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { idle: Duration::from_secs(24 * 60 * 60), absolute: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}

impl SessionConfig {
    /// What is wrong with the values.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.idle < SHORTEST {
            return Some("idle has to be at least 60 seconds");
        }
        if self.absolute < self.idle {
            return Some("absolute has to be at least as long as idle");
        }
        if self.absolute > LONGEST {
            return Some("absolute has to be at most 400 days, which is as long as browsers keep a cookie");
        }
        None
    }
}

/// Use is noted once a minute, so nothing shorter can be told.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_a_day_idle_and_thirty_days_in_all() {
        let config = SessionConfig::default();
        assert_eq!((config.idle.as_secs(), config.absolute.as_secs()), (86_400, 2_592_000));
        assert_eq!(config.problem(), None);
    }

    #[test]
    fn impossible_spans_are_refused() {
        let config =
            |idle, absolute| SessionConfig { idle: Duration::from_secs(idle), absolute: Duration::from_secs(absolute) };
        for bad in [config(59, 3600), config(3600, 3599), config(3600, 401 * 86_400)] {
            assert!(bad.problem().is_some(), "{bad:?}");
        }
    }
}
