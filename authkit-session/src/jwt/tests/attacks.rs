//! Tokens that somebody made to be taken for one of ours.

use authkit_core::{base64url, from_base64url};
use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value as JsonValue, json};

use super::{Bench, bearer};
use crate::jwt::{
    Algorithm,
    key::{PublicKeyMaterial, SigningKey},
    token::{LONGEST, Parts},
};

#[tokio::test]
async fn no_forged_eddsa_token_is_taken() {
    check_all(Algorithm::EdDsa).await;
}

#[tokio::test]
async fn no_forged_es256_token_is_taken() {
    check_all(Algorithm::Es256).await;
}

#[tokio::test]
async fn no_forged_rs256_token_is_taken() {
    check_all(Algorithm::Rs256).await;
}

/// None is taken, none costs a store call, and the token that all are made from still is.
async fn check_all(algorithm: Algorithm) {
    let bench = Bench::new(algorithm).await;
    let attacks = [headers(&bench), signatures(&bench), claims(&bench), payloads(&bench), encodings(&bench)].concat();
    assert!(attacks.len() >= 60, "{}", attacks.len());
    let cx = bench.cx();
    let before = bench.world.store.calls();
    for (name, token) in &attacks {
        assert_ne!(*token, bench.token, "{name}");
        assert!(cx.authenticate(token).await.unwrap().is_none(), "{name}: {token}");
        assert_eq!(bench.world.store.calls(), before, "{name}: {token}");
    }
    let own = bench.signed(&bench.with(json!({})));
    assert!(cx.authenticate(&own).await.unwrap().is_some());
    assert!(cx.authenticate(&bench.token).await.unwrap().is_some());
}

type Attacks = Vec<(&'static str, String)>;

/// Headers that the key really signed; a verifier that believes what they say takes the token.
fn headers(bench: &Bench) -> Attacks {
    let (alg, kid) = (bench.key.algorithm().as_str(), bench.key.kid());
    let own = format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{kid}"}}"#);
    assert_eq!(base64url(own.as_bytes()), bench.key.header());
    let with = |member: &str| bench.under(&own.replacen('{', &format!("{{{member},"), 1));
    let instead = |from: &str, to: &str| {
        let changed = own.replace(from, to);
        assert_ne!(changed, own, "{from}");
        bench.under(&changed)
    };
    let other_alg = if alg == "ES256" { "EdDSA" } else { "ES256" };
    let typ = r#""typ":"at+jwt""#;
    let kid_member = format!(r#""kid":"{kid}""#);
    let kid_as = |value: &str| instead(&kid_member, &format!(r#""kid":{value}"#));
    vec![
        ("alg none, signed", instead(alg, "none")),
        ("alg of another kind of key", instead(alg, other_alg)),
        ("alg HS256, signed by the key", instead(alg, "HS256")),
        ("alg in lower case", instead(alg, &alg.to_lowercase())),
        ("alg missing", instead(&format!(r#""alg":"{alg}","#), "")),
        ("alg null", instead(&format!(r#""alg":"{alg}""#), r#""alg":null"#)),
        ("alg array", instead(&format!(r#""alg":"{alg}""#), &format!(r#""alg":["{alg}"]"#))),
        ("alg twice", with(r#""alg":"none""#)),
        ("alg twice, the same", with(&format!(r#""alg":"{alg}""#))),
        ("alg also in upper case", with(r#""ALG":"none""#)),
        ("alg spelt with an escape", instead(r#""alg""#, r#""\u0061lg""#)),
        ("typ JWT", instead("at+jwt", "JWT")),
        ("typ of a refresh token", instead("at+jwt", "rt+jwt")),
        ("typ of an ID token's neighbour", instead("at+jwt", "logout+jwt")),
        ("typ in upper case", instead("at+jwt", "AT+JWT")),
        ("typ with a parameter", instead("at+jwt", "at+jwt;x=1")),
        ("typ in the long form, which is not written here", instead("at+jwt", "application/at+jwt")),
        ("typ missing", instead(&format!("{typ},"), "")),
        ("typ null", instead(typ, r#""typ":null"#)),
        ("typ array", instead(typ, r#""typ":["at+jwt"]"#)),
        ("kid missing", instead(&format!(",{kid_member}"), "")),
        ("kid empty", kid_as(r#""""#)),
        ("kid null", kid_as("null")),
        ("kid number", kid_as("0")),
        ("kid array", kid_as(&format!(r#"["{kid}"]"#))),
        ("kid is a path", kid_as(r#""../../../../dev/null""#)),
        ("kid is SQL", kid_as(r#""' UNION SELECT 'k""#)),
        ("kid is a URL", kid_as(r#""https://attacker.example/jwks.json""#)),
        ("kid with NUL", kid_as(&format!("\"{kid}\\u0000\""))),
        ("kid with a raw NUL", kid_as(&format!("\"{kid}\0\""))),
        ("kid very long", kid_as(&format!("\"{}\"", "k".repeat(4000)))),
        ("kid twice", with(&kid_member)),
        ("kid is a thumbprint of nobody", kid_as(&format!("\"{}\"", "A".repeat(43)))),
        ("jwk of the attacker", with(r#""jwk":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#)),
        ("jku of the attacker", with(r#""jku":"https://attacker.example/jwks.json""#)),
        ("x5u of the attacker", with(r#""x5u":"https://attacker.example/cert.pem""#)),
        ("x5c of the attacker", with(r#""x5c":["MIIB"]"#)),
        ("crit empty", with(r#""crit":[]"#)),
        ("crit names what is not known", with(r#""crit":["exp"],"exp":0"#)),
        ("crit with b64 false", with(r#""crit":["b64"],"b64":false"#)),
        ("b64 false", with(r#""b64":false"#)),
        ("zip", with(r#""zip":"DEF""#)),
        ("cty of a nested token", with(r#""cty":"JWT""#)),
        ("a member of no meaning", with(r#""x":1"#)),
        ("deep nesting", with(&format!(r#""x":{}{}"#, "[".repeat(2000), "]".repeat(2000)))),
        ("members in another order", bench.under(&format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}"}}"#))),
        ("white space", bench.under(&own.replace(',', ", "))),
        ("byte order mark", bench.under(&format!("\u{feff}{own}"))),
        ("trailing bytes", bench.under(&format!("{own}x"))),
        ("trailing NUL", bench.under(&format!("{own}\0"))),
        ("two objects", bench.under(&format!("{own}{own}"))),
        ("array", bench.under(&format!("[{own}]"))),
        ("text", bench.under("\"at+jwt\"")),
        ("empty object", bench.under("{}")),
    ]
}

/// The right header and claims, and something else in the place of the signature.
fn signatures(bench: &Bench) -> Attacks {
    let parts = Parts::of(&bench.token).unwrap();
    let (header, payload, signed) = (parts.header, parts.payload, parts.signed);
    let signature = from_base64url(parts.signature).unwrap();
    let instead = |bytes: &[u8]| format!("{signed}.{}", base64url(bytes));
    let unsecured = |alg: &str| base64url(format!(r#"{{"alg":"{alg}","typ":"at+jwt"}}"#).as_bytes());
    let keyed = |secret: &[u8]| {
        let header = base64url(format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{}"}}"#, bench.key.kid()).as_bytes());
        let signed = format!("{header}.{payload}");
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        format!("{signed}.{}", base64url(tag.as_ref()))
    };
    let own_header = |secret: &[u8]| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        format!("{signed}.{}", base64url(tag.as_ref()))
    };
    let (raw, text) = match &bench.key.jwk().material {
        PublicKeyMaterial::Ec { x, .. } | PublicKeyMaterial::Okp { x, .. } => (from_base64url(x).unwrap(), x.clone()),
        PublicKeyMaterial::Rsa { n, .. } => (from_base64url(n).unwrap(), n.clone()),
    };
    let jwk = serde_json::to_vec(bench.key.jwk()).unwrap();
    let own_claims = bench.with(json!({}));
    let stranger = SigningKey::generate(bench.key.algorithm(), &[9; 32]).unwrap();
    let mut flipped = signature.clone();
    flipped[0] ^= 1;
    let mut attacks = vec![
        ("none, no signature", format!("{}.{payload}.", unsecured("none"))),
        ("None, no signature", format!("{}.{payload}.", unsecured("None"))),
        ("NONE, no signature", format!("{}.{payload}.", unsecured("NONE"))),
        ("nOnE, no signature", format!("{}.{payload}.", unsecured("nOnE"))),
        ("alg empty, no signature", format!("{}.{payload}.", unsecured(""))),
        ("none with a blank, no signature", format!("{}.{payload}.", unsecured("none "))),
        ("none, the signature of another header", format!("{}.{payload}.{}", unsecured("none"), parts.signature)),
        ("no signature", format!("{signed}.")),
        ("HS256 under the public key", keyed(&raw)),
        ("HS256 under the public key's text", keyed(text.as_bytes())),
        ("HS256 under the JWK", keyed(&jwk)),
        ("HS256 under nothing", keyed(&[])),
        ("the right header, a MAC under the public key", own_header(&raw)),
        ("signed by a stranger under our header", stranger.sign_under(header, &own_claims).unwrap()),
        ("signed by a stranger under his", stranger.sign(&own_claims).unwrap()),
        ("the signature of other claims", {
            let other = bench.signed(&bench.with(json!({ "epoch": 7 })));
            format!("{signed}.{}", Parts::of(&other).unwrap().signature)
        }),
        ("the claims of another signature", {
            let claims = base64url(&bench.with(json!({ "epoch": 7 })));
            format!("{header}.{claims}.{}", parts.signature)
        }),
        ("one bit of the signature", instead(&flipped)),
        ("all zero", instead(&vec![0; signature.len()])),
        ("all ones", instead(&vec![255; signature.len()])),
        ("truncated by a byte", instead(&signature[..signature.len() - 1])),
        ("half", instead(&signature[..signature.len() / 2])),
        ("one byte", instead(&signature[..1])),
        ("longer by a byte", instead(&[&signature[..], &[0]].concat())),
        ("a zero before it", instead(&[&[0], &signature[..]].concat())),
        ("twice", instead(&[&signature[..], &signature[..]].concat())),
        ("reversed", instead(&signature.iter().rev().copied().collect::<Vec<_>>())),
    ];
    attacks.extend(match bench.key.algorithm() {
        Algorithm::EdDsa => eddsa_signatures(&signature, instead),
        Algorithm::Es256 => es256_signatures(bench, signed, &signature, instead),
        Algorithm::Rs256 => rs256_signatures(bench, signed, instead),
    });
    attacks
}

/// RFC 8032 §5.1.7: S has to be below the order of the group, or one signature has several forms.
fn eddsa_signatures(signature: &[u8], instead: impl Fn(&[u8]) -> String) -> Attacks {
    // L, little-endian.
    let mut order = [0_u8; 32];
    order[..16].copy_from_slice(&[
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    ]);
    order[31] = 0x10;
    let mut malleable = signature.to_vec();
    let mut carry = 0_u16;
    for (byte, add) in malleable[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let mut identity = vec![0; 64];
    identity[0] = 1;
    vec![("S plus the order", instead(&malleable)), ("the point of order one, S zero", instead(&identity))]
}

/// CVE-2022-21449 and its kin: r and s that make the equation hold for whatever was signed.
fn es256_signatures(bench: &Bench, signed: &str, signature: &[u8], instead: impl Fn(&[u8]) -> String) -> Attacks {
    // n of P-256, big-endian.
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let pkcs8 = bench.key.to_pkcs8().unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8.0).unwrap();
    let der = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    let (r, s) = signature.split_at(32);
    vec![
        ("r and s zero", instead(&[0; 64])),
        ("r zero", instead(&[&[0; 32], s].concat())),
        ("s zero", instead(&[r, &[0; 32]].concat())),
        ("r and s the order", instead(&[order, order].concat())),
        ("r the order", instead(&[&order, s].concat())),
        ("s the order", instead(&[r, &order].concat())),
        ("DER", instead(der.as_ref())),
        ("each number with a zero before it", instead(&[&[0], r, &[0], s].concat())),
    ]
}

fn rs256_signatures(bench: &Bench, signed: &str, instead: impl Fn(&[u8]) -> String) -> Attacks {
    let pkcs8 = bench.key.to_pkcs8().unwrap();
    let pair = RsaKeyPair::from_pkcs8(&pkcs8.0).unwrap();
    let by = |padding: &'static dyn RsaEncoding| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        signature
    };
    // One to the power of e is one: what a verifier sees that does not look at the whole padding.
    let mut one = vec![0; pair.public_modulus_len()];
    *one.last_mut().unwrap() = 1;
    vec![
        ("PSS padding", instead(&by(&RSA_PSS_SHA256))),
        ("SHA-512", instead(&by(&RSA_PKCS1_SHA512))),
        ("the number one", instead(&one)),
    ]
}

/// Claims that the key really signed.
fn claims(bench: &Bench) -> Attacks {
    let now = bench.claims()["iat"].as_i64().unwrap();
    let exp = bench.claims()["exp"].as_i64().unwrap();
    let set = |name: &'static str, value: JsonValue| {
        let mut claims = bench.claims();
        claims.insert(name.to_owned(), value);
        bench.signed(&serde_json::to_vec(&claims).unwrap())
    };
    let with = |changes: JsonValue| bench.signed(&bench.with(changes));
    let spelt = |from: &str, to: &str| {
        let text = String::from_utf8(bench.with(json!({}))).unwrap();
        assert!(text.contains(from), "{from}: {text}");
        bench.signed(text.replacen(from, to, 1).as_bytes())
    };
    let iss = bench.claims()["iss"].as_str().unwrap().to_owned();
    let sub = bench.claims()["sub"].as_str().unwrap().to_owned();
    let exp_text = format!(r#""exp":{exp}"#);
    vec![
        ("iss of another", set("iss", json!("https://attacker.example"))),
        ("iss longer", set("iss", json!(format!("{iss}.attacker.example")))),
        ("iss with a slash", set("iss", json!(format!("{iss}/")))),
        ("iss in upper case", set("iss", json!(iss.to_uppercase()))),
        ("iss array", set("iss", json!([iss]))),
        ("iss null", set("iss", JsonValue::Null)),
        ("iss missing", with(json!({ "iss": null }))),
        ("iss with an escape", spelt("\"iss\":\"h", "\"iss\":\"\\u0068")),
        ("aud of another", set("aud", json!("https://other.example"))),
        ("aud array without us", set("aud", json!(["a", "b"]))),
        ("aud empty array", set("aud", json!([]))),
        ("aud empty", set("aud", json!(""))),
        ("aud array in array", set("aud", json!([[iss]]))),
        ("aud with a number", set("aud", json!([iss, 1]))),
        ("aud object", set("aud", json!({ "0": iss }))),
        ("aud null", set("aud", JsonValue::Null)),
        ("aud missing", with(json!({ "aud": null }))),
        ("aud deep", spelt(r#""aud":"#, &format!(r#""aud":{}{},"x":"#, "[".repeat(2000), "]".repeat(2000)))),
        ("expired", with(json!({ "iat": now - 960, "exp": now - 60 }))),
        ("expired long ago", with(json!({ "iat": 1, "exp": 900 }))),
        ("exp zero", set("exp", json!(0))),
        ("exp text", set("exp", json!(exp.to_string()))),
        ("exp float", spelt(&exp_text, &format!(r#""exp":{exp}.0"#))),
        ("exp float with a fraction", spelt(&exp_text, &format!(r#""exp":{exp}.5"#))),
        ("exp with an exponent", spelt(&exp_text, r#""exp":18e8"#)),
        ("exp negative", set("exp", json!(-exp))),
        ("exp 2^63 - 1", set("exp", json!(i64::MAX))),
        ("exp 2^63", set("exp", json!(1_u64 << 63))),
        ("exp 2^64", spelt(&exp_text, r#""exp":18446744073709551616"#)),
        ("exp beyond numbers", spelt(&exp_text, r#""exp":1e999"#)),
        ("exp NaN", spelt(&exp_text, r#""exp":NaN"#)),
        ("exp hexadecimal", spelt(&exp_text, r#""exp":0x7fffffff"#)),
        ("exp true", set("exp", json!(true))),
        ("exp array", set("exp", json!([exp]))),
        ("exp null", set("exp", JsonValue::Null)),
        ("exp missing", with(json!({ "exp": null }))),
        ("exp in upper case", spelt(r#""exp""#, r#""EXP""#)),
        ("exp spelt with an escape", spelt(r#""exp""#, r#""\u0065xp""#)),
        ("exp with a blank", spelt(r#""exp""#, r#""exp ""#)),
        ("exp twice", spelt(r#""exp""#, &format!(r#""exp":{exp},"exp""#))),
        ("exp again with an escape", spelt(r#""exp""#, &format!(r#""\u0065xp":{exp},"exp""#))),
        ("lives too long", set("exp", json!(now + 86_401))),
        ("exp before iat", with(json!({ "iat": now + 50, "exp": now + 40 }))),
        ("exp at iat", with(json!({ "exp": now }))),
        ("iat in the future", with(json!({ "iat": now + 62, "exp": exp }))),
        ("iat text", set("iat", json!(now.to_string()))),
        ("iat negative", set("iat", json!(-1))),
        ("iat null", set("iat", JsonValue::Null)),
        ("iat missing", with(json!({ "iat": null }))),
        ("nbf in the future", set("nbf", json!(now + 62))),
        ("nbf text", set("nbf", json!(now.to_string()))),
        ("nbf null", set("nbf", JsonValue::Null)),
        ("auth_time in the future", set("auth_time", json!(now + 62))),
        ("auth_time missing", with(json!({ "auth_time": null }))),
        ("sub of no form", set("sub", json!("admin"))),
        ("sub array", set("sub", json!([sub]))),
        ("sub number", set("sub", json!(1))),
        ("sub null", set("sub", JsonValue::Null)),
        ("sub missing", with(json!({ "sub": null }))),
        ("sub in upper case", set("sub", json!(sub.to_uppercase()))),
        ("sub twice", spelt(r#""sub""#, r#""sub":"01890a5d-ac96-774b-bcce-b302099a8057","sub""#)),
        ("jti missing", with(json!({ "jti": null }))),
        ("jti number", set("jti", json!(7))),
        ("jti of no form", set("jti", json!("x"))),
        ("client_id missing", with(json!({ "client_id": null }))),
        ("client_id empty", set("client_id", json!(""))),
        ("client_id array", set("client_id", json!([iss]))),
        ("sid missing", with(json!({ "sid": null }))),
        ("sid of no form", set("sid", json!("x"))),
        ("tenant of another", set("ten", json!("01890a5d-ac96-774b-bcce-b302099a8057"))),
        ("tenant null", set("ten", JsonValue::Null)),
        ("tenant missing", with(json!({ "ten": null }))),
        ("generation negative", set("gen", json!(-1))),
        ("generation text", set("gen", json!("0"))),
        ("generation missing", with(json!({ "gen": null }))),
        ("epoch float", set("epoch", json!(0.5))),
        ("epoch missing", with(json!({ "epoch": null }))),
        ("kind of nothing", set("kind", json!("root"))),
        ("kind object", set("kind", json!({ "human": null }))),
        ("level that is none", set("acr", json!("aal4"))),
        ("level in upper case", set("acr", json!("AAL2"))),
        ("level object", set("acr", json!({ "aal2": null }))),
        ("level missing", with(json!({ "acr": null }))),
        ("amr text", set("amr", json!("pwd"))),
        ("amr with a number", set("amr", json!(["pwd", 1]))),
        ("amr missing", with(json!({ "amr": null }))),
        ("claim of no meaning twice", spelt("{", r#"{"x":1,"x":1,"#)),
        ("claim twice within a claim", spelt("{", r#"{"x":{"y":1,"y":2},"#)),
    ]
}

/// What is not the claims at all, under a signature that is right.
fn payloads(bench: &Bench) -> Attacks {
    let claims = bench.with(json!({}));
    let text = String::from_utf8(claims.clone()).unwrap();
    let signed = |payload: &[u8]| bench.signed(payload);
    vec![
        ("empty object", signed(b"{}")),
        ("array of the values", {
            let values: Vec<JsonValue> = bench.claims().into_iter().map(|(_, value)| value).collect();
            signed(&serde_json::to_vec(&values).unwrap())
        }),
        ("array around the claims", signed(format!("[{text}]").as_bytes())),
        ("text", signed(b"\"claims\"")),
        ("null", signed(b"null")),
        ("not JSON", signed(b"sub=1&exp=2")),
        ("claims in two objects", signed(format!("{text}{text}").as_bytes())),
        ("trailing bytes", signed(format!("{text}x").as_bytes())),
        ("trailing NUL", signed(format!("{text}\0").as_bytes())),
        ("trailing comma", signed(text.replace('}', ",}").as_bytes())),
        ("byte order mark", signed(format!("\u{feff}{text}").as_bytes())),
        ("white space around", signed(format!(" {text}\n").as_bytes())),
        ("comment", signed(text.replacen('{', "{/**/", 1).as_bytes())),
        ("not UTF-8", signed(&[&claims[..claims.len() - 1], b",\"x\":\"\xff\"}"].concat())),
        ("UTF-16", signed(&text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>())),
        ("deep nesting", {
            let deep = format!(r#"{{"x":{}{},"#, "[".repeat(1500), "]".repeat(1500));
            signed(text.replacen('{', &deep, 1).as_bytes())
        }),
        ("longer than 8 KiB", {
            let long = format!(r#"{{"x":"{}","#, "x".repeat(LONGEST));
            signed(text.replacen('{', &long, 1).as_bytes())
        }),
        ("a token in the claims' place", signed(bench.token.as_bytes())),
    ]
}

/// The same token, written otherwise.
fn encodings(bench: &Bench) -> Attacks {
    let Parts { header, payload, signature, signed } = Parts::of(&bench.token).unwrap();
    let token = &bench.token;
    let standard = |text: &str| text.replace('-', "+").replace('_', "/");
    let mut attacks = vec![
        ("nothing", String::new()),
        ("a full stop", ".".to_owned()),
        ("two full stops", "..".to_owned()),
        ("three full stops", "...".to_owned()),
        ("two parts", signed.to_owned()),
        ("four parts", format!("{token}.")),
        ("four parts, the last not empty", format!("{token}.{signature}")),
        ("five parts, as an encrypted token has", format!("{header}.{payload}.{payload}.{payload}.{signature}")),
        ("an empty part before", format!(".{token}")),
        ("no header", format!(".{payload}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("claims first", format!("{payload}.{header}.{signature}")),
        ("a blank before", format!(" {token}")),
        ("a blank after", format!("{token} ")),
        ("a newline after", format!("{token}\n")),
        ("a NUL after", format!("{token}\0")),
        ("a letter after", format!("{token}A")),
        ("the scheme before", format!("Bearer {token}")),
        ("in quotes", format!("\"{token}\"")),
        ("full stops escaped", token.replace('.', "%2E")),
        ("ideographic full stops", token.replace('.', "\u{3002}")),
        ("in lower case", token.to_lowercase()),
        ("padding after the signature", format!("{token}==")),
        ("padding after the header", format!("{header}=.{payload}.{signature}")),
        ("padding after the claims", format!("{header}.{payload}=.{signature}")),
        ("a newline in the signature", format!("{signed}.{}\n{}", &signature[..40], &signature[40..])),
        ("a blank in the claims", format!("{header}.{} {}.{signature}", &payload[..8], &payload[8..])),
        ("trailing bits that are not zero", format!("{signed}.{}", loosened(signature))),
        ("flattened JSON", json!({ "protected": header, "payload": payload, "signature": signature }).to_string()),
        (
            "general JSON",
            json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] }).to_string(),
        ),
        ("an encrypted token around an unsecured one", {
            let outer = base64url(br#"{"alg":"dir","enc":"A256GCM","cty":"JWT"}"#);
            let inner = base64url(format!("{}.{payload}.", base64url(br#"{"alg":"none"}"#)).as_bytes());
            format!("{outer}..AAAAAAAAAAAAAAAA.{inner}.AAAAAAAAAAAAAAAAAAAAAA")
        }),
        ("8 KiB of letters", "A".repeat(LONGEST)),
        ("a mebibyte of letters", "A".repeat(1 << 20)),
        ("a mebibyte of full stops", ".".repeat(1 << 20)),
        ("a mebibyte after a good header", format!("{header}.{}.{signature}", "A".repeat(1 << 20))),
    ];
    if standard(signature) != signature {
        attacks.push(("the other alphabet", format!("{signed}.{}", standard(signature))));
    }
    attacks
}

/// The same bytes to a decoder that does not look at the bits after the last byte.
fn loosened(signature: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = signature.split_at(signature.len() - 1);
    let at = ALPHABET.find(last).unwrap();
    format!("{rest}{}", &ALPHABET[at + 1..at + 2])
}

#[tokio::test]
async fn a_token_of_one_tenant_shows_nothing_to_another() {
    let bench = Bench::new(Algorithm::EdDsa).await;
    let other = authkit_core::TenantId::from(authkit_core::Id::from_bytes([7; 16]));
    let cx = bench.auth.request_to(other, authkit_core::Client::default().bearer());
    assert!(cx.authenticate(&bench.token).await.unwrap().is_none());
    assert!(bearer(&bench.auth).authenticate(&bench.token).await.unwrap().is_some());
}
