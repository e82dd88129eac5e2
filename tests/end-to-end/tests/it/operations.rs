//! All operations of an application with every plugin: which of them start a session, and what each answers.

use std::collections::{BTreeMap, BTreeSet};

use authkit_core::{Call, HttpMethod, Operation, Reply, SessionChange};
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
const FIELDS: [(&str, &str); 13] = [
    (
        "GET /.well-known/jwks.json",
        "keys keys[].alg keys[].crv keys[].e keys[].kid keys[].kty keys[].n keys[].use keys[].x keys[].y",
    ),
    (
        "GET /v1/account/audit-events",
        "events events[].actor_id events[].at events[].data events[].flow_id events[].id events[].ip events[].kind \
         events[].method events[].outcome events[].principal_id events[].request_id events[].session_id \
         events[].settlement events[].tenant events[].user_agent next",
    ),
    (
        "GET /v1/auth/me",
        "created_at id identifiers identifiers[].kind identifiers[].value identifiers[].verified_at kind last_login_at \
         status",
    ),
    (
        "GET /v1/sessions",
        "next sessions sessions[].amr sessions[].assurance sessions[].created_at sessions[].current \
         sessions[].expires_at sessions[].id sessions[].ip sessions[].last_seen_at sessions[].user_agent",
    ),
    ("POST /v1/account/change-password", ""),
    ("POST /v1/auth/challenges/answer", STANDING),
    ("POST /v1/auth/challenges/begin", "expires_at flow offers offers[].action offers[].method offers[].prompt reason"),
    ("POST /v1/auth/login", STANDING),
    (
        "POST /v1/auth/refresh",
        "principal principal.id principal.kind principal.status session session.amr session.assurance \
         session.expires_at session.id",
    ),
    ("POST /v1/auth/signup", "principal principal.id principal.kind principal.status"),
    ("POST /v1/auth/step-up", STANDING),
    (
        "refusal",
        "challenge challenge.expires_at challenge.flow challenge.offers challenge.offers[].action \
         challenge.offers[].method challenge.offers[].prompt challenge.reason code errors errors[].field \
         errors[].message request_id retry_after status title type",
    ),
    ("tokens", "access_token device_mark expires_at expires_in refresh_expires_at refresh_token token_type"),
];

/// How an authentication stands.
const STANDING: &str = "challenge challenge.expires_at challenge.flow challenge.offers challenge.offers[].action \
    challenge.offers[].method challenge.offers[].prompt challenge.reason grant principal principal.id principal.kind \
    principal.status session session.amr session.assurance session.expires_at session.id status";

/// Every plugin, and a second factor so that there is something to begin.
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

/// The answer of the operation of this name to somebody who has a session, the only one there is.
async fn answer(world: &World, named: &str) -> Reply {
    let operation = world.auth.operations().iter().find(|operation| name(operation) == named).unwrap();
    let ada = world.sign_up("ada@example.com").await;
    let session = sign_in_as(&world.auth, ada).await.unwrap().session;
    let flow = challenged(world, "ada@example.com").await.flow;
    let path = vec![("id".to_owned(), session.id.to_string())];
    let input = input(operation, flow.expose());
    operation.call(Call { cx: world.cx(), session: Some(session), input, path }).await.unwrap()
}

/// The fields that a schema names, with the way to them: `sessions[].id`.
fn fields_of_schema(document: &JsonValue, schema: &JsonValue, at: &str, fields: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str().filter(|reference| *reference != TOKENS) {
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

const TOKENS: &str = "#/components/schemas/authkit.Tokens";

/// The fields of every answer by what it answers, and of a refusal; those of tokens, which many have, by themselves.
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
    for (what, schema) in [("refusal", "authkit.Problem"), ("tokens", "authkit.Tokens")] {
        let schema = &document["components"]["schemas"][schema];
        fields_of_schema(document, schema, "", answers.entry(what.to_owned()).or_default());
    }
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
        for operation in operations.iter().filter(|one| !one.starts_session) {
            let world = whole(backend).await;
            let reply = answer(&world, &name(operation)).await;
            assert!(operation.statuses.contains(&reply.status), "{operation:?} answers {}", reply.status);
            assert!(!matches!(reply.session, SessionChange::Start(_)), "{operation:?} gives a session");
            let sessions = world.rows("auth_sessions", "id").await.len();
            assert!(sessions <= 1, "{operation:?} keeps another session than the caller's");
        }
    }

    async fn answers_have_these_fields_and_no_others(backend) {
        let world = whole(backend).await;
        let document = world.browser().get("/openapi.json").await.json();
        let described = answers(&document);
        let listed = FIELDS.iter().map(|(what, fields)| ((*what).to_owned(), words(fields))).collect();
        assert_eq!(described, listed);

        let operations = world.auth.operations().iter();
        let quiet: Vec<String> = operations.filter(|one| !one.starts_session).map(name).collect();
        for operation in quiet {
            let Some(body) = answer(&whole(backend).await, &operation).await.body else { continue };
            assert_listed(&described, &operation, &body);
        }
        world.sign_up("ada@example.com").await;
        let known = json!({ "identifier": "ada@example.com", "password": PASSWORD });
        let me = world.rows("auth_principals", "id").await[0]["id"].clone();
        for body in [known, json!({ "method": "testkit", "principal": me })] {
            let answer = world.browser().post("/v1/auth/login", body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_listed(&described, "POST /v1/auth/login", &answer.json());
        }
        let refused = world.browser().login("ada@example.com", "a wrong one").await;
        assert_listed(&described, "refusal", &refused.json());
    }

    async fn no_operation_that_reads_commits_but_the_one_that_makes_the_first_key(backend) {
        for operation in whole(backend).await.auth.operations().iter().filter(|one| one.method == HttpMethod::Get) {
            let world = whole(backend).await;
            let named = name(operation);
            let ada = world.sign_up("ada@example.com").await;
            let session = sign_in_as(&world.auth, ada).await.unwrap().session;
            if named == "GET /.well-known/jwks.json" {
                world.browser().get("/.well-known/jwks.json").await;
            }
            let before = (world.store.commits(), world.audit().await);
            let own = world.auth.operations().iter().find(|operation| name(operation) == named).unwrap();
            own.call(Call { cx: world.cx(), session: Some(session), input: json!({}), path: Vec::new() }).await.unwrap();
            assert_eq!((world.store.commits(), world.audit().await), before, "{named}");
        }
    }
}

#[tokio::test]
async fn no_column_and_no_field_is_for_a_hint_or_a_secret_question() {
    let world = whole(Backend::Memory).await;
    let document = world.browser().get("/openapi.json").await.json();
    let mut names = BTreeSet::new();
    names_of_properties(&document, &mut names);
    for def in world.auth.entities() {
        names.extend(def.columns.iter().map(|column| column.name.to_owned()));
    }
    // What has to be among them for this to say anything.
    for known in ["identifier", "secret_hash", "new_password", "prompt"] {
        assert!(names.contains(known), "{known} is not in {names:?}");
    }
    for name in names {
        assert!(!["hint", "question", "answer", "maiden", "recall"].iter().any(|word| name.contains(word)), "{name}");
    }
}

/// The names of all properties of all schemas.
fn names_of_properties(value: &JsonValue, names: &mut BTreeSet<String>) {
    for item in value.as_array().into_iter().flatten() {
        names_of_properties(item, names);
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        if key == "properties" {
            names.extend(inner.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        }
        names_of_properties(inner, names);
    }
}

#[test]
fn no_field_but_those_of_tokens_is_called_like_a_secret() {
    for (what, fields) in FIELDS.iter().filter(|(what, _)| *what != "tokens") {
        for field in words(fields) {
            let secret = ["hash", "nonce", "password", "salt", "secret", "token"];
            assert!(!secret.iter().any(|word| field.contains(word)), "{field} of {what}");
        }
    }
    // RFC 7517: what is private in a key is called so.
    let keys = words(FIELDS.iter().find(|(what, _)| what.ends_with("jwks.json")).unwrap().1);
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(!keys.contains(&format!("keys[].{private}")), "{private}");
    }
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What plugins fill in as they see fit.
const OPEN: [&str; 3] = ["challenge.offers[].prompt.", "events[].data.", "offers[].prompt."];

#[track_caller]
fn assert_listed(described: &BTreeMap<String, BTreeSet<String>>, what: &str, body: &JsonValue) {
    let mut fields = BTreeSet::new();
    fields_of_value(body, "", &mut fields);
    fields.retain(|field| !OPEN.iter().any(|open| field.starts_with(open)));
    assert!(!fields.is_empty() && fields.is_subset(&described[what]), "{what}: {fields:?}");
}
