//! What parts of a request cost.

use crate::{
    effort::Effort,
    measure::Findings,
    report::{Bound, goal, goals, plain, row},
};

pub(super) fn core_share(findings: &Findings) -> String {
    let share = &findings.core_share;
    let own = share.own();
    let mut text = "## Core's own share of it

In one thread of one process, on the memory store: `cx.authenticate(token)`, and `Store::get` with the very read that
it makes. The difference is what core and the session plugin add: they read the token, check its tag, hash its secret,
decode the columns and check that the session is alive.

| | ns | allocations |
|---|---:|---:|
"
    .to_owned();
    for (what, cost) in [
        ("`cx.authenticate(token)`", share.authenticate),
        ("`Store::get`", share.read),
        ("the difference", own),
        ("besides, making the context of the request", share.context),
    ] {
        row(&mut text, &[what.to_owned(), format!("{:.0}", cost.nanoseconds), plain(cost.allocations)]);
    }
    goals(&mut text);
    goal(&mut text, "under 2 µs", own.nanoseconds / 1000.0, Bound::AtMost(2.0));
    goal(&mut text, "at most 10 allocations", own.allocations, Bound::AtMost(10.0));
    text
}

pub(super) fn commits(findings: &Findings, effort: Effort) -> String {
    let mut text = format!(
        "## A commit

Takes one row and inserts two. *By hand* it is a transaction of prepared statements between `BEGIN` and `COMMIT`, on one
connection that is kept. {} pairs, by turns, beside the server and behind a proxy that makes each direction a
millisecond longer.

| store | way | authkit ms | by hand ms | × by hand | authkit round trips | by hand |
|---|---|---:|---:|---:|---:|---:|
",
        effort.commits(),
    );
    for (backend, distances) in &findings.commits {
        for (way, commits) in ["beside", "1 ms apart"].into_iter().zip(distances) {
            row(
                &mut text,
                &[
                    backend.to_string(),
                    way.to_owned(),
                    format!("{:.2}", commits.authkit.milliseconds),
                    format!("{:.2}", commits.by_hand.milliseconds),
                    format!("{:.2}", commits.ratio),
                    plain(commits.authkit.trips),
                    plain(commits.by_hand.trips),
                ],
            );
        }
    }
    goals(&mut text);
    for (backend, distances) in &findings.commits {
        for commits in distances.iter().skip(1) {
            let what = format!("one round trip, {backend}");
            goal(&mut text, &what, commits.authkit.trips, Bound::AtMost(1.0));
        }
    }
    text
}

pub(super) fn jwt(findings: &Findings) -> String {
    let mut text = "## A signed access token

In one thread of one process: `cx.authenticate(token)`, which asks no store and remembers no verdict, and one bare
verification by the same library, AWS-LC, of the same signature, decoded, by the same key, parsed. They are timed by
turns. The rest is what authkit adds: it reads the token and its claims and finds the key.

| algorithm | bare µs | authenticate µs | the rest µs | × bare | allocations |
|---|---:|---:|---:|---:|---:|
"
    .to_owned();
    for (algorithm, cost) in &findings.jwt {
        row(
            &mut text,
            &[
                (*algorithm).to_owned(),
                format!("{:.1}", cost.bare / 1000.0),
                format!("{:.1}", cost.authenticate / 1000.0),
                format!("{:.1}", (cost.authenticate - cost.bare) / 1000.0),
                format!("{:.2}", cost.ratio),
                plain(cost.allocations),
            ],
        );
    }
    goals(&mut text);
    for (algorithm, cost) in &findings.jwt {
        goal(&mut text, &format!("at most 1.10 × bare, {algorithm}"), cost.ratio, Bound::AtMost(1.10));
    }
    text
}
