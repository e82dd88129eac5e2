//! Requests that write.

use crate::{
    backend::Backend,
    effort::Effort,
    measure::Findings,
    probe::{Counts, RequestCost},
    report::{Bound, goal, goals, plain, row},
};

pub(super) fn sign_in(findings: &Findings, effort: Effort) -> String {
    let mut text = format!(
        "## One sign-in

With limits and lockout registered and a hash that costs microseconds, so that the rest can be seen. {} sign-ins go
through the router of the application, one after the other, without a network between it and the client.

{TABLE}",
        effort.sign_ins(),
    );
    table(&mut text, &findings.sign_in, findings, |counts| counts.sign_in.sent);
    goals(&mut text);
    for (backend, counts) in &findings.counts {
        let calls = counts.sign_in.calls;
        goal(&mut text, &format!("five calls of the store, {backend}"), calls, Bound::AtMost(5.0));
    }
    text
}

pub(super) fn refresh(findings: &Findings, effort: Effort) -> String {
    let mut text = format!(
        "## One refresh

A refresh token becomes the next one and an access token that is signed anew (EdDSA): {} of them, in the same way.

{TABLE}",
        effort.refreshes(),
    );
    table(&mut text, &findings.refresh, findings, |counts| counts.refresh.sent);
    goals(&mut text);
    for (backend, counts) in &findings.counts {
        let calls = counts.refresh.calls;
        goal(&mut text, &format!("at most two calls of the store, {backend}"), calls, Bound::AtMost(2.0));
    }
    text
}

const TABLE: &str = "\
| store | processor µs | p50 ms | statements or round trips |
|---|---:|---:|---:|
";

fn table(text: &mut String, costs: &[(Backend, RequestCost)], findings: &Findings, sent: impl Fn(&Counts) -> f64) {
    for (backend, cost) in costs {
        let counts = findings.counts.iter().find(|(counted, _)| counted == backend);
        row(
            text,
            &[
                backend.to_string(),
                format!("{:.0}", cost.processor),
                format!("{:.2}", cost.milliseconds),
                counts.map_or("–".to_owned(), |(_, counts)| plain(sent(counts))),
            ],
        );
    }
}
