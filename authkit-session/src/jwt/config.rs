use std::time::Duration;

use authkit_core::{ReuseEnds, seconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::Algorithm;
use crate::config::{Lifetimes, SHORTEST, SessionConfig};

/// What the application may choose about signed tokens; keys of the section `session`. Spans are whole seconds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct JwtConfig {
    /// How long sessions live; `idle` is that of clients that keep a cookie.
    #[serde(flatten)]
    pub sessions: SessionConfig,
    /// How long an access token works, 60 seconds to 24 hours; 15 minutes unless set.
    ///
    /// An access token is not asked about, so this and `skew` are for how long one goes on after its session has ended.
    #[serde(with = "seconds")]
    #[schemars(with = "u64")]
    pub access: Duration,
    /// A session whose tokens are not refreshed for so long ends; 7 days unless set.
    #[serde(with = "seconds")]
    #[schemars(with = "u64")]
    pub refresh_idle: Duration,
    /// Whether refresh tokens follow each other; they do unless set. Where they do not, nobody notices a stolen one.
    pub rotation: bool,
    /// What ends when a refresh token comes back that was replaced long ago; its session unless set.
    pub reuse_ends: ReuseEnds,
    /// By how much the clocks of nodes may differ, at most 5 minutes; one minute unless set.
    #[serde(with = "seconds")]
    #[schemars(with = "u64")]
    pub skew: Duration,
    /// What new keys sign with; EdDSA unless set. Another choice makes a key of its own at the next turn of the job.
    pub algorithm: Algorithm,
    /// `iss`; the origin of `public_url` unless set.
    pub issuer: Option<String>,
    /// `aud`; the issuer unless set.
    pub audience: Option<String>,
    /// `client_id`; the audience unless set.
    pub client_id: Option<String>,
    /// A key is followed by another after so long, at least a day; 90 days unless set, and never if zero.
    #[serde(with = "seconds")]
    #[schemars(with = "u64")]
    pub rotate_keys_every: Duration,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            sessions: SessionConfig::default(),
            access: Duration::from_secs(15 * 60),
            refresh_idle: 7 * DAY,
            rotation: true,
            reuse_ends: ReuseEnds::Session,
            skew: Duration::from_secs(60),
            algorithm: Algorithm::EdDsa,
            issuer: None,
            audience: None,
            client_id: None,
            rotate_keys_every: 90 * DAY,
        }
    }
}

/// What tokens say about their origin and use, and by what they are judged.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) client_id: String,
    pub(crate) access: Duration,
    pub(crate) skew: Duration,
}

impl Profile {
    /// The longest life that an access token may have, in seconds.
    pub(crate) const LONGEST_ACCESS: i64 = 24 * 60 * 60;
}

impl JwtConfig {
    /// What the tokens of this application say; `origin` is where clients reach it.
    pub(crate) fn profile(&self, origin: &str) -> Result<Profile, &'static str> {
        if let Some(problem) = self.problem() {
            return Err(problem);
        }
        let issuer =
            claim(self.issuer.as_deref().unwrap_or(origin), "issuer has to be 1 to 255 visible ASCII characters")?;
        let audience =
            claim(self.audience.as_deref().unwrap_or(&issuer), "audience has to be 1 to 255 visible ASCII characters")?;
        let client_id = claim(
            self.client_id.as_deref().unwrap_or(&audience),
            "client_id has to be 1 to 255 visible ASCII characters",
        )?;
        Ok(Profile { issuer, audience, client_id, access: self.access, skew: self.skew })
    }

    pub(crate) const fn lifetimes(&self) -> Lifetimes {
        Lifetimes { bearer_idle: self.refresh_idle, ..self.sessions.lifetimes() }
    }

    fn problem(&self) -> Option<&'static str> {
        if let Some(problem) = self.sessions.problem() {
            return Some(problem);
        }
        if self.access < SHORTEST || self.access > DAY {
            return Some("access has to be 60 seconds to 24 hours");
        }
        if self.refresh_idle < self.access {
            return Some("refresh_idle has to be at least as long as access");
        }
        if self.refresh_idle > self.sessions.absolute {
            return Some("refresh_idle has to be at most as long as absolute");
        }
        if self.skew > Duration::from_secs(5 * 60) {
            return Some("skew has to be at most 5 minutes");
        }
        if !self.rotate_keys_every.is_zero() && self.rotate_keys_every < DAY {
            return Some("rotate_keys_every has to be at least a day, or zero for never");
        }
        None
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A text that has one spelling in JSON.
fn claim(text: &str, problem: &'static str) -> Result<String, &'static str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(plain);
    if fits { Ok(text.to_owned()) } else { Err(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://login.example.com";

    #[test]
    fn defaults_are_a_quarter_of_an_hour_and_a_week() {
        let config = JwtConfig::default();
        assert_eq!((config.access.as_secs(), config.refresh_idle.as_secs(), config.skew.as_secs()), (900, 604_800, 60));
        let profile = config.profile(ORIGIN).unwrap();
        assert_eq!([&profile.issuer, &profile.audience, &profile.client_id], [ORIGIN; 3]);
    }

    #[test]
    fn what_is_not_said_is_what_stands_before_it() {
        let config = JwtConfig { issuer: Some("https://id.example".into()), ..JwtConfig::default() };
        assert_eq!(config.profile(ORIGIN).unwrap().client_id, "https://id.example");
        let config = JwtConfig { audience: Some("api".into()), ..JwtConfig::default() };
        let profile = config.profile(ORIGIN).unwrap();
        assert_eq!([&profile.issuer, &profile.client_id], [ORIGIN, "api"]);
    }

    #[test]
    fn impossible_settings_are_refused() {
        let base = JwtConfig::default;
        let s = Duration::from_secs;
        let bad = [
            JwtConfig { access: s(59), ..base() },
            JwtConfig { access: s(86_401), refresh_idle: s(86_402), ..base() },
            JwtConfig { refresh_idle: s(899), ..base() },
            JwtConfig { refresh_idle: 31 * DAY, ..base() },
            JwtConfig { skew: s(301), ..base() },
            JwtConfig { rotate_keys_every: s(3600), ..base() },
            JwtConfig { issuer: Some(String::new()), ..base() },
            JwtConfig { issuer: Some("https://a\"b".into()), ..base() },
            JwtConfig { audience: Some("a b".into()), ..base() },
            JwtConfig { client_id: Some("ä".into()), ..base() },
            JwtConfig { client_id: Some("a".repeat(256)), ..base() },
            JwtConfig { sessions: SessionConfig { idle: s(1), ..SessionConfig::default() }, ..base() },
        ];
        for bad in bad {
            assert!(bad.profile(ORIGIN).is_err(), "{bad:?}");
        }
    }
}
