//! What an access token says (RFC 9068 §2.2), and how it is judged.

use std::fmt;

use authkit_core::{
    Aal, AuthError, Evidence, Id, Json, Principal, PrincipalKind, RequestContext, SessionTimes, Status, StoredSession,
    TenantId, Timestamp, codes,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor, value::BorrowedStrDeserializer},
};
use serde_json::{Map, Value as JsonValue};

use super::{
    config::Profile,
    custom::CustomClaims,
    json::{Others, Texts, Whole, fill},
    token::LONGEST_PAYLOAD,
};

/// What access tokens say, and by what they are judged.
pub(crate) struct AccessClaims {
    pub(crate) profile: Profile,
    pub(crate) custom: CustomClaims,
}

impl AccessClaims {
    /// Writes those of a session's access token; returns them, and when the token expires.
    pub(crate) fn write(
        &self,
        cx: &RequestContext,
        session: &StoredSession,
    ) -> Result<(Vec<u8>, Timestamp), AuthError> {
        let custom = self.custom.of(cx, session)?;
        let newest = session.evidence.get()?.iter().map(|proof| proof.at).max();
        // Never longer than the session itself.
        let expires_at = cx.now().plus(self.profile.access).min(session.expires_at);
        let claims = Written {
            iss: &self.profile.issuer,
            aud: &self.profile.audience,
            client_id: &self.profile.client_id,
            sub: session.principal.id.into(),
            iat: seconds(cx.now()),
            exp: seconds(expires_at),
            jti: cx.new_id(),
            auth_time: seconds(newest.unwrap_or(session.created_at)),
            acr: session.aal,
            amr: session.amr.split_whitespace().collect(),
            sid: session.id.into(),
            generation: session.generation,
            ten: cx.tenant(),
            kind: session.principal.kind,
            epoch: session.principal.epoch,
            custom: &custom,
        };
        let payload = serde_json::to_vec(&claims).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))?;
        if payload.len() > LONGEST_PAYLOAD {
            return Err(AuthError::new(&codes::INTERNAL).because("custom claims make the claims longer than 5 KiB"));
        }
        if !custom.is_empty() && serde_json::from_slice::<Claims<'_>>(&payload).is_err() {
            return Err(AuthError::new(&codes::INTERNAL).because("custom claims that cannot be read back"));
        }
        Ok((payload, expires_at))
    }

    /// Refuses a session for which no token could be written. Asked before the session is issued, so that it is not
    /// issued for nothing.
    pub(crate) fn permit(&self, cx: &RequestContext, session: &StoredSession) -> Result<(), AuthError> {
        if self.custom.is_none() || !cx.client().bearer {
            return Ok(());
        }
        self.write(cx, session).map(drop)
    }

    /// The session that the claims show to this tenant now; none if anything about them is not as written here.
    ///
    /// The signature was verified before. So whatever is wrong was signed by a key of this application: the checks keep
    /// a token for another purpose, audience or tenant from being taken for one of these.
    pub(crate) fn judge(&self, cx: &RequestContext, payload: &[u8]) -> Option<StoredSession> {
        // serde would also read an array as these claims.
        let object = payload.starts_with(b"{") && payload.ends_with(b"}");
        let claims: Claims<'_> = object.then(|| serde_json::from_slice(payload).ok()).flatten()?;
        let (latest, earliest) = (cx.now().plus(self.profile.skew), cx.now().minus(self.profile.skew));
        let lifetime = claims.exp.0.checked_sub(claims.iat.0)?;
        let for_us = claims.iss == self.profile.issuer && claims.aud.contains(&self.profile.audience);
        let timely = from_seconds(claims.exp.0) > earliest
            && from_seconds(claims.iat.0) <= latest
            && from_seconds(claims.auth_time.0) <= latest
            && claims.nbf.is_none_or(|nbf| from_seconds(nbf.0) <= latest)
            && (1..=Profile::LONGEST_ACCESS).contains(&lifetime);
        let named = !claims.client_id.is_empty() && claims.jti.parse::<Id>().is_ok();
        let here = claims.ten.parse() == Ok(cx.tenant());
        if for_us && timely && named && here { claims.session() } else { None }
    }
}

fn seconds(at: Timestamp) -> i64 {
    at.millis().div_euclid(1000)
}

fn from_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}

#[derive(Serialize)]
struct Written<'a> {
    iss: &'a str,
    aud: &'a str,
    client_id: &'a str,
    sub: Id,
    iat: i64,
    exp: i64,
    jti: Id,
    auth_time: i64,
    acr: Aal,
    amr: Vec<&'a str>,
    sid: Id,
    #[serde(rename = "gen")]
    generation: i64,
    ten: TenantId,
    kind: PrincipalKind,
    epoch: i64,
    #[serde(flatten)]
    custom: &'a Map<String, JsonValue>,
}

/// The claims as they were read. Texts are borrowed, so one that is spelt with escapes is refused.
struct Claims<'t> {
    iss: &'t str,
    aud: Texts<'t>,
    client_id: &'t str,
    sub: &'t str,
    iat: Whole,
    exp: Whole,
    nbf: Option<Whole>,
    jti: &'t str,
    auth_time: Whole,
    acr: &'t str,
    amr: Vec<&'t str>,
    sid: &'t str,
    generation: Whole,
    ten: &'t str,
    kind: &'t str,
    epoch: Whole,
}

impl Claims<'_> {
    fn session(self) -> Option<StoredSession> {
        let principal = Principal::read(self.sub.parse().ok()?, named(self.kind)?, Status::Active, self.epoch.0);
        let evidence: Json<Vec<Evidence>> = Json::new(&Vec::new()).ok()?;
        let expires_at = from_seconds(self.exp.0);
        let times = SessionTimes {
            // What asks how old a session is wants to know how old its newest proof is.
            created_at: from_seconds(self.auth_time.0),
            last_seen_at: from_seconds(self.iat.0),
            expires_at,
            ends_at: expires_at,
        };
        let (id, aal, amr) = (self.sid.parse().ok()?, named(self.acr)?, self.amr.join(" "));
        Some(StoredSession::new(id, principal, aal, amr, evidence, self.generation.0, times))
    }
}

/// The variant of this name.
fn named<'t, T: Deserialize<'t>>(name: &'t str) -> Option<T> {
    T::deserialize(BorrowedStrDeserializer::<serde::de::value::Error>::new(name)).ok()
}

impl<'de> Deserialize<'de> for Claims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimsVisitor)
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Claims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of an access token")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Claims<'de>, M::Error> {
        let (mut iss, mut aud, mut client_id, mut sub) = (None, None, None, None);
        let (mut iat, mut exp, mut nbf, mut jti, mut auth_time) = (None, None, None, None, None);
        let (mut acr, mut amr, mut sid, mut generation) = (None, None, None, None);
        let (mut ten, mut kind, mut epoch) = (None, None, None);
        let mut others = Others::default();
        while let Some(name) = map.next_key()? {
            match name {
                "iss" => fill(&mut iss, &mut map)?,
                "aud" => fill(&mut aud, &mut map)?,
                "client_id" => fill(&mut client_id, &mut map)?,
                "sub" => fill(&mut sub, &mut map)?,
                "iat" => fill(&mut iat, &mut map)?,
                "exp" => fill(&mut exp, &mut map)?,
                "nbf" => fill(&mut nbf, &mut map)?,
                "jti" => fill(&mut jti, &mut map)?,
                "auth_time" => fill(&mut auth_time, &mut map)?,
                "acr" => fill(&mut acr, &mut map)?,
                "amr" => fill(&mut amr, &mut map)?,
                "sid" => fill(&mut sid, &mut map)?,
                "gen" => fill(&mut generation, &mut map)?,
                "ten" => fill(&mut ten, &mut map)?,
                "kind" => fill(&mut kind, &mut map)?,
                "epoch" => fill(&mut epoch, &mut map)?,
                other => others.skip(other, &mut map)?,
            }
        }
        let missing = M::Error::missing_field;
        Ok(Claims {
            iss: iss.ok_or_else(|| missing("iss"))?,
            aud: aud.ok_or_else(|| missing("aud"))?,
            client_id: client_id.ok_or_else(|| missing("client_id"))?,
            sub: sub.ok_or_else(|| missing("sub"))?,
            iat: iat.ok_or_else(|| missing("iat"))?,
            exp: exp.ok_or_else(|| missing("exp"))?,
            nbf,
            jti: jti.ok_or_else(|| missing("jti"))?,
            auth_time: auth_time.ok_or_else(|| missing("auth_time"))?,
            acr: acr.ok_or_else(|| missing("acr"))?,
            amr: amr.ok_or_else(|| missing("amr"))?,
            sid: sid.ok_or_else(|| missing("sid"))?,
            generation: generation.ok_or_else(|| missing("gen"))?,
            ten: ten.ok_or_else(|| missing("ten"))?,
            kind: kind.ok_or_else(|| missing("kind"))?,
            epoch: epoch.ok_or_else(|| missing("epoch"))?,
        })
    }
}
