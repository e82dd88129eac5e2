use std::{fmt, sync::Arc};

use authkit_core::{AuthError, RequestContext, StoredSession, codes};
use serde_json::{Map, Value as JsonValue};

/// Adds claims of the application to access tokens.
#[derive(Clone, Default)]
pub(crate) struct CustomClaims(Option<Arc<Hook>>);

type Hook = dyn Fn(&RequestContext, &StoredSession) -> Map<String, JsonValue> + Send + Sync;

impl CustomClaims {
    pub(crate) fn new(
        hook: impl Fn(&RequestContext, &StoredSession) -> Map<String, JsonValue> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// What the application adds to the token of a session.
    pub(crate) fn of(&self, cx: &RequestContext, session: &StoredSession) -> Result<Map<String, JsonValue>, AuthError> {
        let custom = self.0.as_ref().map(|hook| hook(cx, session)).unwrap_or_default();
        if custom.keys().any(|name| RESERVED.contains(&name.as_str())) {
            return Err(
                AuthError::new(&codes::INTERNAL).because("a custom claim has a name that authkit writes itself")
            );
        }
        Ok(custom)
    }
}

/// The claims that are written here, and one that would change for how long a token is good.
const RESERVED: [&str; 17] = [
    "acr",
    "amr",
    "aud",
    "auth_time",
    "client_id",
    "epoch",
    "exp",
    "gen",
    "iat",
    "iss",
    "jti",
    "kind",
    "nbf",
    "sid",
    "sub",
    "ten",
    "typ",
];

impl fmt::Debug for CustomClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "CustomClaims(..)" } else { "CustomClaims(none)" })
    }
}
