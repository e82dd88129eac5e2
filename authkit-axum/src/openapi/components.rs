//! The definitions that schemas share.

use std::collections::BTreeMap;

use schemars::Schema;
use serde_json::{Map, Value as JsonValue};

/// The definitions of a document, by name.
#[derive(Default)]
pub(super) struct Components {
    pub(super) schemas: Map<String, JsonValue>,
    /// As they were before their references were changed.
    originals: BTreeMap<String, JsonValue>,
}

impl Components {
    /// Moves the definitions of a schema here, and its references with them.
    ///
    /// Two plugins may use one name for different things; then all definitions of the second get the scope's name.
    pub(super) fn adopt(&mut self, scope: &str, schema: &Schema) -> JsonValue {
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
    use serde_json::json;

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
