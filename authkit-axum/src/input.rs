//! Input of an operation: a small JSON object in the body, or the query as an object of texts.

use std::fmt;

use authkit_core::{AuthError, HttpMethod, codes};
use axum::body::{self, Body};
use http::{HeaderMap, Uri, header};
use http_body_util::LengthLimitError;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as JsonValue};

use crate::given::Given;

/// Largest body, in bytes.
const LARGEST_BODY: usize = 64 * 1024;
/// Largest query, in bytes.
const LARGEST_QUERY: usize = 8 * 1024;
/// Deepest nesting of arrays and objects in a body; a body without any has depth 1.
const DEEPEST: usize = 32;

/// Reads the input from where this method has it.
///
/// # Errors
///
/// [`codes::TOO_LARGE`], or [`codes::INVALID_INPUT`] for anything but one object without duplicate keys.
pub(crate) async fn read(
    method: HttpMethod,
    headers: &HeaderMap,
    uri: &Uri,
    body: Body,
) -> Result<JsonValue, AuthError> {
    if !method.has_body() {
        return query(uri.query().unwrap_or_default());
    }
    let stated = Given::header(headers, header::CONTENT_LENGTH).once().and_then(|length| length.parse::<u64>().ok());
    if stated.is_some_and(|length| length > LARGEST_BODY as u64) {
        return Err(AuthError::new(&codes::TOO_LARGE));
    }
    let bytes = body::to_bytes(body, LARGEST_BODY).await.map_err(unreadable)?;
    if bytes.is_empty() {
        return Ok(JsonValue::Object(Map::new()));
    }
    if !is_json(Given::header(headers, header::CONTENT_TYPE)) {
        let error = invalid("the content type is not application/json");
        return Err(error.field("content-type", "Send JSON, with Content-Type: application/json."));
    }
    json(&bytes)
}

fn unreadable(error: axum::Error) -> AuthError {
    let source = std::error::Error::source(&error);
    if source.is_some_and(|source| source.is::<LengthLimitError>()) {
        return AuthError::new(&codes::TOO_LARGE);
    }
    invalid("the body ended early")
}

fn invalid(reason: &'static str) -> AuthError {
    AuthError::new(&codes::INVALID_INPUT).because(reason)
}

/// `application/json`, which no form of another site can send; the only parameter is `charset=utf-8`.
fn is_json(content_type: Given<'_>) -> bool {
    let mut parts = content_type.once().unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    essence && parts.all(|part| matches!(&*part.to_ascii_lowercase(), "charset=utf-8" | "charset=\"utf-8\""))
}

fn json(bytes: &[u8]) -> Result<JsonValue, AuthError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Nested { left: DEEPEST }.deserialize(&mut deserializer);
    match value.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(object @ JsonValue::Object(_)) => Ok(object),
        // The parser's own text may quote the input.
        _ => Err(invalid("the body is not one JSON object, too deep, or has a key twice")),
    }
}

fn query(text: &str) -> Result<JsonValue, AuthError> {
    if text.len() > LARGEST_QUERY {
        return Err(AuthError::new(&codes::TOO_LARGE));
    }
    let mut object = Map::new();
    for (key, value) in form_urlencoded::parse(text.as_bytes()) {
        if object.insert(key.into_owned(), JsonValue::String(value.into_owned())).is_some() {
            return Err(invalid("the query has a key twice"));
        }
    }
    Ok(JsonValue::Object(object))
}

/// A JSON value that may nest so much deeper, and whose objects have no key twice: of two parsers one takes the first.
struct Nested {
    left: usize,
}

impl Nested {
    fn deeper<E: Error>(&self) -> Result<usize, E> {
        self.left.checked_sub(1).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = JsonValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<JsonValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = JsonValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<JsonValue, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsonValue, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<JsonValue, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<JsonValue, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<JsonValue, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<JsonValue, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonValue, A::Error> {
        let left = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Self { left })? {
            array.push(item);
        }
        Ok(JsonValue::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<JsonValue, A::Error> {
        let left = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Self { left })?;
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("a key twice"));
            }
        }
        Ok(JsonValue::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_as_it_is() {
        let text = br#"{"a":[1,-2,1.5,true,null,"\u00e9"],"b":{"c":{}},"d":18446744073709551615}"#;
        assert_eq!(json(text).unwrap(), serde_json::from_slice::<JsonValue>(text).unwrap());
    }

    #[test]
    fn anything_else_is_refused() {
        let bodies = [
            "null",
            "[]",
            "1",
            "\"a\"",
            "{",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":\"\\ud800\"}",
            "\u{feff}{}",
        ];
        for body in bodies {
            assert_eq!(*json(body.as_bytes()).unwrap_err().code(), codes::INVALID_INPUT, "{body}");
        }
        assert!(json(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn duplicate_keys_are_refused_at_every_depth_and_in_every_spelling() {
        for body in
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2,"\u0061":3}"#, r#"{"x":{"a":1,"a":2}}"#, r#"{"x":[{"a":1,"a":2}]}"#]
        {
            assert!(json(body.as_bytes()).is_err(), "{body}");
        }
        assert!(json(br#"{"a":{"a":1},"A":[{"a":1},{"a":1}]}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(json(nested(DEEPEST).as_bytes()).is_ok());
        assert!(json(nested(DEEPEST + 1).as_bytes()).is_err());
        assert!(json(nested(20_000).as_bytes()).is_err());
    }

    #[test]
    fn content_type_is_json_in_utf_8() {
        let json = |text| is_json(Given::Once(text));
        for good in [
            "application/json",
            "Application/JSON",
            "application/json;charset=utf-8",
            "application/json; charset=\"UTF-8\"",
        ] {
            assert!(json(good), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/json; charset=utf-16",
            "application/jsonp",
            "application/json, text/plain",
            "application/problem+json",
        ] {
            assert!(!json(bad), "{bad}");
        }
        assert!(!is_json(Given::Nothing) && !is_json(Given::Ambiguous));
    }

    #[test]
    fn a_query_is_an_object_of_texts() {
        assert_eq!(query("").unwrap(), json!({}));
        assert_eq!(query("a=1&b=%20x+y&c").unwrap(), json!({ "a": "1", "b": " x y", "c": "" }));
        assert!(query("a=1&%61=2").is_err());
        assert_eq!(*query(&"a".repeat(LARGEST_QUERY + 1)).unwrap_err().code(), codes::TOO_LARGE);
    }
}
