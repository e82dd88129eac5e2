//! Answers that no client of good will gives.

use authkit_core::{AuthError, Class, Progress, codes};

use super::{Suite, VerifierCase};
use crate::plugin_suite::{
    guarded::{guarded, shown},
    junk::{inputs, leaves, pointers, property_names},
};

/// Answers stand beside `method`, `flow` and `input` in one object, so they have no field of these names.
pub async fn its_answers_have_no_reserved_field<C: VerifierCase>(suite: Suite<C>) {
    let fields = property_names(&suite.world().await.schemas().response);
    for reserved in ["method", "flow", "input"] {
        assert!(!fields.iter().any(|field| field == reserved), "an answer has the reserved field {reserved}");
    }
}

/// Whatever is sent as an answer is INVALID_INPUT or REJECTED: it neither proves nor breaks anything.
pub async fn junk_answers_are_refused<C: VerifierCase>(suite: Suite<C>) {
    let known = suite.with_ada().await;
    for response in inputs(&known.world.schemas().response) {
        for position in suite.positions() {
            let asked = known.ask(*position).await;
            let what = format!("the answer {}", shown(&response));
            refused(&what, &guarded(&what, known.world.answer(&asked, response.clone())).await);
        }
    }
}

/// The right answer with junk in it is no right answer where the junk stands for what proves; elsewhere it breaks
/// nothing.
pub async fn spoilt_right_answers_are_refused<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let mut known = suite.with_ada().await;
        let sample = known.ask(*position).await;
        let (right, wrong) = (known.right(&sample).await, known.wrong(&sample).await);
        for (pointer, leaf) in pointers(&right).iter().flat_map(|at| leaves().into_iter().map(move |leaf| (at, leaf))) {
            let asked = known.ask(*position).await;
            let mut response = known.right(&asked).await;
            let spoilt = response.pointer_mut(pointer).filter(|place| **place != leaf);
            let Some(spoilt) = spoilt else {
                continue;
            };
            *spoilt = leaf;
            let what = format!("the right answer with junk at {pointer}: {}", shown(&response));
            let answered = guarded(&what, known.world.answer(&asked, response)).await;
            let proves = right.pointer(pointer) != wrong.pointer(pointer);
            if proves || answered.is_err() {
                refused(&what, &answered);
            } else {
                // It was used up.
                known = suite.with_ada().await;
            }
        }
    }
}

fn refused(what: &str, answered: &Result<Progress, AuthError>) {
    match answered {
        Err(error) if *error.code() == codes::REJECTED => {}
        Err(error) if error.code().class == Class::Invalid => {}
        other => panic!("{what} leads to {other:?}"),
    }
}
