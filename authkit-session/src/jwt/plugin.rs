use std::{sync::Arc, time::Duration};

use authkit_core::{Manifest, Plugin, Problem, Registrar, RequestContext, ReuseEnds, StoredSession, TokenStrategy};
use serde_json::{Map, Value as JsonValue};

use super::{
    claims::AccessClaims,
    commands,
    config::JwtConfig,
    custom::CustomClaims,
    entity::SigningKeyRow,
    event::SigningKeyCreated,
    key::Algorithm,
    operations,
    refresh::RefreshTokens,
    signing_keys::{LOOK_EVERY, SigningKeys},
    token_strategy::JwtTokens,
};
use crate::{
    entity::SessionRow,
    introspection::Introspection,
    plugin::Sessions,
    session_store::{Permit, RowSessions},
    token_strategy::OpaqueTokens,
};

impl Sessions {
    /// Signed access tokens and refresh tokens for clients that keep tokens themselves, opaque ones in cookies for all
    /// others.
    #[must_use]
    pub fn jwt() -> JwtSessions {
        JwtSessions { config: JwtConfig::default(), custom: CustomClaims::default() }
    }
}

/// Keeps sessions in the store; shows them as signed tokens to clients that keep tokens themselves.
///
/// # Examples
///
/// Access tokens of five minutes, for an audience, with a claim of the application's own:
///
/// ```
/// use std::time::Duration;
/// use authkit_session::Sessions;
/// use serde_json::{Map, json};
///
/// let sessions = Sessions::jwt()
///     .access(Duration::from_secs(5 * 60))
///     .audience("https://api.example.com")
///     .claims(|_, session| Map::from_iter([("kind".to_owned(), json!(session.principal.kind))]));
/// ```
#[derive(Clone, Debug)]
pub struct JwtSessions {
    config: JwtConfig,
    custom: CustomClaims,
}

impl JwtSessions {
    /// A session in a cookie that is not used for so long ends.
    #[must_use]
    pub const fn idle(mut self, span: Duration) -> Self {
        self.config.sessions.idle = span;
        self
    }

    /// A session ends after so long, however much it is used.
    #[must_use]
    pub const fn absolute(mut self, span: Duration) -> Self {
        self.config.sessions.absolute = span;
        self
    }

    /// The idle span of clients that ask to be remembered.
    #[must_use]
    pub const fn remember(mut self, span: Duration) -> Self {
        self.config.sessions.remember = Some(span);
        self
    }

    /// How long an access token works.
    #[must_use]
    pub const fn access(mut self, span: Duration) -> Self {
        self.config.access = span;
        self
    }

    /// A session whose tokens are not refreshed for so long ends.
    #[must_use]
    pub const fn refresh_idle(mut self, span: Duration) -> Self {
        self.config.refresh_idle = span;
        self
    }

    /// Lets a client keep one refresh token for as long as its session lives, for clients that cannot store another.
    ///
    /// # Security
    ///
    /// Nobody notices a stolen refresh token any more: the thief goes on, unseen, until the session ends. RFC 9700 §2.2.2
    /// permits this only for clients that prove with each refresh who they are.
    #[must_use]
    pub const fn dangerously_without_rotation(mut self) -> Self {
        self.config.rotation = false;
        self
    }

    /// What ends when a refresh token comes back that was replaced long ago; its session unless set.
    #[must_use]
    pub const fn reuse_ends(mut self, ends: ReuseEnds) -> Self {
        self.config.reuse_ends = ends;
        self
    }

    /// By how much the clocks of nodes may differ.
    #[must_use]
    pub const fn skew(mut self, span: Duration) -> Self {
        self.config.skew = span;
        self
    }

    /// What new keys sign with.
    #[must_use]
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.config.algorithm = algorithm;
        self
    }

    /// `iss` of the tokens; the origin of `public_url` unless set.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.config.issuer = Some(issuer.into());
        self
    }

    /// `aud` of the tokens.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.config.audience = Some(audience.into());
        self
    }

    /// `client_id` of the tokens.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.config.client_id = Some(client_id.into());
        self
    }

    /// A key is followed by another after so long; never if zero.
    #[must_use]
    pub const fn rotate_keys_every(mut self, span: Duration) -> Self {
        self.config.rotate_keys_every = span;
        self
    }

    /// Adds claims to every access token, such as roles for other services.
    ///
    /// Names that authkit writes itself are refused, as is what makes the claims longer than 5 KiB; the error is internal.
    /// The hook is asked before a session is issued or gets a new secret, and again when its token is made: where it is
    /// refused the first time, nothing has changed. At a refresh it is asked when the token is made, and the token that
    /// was shown gets its successor at the next try. Whoever holds the token reads the claims: put no secret into them.
    #[must_use]
    pub fn claims(
        mut self,
        hook: impl Fn(&RequestContext, &StoredSession) -> Map<String, JsonValue> + Send + Sync + 'static,
    ) -> Self {
        self.custom = CustomClaims::new(hook);
        self
    }
}

impl Plugin for JwtSessions {
    fn manifest(&self) -> Manifest {
        Manifest::new("session", env!("CARGO_PKG_VERSION"))
            .creates::<SessionRow>()
            .creates::<SigningKeyRow>()
            .event::<SigningKeyCreated>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let config = registrar.config(&self.config)?;
        let profile = config.profile(registrar.origin()).map_err(|text| registrar.problem(text))?;
        let keys = Arc::new(SigningKeys::new(registrar.collection()?, &config, &profile));
        let claims = Arc::new(AccessClaims { profile, custom: self.custom.clone() });
        let permit: Permit = {
            let claims = claims.clone();
            Box::new(move |cx, session| claims.permit(cx, session))
        };
        let (rows, principals) = (registrar.collection()?, registrar.principals());
        let sessions = Arc::new(RowSessions::new(rows, &principals, config.lifetimes(), permit));
        let tokens: Arc<dyn TokenStrategy> = Arc::new(JwtTokens {
            opaque: OpaqueTokens::new(registrar.keys(), sessions.clone()),
            sessions: sessions.clone(),
            keys: keys.clone(),
            refresh: RefreshTokens::new(registrar.keys(), &config),
            claims,
        });
        registrar.provide(Arc::new(Introspection::new(tokens.clone(), sessions.clone())));
        registrar.session_store(sessions);
        registrar.token_strategy(tokens);
        registrar.operation(operations::refresh());
        registrar.operation(operations::published_keys(keys.clone()));
        registrar.command(commands::rotate(keys.clone()));
        registrar.job("session.signing_keys", LOOK_EVERY, keys.clone());
        registrar.provide(keys);
        Ok(())
    }
}
