//! Requests that only ask who sends them.

use crate::{
    apps::{PEOPLE, Pooling},
    backend::Backend,
    effort::Effort,
    measure::{CONNECTIONS, Findings, MeRun},
    probe::Layers,
    report::{Bound, goal, goals, name, plain, row},
    serve::Variant,
};

pub(super) fn me(findings: &Findings, effort: Effort) -> String {
    let mut text = format!(
        "## One authenticated request

`GET /me` answers with the principal of the session. {PEOPLE} people have a session; {CONNECTIONS} of them ask over
connections that are kept, one request after the other: {} requests to each application in each of {} rounds.

* *bare axum* answers a fixed text.
* *by hand* is a small axum application with the same headers, request id and tracing span. It checks the same token,
  reads the same columns of the same tables in one prepared statement (or in two hash maps behind a lock), compares the
  hash of the secret in constant time and checks expiry, status and epoch. It uses the pool of sqlx, with as many
  connections as authkit has and without a test before they are used. That pool asks a server whether a connection is
  alive when it comes back. With *own connections* it keeps them behind a semaphore instead and never asks.
* *authkit* is the application of the quickstart. With a *signed token* it asks no store (EdDSA).
* *axum-login* is axum-login 0.18 over tower-sessions 0.14, without further middleware. On a database its session store
  is a copy of what tower-sessions-sqlx-store 0.15 does, since that crate is bound to an older sqlx that cannot be linked
  beside ours; it uses the pool of sqlx with the same settings.

No application can take less than bare axum does; what is above that is the part that differs. The last column counts
what a request sends to its database: statements on SQLite, round trips to a server.

| application | processor µs | above bare axum | × by hand | requests/s | p50 µs | p99 µs | sent |
|---|---:|---:|---:|---:|---:|---:|---:|
",
        effort.me_requests(),
        effort.me_rounds(),
    );
    let bare = of(findings, Variant::Bare).map_or(0.0, |run| run.median(|f| f.processor));
    for run in &findings.me {
        let processor = run.median(|f| f.processor);
        let ratio = by_hand(findings, run).map_or("–".to_owned(), |hand| format!("{:.2}", run.ratio_to(hand)));
        row(
            &mut text,
            &[
                name(run.variant),
                format!("{processor:.1}"),
                format!("{:.1}", processor - bare),
                ratio,
                format!("{:.0}", run.median(|f| f.rate)),
                format!("{:.0}", run.median(|f| f.p50)),
                format!("{:.0}", run.median(|f| f.p99)),
                sent(findings, run.variant).map_or("–".to_owned(), plain),
            ],
        );
    }
    goals(&mut text);
    for backend in Backend::ALL {
        let Some(own) = of(findings, Variant::Authkit(backend)) else { continue };
        for (variant, bound, what) in [
            (Variant::ByHand(backend, Pooling::Driver), 1.15, "by hand"),
            (Variant::ByHand(backend, Pooling::Own), 1.15, "by hand with own connections"),
            (Variant::AxumLogin(backend), 0.60, "axum-login"),
        ] {
            if let Some(other) = of(findings, variant) {
                let what = format!("at most {bound:.2} × {what}, {backend}");
                goal(&mut text, &what, own.ratio_to(other), Bound::AtMost(bound));
            }
        }
    }
    for (backend, counts) in &findings.counts {
        goal(&mut text, &format!("one call of the store a request, {backend}"), counts.me.calls, Bound::AtMost(1.0));
    }
    text
}

fn of(findings: &Findings, variant: Variant) -> Option<&MeRun> {
    findings.me.iter().find(|run| run.variant == variant)
}

fn by_hand<'f>(findings: &'f Findings, run: &MeRun) -> Option<&'f MeRun> {
    let (Variant::Authkit(backend) | Variant::AxumLogin(backend) | Variant::ByHand(backend, _)) = run.variant else {
        return None;
    };
    of(findings, Variant::ByHand(backend, Pooling::Driver))
}

fn sent(findings: &Findings, variant: Variant) -> Option<f64> {
    findings.counts.iter().find_map(|(backend, counts)| {
        let other = counts.others.iter().find(|(other, _)| *other == variant.to_string());
        if variant == Variant::Authkit(*backend) { Some(counts.me.sent) } else { other.map(|(_, sent)| *sent) }
    })
}

pub(super) fn layers(findings: &Findings) -> String {
    let mut text = "## Where its time goes

Processor time of one call, in µs, in one thread of one process that has the database under it and no network before it.
Each line has in it what stands above it, on its own side.

| |"
    .to_owned();
    for (backend, _) in &findings.layers {
        text.push_str(&format!(" {backend} |"));
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(findings.layers.len()));
    text.push('\n');
    let lines: [(&str, Figure); 7] = [
        ("by hand, own connections: the statement", |layers| layers.statement),
        ("and its row decoded", |layers| layers.decoded),
        ("the whole request", |layers| layers.by_hand),
        ("by hand, sqlx's pool: the statement and its row decoded", |layers| layers.pooled),
        ("authkit: `Store::get`", |layers| layers.store),
        ("`cx.authenticate(token)`", |layers| layers.authenticate),
        ("the whole request", |layers| layers.authkit),
    ];
    for (what, figure) in lines {
        let figures = findings.layers.iter().map(|(_, layers)| format!("{:.1}", figure(layers)));
        let cells: Vec<String> = std::iter::once(what.to_owned()).chain(figures).collect();
        row(&mut text, &cells);
    }
    text
}

type Figure = fn(&Layers) -> f64;
