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
        registered.map(|operation| (operation.method.as_str().to_owned(), operation.path_below("/v1"))).collect();
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
    assert!(ended["responses"]["204"].get("content").is_none());
    let sessions = &document["paths"]["/v1/sessions"]["get"];
    assert_eq!(sessions["parameters"][0]["in"], "query");
    let login = &document["paths"]["/v1/auth/login"]["post"];
    assert!(login["requestBody"]["content"]["application/json"]["schema"].is_object());
    assert_eq!(login["security"][0], serde_json::json!({}));
    assert_eq!(document["paths"]["/v1/tiny/echo"]["put"]["x-authkit-session-age"], 300);
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    assert_eq!(schemes["cookie"]["name"], "__Host-authkit_session");
    assert_eq!(schemes["refresh"]["name"], "__Host-authkit_refresh");
    for path in ["/v1/tiny/refresh", "/v1/auth/logout"] {
        let security = document["paths"][path]["post"]["security"].as_array().unwrap();
        assert!(security.contains(&serde_json::json!({ "refresh": [] })), "{path}");
    }
    let success = |path: &str, status: &str| {
        document["paths"][path]["post"]["responses"][status]["content"]["application/json"]["schema"].clone()
    };
    let tokens = "#/components/schemas/authkit.Tokens";
    assert_eq!(success("/v1/tiny/refresh", "200")["$ref"], tokens);
    assert_eq!(success("/v1/auth/login", "200")["allOf"][1]["$ref"], tokens);
    for field in ["access_token", "token_type", "expires_in", "expires_at", "refresh_token", "refresh_expires_at"] {
        let described = &document["components"]["schemas"]["authkit.Tokens"]["properties"][field];
        assert!(described.is_object(), "{field}");
    }
    assert!(document["x-authkit-methods"]["testkit"]["response"].is_object());
}

#[tokio::test]
async fn every_status_that_can_come_is_told_and_no_other() {
    let document = App::new().send(bare("GET", "/openapi.json", "", &[])).await.json();
    let statuses = |path: &str, method: &str| {
        let answers = document["paths"][path][method]["responses"].as_object().unwrap();
        answers.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    let changes = "400 401 403 404 409 413 429 500 503";
    assert_eq!(statuses("/v1/tiny/refresh", "post"), format!("200 204 {changes}"));
    assert_eq!(statuses("/v1/sessions/{id}", "delete"), format!("204 {changes}"));
    assert_eq!(statuses("/v1/auth/login", "post"), format!("200 {changes}"));
    assert_eq!(statuses("/v1/sessions", "get"), "200 400 401 403 413 429 500 503");
    assert_eq!(statuses("/v1/tiny/parts/{id}", "get"), "200 400 401 403 404 413 429 500 503");
    assert_eq!(statuses("/.well-known/tiny.json", "get"), "200 400 413 429 500 503");
}

#[tokio::test]
async fn refusals_name_their_codes_headers_and_the_next_step() {
    let document = App::new().send(bare("GET", "/openapi.json", "", &[])).await.json();
    let refusals = &document["components"]["responses"];
    for (name, code) in [
        ("Invalid", "core.unknown_method"),
        ("Rejected", "core.rejected"),
        ("Forbidden", "core.cross_site"),
        ("NotFound", "core.not_found"),
        ("Conflict", "core.conflict"),
        ("TooLarge", "core.too_large"),
        ("Limited", "core.limited"),
        ("Internal", "core.internal"),
        ("Unavailable", "core.audit_unavailable"),
    ] {
        assert!(refusals[name]["x-authkit-codes"][code].is_string(), "{name} {code}");
        assert!(refusals[name]["headers"]["X-Request-Id"].is_object(), "{name}");
    }
    assert!(refusals["Rejected"]["headers"]["WWW-Authenticate"].is_object());
    assert!(refusals["Limited"]["headers"]["Retry-After"].is_object());
    let schemas = &document["components"]["schemas"];
    assert!(schemas["authkit.Problem"]["properties"]["challenge"]["$ref"].is_string());
    assert!(schemas["authkit.Challenge"]["properties"]["offers"]["items"].is_object());
}

#[tokio::test]
async fn a_query_has_no_null() {
    let document = App::new().send(bare("GET", "/openapi.json", "", &[])).await.json();
    let parameters = document["paths"]["/v1/sessions"]["get"]["parameters"].as_array().unwrap();
    let limit = parameters.iter().find(|parameter| parameter["name"] == "limit").unwrap();
    assert_eq!(limit["schema"]["type"], serde_json::json!(["string"]));
}
