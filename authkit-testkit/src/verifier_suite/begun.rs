//! What there is to begin.

use authkit_core::{AuthError, Challenge, Class};
use serde_json::Value as JsonValue;

use super::{Known, Position, Suite, VerifierCase};
use crate::plugin_suite::{
    guarded::{guarded, shown},
    junk::inputs,
};

/// Whatever is sent to begin is taken or refused, and never the method's own fault.
pub async fn beginning_with_junk_is_refused<C: VerifierCase>(suite: Suite<C>) {
    let known = suite.with_ada().await;
    let world = &known.world;
    let begin = world.schemas().begin;
    for input in inputs(&begin) {
        let what = format!("beginning with {}", shown(&input));
        let begun = guarded(&what, world.cx().begin(&C::METHOD, input.clone(), None)).await;
        judge(&what, begun);
        let flow = world.open(&known.ada).await.flow;
        let begun = guarded(&what, world.cx().begin(&C::METHOD, input, Some(flow.expose()))).await;
        judge(&what, begun);
    }
}

/// To begin costs and shows the same for whoever is there, whoever is there without the credential, and nobody.
pub async fn beginning_tells_known_and_unknown_alike<C: VerifierCase>(suite: Suite<C>) {
    if !suite.names_accounts() {
        return;
    }
    let known = suite.with_ada().await;
    known.world.add("bob").await;
    let expected = look(&known, "ada").await;
    for name in ["nobody", "bob"] {
        assert_eq!(look(&known, name).await, expected, "of {name}");
    }
}

/// A method that has something to begin takes no answer before.
pub async fn an_answer_before_the_beginning_is_refused<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let known = suite.with_ada().await;
        let asked = known.ask(*position).await;
        if !asked.begun {
            continue;
        }
        let right = known.right(&asked).await;
        let world = &known.world;
        let answered = match position {
            Position::First => world.cx().sign_in(&C::METHOD, right).await,
            Position::Further => {
                let flow = world.open(&known.ada).await.flow;
                world.cx().answer(flow.expose(), &C::METHOD, right).await
            }
        };
        match answered {
            Err(error) if matches!(error.code().class, Class::Invalid | Class::Rejected) => {}
            other => panic!("an answer that nothing was begun for leads to {other:?}"),
        }
    }
}

fn judge(what: &str, begun: Result<Challenge, AuthError>) {
    match begun {
        Err(error) if !matches!(error.code().class, Class::Invalid | Class::Rejected) => panic!("{what}: {error:?}"),
        _ => {}
    }
}

/// Code, form of what is shown, calls of the store and commits.
async fn look<C: VerifierCase>(known: &Known<C>, name: &str) -> (&'static str, String, usize, usize) {
    let world = &known.world;
    let (calls, commits) = (world.store.calls(), world.store.commits());
    let begun = world.cx().begin(&C::METHOD, known.case.begin_input(name), None).await;
    let cost = (world.store.calls() - calls, world.store.commits() - commits);
    match begun {
        Ok(challenge) => ("", form(&challenge), cost.0, cost.1),
        Err(error) => (error.code().code, String::new(), cost.0, cost.1),
    }
}

/// What the offers show, without its contents.
fn form(challenge: &Challenge) -> String {
    challenge.offers.iter().map(|offer| format!("{} {}", offer.method, outline(&offer.prompt))).collect()
}

fn outline(value: &JsonValue) -> String {
    match value {
        JsonValue::Null => "null".to_owned(),
        JsonValue::Bool(_) => "bool".to_owned(),
        JsonValue::Number(_) => "number".to_owned(),
        JsonValue::String(text) => format!("text of {}", text.chars().count()),
        JsonValue::Array(items) => format!("[{}]", items.iter().map(outline).collect::<Vec<_>>().join(", ")),
        JsonValue::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {}", outline(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}
