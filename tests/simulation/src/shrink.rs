//! The shortest history that still breaks the same invariant.

use crate::{
    coverage::Coverage,
    history::{History, Step},
    house::House,
    model::Breach,
    run::{Telling, run},
};

/// How many histories are tried at most.
const TRIES: usize = 3000;

/// Leaves steps out of a history for as long as it breaks the same invariant.
pub(crate) fn shortest(history: &History, at: usize, breach: &Breach) -> History {
    let mut house = House::new(history.setup);
    let mut tries = 0;
    let mut breaks = |steps: &[Step]| {
        tries += 1;
        if tries > TRIES {
            return false;
        }
        let candidate = History { steps: steps.to_vec(), ..history.clone() };
        let outcome = run(&mut house, &candidate, Telling::Silent, &mut Coverage::default());
        outcome.breach.is_some_and(|(_, other)| other.invariant == breach.invariant)
    };
    let mut steps: Vec<Step> = history.steps.iter().take(at + 1).copied().collect();
    if !breaks(&steps) {
        steps.clone_from(&history.steps);
    }
    let mut chunk = steps.len() / 2;
    while chunk > 0 {
        let mut from = 0;
        let mut shorter = false;
        while from < steps.len() {
            let mut candidate = steps.clone();
            candidate.drain(from..(from + chunk).min(steps.len()));
            if breaks(&candidate) {
                steps = candidate;
                shorter = true;
            } else {
                from += chunk;
            }
        }
        if !(shorter && chunk == 1) {
            chunk /= 2;
        }
    }
    for at in 0..steps.len() {
        for simpler in simplified(steps.get(at).copied()) {
            let mut candidate = steps.clone();
            candidate.splice(at..=at, [simpler]);
            if breaks(&candidate) {
                steps = candidate;
            }
        }
    }
    History { steps, ..history.clone() }
}

/// The same step with less that is special about it.
fn simplified(step: Option<Step>) -> Vec<Step> {
    match step {
        Some(Step::Send { client, wish, gates, fault }) => {
            let calm = Step::Send { client, wish, gates: None, fault: None };
            let held = Step::Send { client, wish, gates, fault: None };
            let whole = Step::Send { client, wish, gates: None, fault };
            if gates.is_none() && fault.is_none() { Vec::new() } else { vec![held, whole, calm] }
        }
        _ => Vec::new(),
    }
}
