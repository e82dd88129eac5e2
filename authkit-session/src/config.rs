use std::time::Duration;

use authkit_core::{Client, Grant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long sessions live. In a configuration tree spans are whole seconds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SessionConfig {
    /// A session that is not used for so long ends; 24 hours unless set.
    ///
    /// NIST SP 800-63B-4 §2.2.3 wants at most an hour where AAL2 is demanded.
    #[serde(with = "authkit_core::seconds")]
    #[schemars(with = "u64")]
    pub idle: Duration,
    /// A session ends after so long, however much it is used; 30 days unless set.
    #[serde(with = "authkit_core::seconds")]
    #[schemars(with = "u64")]
    pub absolute: Duration,
    /// What `idle` is for a client that asked to be remembered; nobody is remembered unless set.
    #[serde(with = "optional_seconds")]
    #[schemars(with = "Option<u64>")]
    pub remember: Option<Duration>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(24 * 60 * 60),
            absolute: Duration::from_secs(30 * 24 * 60 * 60),
            remember: None,
        }
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
        if self.remember.is_some_and(|span| span < self.idle || span > self.absolute) {
            return Some("remember has to be at least as long as idle and at most as long as absolute");
        }
        None
    }

    /// The same for all clients.
    pub(crate) const fn lifetimes(&self) -> Lifetimes {
        Lifetimes { cookie_idle: self.idle, bearer_idle: self.idle, remember: self.remember, absolute: self.absolute }
    }
}

/// How long a session lives, by who holds its tokens.
#[derive(Clone, Debug)]
pub(crate) struct Lifetimes {
    pub(crate) cookie_idle: Duration,
    pub(crate) bearer_idle: Duration,
    pub(crate) remember: Option<Duration>,
    pub(crate) absolute: Duration,
}

impl Lifetimes {
    /// The idle span of a session that is about to be issued.
    pub(crate) fn idle_of(&self, client: &Client, grant: &Grant) -> Duration {
        let usual = if client.bearer { self.bearer_idle } else { self.cookie_idle };
        // A wish to be remembered never shortens anything.
        self.remember.filter(|_| grant.remember).map_or(usual, |span| span.max(usual))
    }
}

/// Use is noted once a minute, so nothing shorter can be told.
pub(crate) const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// A span that may be absent, as whole seconds.
mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
    pub(super) fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        span.map(|span| span.as_secs()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_a_day_idle_and_thirty_days_in_all() {
        let config = SessionConfig::default();
        assert_eq!((config.idle.as_secs(), config.absolute.as_secs()), (86_400, 2_592_000));
        assert_eq!(config.remember, None);
        assert_eq!(config.problem(), None);
    }

    #[test]
    fn impossible_spans_are_refused() {
        let config = |idle, absolute, remember: Option<u64>| SessionConfig {
            idle: Duration::from_secs(idle),
            absolute: Duration::from_secs(absolute),
            remember: remember.map(Duration::from_secs),
        };
        let bad = [
            config(59, 3600, None),
            config(3600, 3599, None),
            config(3600, 401 * 86_400, None),
            config(3600, 86_400, Some(3599)),
            config(3600, 86_400, Some(86_401)),
        ];
        for bad in bad {
            assert!(bad.problem().is_some(), "{bad:?}");
        }
        assert_eq!(config(3600, 86_400, Some(86_400)).problem(), None);
    }
}
