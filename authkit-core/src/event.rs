//! The events of core.

use serde::Serialize;

use crate::{
    audit::{About, Act, AuditEvent, Outcome, RateLimited},
    evidence::{Aal, MethodId},
    flow::Purpose,
    id::{FlowId, PrincipalId, SessionId},
    plugin::Manifest,
    principal::PrincipalKind,
    session::ReuseEnds,
};

macro_rules! events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $act:ident, |$self:ident| $about:expr, { $($(#[$fmeta:meta])* $field:ident: $type:ty),* $(,)? })+) => { $(
        $(#[$meta])*
        #[derive(Debug, Serialize)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$fmeta])* pub $field: $type),*
        }

        impl AuditEvent for $name {
            const KIND: &'static str = $kind;
            const ACT: Act = Act::$act;

            fn about(&$self) -> About {
                $about
            }
        }
    )+ };
}

events! {
    /// A principal was made by its own hand.
    SignedUp = "signup", Grants, |self| About::new(Outcome::Success).principal(self.principal).method(self.method.as_str()), {
        /// Who.
        #[serde(skip)]
        principal: PrincipalId,
        /// What it is.
        principal_kind: PrincipalKind,
        /// What it proves itself with.
        method: MethodId,
    }
    /// A sign-up was refused because an identifier is taken.
    SignUpRefused = "signup_refused", Withdraws, |self| About::new(Outcome::Failure), {
        /// Why.
        reason: &'static str,
        /// HMAC of the identifier, hex.
        identifier: Option<String>,
    }
    /// A session was issued.
    LoginSuccess = "login_success", Grants,
        |self| About::new(Outcome::Success).principal(self.principal).session(self.session).flow(self.flow).method(self.method.as_str()), {
        /// Whose.
        #[serde(skip)]
        principal: PrincipalId,
        /// The session.
        #[serde(skip)]
        session: SessionId,
        /// The flow in which it was proved.
        #[serde(skip)]
        flow: Option<FlowId>,
        /// The last method that was used.
        #[serde(skip)]
        method: MethodId,
        /// The level that was proved.
        assurance: Aal,
        /// Authentication method references (RFC 8176).
        amr: Vec<String>,
        /// What stages found out.
        signals: Vec<(&'static str, i64)>,
    }
    /// A session took over fresh proofs, and has a new token.
    SessionRaised = "session_raised", Grants,
        |self| About::new(Outcome::Success).principal(self.principal).session(self.session).flow(self.flow).method(self.method.as_str()), {
        /// Whose.
        #[serde(skip)]
        principal: PrincipalId,
        /// The session.
        #[serde(skip)]
        session: SessionId,
        /// The flow in which it was proved.
        #[serde(skip)]
        flow: Option<FlowId>,
        /// The last method that was used.
        #[serde(skip)]
        method: MethodId,
        /// The level that it has now.
        assurance: Aal,
        /// Authentication method references (RFC 8176).
        amr: Vec<String>,
    }
    /// A credential was judged and refused.
    LoginFailure = "login_failure", Withdraws,
        |self| About::new(Outcome::Failure).principal(self.principal).flow(self.flow).method(self.method.as_str()), {
        /// Whose, if it is somebody's.
        #[serde(skip)]
        principal: Option<PrincipalId>,
        /// The flow.
        #[serde(skip)]
        flow: Option<FlowId>,
        /// The method.
        #[serde(skip)]
        method: MethodId,
        /// What it was for.
        purpose: Purpose,
        /// The public error.
        error: &'static str,
        /// HMAC of an identifier that matched nobody, hex: people type passwords there.
        identifier: Option<String>,
    }
    /// More was demanded.
    ChallengeIssued = "challenge_issued", Grants,
        |self| About::new(Outcome::Challenge).principal(self.principal).flow(self.flow).method(self.method.as_str()), {
        /// To whom, if it is known.
        #[serde(skip)]
        principal: Option<PrincipalId>,
        /// The flow.
        #[serde(skip)]
        flow: FlowId,
        /// The method of the step.
        #[serde(skip)]
        method: MethodId,
        /// Why.
        reason: String,
        /// What was offered.
        offers: Vec<MethodId>,
    }
    /// One action was permitted, once.
    ActionGranted = "action_granted", Grants,
        |self| About::new(Outcome::Success).principal(self.principal).session(self.session), {
        /// To whom.
        #[serde(skip)]
        principal: PrincipalId,
        /// In which session.
        #[serde(skip)]
        session: SessionId,
        /// What.
        action: String,
    }
    /// A permission for one action was used.
    ActionRedeemed = "action_redeemed", Grants,
        |self| About::new(Outcome::Success).principal(self.principal).session(self.session), {
        /// By whom.
        #[serde(skip)]
        principal: PrincipalId,
        /// In which session.
        #[serde(skip)]
        session: SessionId,
        /// What.
        action: String,
    }
    /// A session got its next tokens.
    TokenRefreshed = "token_refreshed", Grants,
        |self| About::new(Outcome::Success).principal(self.principal).session(self.session), {
        /// Whose.
        #[serde(skip)]
        principal: PrincipalId,
        /// The session.
        #[serde(skip)]
        session: SessionId,
        /// Whether the next refresh token was given out before: the response may have been lost, or two tabs share a
        /// token. Not so where refresh tokens do not follow each other.
        again: bool,
    }
    /// A refresh token came that was replaced long ago, so sessions were ended: somebody has a copy.
    RefreshTokenReused = "refresh_token_reused", Withdraws,
        |self| About::new(Outcome::Failure).principal(self.principal).session(self.session), {
        /// Whose.
        #[serde(skip)]
        principal: PrincipalId,
        /// The session whose token it was; it ended.
        #[serde(skip)]
        session: SessionId,
        /// What ended.
        ends: ReuseEnds,
    }
    /// A session was ended by its own client.
    Logout = "logout", Withdraws, |self| About::new(Outcome::Success).principal(self.principal).session(self.session), {
        /// Whose.
        #[serde(skip)]
        principal: PrincipalId,
        /// The session.
        #[serde(skip)]
        session: SessionId,
    }
    /// A session was ended from another one.
    SessionRevoked = "session_revoked", Withdraws,
        |self| About::new(Outcome::Success).principal(self.principal).session(self.session), {
        /// Whose.
        #[serde(skip)]
        principal: PrincipalId,
        /// From which session.
        #[serde(skip)]
        session: SessionId,
        /// The one that ended.
        ended: SessionId,
    }
    /// All sessions, or all but one, were ended.
    SessionsRevokedAll = "sessions_revoked_all", Withdraws,
        |self| About::new(Outcome::Success).principal(self.principal).session(self.session), {
        /// Whose.
        #[serde(skip)]
        principal: PrincipalId,
        /// From which session; none if an operator did it.
        #[serde(skip)]
        session: Option<SessionId>,
        /// The one that goes on.
        kept: Option<SessionId>,
    }
}

/// Declares the events of core.
pub(crate) fn declared(manifest: Manifest) -> Manifest {
    manifest
        .event::<RateLimited>()
        .event::<SignedUp>()
        .event::<SignUpRefused>()
        .event::<LoginSuccess>()
        .event::<SessionRaised>()
        .event::<LoginFailure>()
        .event::<ChallengeIssued>()
        .event::<ActionGranted>()
        .event::<ActionRedeemed>()
        .event::<TokenRefreshed>()
        .event::<RefreshTokenReused>()
        .event::<Logout>()
        .event::<SessionRevoked>()
        .event::<SessionsRevokedAll>()
}
