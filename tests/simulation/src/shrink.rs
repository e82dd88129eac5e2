//! The shortest history that still breaks the same invariant.

use crate::{
    breach::Breach,
    coverage::Coverage,
    plot::{History, Plot, Rig, Telling},
};

/// Leaves steps out of a history for as long as it breaks the same invariant.
pub(crate) fn shortest<P: Plot>(rig: &mut Rig<P>, history: &History<P>, at: usize, breach: &Breach) -> History<P> {
    let (most, mut tries) = (rig.tries(), 0);
    let mut breaks = |steps: &[P::Step]| {
        tries += 1;
        if tries > most {
            return false;
        }
        let candidate = history.with(steps.to_vec());
        let outcome = rig.run(&candidate, Telling::Silent, &mut Coverage::default());
        outcome.breach.is_some_and(|(_, other)| other.invariant == breach.invariant)
    };
    let mut steps: Vec<P::Step> = history.steps.iter().take(at + 1).copied().collect();
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
        for simpler in steps.get(at).copied().map(P::simpler).unwrap_or_default() {
            let mut candidate = steps.clone();
            candidate.splice(at..=at, [simpler]);
            if breaks(&candidate) {
                steps = candidate;
            }
        }
    }
    history.with(steps)
}
