//! What is judged before a token counts, seen from inside: these tests sign with the key itself.

mod attacks;
mod edges;
mod short_keys;
#[path = "../../tests/it/world.rs"]
mod world;

use std::sync::Arc;

use authkit_core::{AuthManager, RequestContext, SessionId, base64url, from_base64url};
use serde_json::{Map, Value as JsonValue};

use self::world::{World, add_principal, bearer, sign_in};
use super::{Algorithm, SigningKeys, key::SigningKey};
use crate::Sessions;

/// A node with somebody signed in, and the key that signed.
struct Bench {
    world: World,
    auth: AuthManager,
    key: Arc<SigningKey>,
    token: String,
    session: SessionId,
}

impl Bench {
    async fn new(algorithm: Algorithm) -> Self {
        let world = World::new();
        let auth = world.node(Sessions::jwt().algorithm(algorithm)).await;
        let cx = bearer(&auth);
        let principal = add_principal(&cx).await;
        let signed_in = sign_in(&cx, principal.id).await;
        let key = auth.capability::<SigningKeys>().unwrap().current(&cx).await.unwrap();
        let token = signed_in.tokens.access.expose().to_owned();
        Self { world, auth, key, token, session: signed_in.session.id }
    }

    fn cx(&self) -> RequestContext {
        bearer(&self.auth)
    }

    /// The claims of the token.
    fn claims(&self) -> Map<String, JsonValue> {
        let payload = self.token.split('.').nth(1).unwrap();
        serde_json::from_slice(&from_base64url(payload).unwrap()).unwrap()
    }

    /// The claims with some put in the place of others; `null` removes one.
    fn with(&self, changes: JsonValue) -> Vec<u8> {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                JsonValue::Null => claims.remove(name),
                value => claims.insert(name.clone(), value.clone()),
            };
        }
        serde_json::to_vec(&claims).unwrap()
    }

    /// A token that the key really signed.
    fn signed(&self, payload: &[u8]) -> String {
        self.key.sign(payload).unwrap()
    }

    /// A token with this header that the key really signed.
    fn under(&self, header: &str) -> String {
        self.key.sign_under(&base64url(header.as_bytes()), &self.with(serde_json::json!({}))).unwrap()
    }
}
