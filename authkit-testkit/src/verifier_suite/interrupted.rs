//! Refusals, faults and clients that hang up.

use std::collections::BTreeMap;

use authkit_core::{AuthError, Class, Progress};
use serde_json::Value as JsonValue;

use super::{Asked, Known, Position, Suite, Uses, VerifierCase};
use crate::{Counted, Fault, drop_at_every_await};

/// A refused answer leaves every row as it was, but for what core records.
pub async fn a_refusal_writes_nothing<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let known = suite.with_ada().await;
        let asked = known.ask(*position).await;
        let wrong = known.wrong(&asked).await;
        let before = known.world.rows().await;
        known.rejects(&asked, wrong, "a wrong answer").await;
        assert_eq!(known.world.rows().await, before, "a wrong answer writes something");
    }
}

/// Dropped wherever it waits, a right answer has either signed in or left everything as it was; then it counts when
/// given again.
pub async fn a_dropped_answer_leaves_nothing_behind<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let polls = drop_at_every_await(
            async || {
                let arranged = Arranged::new(&suite, *position).await;
                arranged.known.world.slow();
                arranged
            },
            async |arranged: &Arranged<C>| arranged.answer().await,
            async |arranged: &Arranged<C>, outcome| {
                arranged.known.world.store.heal();
                if let Some(outcome) = outcome {
                    assert!(matches!(outcome, Ok(Progress::SignedIn(_))), "a right answer that is slow: {outcome:?}");
                }
                arranged.whole("a dropped answer").await;
            },
        )
        .await;
        assert!(polls > 0, "the store is called at least once");
    }
}

/// Whichever call of the store fails, a right answer is neither accepted nor refused but said to be unavailable; it
/// counts when given again. A wrong answer does not become right by a fault.
pub async fn a_fault_is_neither_a_proof_nor_a_refusal<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let healthy = Arranged::new(&suite, *position).await;
        let before = healthy.known.world.store.calls();
        healthy.answer().await.expect("the right answer");
        let calls = healthy.known.world.store.calls() - before;
        for n in 1..=calls {
            let what = format!("a right answer whose {n}. call of the store fails");
            let arranged = Arranged::new(&suite, *position).await;
            let store = &arranged.known.world.store;
            store.inject(Counted::Calls, n, Fault::Fails);
            match arranged.answer().await {
                Err(error) if error.code().class == Class::Unavailable => {}
                other => panic!("{what} leads to {other:?}"),
            }
            store.heal();
            arranged.whole(&what).await;

            let known = suite.with_ada().await;
            let asked = known.ask(*position).await;
            let wrong = known.wrong(&asked).await;
            known.world.store.inject(Counted::Calls, n, Fault::Fails);
            match known.world.answer(&asked, wrong).await {
                Err(error) if matches!(error.code().class, Class::Rejected | Class::Unavailable) => {}
                other => panic!("a wrong answer whose {n}. call of the store fails leads to {other:?}"),
            }
        }
    }
}

/// If the store does not say whether it wrote, a right answer has signed in or not, and never signs in twice.
pub async fn a_lost_answer_of_the_store_is_no_second_use<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let healthy = Arranged::new(&suite, *position).await;
        let before = healthy.known.world.store.commits();
        healthy.answer().await.expect("the right answer");
        let commits = healthy.known.world.store.commits() - before;
        for n in 1..=commits {
            for fault in [Fault::UnknownAfter, Fault::UnknownBefore] {
                let what = format!("a right answer with {fault:?} at its {n}. commit");
                let arranged = Arranged::new(&suite, *position).await;
                let store = &arranged.known.world.store;
                store.inject(Counted::Commits, n, fault);
                match arranged.answer().await {
                    Ok(Progress::SignedIn(_)) => {}
                    Err(error) if error.code().class == Class::Unavailable => {}
                    other => panic!("{what} leads to {other:?}"),
                }
                store.heal();
                arranged.whole(&what).await;
            }
        }
    }
}

/// A right answer that is about to be given.
struct Arranged<C: VerifierCase> {
    known: Known<C>,
    position: Position,
    asked: Asked,
    right: JsonValue,
    rows: BTreeMap<&'static str, Vec<String>>,
    sign_ins: usize,
}

impl<C: VerifierCase> Arranged<C> {
    async fn new(suite: &Suite<C>, position: Position) -> Self {
        let known = suite.with_ada().await;
        let asked = known.ask(position).await;
        let right = known.right(&asked).await;
        let (rows, sign_ins) = (known.world.rows().await, known.world.sign_ins().await);
        Self { known, position, asked, right, rows, sign_ins }
    }

    async fn answer(&self) -> Result<Progress, AuthError> {
        self.known.world.answer(&self.asked, self.right.clone()).await
    }

    /// Either it has signed in, once, or everything is as it was and it still can.
    async fn whole(&self, what: &str) {
        let known = &self.known;
        match known.world.sign_ins().await - self.sign_ins {
            0 => {
                assert_eq!(known.world.rows().await, self.rows, "{what} signed nobody in and left something behind");
                let again = format!("{what}, given again");
                known.accepts(&self.asked, self.right.clone(), &again).await;
            }
            1 if C::USES == Uses::Single => {
                let asked = known.ask(self.position).await;
                let again = format!("{what} that signed in, given again,");
                known.rejects(&asked, self.right.clone(), &again).await;
            }
            1 => {}
            n => panic!("{what} signed in {n} times"),
        }
    }
}
