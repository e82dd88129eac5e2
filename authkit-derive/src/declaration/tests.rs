use super::*;

/// What the macro says about a struct with these attribute keys and fields; none if it accepts them.
fn refusal(keys: &str, fields: &str) -> Option<String> {
    refusal_of(&format!("#[entity({keys})] struct Row {{ {fields} }}"))
}

fn refusal_of(source: &str) -> Option<String> {
    let input = syn::parse_str(source).expect("the source is an item");
    Declaration::new(&input).err().map(|error| error.to_string())
}

fn check(keys: &str, fields: &str, expected: &str) {
    let refusal = refusal(keys, fields).unwrap_or_default();
    assert!(refusal.contains(expected), "{keys} | {fields}: {refusal}");
}

#[test]
fn complete_declarations_are_accepted() {
    let keys = "table = \"rows\", ephemeral, global, unique(by_a: a, b), index(by_b: b), references(a -> others), \
                expires(until)";
    let fields = "id: Id, a: Id, #[entity(volatile, default = None)] b: Option<i64>, until: Timestamp, tenant_id: Id";
    assert_eq!(refusal(keys, fields), None);
}

#[test]
fn keys_may_be_spread_over_several_attributes() {
    let source = "#[entity(table = \"rows\")] #[entity(durable)] struct Row { id: Id, #[entity(volatile)] \
                  #[entity(default = 0)] a: i64 }";
    assert_eq!(refusal_of(source), None);
}

#[test]
fn only_structs_with_named_fields_are_entities() {
    for item in ["struct Row;", "struct Row(Id);", "enum Row { A }", "union Row { id: Id }"] {
        let refusal = refusal_of(&format!("#[entity(table = \"rows\", durable)] {item}"));
        assert_eq!(refusal.as_deref(), Some("an entity is a struct with named fields"), "{item}");
    }
}

#[test]
fn entities_have_no_generics() {
    for item in ["struct Row<T> { id: T }", "struct Row<'a> { id: &'a str }", "struct Row<const N: usize> { id: Id }"] {
        assert_eq!(refusal_of(item).as_deref(), Some("an entity has no generic parameters"), "{item}");
    }
    let refusal = refusal_of("struct Row where Id: Copy { id: Id }");
    assert_eq!(refusal.as_deref(), Some("an entity has no where clause"));
}

#[test]
fn table_and_durability_are_mandatory() {
    check("durable", "id: Id", "the table is missing");
    check("table = \"rows\"", "id: Id", "say whether the entity is `durable` or `ephemeral`");
    assert!(refusal_of("struct Row { id: Id }").is_some_and(|refusal| refusal.contains("the table is missing")));
}

#[test]
fn single_keys_are_given_once() {
    check("table = \"a\", table = \"b\"", "id: Id", "`table` is given twice");
    check("global, global", "id: Id", "`global` is given twice");
    check("expires(id), expires(id)", "id: Id", "`expires` is given twice");
    check("durable, durable", "id: Id", "either `durable` or `ephemeral`");
    check("durable, ephemeral", "id: Id", "either `durable` or `ephemeral`");
    check("table = \"a\", durable", "id: Id, #[entity(volatile, volatile)] a: i64", "`volatile` is given twice");
    check("table = \"a\", durable", "id: Id, #[entity(default = 0, default = 1)] a: i64", "`default` is given twice");
}

#[test]
fn unknown_keys_are_refused() {
    for key in ["tabel = \"rows\"", "volatile", "a::b", "primary(id)"] {
        check(key, "id: Id", "unknown key; a struct has");
    }
    for key in ["durable", "rename = \"b\""] {
        check("table = \"rows\", durable", &format!("id: Id, #[entity({key})] a: i64"), "unknown key; a field has");
    }
}

#[test]
fn malformed_keys_are_refused() {
    let malformed =
        ["table", "table = rows", "unique", "unique(id)", "unique(by: id id)", "references(id)", "references(id - b)"];
    for key in malformed {
        check(key, "id: Id", "expected");
    }
    check("table = \"rows\", durable, expires(a, b)", "id: Id, a: Timestamp", "unexpected token");
}

#[test]
fn the_first_field_is_the_id() {
    let table = "table = \"rows\", durable";
    check(table, "", "the first field of an entity is `id`");
    check(table, "a: i64, id: Id", "the first field of an entity is `id`");
    check(table, "#[entity(volatile)] id: Id", "the id never changes");
}

#[test]
fn stored_names_are_lower_case_ascii_of_bounded_length() {
    for table in ["", "Rows", "1rows", "_rows", "ro-ws", "rows;", "zeilé"] {
        check(&format!("table = \"{table}\", durable"), "id: Id", "a stored name begins with a lower-case letter");
    }
    let longest = "r".repeat(40);
    assert_eq!(refusal(&format!("table = \"{longest}\", durable"), "id: Id"), None);
    check(&format!("table = \"{longest}r\", durable"), "id: Id", "at most 40 characters");

    let table = "table = \"rows\", durable";
    check(table, "id: Id, Label: String", "a stored name begins");
    check(&format!("{table}, index(By_a: id)"), "id: Id", "a stored name begins");
    check(&format!("{table}, references(id -> Others)"), "id: Id", "a stored name begins");
}

#[test]
fn raw_identifiers_are_stored_without_their_prefix() {
    assert_eq!(refusal("table = \"rows\", durable, index(by_type: r#type)", "id: Id, r#type: String"), None);
}

#[test]
fn the_column_of_the_store_is_reserved() {
    check("table = \"rows\", durable", "id: Id, tenant_id: TenantId", "the store adds the column `tenant_id`");
}

#[test]
fn mentioned_columns_are_fields() {
    for key in ["unique(by: id, b)", "index(by: b)", "references(b -> others)", "expires(b)"] {
        check(&format!("table = \"rows\", durable, {key}"), "id: Id", "there is no field `b`");
    }
}

#[test]
fn index_names_are_their_own() {
    let table = "table = \"rows\", durable";
    check(&format!("{table}, unique(by: id), index(by: a)"), "id: Id, a: i64", "there are two indexes `by`");
    check(&format!("{table}, index(a: a)"), "id: Id, a: i64", "`a` is a field");
    check(&format!("{table}, index(id: a)"), "id: Id, a: i64", "`id` is a field");
}

#[test]
fn indexes_have_one_to_four_different_columns() {
    let (table, fields) = ("table = \"rows\", durable", "id: Id, a: i64, b: i64, c: i64, d: i64");
    assert_eq!(refusal(&format!("{table}, index(by: a, b, c, d)"), fields), None);
    check(&format!("{table}, index(by:)"), fields, "the index `by` has no column");
    check(&format!("{table}, index(by: id, a, b, c, d)"), fields, "an index has at most 4 columns");
    check(&format!("{table}, index(by: a, b, a)"), fields, "the column `a` twice");
}
