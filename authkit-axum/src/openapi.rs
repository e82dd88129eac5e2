//! OpenAPI 3.1 of exactly what is registered.

mod answers;
mod components;

use std::collections::BTreeMap;

use authkit_core::{Access, AuthManager, MethodId, MethodSchemas, Operation};
use serde_json::{Map, Value as JsonValue, json};

use self::components::Components;
use crate::{cookie::Cookies, operation::takes_refresh};

const DESCRIPTION: &str = "\
A browser keeps its session in a cookie; its requests have to come from the origin of this service, or are refused with \
403. Any other client sends `authkit-delivery: token` with what it signs in, finds its tokens in the body, shows the \
access token as `Authorization: Bearer`, and the mark as `authkit-device`. A single-page application sends \
`authkit-delivery: split`: it finds the access token in the body, and its refresh token is kept in a cookie that no \
script can read. A method that is not described at a path is refused with 405.";

pub(crate) fn document(auth: &AuthManager, cookies: &Cookies) -> JsonValue {
    let mut components = Components::default();
    let mut paths: BTreeMap<String, Map<String, JsonValue>> = BTreeMap::new();
    for operation in auth.operations() {
        let path = operation.path_below(auth.prefix());
        let method = operation.method.as_str().to_ascii_lowercase();
        paths.entry(path).or_default().insert(method, describe(operation, &mut components));
    }
    let verified = methods(auth.methods(), "verify", &mut components);
    let enrolled = methods(auth.enrollable_methods(), "enrol", &mut components);
    answers::add_schemas(&mut components);
    json!({
        "openapi": "3.1.0",
        "info": { "title": "authkit", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION },
        "servers": [{ "url": auth.public_url().origin() }],
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "parameters": parameters(cookies),
            "responses": answers::refusals(auth.error_codes()),
            "headers": answers::headers(),
            "securitySchemes": security_schemes(cookies),
        },
        "x-authkit-methods": verified,
        "x-authkit-enrollable-methods": enrolled,
    })
}

fn describe(operation: &Operation, components: &mut Components) -> JsonValue {
    let id = operation_id(operation);
    let input = components.adopt(&format!("{id}.input"), &operation.input);
    let output = components.adopt(&format!("{id}.output"), &operation.output);
    let shared = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
    let mut parameters: Vec<JsonValue> = path_parts(operation.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut described = Map::new();
    let security = security(operation);
    if operation.method.has_body() {
        parameters.extend(["Delivery", "Device", "DeviceCookie"].map(shared));
        let needed = !required(&input).is_empty();
        let body = json!({ "required": needed, "content": { "application/json": { "schema": input } } });
        described.insert("requestBody".into(), body);
    } else {
        parameters.extend(query_parameters(&input));
    }
    parameters.push(shared("RequestId"));
    described.insert("parameters".into(), parameters.into());
    described.insert("operationId".into(), id.into());
    described.insert("summary".into(), operation.summary.into());
    described.insert("responses".into(), answers::of(operation, &output));
    described.insert("security".into(), security);
    if let Access::FreshSession(age) = operation.access {
        described.insert("x-authkit-session-age".into(), age.as_secs().into());
    }
    described.into()
}

/// What operations take besides their input.
fn parameters(cookies: &Cookies) -> JsonValue {
    let parameter = |place, name, about, schema: JsonValue| json!({ "name": name, "in": place, "description": about, "schema": schema });
    let text = json!({ "type": "string" });
    let mark = "The mark of this device, from `device_mark`.";
    let kept = "The mark of this device, where a browser keeps it.";
    let delivery = "How tokens are to travel: `split` or `token`; in cookies otherwise.";
    let request = "Names the request in logs: at most 64 characters of `A-Z a-z 0-9 . _ -`, or another is made.";
    json!({
        "Delivery": parameter("header", "authkit-delivery", delivery, json!({ "type": "string", "examples": ["token"] })),
        "Device": parameter("header", "authkit-device", mark, text.clone()),
        "DeviceCookie": parameter("cookie", cookies.device.name, kept, text.clone()),
        "RequestId": parameter("header", "x-request-id", request, text),
    })
}

fn security_schemes(cookies: &Cookies) -> JsonValue {
    let cookie = |name, about| json!({ "type": "apiKey", "in": "cookie", "name": name, "description": about });
    json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "The access token (RFC 6750)." },
        "cookie": cookie(cookies.session.name, "The session of a browser."),
        "refresh": cookie(cookies.refresh.name, "The refresh token of a single-page application."),
    })
}

/// A public operation looks at a session too, if it is shown one; what takes a refresh token takes its cookie.
fn security(operation: &Operation) -> JsonValue {
    let mut ways = vec![json!({ "bearer": [] }), json!({ "cookie": [] })];
    if operation.access == Access::Public {
        ways.insert(0, json!({}));
    }
    if takes_refresh(operation) {
        ways.push(json!({ "refresh": [] }));
    }
    ways.into()
}

fn operation_id(operation: &Operation) -> String {
    let words = operation.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(operation.method.as_str().to_ascii_lowercase(), |id, word| format!("{id}_{word}"))
}

fn path_parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn required(schema: &JsonValue) -> &[JsonValue] {
    schema.get("required").and_then(JsonValue::as_array).map_or(&[], Vec::as_slice)
}

fn query_parameters(schema: &JsonValue) -> impl Iterator<Item = JsonValue> {
    let properties = schema.get("properties").and_then(JsonValue::as_object).into_iter().flatten();
    properties.map(|(name, property)| {
        let needed = required(schema).iter().any(|required| required == name);
        json!({ "name": name, "in": "query", "required": needed, "schema": in_query(property) })
    })
}

/// A query has texts, and no way to say `null`.
fn in_query(schema: &JsonValue) -> JsonValue {
    let mut schema = schema.clone();
    if let Some(JsonValue::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
    }
    schema
}

fn methods<'a>(
    all: impl Iterator<Item = (&'a MethodId, MethodSchemas)>,
    scope: &str,
    components: &mut Components,
) -> JsonValue {
    let described = all.map(|(method, schemas)| {
        let scope = format!("{scope}.{method}").replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_");
        let begin = components.adopt(&format!("{scope}.begin"), &schemas.begin);
        let response = components.adopt(&format!("{scope}.response"), &schemas.response);
        (method.to_string(), json!({ "begin": begin, "response": response }))
    });
    described.collect::<Map<_, _>>().into()
}
