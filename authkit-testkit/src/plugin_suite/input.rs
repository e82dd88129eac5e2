//! What no client of good will sends.

use authkit_core::{
    AuthError, Batch, Call, Class, HttpMethod, Operation, Principal, PrincipalKind, Reply, Session, SignUp,
};
use serde_json::{Value as JsonValue, json};

use super::{
    Place, Subject,
    guarded::{guarded, shown},
    junk::{around, inputs, leaves, plausible},
};

/// Whatever the input is, an operation answers or refuses: it neither panics nor blames itself, and every refusal is
/// one that was declared.
pub async fn no_input_of_an_operation_breaks_it(subject: Subject) {
    let place = subject.place().await;
    for operation in place.operations.clone() {
        for input in place.plausible(&operation).iter().flat_map(around) {
            for session in [None, Some(place.session().await)] {
                call(&place, &operation, session, input.clone(), &json!("01890a5d-ac96-774b-bcce-b302099a8057")).await;
            }
        }
    }
}

/// The same for the parts of its path.
pub async fn no_path_of_an_operation_breaks_it(subject: Subject) {
    let place = subject.place().await;
    for operation in place.operations.iter().filter(|operation| operation.path.contains('{')) {
        for part in leaves().into_iter().filter(JsonValue::is_string) {
            let session = Some(place.session().await);
            call(&place, operation, session, plausible(&operation.input), &part).await;
        }
    }
}

/// The same for what is sent to begin a method, and to answer it.
pub async fn no_answer_to_a_method_breaks_it(subject: Subject) {
    let place = subject.place().await;
    let methods: Vec<_> = place.auth.methods().map(|(method, schemas)| (method.clone(), schemas)).collect();
    for (method, schemas) in methods.iter().filter(|(method, _)| method.as_str() != "testkit") {
        for input in inputs(&schemas.begin) {
            let what = format!("beginning {method} with {}", shown(&input));
            let begun = guarded(&what, place.cx().begin(method, input, None)).await;
            judge(&place, &what, begun.err());
        }
        for response in inputs(&schemas.response) {
            let what = format!("answering {method} with {}", shown(&response));
            let answered = guarded(&what, place.cx().sign_in(method, response)).await;
            judge(&place, &what, answered.err());
        }
    }
}

/// The same for what is sent to set a method up.
pub async fn no_enrolment_breaks_it(subject: Subject) {
    let place = subject.place().await;
    let methods: Vec<_> = place.auth.enrollable_methods().map(|(method, schemas)| (method.clone(), schemas)).collect();
    for (method, schemas) in methods {
        for response in inputs(&schemas.response) {
            let cx = place.cx();
            let what = format!("enrolling {method} with {}", shown(&response));
            let (principal, batch) = (Principal::new(&cx, PrincipalKind::Human), Batch::new(&cx));
            let sign_up = SignUp { principal, identifiers: Vec::new(), method: method.clone(), response, batch };
            let signed_up = guarded(&what, cx.sign_up(sign_up)).await;
            judge(&place, &what, signed_up.err());
        }
    }
}

/// Calls an operation as an edge would, and judges the answer.
async fn call(place: &Place, operation: &Operation, session: Option<Session>, input: JsonValue, part: &JsonValue) {
    // A query has texts only, whatever a client sends.
    let texts = |fields: &serde_json::Map<String, JsonValue>| fields.values().all(JsonValue::is_string);
    if !matches!(operation.method, HttpMethod::Patch | HttpMethod::Post | HttpMethod::Put)
        && !input.as_object().is_some_and(texts)
    {
        return;
    }
    let who = if session.is_some() { "somebody" } else { "a stranger" };
    let what = format!("{operation:?} of {who} with {} at {}", shown(&input), shown(part));
    let path = parts(operation, part);
    let call = Call { cx: place.cx(), session, input, path };
    let answered: Result<Reply, AuthError> = guarded(&what, operation.call(call)).await;
    if let Ok(reply) = &answered {
        assert!((200..400).contains(&reply.status), "{what}: the status {} is no error code", reply.status);
    }
    judge(place, &what, answered.err());
}

/// The named parts of the path, all of this text.
pub(super) fn parts(operation: &Operation, part: &JsonValue) -> Vec<(String, String)> {
    let names = operation.path.split(['{', '}']).skip(1).step_by(2);
    names.map(|name| (name.to_owned(), part.as_str().unwrap_or_default().to_owned())).collect()
}

/// A refusal is the client's fault, and declared.
fn judge(place: &Place, what: &str, error: Option<AuthError>) {
    let Some(error) = error else {
        return;
    };
    let class = error.code().class;
    assert!(!matches!(class, Class::Internal | Class::Unavailable), "{what}: {error:?}");
    assert!(place.is_declared(error.code().code), "{what}: {} is declared nowhere", error.code().code);
}
