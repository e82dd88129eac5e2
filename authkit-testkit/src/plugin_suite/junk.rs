//! Input that no client of good will sends, and input that one might.

use schemars::Schema;
use serde_json::{Map, Value as JsonValue, json};

/// Junk in place of one text, number or whatever was wanted.
pub(crate) fn leaves() -> Vec<JsonValue> {
    vec![
        JsonValue::Null,
        json!(true),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1.5),
        json!(""),
        json!(" "),
        json!("x"),
        json!("\0"),
        json!("before\0after"),
        json!("\u{202e}\u{feff}\u{1f9ff}e\u{301}\r\n"),
        json!("' OR 1=1; --"),
        json!("../../etc/passwd"),
        json!("00000000-0000-7000-8000-000000000000"),
        json!("x".repeat(65_536)),
        json!([]),
        json!(["x", 1, null]),
        json!({}),
        json!({ "$ne": null }),
        nested(100),
    ]
}

/// Junk of every kind for something of this schema: of another form, and of the right form with junk inside.
pub(crate) fn inputs(schema: &Schema) -> Vec<JsonValue> {
    around(&plausible(schema))
}

/// Junk of every kind in place of this object, of all of its fields, and of each.
pub(crate) fn around(base: &JsonValue) -> Vec<JsonValue> {
    let mut all = leaves();
    let Some(fields) = base.as_object() else {
        return all;
    };
    for leaf in leaves() {
        all.push(fields.keys().map(|name| (name.clone(), leaf.clone())).collect());
        for name in fields.keys() {
            let mut input = base.clone();
            input[name.as_str()] = leaf.clone();
            all.push(input);
        }
    }
    let mut more = fields.clone();
    more.insert("a field that nobody knows".to_owned(), json!("x".repeat(65_536)));
    all.push(more.into());
    all
}

/// JSON pointers (RFC 6901) of everything that holds nothing.
pub(crate) fn pointers(value: &JsonValue) -> Vec<String> {
    let below = |key: &str, value: &JsonValue| {
        let key = key.replace('~', "~0").replace('/', "~1");
        pointers(value).into_iter().map(move |rest| format!("/{key}{rest}")).collect::<Vec<_>>()
    };
    match value {
        JsonValue::Object(fields) => fields.iter().flat_map(|(key, value)| below(key, value)).collect(),
        JsonValue::Array(items) => {
            items.iter().enumerate().flat_map(|(at, item)| below(&at.to_string(), item)).collect()
        }
        _ => vec![String::new()],
    }
}

/// Something of this schema.
pub(crate) fn plausible(schema: &Schema) -> JsonValue {
    let root = schema.as_value();
    example(root, root, 0)
}

/// The same without what may be left out.
pub(crate) fn required(schema: &Schema) -> JsonValue {
    let needed = schema.as_value().get("required").and_then(JsonValue::as_array).cloned().unwrap_or_default();
    let mut least = plausible(schema);
    if let Some(fields) = least.as_object_mut() {
        fields.retain(|name, _| needed.iter().any(|needed| needed == name));
    }
    least
}

/// The names of the fields of an object of this schema.
pub(crate) fn property_names(schema: &Schema) -> Vec<String> {
    let fields = schema.as_value().get("properties").and_then(JsonValue::as_object);
    fields.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

fn example(root: &JsonValue, schema: &JsonValue, depth: usize) -> JsonValue {
    if depth > 8 {
        return JsonValue::Null;
    }
    if let Some(pointer) = schema.get("$ref").and_then(JsonValue::as_str) {
        let target = pointer.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(JsonValue::Null, |target| example(root, target, depth + 1));
    }
    if let Some(value) = schema.get("const").or_else(|| schema.pointer("/enum/0")) {
        return value.clone();
    }
    if let Some(one) = ["/anyOf/0", "/oneOf/0", "/allOf/0"].iter().find_map(|pointer| schema.pointer(pointer)) {
        return example(root, one, depth + 1);
    }
    let kind = schema.get("type");
    match kind.and_then(|kind| kind.as_str().or_else(|| kind.get(0).and_then(JsonValue::as_str))) {
        Some("array") => json!([]),
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(1),
        Some("null") => JsonValue::Null,
        Some("string") if schema.get("format").is_some_and(|format| format == "uuid") => {
            json!("01890a5d-ac96-774b-bcce-b302099a8057")
        }
        Some("string") => json!("somebody@example.com"),
        _ => {
            let fields = schema.get("properties").and_then(JsonValue::as_object);
            let each = fields.into_iter().flatten();
            let fields: Map<_, _> = each.map(|(name, field)| (name.clone(), example(root, field, depth + 1))).collect();
            JsonValue::Object(fields)
        }
    }
}

fn nested(depth: usize) -> JsonValue {
    (0..depth).fold(json!("x"), |inner, at| if at % 2 == 0 { json!([inner]) } else { json!({ "x": inner }) })
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};

    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Sample {
        name: String,
        age: Option<u32>,
        tags: Vec<String>,
    }

    #[test]
    fn schemas_are_filled_in() {
        let expected = json!({ "name": "somebody@example.com", "age": 1, "tags": [] });
        assert_eq!(plausible(&schema_for!(Sample)), expected);
        assert_eq!(required(&schema_for!(Sample)), json!({ "name": "somebody@example.com", "tags": [] }));
        assert!(inputs(&schema_for!(Sample)).len() > 80);
    }

    #[test]
    fn pointers_lead_to_leaves() {
        let value = json!({ "a/b": "right", "c": [1, { "d": "e" }] });
        assert_eq!(pointers(&value), ["/a~1b", "/c/0", "/c/1/d"]);
    }
}
