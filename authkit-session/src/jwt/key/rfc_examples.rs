//! Examples of the RFCs, each with its section. Values are theirs.

use super::*;
use crate::jwt::token::Parts;

/// RFC 8037 §A.1 and §A.2.
const ED25519_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// RFC 7515 §A.3.1.
const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
/// RFC 7515 §A.3.1.
const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
/// RFC 7515 §A.2.1.
const RSA_N: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR",
    "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB",
    "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia",
    "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
);
/// RFC 7515 §A.1.1.
const HS256: &str = concat!(
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9",
    "leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
);
/// RFC 7515 §A.2.1.
const RS256: &str = concat!(
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19",
    "yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt",
    "_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb",
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI",
    "8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
);
/// RFC 7515 §A.3.1.
const ES256: &str = concat!(
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19",
    "yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU",
    "1Q",
);
/// RFC 7515 §A.4.1.
const ES512: &str = concat!(
    "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2",
    "SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXo",
    "lLzeO_Jn",
);
/// RFC 7515 §A.4.1.
const ES512_X: &str = "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk";
/// RFC 7515 §A.4.1.
const ES512_Y: &str = "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2";
/// RFC 7515 §A.5 and RFC 7519 §6.1.
const UNSECURED: &str = concat!(
    "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y",
    "b290Ijp0cnVlfQ.",
);
/// RFC 7515 §A.6.4, without its line breaks.
const GENERAL_JSON: &str = concat!(
    r#"{"payload":"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"#,
    r#"cnVlfQ","signatures":[{"protected":"eyJhbGciOiJSUzI1NiJ9","header":{"kid":"2010-12-29"},"signature":"#,
    r#""cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds"#,
    r#"9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRm"#,
    r#"B_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98r"#,
    r#"qVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},{"protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e"#,
    r#"9bc097a-ce51-4036-9562-d2ade882db0d"},"signature":"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTj"#,
    r#"Dxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"}]}"#,
);
/// RFC 7515 §A.7, without its line breaks.
const FLATTENED_JSON: &str = concat!(
    r#"{"payload":"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"#,
    r#"cnVlfQ","protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},""#,
    r#"signature":"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"}"#,
);
/// RFC 8037 §A.4.
const EDDSA: &str = concat!(
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6",
    "dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
);
/// RFC 7638 §3.1.
const RFC_7638_N: &str = concat!(
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB",
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8",
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_",
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
);

fn okp() -> PublicKeyMaterial {
    PublicKeyMaterial::Okp { crv: "Ed25519".into(), x: ED25519_X.into() }
}

fn ec() -> PublicKeyMaterial {
    PublicKeyMaterial::Ec { crv: "P-256".into(), x: EC_X.into(), y: EC_Y.into() }
}

fn rsa() -> PublicKeyMaterial {
    PublicKeyMaterial::Rsa { e: "AQAB".into(), n: RSA_N.into() }
}

/// Whether the key verifies the example, and nothing that differs from it in one bit of what is signed.
fn check_example(material: &PublicKeyMaterial, algorithm: Algorithm, compact: &str) {
    let key = PublicKey::of(material).unwrap();
    assert_eq!(key.algorithm, algorithm);
    let parts = Parts::of(compact).unwrap();
    assert!(key.verifies(parts.signed.as_bytes(), parts.signature));
    let mut other = parts.signed.as_bytes().to_vec();
    other[0] ^= 1;
    assert!(!key.verifies(&other, parts.signature));
}

/// A header of an example is not one that is written here, so no example is a token of ours, whoever signed it.
fn check_no_token(compact: &str) {
    let parts = Parts::of(compact);
    assert!(parts.is_none_or(|parts| SigningKey::kid_in(parts.header).is_none()), "{compact}");
}

#[test]
fn rfc_7515_a_2_rs256_verifies() {
    check_example(&rsa(), Algorithm::Rs256, RS256);
    check_no_token(RS256);
}

#[test]
fn rfc_7515_a_3_es256_verifies() {
    check_example(&ec(), Algorithm::Es256, ES256);
    check_no_token(ES256);
}

#[test]
fn rfc_8037_a_5_ed25519_verifies() {
    check_example(&okp(), Algorithm::EdDsa, EDDSA);
    check_no_token(EDDSA);
}

#[test]
fn rfc_8037_a_4_ed25519_signature_is_made() {
    let seed = from_base64url(ED25519_D).unwrap().try_into().unwrap();
    let key = SigningKey::generate(Algorithm::EdDsa, &seed).unwrap();
    assert_eq!(key.jwk().material, okp());
    let parts = Parts::of(EDDSA).unwrap();
    let signed = key.sign_under(parts.header, &from_base64url(parts.payload).unwrap()).unwrap();
    assert_eq!(signed, EDDSA);
}

#[test]
fn rfc_7515_a_1_hs256_is_no_token() {
    check_no_token(HS256);
}

#[test]
fn rfc_7515_a_4_es512_is_no_token_and_no_key() {
    check_no_token(ES512);
    let p521 = PublicKeyMaterial::Ec { crv: "P-521".into(), x: ES512_X.into(), y: ES512_Y.into() };
    assert!(PublicKey::of(&p521).is_err());
}

#[test]
fn rfc_7515_a_5_and_rfc_7519_6_1_unsecured_are_no_tokens() {
    check_no_token(UNSECURED);
    assert!(Parts::of(UNSECURED).is_none());
}

#[test]
fn rfc_7515_a_6_and_a_7_json_serializations_are_no_tokens() {
    check_no_token(GENERAL_JSON);
    check_no_token(FLATTENED_JSON);
}

#[test]
fn rfc_8037_a_3_thumbprint() {
    assert_eq!(okp().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn rfc_7638_3_1_thumbprint() {
    let key = PublicKeyMaterial::Rsa { e: "AQAB".into(), n: RFC_7638_N.into() };
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn rfc_9449_6_1_thumbprint_of_an_elliptic_curve_key() {
    let key = PublicKeyMaterial::Ec {
        crv: "P-256".into(),
        x: "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs".into(),
        y: "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA".into(),
    };
    assert_eq!(key.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

#[test]
fn a_key_is_read_as_it_was_written_and_as_no_other_kind() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm, &[7; 32]).unwrap();
        let pkcs8 = key.to_pkcs8().unwrap();
        assert_eq!(SigningKey::from_pkcs8(algorithm, &pkcs8).unwrap().jwk(), key.jwk());
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert!(SigningKey::from_pkcs8(other, &pkcs8).is_err(), "{algorithm:?} as {other:?}");
        }
        let token = key.sign(b"{}").unwrap();
        assert!(key.signed(Parts::of(&token).unwrap()));
        assert_eq!(SigningKey::kid_in(key.header()).as_deref(), Some(key.kid()));
    }
}
