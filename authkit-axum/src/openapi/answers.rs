//! What operations answer: done, or one of the refusals.

use authkit_core::{Access, Class, ErrorCode, Offer, Operation};
use schemars::schema_for;
use serde_json::{Map, Value as JsonValue, json};

use super::{components::Components, path_parts};

/// The schema of what a response holds besides its own fields.
const TOKENS: &str = "#/components/schemas/authkit.Tokens";

/// Every refusal: its class, its name, and what it means.
const REFUSALS: [(Class, &str, &str); 9] = [
    (Class::Invalid, "Invalid", "The input is malformed or breaks a rule that is told."),
    (Class::Rejected, "Rejected", "Something that was to be proved was not, whatever it was."),
    (Class::Forbidden, "Forbidden", "Who is asking may not, or the request came from another site."),
    (Class::NotFound, "NotFound", "There is no such thing, or it is somebody else's."),
    (Class::Conflict, "Conflict", "It exists already, or changed at the same time."),
    (Class::TooLarge, "TooLarge", "The body has more than 64 KiB, or the query more than 8 KiB."),
    (Class::Limited, "Limited", "Too many attempts; try again later."),
    (Class::Internal, "Internal", "A fault of this service."),
    (Class::Unavailable, "Unavailable", "The service cannot answer now; try again later."),
];

/// Every answer of the operation, by status.
pub(super) fn of(operation: &Operation, output: &JsonValue) -> JsonValue {
    let refusals = REFUSALS.iter().filter(|(class, ..)| can_be(*class, operation));
    let refusals = refusals.map(|(class, name, _)| {
        (class.status().to_string(), json!({ "$ref": format!("#/components/responses/{name}") }))
    });
    refusals.chain(done(operation, output)).collect::<Map<_, _>>().into()
}

/// What reads takes no proof, names nothing but by its path, and collides with nothing.
fn can_be(class: Class, operation: &Operation) -> bool {
    let changes = !operation.method.is_safe();
    match class {
        Class::Rejected | Class::Forbidden => changes || operation.access != Access::Public,
        Class::NotFound => changes || path_parts(operation.path).next().is_some(),
        Class::Conflict => changes,
        _ => true,
    }
}

/// Whoever may get a session gets tokens, or cookies, besides what the answer says.
fn done(operation: &Operation, output: &JsonValue) -> Vec<(String, JsonValue)> {
    let mut headers = header_references(&["X-Request-Id", "Cache-Control"]);
    if !operation.method.is_safe() {
        headers.extend(header_references(&["Set-Cookie"]));
    }
    let tokens = json!({ "$ref": TOKENS });
    let empty = json!({ "description": "Done.", "headers": headers });
    let with = |schema: JsonValue| json!({ "description": "Done.", "headers": headers, "content": { "application/json": { "schema": schema } } });
    let answer = |status: &u16| match (*status, operation.starts_session) {
        // Tokens that are delivered in the body need one.
        (204, true) => vec![("204".to_owned(), empty.clone()), ("200".to_owned(), with(tokens.clone()))],
        (204, false) => vec![("204".to_owned(), empty.clone())],
        (status, true) => vec![(status.to_string(), with(json!({ "allOf": [output, tokens] })))],
        (status, false) => vec![(status.to_string(), with(output.clone()))],
    };
    operation.statuses.iter().flat_map(answer).collect()
}

/// The refusals by name, to be referred to.
pub(super) fn refusals(codes: &[&ErrorCode]) -> JsonValue {
    let described = REFUSALS.iter().map(|(class, name, about)| {
        let status = class.status();
        let told = codes.iter().filter(|code| code.class == *class);
        let told: Map<_, _> = told.map(|code| (code.code.to_owned(), code.text.into())).collect();
        let known: Vec<&String> = told.keys().collect();
        let schema = json!({ "allOf": [
            { "$ref": "#/components/schemas/authkit.Problem" },
            { "properties": { "status": { "const": status }, "code": { "enum": known } } },
        ] });
        let mut headers = header_references(&["X-Request-Id", "Cache-Control"]);
        headers.extend(match class {
            Class::Rejected => header_references(&["WWW-Authenticate", "Set-Cookie"]),
            Class::Limited | Class::Unavailable => header_references(&["Retry-After"]),
            _ => Map::new(),
        });
        let response = json!({
            "description": about,
            "headers": headers,
            "content": { "application/problem+json": { "schema": schema } },
            "x-authkit-codes": told,
        });
        ((*name).to_owned(), response)
    });
    described.collect::<Map<_, _>>().into()
}

fn header_references(names: &[&str]) -> Map<String, JsonValue> {
    let reference = |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    names.iter().map(reference).collect()
}

/// The headers of responses by name, to be referred to.
pub(super) fn headers() -> JsonValue {
    let text = json!({ "type": "string" });
    json!({
        "Cache-Control": { "required": true, "schema": text, "description": "`no-store`, unless the answer is public." },
        "Retry-After": { "schema": { "type": "integer", "minimum": 0 }, "description": "Seconds." },
        "Set-Cookie": {
            "schema": text,
            "description": "Sets the cookies of session, refresh token and device, and clears those that are of no use.",
        },
        "WWW-Authenticate": { "required": true, "schema": text, "description": "RFC 6750 §3." },
        "X-Request-Id": { "required": true, "schema": text, "description": "Names the request in logs." },
    })
}

/// Adds the schemas that every document has.
pub(super) fn add_schemas(components: &mut Components) {
    let offer = components.adopt("authkit.Offer", &schema_for!(Offer));
    components.schemas.insert("authkit.Tokens".into(), tokens());
    components.schemas.insert("authkit.Problem".into(), problem());
    components.schemas.insert("authkit.Challenge".into(), challenge(&offer));
}

fn tokens() -> JsonValue {
    let text = json!({ "type": "string" });
    let time = json!({ "type": "string", "format": "date-time" });
    json!({
        "type": "object",
        "description": "Present where a session starts or gets new tokens, and the client keeps them itself (RFC 6749 §5.1).",
        "properties": {
            "access_token": text,
            "token_type": { "const": "Bearer" },
            "expires_in": {
                "type": "integer", "minimum": 0, "description": "Seconds for which the access token works, from now.",
            },
            "expires_at": time,
            "refresh_token": { "type": "string", "description": "Absent where a cookie holds it." },
            "refresh_expires_at": time,
            "device_mark": { "type": "string", "description": "Comes back in `authkit-device`." },
        },
    })
}

fn problem() -> JsonValue {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": { "type": "string", "format": "uri", "description": "`urn:authkit:error:` and the code." },
            "title": { "type": "string", "description": "For people; the same for every error of this code." },
            "status": { "type": "integer" },
            "code": { "type": "string", "pattern": "^[a-z0-9_]+\\.[a-z0-9_]+$", "description": "Stable." },
            "request_id": { "type": "string", "description": "Names the request in logs." },
            "errors": {
                "type": "array",
                "description": "What is wrong with single fields.",
                "items": {
                    "type": "object", "required": ["field", "message"], "properties": { "field": text, "message": text },
                },
            },
            "retry_after": { "type": "integer", "minimum": 0, "description": "Seconds." },
            "challenge": { "$ref": "#/components/schemas/authkit.Challenge" },
        },
    })
}

fn challenge(offer: &JsonValue) -> JsonValue {
    json!({
        "type": "object",
        "description": "With which the flow goes on; the token before is used up.",
        "required": ["flow", "reason", "offers", "expires_at"],
        "properties": {
            "flow": { "type": "string" },
            "reason": { "type": "string" },
            "offers": { "type": "array", "items": offer },
            "expires_at": { "type": "string", "format": "date-time" },
        },
    })
}
