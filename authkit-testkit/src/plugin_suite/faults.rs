//! What a plugin does when its store does not answer.

use authkit_core::{AuthError, Call, Class, Operation, Reply, SessionChange};
use serde_json::{Value as JsonValue, json};

use super::{
    Place, Subject,
    guarded::{guarded, shown},
    input::parts,
};
use crate::{Counted, Fault};

/// How many calls of one act are broken, one at a time.
const CALLS: usize = 12;

/// Where nothing can be read or written, an operation that needs the store says that it is unavailable.
pub async fn operations_say_that_the_store_is_unavailable(subject: Subject) {
    for (operation, input) in acts(&subject).await {
        let place = subject.place().await;
        if calls_of(&place, &operation, &input).await == 0 {
            continue;
        }
        let place = subject.place().await;
        let own = place.own(&operation);
        let call = arranged(&place, own, &input).await;
        for n in 1..=10 * CALLS {
            place.around.store.inject(Counted::Calls, n, Fault::Fails);
        }
        let what = format!("{operation:?} with {} without a store", shown(&input));
        match guarded(&what, own.call(call)).await {
            Ok(reply) => panic!("{what} answers {reply:?}"),
            Err(error) => assert_eq!(error.code().class, Class::Unavailable, "{what}: {error:?}"),
        }
    }
}

/// Whichever call fails, nothing panics and nothing is blamed on the operation; and the next try works.
pub async fn operations_work_again_after_a_fault(subject: Subject) {
    for (operation, input) in acts(&subject).await {
        let calls = calls_of(&subject.place().await, &operation, &input).await;
        for n in 1..=calls.min(CALLS) {
            for fault in [Fault::Fails, Fault::UnknownBefore] {
                let place = subject.place().await;
                let what = format!("{operation:?} with {} and call {n} of the store broken", shown(&input));
                let own = place.own(&operation);
                let call = arranged(&place, own, &input).await;
                place.around.store.inject(Counted::Calls, n, fault);
                blameless(&what, guarded(&what, own.call(call)).await);
                place.around.store.heal();
                let retried = own.call(arranged(&place, own, &input).await).await;
                let failed = retried.as_ref().is_err_and(|error| error.code().class == Class::Unavailable);
                assert!(!failed, "{what} does not work afterwards: {retried:?}");
                blameless(&what, retried);
            }
        }
    }
}

/// A job that meets a fault does not take the others with it.
pub async fn jobs_outlive_a_fault(subject: Subject) {
    let place = subject.place().await;
    let before = place.around.store.calls();
    place.auth.run_due_jobs().await;
    let calls = place.around.store.calls() - before;
    for n in 1..=calls.min(5 * CALLS) {
        let place = subject.place().await;
        place.around.store.inject(Counted::Calls, n, Fault::Fails);
        guarded("a job with a broken store", place.auth.run_due_jobs()).await;
        place.around.store.heal();
        place.around.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
        guarded("a job after a fault", place.auth.run_due_jobs()).await;
    }
}

/// Every operation with everything that it could be meant to have.
async fn acts(subject: &Subject) -> Vec<(Operation, JsonValue)> {
    let place = subject.place().await;
    let with_inputs = |operation: &Operation| {
        let operation = operation.clone();
        place.plausible(&operation).into_iter().map(move |input| (operation.clone(), input))
    };
    place.operations.iter().flat_map(with_inputs).collect()
}

async fn calls_of(place: &Place, operation: &Operation, input: &JsonValue) -> usize {
    let own = place.own(operation);
    let call = arranged(place, own, input).await;
    let before = place.around.store.calls();
    let outcome = own.call(call).await;
    if let Ok(reply) = &outcome {
        assert!(own.statuses.contains(&reply.status), "{own:?} answers {}, which it does not declare", reply.status);
        let starts = matches!(reply.session, SessionChange::Start(_));
        assert!(own.starts_session || !starts, "{own:?} starts a session, which it does not declare");
    }
    blameless("the healthy call", outcome);
    place.around.store.calls() - before
}

/// A call of somebody new.
async fn arranged(place: &Place, operation: &Operation, input: &JsonValue) -> Call {
    let path = parts(operation, &json!("01890a5d-ac96-774b-bcce-b302099a8057"));
    Call { session: Some(place.session().await), cx: place.cx(), input: input.clone(), path }
}

fn blameless(what: &str, outcome: Result<Reply, AuthError>) {
    if let Err(error) = outcome {
        assert_ne!(error.code().class, Class::Internal, "{what}: {error:?}");
    }
}
