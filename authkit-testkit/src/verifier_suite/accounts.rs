//! Whom an answer names, and what the answer to that gives away.

use authkit_core::{AuthError, RequestContext, StepKind, TenantId};
use serde_json::Value as JsonValue;

use super::{Asked, Known, Position, Suite, VerifierCase};

/// What a client sees of a refusal, and what it can measure of it.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    code: &'static str,
    text: &'static str,
    fields: usize,
    retry: Retry,
    calls: usize,
    commits: usize,
}

/// Whether a flow goes on.
#[derive(Debug, PartialEq, Eq)]
enum Retry {
    With,
    Without,
}

/// Whoever is not there costs and says the same as a wrong answer.
pub async fn an_unknown_account_looks_like_a_wrong_answer<C: VerifierCase>(suite: Suite<C>) {
    if suite.names_accounts() {
        let known = suite.with_ada().await;
        same_for_both_answers(&known, "nobody").await;
    }
}

/// Whoever is there and has no such credential costs and says the same as a wrong answer.
pub async fn somebody_without_the_credential_looks_like_a_wrong_answer<C: VerifierCase>(suite: Suite<C>) {
    if suite.names_accounts() {
        let known = suite.with_ada().await;
        let bob = known.world.add("bob").await;
        same_for_both_answers(&known, &bob.name).await;
    }
}

/// Whoever is disabled costs and says the same as a wrong answer, even with the right one.
///
/// A flow from before is over, so there both are another refusal.
pub async fn a_disabled_principal_looks_like_a_wrong_answer<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let mut looks = Vec::new();
        for right in [true, false] {
            let known = suite.with_ada().await;
            let asked = known.ask(*position).await;
            let response = if right { known.right(&asked).await } else { known.wrong(&asked).await };
            known.world.disable(&known.ada).await;
            looks.push(look(&known, &known.world.cx(), &asked, response).await);
        }
        if *position == Position::First {
            looks.push(wrong_look(&suite.with_ada().await, *position).await);
        }
        assert!(looks.windows(2).all(|pair| pair[0] == pair[1]), "right and wrong, disabled or not: {looks:#?}");
    }
}

/// A credential of one tenant is nothing in another one.
pub async fn another_tenant_looks_like_a_wrong_answer<C: VerifierCase>(suite: Suite<C>) {
    if !suite.positions().contains(&Position::First) {
        return;
    }
    let known = suite.with_ada().await;
    let world = &known.world;
    let tenant: TenantId = world.cx().new_id();
    let expected = wrong_look(&suite.with_ada().await, Position::First).await;
    let cx = world.auth.request_to(tenant, crate::plugin_suite::people::client(1));
    let asked = world.ask(&cx, &known.ada.name, known.case.begin_input(&known.ada.name)).await;
    let asked = asked.expect("the method begins in every tenant");
    let right = known.right(&asked).await;
    assert_eq!(look(&known, &cx, &asked, right).await, expected, "of another tenant");
}

/// Stages that limit attempts see whom an answer names, and something to count by where that is nobody; the same when
/// it is begun.
pub async fn limits_count_whom_it_names<C: VerifierCase>(suite: Suite<C>) {
    if !suite.names_accounts() {
        return;
    }
    let known = suite.with_ada().await;
    for (name, principal) in [("ada", Some(known.ada.principal)), ("nobody", None)] {
        known.world.seen();
        let asked = known.ask_as(name).await;
        let wrong = known.wrong(&asked).await;
        known.rejects(&asked, wrong, "a wrong answer").await;
        let attempts = known.world.seen().attempts;
        let counted = if asked.begun { StepKind::Begin } else { StepKind::Answer };
        let attempts: Vec<_> = attempts.iter().filter(|attempt| attempt.step == counted).collect();
        assert!(!attempts.is_empty(), "stages see the attempt");
        for attempt in attempts {
            assert_eq!(attempt.identifier.as_deref(), Some(name), "the hint is the identifier that was typed");
            assert_eq!(attempt.principal, principal, "the hint leads to the principal");
            assert!(attempt.counted, "there is something to count by");
        }
    }
}

/// The right answer of ada and a wrong one, both under another name, look like a wrong one of ada's.
async fn same_for_both_answers<C: VerifierCase>(known: &Known<C>, name: &str) {
    let expected = wrong_look(known, Position::First).await;
    for right in [true, false] {
        let asked = known.ask_as(name).await;
        let response = if right { known.right(&asked).await } else { known.wrong(&asked).await };
        let look = look(known, &known.world.cx(), &asked, response).await;
        assert_eq!(look, expected, "of {name}, with an answer that is right for ada: {right}");
    }
}

async fn wrong_look<C: VerifierCase>(known: &Known<C>, position: Position) -> Look {
    let asked = known.ask(position).await;
    let wrong = known.wrong(&asked).await;
    look(known, &known.world.cx(), &asked, wrong).await
}

async fn look<C: VerifierCase>(known: &Known<C>, cx: &RequestContext, asked: &Asked, response: JsonValue) -> Look {
    let store = &known.world.store;
    let (calls, commits) = (store.calls(), store.commits());
    let refused: AuthError = match known.world.answer_in(cx, asked, response).await {
        Err(refused) => refused,
        Ok(progress) => panic!("an answer that proves nothing leads to {progress:?}"),
    };
    Look {
        code: refused.code().code,
        text: refused.code().text,
        fields: refused.fields().len(),
        retry: if refused.challenge().is_some() { Retry::With } else { Retry::Without },
        calls: store.calls() - calls,
        commits: store.commits() - commits,
    }
}
