//! A signed access token, beside one bare verification of its signature by the same library.

use anyhow::{Context as _, Result, bail, ensure};
use authkit_core::{Client, from_base64url};
use authkit_session::Algorithm;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;

use crate::{
    apps::{self, authkit},
    backend::Backend,
    effort::Effort,
    probe::call::{allocations, nanoseconds},
    serve::log_as_usual,
    stats,
};

/// Nanoseconds of one call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct JwtCost {
    /// One verification of a signature that is decoded, by a key that is parsed.
    pub(crate) bare: f64,
    /// `cx.authenticate(token)`.
    pub(crate) authenticate: f64,
    /// Median over the rounds of how much longer the latter takes.
    pub(crate) ratio: f64,
    /// Of `cx.authenticate(token)`.
    pub(crate) allocations: f64,
}

const REPEATS: u32 = 100;

pub(super) fn run(algorithm: Algorithm, effort: Effort) -> Result<JwtCost> {
    log_as_usual();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (store, _scratch) = runtime.block_on(authkit::open(Backend::Memory))?;
    let auth = runtime.block_on(authkit::assemble(store, authkit::Setup::signing(algorithm)))?;
    let router = authkit::router(&auth);
    let tokens = runtime.block_on(apps::populate_with_tokens(&router, 1))?;
    let token = tokens.first().context("nobody")?.access.as_str();
    let published = runtime.block_on(apps::get(&router, "/.well-known/jwks.json", "accept: application/json"))?;
    ensure!(published.status.is_success(), "the keys were answered {}", published.status);
    let keys: JsonValue = serde_json::from_slice(published.body())?;
    let key = public_key(keys.pointer("/keys/0").context("no key")?)?;
    let (signed, signature) = token.rsplit_once('.').context("a token of three parts")?;
    let signature = from_base64url(signature).context("a signature")?;

    let cx = auth.request(Client::default());
    let bare = async || key.verify_sig(signed.as_bytes(), &signature).is_ok();
    let authenticate = async || cx.authenticate(token).await.is_ok_and(|session| session.is_some());
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let [of_bare, of_authenticate, ratios] = &mut times;
    for _ in 0..effort.jwt_rounds() {
        let own = nanoseconds(&runtime, REPEATS, &authenticate)?;
        let alone = nanoseconds(&runtime, REPEATS, &bare)?;
        of_bare.push(alone);
        of_authenticate.push(own);
        ratios.push(own / alone);
    }
    let allocations = allocations(&runtime, REPEATS, &authenticate);
    let [bare, authenticate, ratio] = times.map(stats::median);
    Ok(JwtCost { bare, authenticate, ratio, allocations })
}

/// The key of a JWK (RFC 7517), parsed once.
fn public_key(jwk: &JsonValue) -> Result<ParsedPublicKey> {
    let text = |name: &str| jwk.get(name).and_then(JsonValue::as_str).with_context(|| format!("a key without {name}"));
    let bytes = |name: &str| from_base64url(text(name)?).with_context(|| format!("{name} of a key is unreadable"));
    let parsed = match text("alg")? {
        "EdDSA" => ParsedPublicKey::new(&ED25519, bytes("x")?),
        // SEC 1 §2.3.3: 4 stands for an uncompressed point.
        "ES256" => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], bytes("x")?, bytes("y")?].concat()),
        "RS256" => {
            let components = RsaPublicKeyComponents { n: bytes("n")?, e: bytes("e")? };
            components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
        other => bail!("nobody signs with {other}"),
    };
    Ok(parsed?)
}
