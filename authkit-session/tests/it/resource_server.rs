//! Another service, with another implementation, verifies tokens by the published keys alone.

use authkit_core::{Client, RequestContext, StoredSession};
use authkit_session::{Algorithm, SigningKeys};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Map, Value as JsonValue, json};

use crate::{
    acts::{jwt, signed_in},
    world::{ISSUER, World},
};

async fn check(algorithm: Algorithm, theirs: jsonwebtoken::Algorithm) {
    let world = World::new();
    let hook = |_: &RequestContext, _: &StoredSession| Map::from_iter([("roles".to_owned(), json!(["editor"]))]);
    let auth = world.node(jwt().algorithm(algorithm).audience("https://api.example").claims(hook)).await;
    let signed_in = signed_in(&auth).await;
    let token = signed_in.tokens.access.expose();

    let keys = auth.capability::<SigningKeys>().unwrap().published(&auth.request(Client::default())).await.unwrap();
    let keys: JwkSet = serde_json::from_value(serde_json::to_value(keys).unwrap()).unwrap();
    let header = decode_header(token).unwrap();
    assert_eq!((header.alg, header.typ.as_deref()), (theirs, Some("at+jwt")));
    let key = DecodingKey::from_jwk(keys.find(header.kid.as_deref().unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(theirs);
    validation.set_audience(&["https://api.example"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The clock of these tests is not that of this machine.
    validation.validate_exp = false;
    let claims = decode::<JsonValue>(token, &key, &validation).unwrap().claims;
    assert_eq!(claims["sub"], json!(signed_in.session.principal.id));
    assert_eq!(claims["roles"], json!(["editor"]));
    assert_eq!(claims["client_id"], "https://api.example");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
}

#[tokio::test]
async fn eddsa_tokens_are_verified_by_another_implementation() {
    check(Algorithm::EdDsa, jsonwebtoken::Algorithm::EdDSA).await;
}

#[tokio::test]
async fn es256_tokens_are_verified_by_another_implementation() {
    check(Algorithm::Es256, jsonwebtoken::Algorithm::ES256).await;
}

#[tokio::test]
async fn rs256_tokens_are_verified_by_another_implementation() {
    check(Algorithm::Rs256, jsonwebtoken::Algorithm::RS256).await;
}
