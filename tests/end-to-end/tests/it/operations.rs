//! All operations of an application with every plugin: which of them start a session, and what each answers.

use std::collections::{BTreeMap, BTreeSet};

use authkit_core::{Call, Client, Operation, Reply, SessionChange};
use authkit_risk::Throttle;
use authkit_session::Sessions;
use authkit_testkit::sign_in_as;
use end_to_end::{Backend, PASSWORD, World, on_each_store};
use serde_json::{Value as JsonValue, json};

use crate::second_factor::{DemandSecondFactor, SecondFactor, challenged};

/// The only operations after which a client has a session, or new tokens of its own.
const STARTS: [&str; 5] = [
    "POST /v1/account/change-password",
    "POST /v1/auth/challenges/answer",
    "POST /v1/auth/login",
    "POST /v1/auth/refresh",
    "POST /v1/auth/step-up",
];

/// Every field of every answer of an operation, and of every refusal. What stands here is meant to be seen.
const FIELDS: &[(&str, &str)] = &[];

/// Every plugin there is, and a second factor so that there is something to begin.
async fn whole(backend: Backend) -> World {
    let builder = World::builder(backend).sessions(Sessions::jwt()).throttle(Throttle::default());
    builder.plugin(SecondFactor).plugin(DemandSecondFactor).build().await
}

fn name(operation: &Operation) -> String {
    format!("{} {}", operation.method.as_str(), operation.path_below("/v1"))
}

/// What this operation takes to do what it is for; the flow is one in which a second factor is demanded.
fn input(operation: &Operation, flow: &str) -> JsonValue {
    match name(operation).as_str() {
        "POST /v1/auth/challenges/begin" => json!({ "method": "code", "flow": flow }),
        "POST /v1/auth/password/strength" => json!({ "password": PASSWORD }),
        "POST /v1/auth/signup" => json!({ "identifier": "eve@example.com", "password": PASSWORD }),
        "DELETE /v1/sessions/all"
        | "DELETE /v1/sessions/{id}"
        | "GET /.well-known/jwks.json"
        | "GET /v1/account/audit-events"
        | "GET /v1/auth/me"
        | "GET /v1/sessions"
        | "POST /v1/auth/logout" => json!({}),
        unknown => panic!("say what {unknown} takes, or that it starts a session"),
    }
}

/// The answer to somebody who has a session.
async fn answer(world: &World, operation: &Operation) -> Reply {
    let ada = world.sign_up("ada@example.com").await;
    let session = sign_in_as(&world.auth, ada).await.unwrap().session;
    let flow = challenged(world, "ada@example.com").await.flow;
    let path = vec![("id".to_owned(), session.id.to_string())];
    let input = input(operation, flow.expose());
    let cx = world.auth.request(Client::default());
    operation.call(Call { cx, session: Some(session), input, path }).await.unwrap()
}

async fn document(world: &World) -> JsonValue {
    world.browser().get("/openapi.json").await.json()
}

/// The fields that a schema names, with the way to them: `sessions[].id`.
fn fields_of_schema(document: &JsonValue, schema: &JsonValue, at: &str, fields: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        fields_of_schema(document, document.pointer(&reference[1..]).unwrap(), at, fields);
    }
    for one in ["allOf", "anyOf", "oneOf"].iter().flat_map(|key| schema[key].as_array().into_iter().flatten()) {
        fields_of_schema(document, one, at, fields);
    }
    if schema["items"].is_object() {
        fields_of_schema(document, &schema["items"], &format!("{at}[]"), fields);
    }
    for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { field.clone() } else { format!("{at}.{field}") };
        fields_of_schema(document, inner, &path, fields);
        fields.insert(path);
    }
}

/// The fields that a value has.
fn fields_of_value(value: &JsonValue, at: &str, fields: &mut BTreeSet<String>) {
    for item in value.as_array().into_iter().flatten() {
        fields_of_value(item, &format!("{at}[]"), fields);
    }
    for (field, inner) in value.as_object().into_iter().flatten() {
        let path = if at.is_empty() { field.clone() } else { format!("{at}.{field}") };
        fields_of_value(inner, &path, fields);
        fields.insert(path);
    }
}

/// Every answer by what it answers: an operation, or a refusal; tokens are one field `<tokens>`.
fn answers(document: &JsonValue) -> BTreeMap<String, BTreeSet<String>> {
    let mut answers = BTreeMap::<String, BTreeSet<String>>::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let schema = &response["content"]["application/json"]["schema"];
                if status.starts_with('2') && schema.is_object() {
                    let fields = answers.entry(format!("{} {path}", method.to_uppercase())).or_default();
                    fields_of_schema(document, schema, "", fields);
                }
            }
        }
    }
    let problem = json!({ "$ref": "#/components/schemas/authkit.Problem" });
    fields_of_schema(document, &problem, "", answers.entry("refusal".to_owned()).or_default());
    answers
}

on_each_store! {
    async fn no_operation_but_these_starts_a_session(backend) {
        let world = whole(backend).await;
        let operations = world.auth.operations().to_vec();
        let mut starts: Vec<String> = operations.iter().filter(|one| one.starts_session).map(name).collect();
        starts.sort_unstable();
        assert_eq!(starts, STARTS);
        drop(world);
        for (at, operation) in operations.iter().enumerate().filter(|(_, one)| !one.starts_session) {
            let world = whole(backend).await;
            let own = &world.auth.operations()[at];
            let ada = world.sign_up("ada@example.com").await;
            let session = sign_in_as(&world.auth, ada).await.unwrap().session;
            let flow = challenged(&world, "ada@example.com").await.flow;
            let path = vec![("id".to_owned(), session.id.to_string())];
            let call = Call { cx: world.cx(), session: Some(session), input: input(own, flow.expose()), path };
            let before = world.rows("auth_sessions", "id").await.len();
            let reply = own.call(call).await.unwrap();
            assert!(own.statuses.contains(&reply.status), "{own:?} answers {}", reply.status);
            assert!(!matches!(reply.session, SessionChange::Start(_)), "{operation:?} starts a session");
            assert!(world.rows("auth_sessions", "id").await.len() <= before, "{operation:?} keeps a session");
        }
    }
}

#[tokio::test]
async fn dump() {
    let world = whole(Backend::Memory).await;
    for (k, v) in answers(&document(&world).await) {
        println!("(\"{k}\", \"{}\"),", v.into_iter().collect::<Vec<_>>().join(" "));
    }
}
