//! OpenAPI 3.1 of exactly what is registered.

use std::collections::BTreeMap;

use authkit_core::{Access, AuthManager, MethodId, MethodSchemas, Operation};
use schemars::Schema;
use serde_json::{Map, Value as JsonValue, json};

use crate::cookie::Cookies;

const DESCRIPTION: &str = "\
A browser keeps its session in a cookie; its requests have to come from the origin of this service. Any other client \
sends `authkit-delivery: token` when it signs in, finds `access_token`, `token_type`, `expires_at` and perhaps \
`device_mark` in the body, shows the token as `Authorization: Bearer`, and the mark as `authkit-device`.";

pub(crate) fn document(auth: &AuthManager, cookies: &Cookies) -> JsonValue {
    let mut components = Components::default();
    let mut paths: BTreeMap<String, Map<String, JsonValue>> = BTreeMap::new();
    for operation in auth.operations() {
        let path = format!("{}{}", auth.prefix(), operation.path);
        let method = operation.method.as_str().to_ascii_lowercase();
        paths.entry(path).or_default().insert(method, describe(operation, &mut components));
    }
    let verified = methods(auth.methods(), "verify", &mut components);
    let enrolled = methods(auth.enrollable_methods(), "enrol", &mut components);
    json!({
        "openapi": "3.1.0",
        "info": { "title": "authkit", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION },
        "servers": [{ "url": auth.public_url().origin() }],
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "responses": { "Problem": problem() },
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": cookies.session },
            },
        },
        "x-authkit-methods": verified,
        "x-authkit-enrollable-methods": enrolled,
    })
}

fn describe(operation: &Operation, components: &mut Components) -> JsonValue {
    let id = operation_id(operation);
    let input = components.adopt(&format!("{id}.input"), &operation.input);
    let output = components.adopt(&format!("{id}.output"), &operation.output);
    let mut parameters: Vec<JsonValue> = path_parts(operation.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut described = Map::new();
    if operation.method.has_body() {
        let needed = !required(&input).is_empty();
        let body = json!({ "required": needed, "content": { "application/json": { "schema": input } } });
        described.insert("requestBody".into(), body);
    } else {
        parameters.extend(query_parameters(&input));
    }
    if !parameters.is_empty() {
        described.insert("parameters".into(), parameters.into());
    }
    let mut success = json!({ "description": "Done." });
    if output.get("type").and_then(JsonValue::as_str) != Some("null")
        && let Some(success) = success.as_object_mut()
    {
        success.insert("content".into(), json!({ "application/json": { "schema": output } }));
    }
    described.insert("operationId".into(), id.into());
    described.insert("summary".into(), operation.summary.into());
    described
        .insert("responses".into(), json!({ "2XX": success, "default": { "$ref": "#/components/responses/Problem" } }));
    described.insert("security".into(), security(operation.access));
    if let Access::FreshSession(age) = operation.access {
        described.insert("x-authkit-session-age".into(), age.as_secs().into());
    }
    described.into()
}

/// A public operation looks at a session too, if it is shown one.
fn security(access: Access) -> JsonValue {
    match access {
        Access::Public => json!([{}, { "bearer": [] }, { "cookie": [] }]),
        _ => json!([{ "bearer": [] }, { "cookie": [] }]),
    }
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
        json!({ "name": name, "in": "query", "required": needed, "schema": property })
    })
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

fn problem() -> JsonValue {
    let text = json!({ "type": "string" });
    let schema = json!({
        "type": "object",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": text, "title": text, "status": { "type": "integer" }, "code": text, "request_id": text,
            "errors": {
                "type": "array",
                "items": { "type": "object", "properties": { "field": text, "message": text } },
            },
            "retry_after": { "type": "integer", "description": "Seconds." },
            "challenge": { "type": "object", "description": "With which the flow goes on." },
        },
    });
    json!({ "description": "Refused (RFC 9457).", "content": { "application/problem+json": { "schema": schema } } })
}

/// The definitions that schemas share.
#[derive(Default)]
struct Components {
    schemas: Map<String, JsonValue>,
    /// As they were before their references were changed.
    originals: BTreeMap<String, JsonValue>,
}

impl Components {
    /// Moves the definitions of a schema here, and its references with them.
    ///
    /// Two plugins may use one name for different things; then all definitions of the second get the scope's name.
    fn adopt(&mut self, scope: &str, schema: &Schema) -> JsonValue {
        let mut schema = schema.as_value().clone();
        let definitions = match schema.as_object_mut() {
            Some(object) => {
                object.remove("$schema");
                object.remove("$defs")
            }
            None => None,
        };
        let definitions: Map<String, JsonValue> = match definitions {
            Some(JsonValue::Object(definitions)) => definitions,
            _ => Map::new(),
        };
        let taken = |(name, new): (&String, &JsonValue)| self.originals.get(name).is_some_and(|old| old != new);
        let scope = if definitions.iter().any(taken) { format!("{scope}.") } else { String::new() };
        for (name, mut definition) in definitions {
            let name = format!("{scope}{name}");
            self.originals.insert(name.clone(), definition.clone());
            repoint(&mut definition, &scope);
            self.schemas.insert(name, definition);
        }
        repoint(&mut schema, &scope);
        schema
    }
}

fn repoint(value: &mut JsonValue, scope: &str) {
    match value {
        JsonValue::Array(items) => items.iter_mut().for_each(|item| repoint(item, scope)),
        JsonValue::Object(fields) => {
            for (key, field) in fields {
                let name = field.as_str().filter(|_| key == "$ref").and_then(|to| to.strip_prefix("#/$defs/"));
                match name.map(|name| format!("#/components/schemas/{scope}{name}")) {
                    Some(to) => *field = to.into(),
                    None => repoint(field, scope),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(value: JsonValue) -> Schema {
        value.try_into().unwrap()
    }

    #[test]
    fn definitions_move_and_references_follow() {
        let mut components = Components::default();
        let one = schema(json!({
            "$schema": "x", "properties": { "a": { "$ref": "#/$defs/A" } },
            "$defs": { "A": { "items": { "$ref": "#/$defs/B" } }, "B": { "type": "string" } },
        }));
        let adopted = components.adopt("one", &one);
        assert_eq!(adopted, json!({ "properties": { "a": { "$ref": "#/components/schemas/A" } } }));
        assert_eq!(components.adopt("again", &one), adopted);
        let names: Vec<_> = components.schemas.keys().collect();
        assert_eq!(names, ["A", "B"]);
        assert_eq!(components.schemas["A"], json!({ "items": { "$ref": "#/components/schemas/B" } }));
    }

    #[test]
    fn a_name_that_means_two_things_is_told_apart() {
        let mut components = Components::default();
        let of = |kind| schema(json!({ "$ref": "#/$defs/A", "$defs": { "A": { "type": kind } } }));
        components.adopt("one", &of("string"));
        let other = components.adopt("two", &of("integer"));
        assert_eq!(other, json!({ "$ref": "#/components/schemas/two.A" }));
        assert_eq!(components.schemas["A"], json!({ "type": "string" }));
        assert_eq!(components.schemas["two.A"], json!({ "type": "integer" }));
    }
}
