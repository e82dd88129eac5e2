//! Whether time tells that an account exists.

use crate::{
    measure::Findings,
    probe::Timing,
    report::{Bound, row},
};

pub(super) fn timing(findings: &Findings) -> String {
    let mut text = "## Whether time tells that an account exists

Pairs of requests, one about an account that exists and one about an account that does not, in an order drawn for each
pair. They go through the router of the application, without a network, with a hash that costs microseconds, so that
nothing hides in its cost. The goal is a difference of the medians below 0.2 ms or below 1 %. *t* is Welch's, of the
two samples as they are.

| entrance | store | pairs | known ms | unknown ms | difference ms | % | t | |
|---|---|---:|---:|---:|---:|---:|---:|---|
"
    .to_owned();
    for (backend, timings) in &findings.timing {
        for timing in timings {
            let Timing { entrance, pairs, known, unknown, t } = timing;
            let difference = known - unknown;
            let percent = 100.0 * difference / unknown;
            // In units of what is allowed: 0.2 ms, or 1 %.
            let share = (difference.abs() / 0.2).min(percent.abs());
            row(
                &mut text,
                &[
                    entrance.clone(),
                    backend.to_string(),
                    pairs.to_string(),
                    format!("{known:.3}"),
                    format!("{unknown:.3}"),
                    format!("{difference:+.3}"),
                    format!("{percent:+.1}"),
                    format!("{t:+.1}"),
                    Bound::AtMost(1.0).verdict(share),
                ],
            );
        }
    }
    text
}
