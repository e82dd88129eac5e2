//! The operations that an edge mounts.

use authkit_core::{AuthError, AuthManager, Call, Client, Reply, SecretText, SessionChange, codes};
use serde_json::{Value as JsonValue, json};

use crate::acts::{installation, refresh_token};

async fn call(auth: &AuthManager, path: &str, client: Client, input: JsonValue) -> Result<Reply, AuthError> {
    let operation = auth.operations().iter().find(|operation| operation.path == path).unwrap();
    operation.call(Call { cx: auth.request(client), session: None, input, path: Vec::new() }).await
}

fn kept(token: &str) -> Client {
    Client::default().bearer().refresh(SecretText::new(token.to_owned()))
}

#[tokio::test]
async fn refresh_takes_the_token_of_the_body_or_of_the_cookie() {
    let (_world, auth, first) = installation().await;
    let token = refresh_token(&first.tokens);
    let body = json!({ "refresh_token": token });
    let given = [(Client::default().bearer(), body.clone()), (kept(token), json!({})), (kept(token), body)];
    for (client, input) in given {
        let reply = call(&auth, "/auth/refresh", client, input).await.unwrap();
        let SessionChange::Start(tokens) = reply.session else { panic!("no tokens") };
        assert!(tokens.refresh.is_some());
        let body = reply.body.unwrap();
        assert_eq!(body["session"]["id"], json!(first.session.id));
        assert!(!body.to_string().contains("akr_"), "{body}");
    }
}

#[tokio::test]
async fn refresh_with_two_tokens_or_none_is_refused() {
    let (_world, auth, first) = installation().await;
    let token = refresh_token(&first.tokens);
    let two = call(&auth, "/auth/refresh", kept("akr_x"), json!({ "refresh_token": token })).await;
    assert_eq!(*two.unwrap_err().code(), codes::INVALID_INPUT);
    let none = call(&auth, "/auth/refresh", Client::default().bearer(), json!({})).await;
    assert_eq!(*none.unwrap_err().code(), codes::UNAUTHENTICATED);
}

#[tokio::test]
async fn published_keys_may_be_kept_and_hold_nothing_private() {
    let (_world, auth, _) = installation().await;
    let reply = call(&auth, "/.well-known/jwks.json", Client::default(), json!({})).await.unwrap();
    assert!(reply.fresh_for.is_some());
    let body = reply.body.unwrap();
    let key = body["keys"][0].as_object().unwrap();
    assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&json!("OKP"), &json!("Ed25519"), &json!("sig")));
    for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        assert!(!key.contains_key(private), "{private}");
    }
}
