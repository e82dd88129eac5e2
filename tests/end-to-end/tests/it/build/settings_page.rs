//! `docs/configuration.md` says what can be set, in the words of the plugins themselves.

use std::{fmt::Write as _, fs, path::Path};

use authkit_account::Accounts;
use authkit_core::AuthManager;
use authkit_password::Passwords;
use authkit_risk::Throttle;
use authkit_session::Sessions;
use serde_json::Value as JsonValue;

use super::bare;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

const HEAD: &str = "# Configuration

Every setting of the plugins that come with authkit. Code gives values by the methods of the plugins; a file and the
environment go over them, and a key that is not known is refused with those that are:

```rust
let auth = AuthManager::builder().config(authkit_axum::settings(\"authkit.toml\")?) // …
```

`[password] min_length = 20` in the file and `AUTHKIT__PASSWORD__MIN_LENGTH=20` in the environment are the same; the
environment goes over the file. Spans are whole seconds. `AUTHKIT_KEYS` holds the root keys for `KeyRing::from_env()`.

This page is written from what the plugins declare. After a change, write it anew with
`AUTHKIT_WRITE=1 cargo test -p end-to-end the_page_of_settings`.
";

/// One key after the other, those within others by their whole path.
fn rows(page: &mut String, root: &JsonValue, schema: &JsonValue, given: &JsonValue, path: &str) {
    let Some(keys) = given.as_object() else { return };
    for (key, value) in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let declared = &schema["properties"][key];
        let about = declared["description"].as_str().unwrap_or_default();
        let resolved = resolved(root, declared);
        let words = choices(root, resolved);
        if value.is_object() && words.is_empty() {
            rows(page, root, resolved, value, &path);
            continue;
        }
        let about = about.split("\n\n").next().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        // A link of the documentation of the code.
        let about = about.replace("[`", "`").replace("`]", "`");
        assert!(!about.is_empty(), "{path} has no description");
        let value = if value.is_object() { "the keys below".to_owned() } else { format!("`{value}`") };
        writeln!(page, "| `{path}` | {value} | {about}{words} |").unwrap();
        if let Some(table) = table(root, resolved) {
            rows(page, root, table, &keys[key], &path);
        }
    }
}

/// What a schema refers to.
fn resolved<'s>(root: &'s JsonValue, schema: &'s JsonValue) -> &'s JsonValue {
    let target = schema["$ref"].as_str().and_then(|reference| root.pointer(reference.trim_start_matches('#')));
    target.unwrap_or(schema)
}

/// What a setting can be, in place of words.
fn table<'s>(root: &'s JsonValue, schema: &'s JsonValue) -> Option<&'s JsonValue> {
    let kinds = schema["anyOf"].as_array().into_iter().flatten();
    kinds.map(|kind| resolved(root, kind)).find(|kind| kind["properties"].is_object())
}

/// The words that a setting can be, if it is one of some words.
fn choices(root: &JsonValue, schema: &JsonValue) -> String {
    fn words<'s>(root: &'s JsonValue, schema: &'s JsonValue) -> Vec<&'s str> {
        let of = |key: &str| schema[key].as_array().map_or(&[][..], Vec::as_slice);
        let within = of("anyOf").iter().flat_map(|kind| words(root, resolved(root, kind)));
        let variants = of("oneOf").iter().filter_map(|variant| variant["const"].as_str());
        within.chain(variants).chain(of("enum").iter().filter_map(JsonValue::as_str)).collect()
    }
    let words: Vec<String> = words(root, schema).into_iter().map(|word| format!("`{word}`")).collect();
    if words.is_empty() { String::new() } else { format!(" One of {}.", words.join(", ")) }
}

fn section(page: &mut String, auth: &AuthManager, plugin: &str, title: &str) {
    let section = auth.settings().iter().find(|section| section.plugin == plugin).expect("a section");
    let schema = section.schema.as_value();
    writeln!(page, "\n## {title}\n\n| key | unless set | meaning |\n|---|---|---|").unwrap();
    rows(page, schema, schema, &section.given, "");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever writes the page, not configuration")]
fn the_page_of_settings_is_what_the_plugins_declare() {
    let with = |sessions: bool| {
        let rest = bare().plugin(Accounts::default()).plugin(Passwords::default()).plugin(Throttle::default());
        let built =
            if sessions { rest.plugin(Sessions::jwt()).build() } else { rest.plugin(Sessions::opaque()).build() };
        built.expect("a complete setup")
    };
    let (signed, opaque) = (with(true), with(false));
    let mut page = HEAD.to_owned();
    section(&mut page, &opaque, "account", "`[account]`");
    section(&mut page, &opaque, "password", "`[password]`");
    section(&mut page, &opaque, "session", "`[session]` with `Sessions::opaque()`");
    section(&mut page, &signed, "session", "`[session]` with `Sessions::jwt()`");
    section(&mut page, &opaque, "throttle", "`[throttle]`");
    if std::env::var_os("AUTHKIT_WRITE").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let written = fs::read_to_string(Path::new(PAGE)).unwrap_or_default();
    assert!(
        written == page,
        "docs/configuration.md is not what the plugins declare; its second paragraph says how to mend it"
    );
}
