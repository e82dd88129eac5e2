use std::collections::BTreeSet;

use serde_json::Value as JsonValue;

use crate::app::{App, bare, build, request};

#[tokio::test]
async fn the_document_lists_exactly_what_is_registered_and_all_of_it_is_there() {
    let (auth, _) = build();
    let app = App::new();
    let document = app.send(bare("GET", "/openapi.json", "", &[])).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], "https://example.com");
    let mut listed = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            listed.insert((method.to_uppercase(), path.clone()));
        }
    }
    let registered = auth.operations().iter();
    let registered: BTreeSet<_> =
        registered.map(|operation| (operation.method.as_str().to_owned(), format!("/v1{}", operation.path))).collect();
    assert_eq!(listed, registered);
    for (method, path) in listed {
        let path = path.replace("{id}", "0");
        let status = app.send(request(&method, &path, "", &[])).await.status;
        assert!(![404, 405].contains(&status), "{method} {path}: {status}");
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let document = App::new().send(bare("GET", "/openapi.json", "", &[])).await.json();
    fn check(document: &JsonValue, value: &JsonValue) {
        match value {
            JsonValue::Array(items) => items.iter().for_each(|item| check(document, item)),
            JsonValue::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(JsonValue::as_str) {
                    let pointer = reference.strip_prefix('#').expect("a reference within");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(|field| check(document, field));
            }
            _ => {}
        }
    }
    check(&document, &document);
    assert!(!document.to_string().contains("$defs"));
}

#[tokio::test]
async fn parameters_bodies_and_access_are_told() {
    let document = App::new().send(bare("GET", "/openapi.json", "", &[])).await.json();
    let ended = &document["paths"]["/v1/sessions/{id}"]["delete"];
    assert_eq!(ended["operationId"], "delete_sessions_id");
    assert_eq!(ended["parameters"][0]["in"], "path");
    assert_eq!(ended["security"][0]["bearer"], serde_json::json!([]));
    assert!(ended["responses"]["2XX"].get("content").is_none());
    let sessions = &document["paths"]["/v1/sessions"]["get"];
    assert_eq!(sessions["parameters"][0]["in"], "query");
    let login = &document["paths"]["/v1/auth/login"]["post"];
    assert!(login["requestBody"]["content"]["application/json"]["schema"].is_object());
    assert_eq!(login["security"][0], serde_json::json!({}));
    assert_eq!(document["paths"]["/v1/tiny/echo"]["put"]["x-authkit-session-age"], 60);
    assert!(document["x-authkit-methods"]["testkit"]["response"].is_object());
}
