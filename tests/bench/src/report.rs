//! The document.

use crate::{
    apps::{Backend, Hashing, PEOPLE, STORMING},
    effort::Effort,
    machine,
    measure::{CONNECTIONS, Findings, MeRun, PAUSE, StormRun},
    probe::Timing,
    serve::Variant,
};

pub(crate) fn document(findings: &Findings, effort: Effort) -> String {
    let parts = [
        introduction(findings, effort),
        me(findings, effort),
        core_share(findings),
        sign_in(findings, effort),
        storm(findings, effort),
        timing(findings),
    ];
    parts.join("\n")
}

fn introduction(findings: &Findings, effort: Effort) -> String {
    let [before, after] = &findings.load;
    let warning = match effort {
        Effort::Full => "",
        Effort::Quick => "\n**This is a quick run to try the program out. Its figures say little.**\n",
    };
    let options = match effort {
        Effort::Full => "",
        Effort::Quick => " --quick",
    };
    format!(
        "# What authkit costs

This file is written by `cargo xtask bench{options}`; change the program in `tests/bench`, not this file.
{warning}
| | |
|---|---|
| when | {} |
| processor | {}, {} cores |
| compiler | {}, release build |
| load of the machine | {before} before, {after} after |

Every application runs in a process of its own, with two tokio workers and the logging of the quickstart. All of them
are measured in one run, by turns, and the figures are medians over the rounds. Processor time is what Linux has
counted for all threads of the application's process; the client is another process on the same machine, so rates and
times of answers include the competition for its cores, and whatever else ran on it. One allocator serves all
applications: the system's, which also counts, per thread, for a nanosecond or two a call.
",
        machine::today(),
        machine::processor(),
        machine::cores(),
        machine::rustc(),
    )
}

fn me(findings: &Findings, effort: Effort) -> String {
    let counts = &findings.counts;
    let mut text = format!(
        "## One authenticated request

`GET /me` answers with the principal of the session. {PEOPLE} people have a session; {CONNECTIONS} of them ask over
connections that are kept, one request after the other: {} requests to each application in each of {} rounds.

* *bare axum* answers a fixed text.
* *by hand* is a small axum application with the same headers, request id and tracing span. It checks the same token,
  reads the same columns of the same tables in one statement (or in two hash maps behind a lock), compares the hash of
  the secret in constant time and checks expiry, status and epoch. On SQLite it uses the pool of sqlx, with the
  settings of authkit's connections.
* *authkit* is the application of the quickstart.
* *axum-login* is axum-login 0.18 over tower-sessions 0.14, without further middleware. On SQLite its session store is
  a copy of what tower-sessions-sqlx-store 0.15 does, since that crate is bound to an older sqlx that cannot be linked
  beside ours; it uses the pool of sqlx with the same settings.

No application can take less than bare axum does; what is above that is the part that differs.

| application | processor µs | above bare axum | × by hand | requests/s | p50 µs | p99 µs | statements |
|---|---:|---:|---:|---:|---:|---:|---:|
",
        effort.me_requests(),
        effort.me_rounds(),
    );
    let bare = findings.me.iter().find(|run| run.variant == Variant::Bare);
    let bare = bare.map_or(0.0, |run| run.median(|f| f.processor));
    for run in &findings.me {
        let statements = match run.variant {
            Variant::Authkit(Backend::Sqlite) => plain(counts.authkit_me.statements),
            Variant::ByHand(Backend::Sqlite) => plain(counts.by_hand_me_statements),
            Variant::AxumLogin(Backend::Sqlite) => plain(counts.axum_login_me_statements),
            _ => "–".to_owned(),
        };
        let ratio = by_hand(findings, run).map_or("–".to_owned(), |hand| format!("{:.2}", run.ratio_to(hand)));
        let processor = run.median(|f| f.processor);
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
                statements,
            ],
        );
    }
    goals(&mut text);
    for backend in [Backend::Memory, Backend::Sqlite] {
        let run = |variant| findings.me.iter().find(|run| run.variant == variant);
        let (Some(own), Some(hand), Some(login)) =
            (run(Variant::Authkit(backend)), run(Variant::ByHand(backend)), run(Variant::AxumLogin(backend)))
        else {
            continue;
        };
        let (hand, login) = (own.ratio_to(hand), own.ratio_to(login));
        goal(&mut text, &format!("at most 1.15 × by hand, {backend}"), hand, Bound::AtMost(1.15));
        goal(&mut text, &format!("at most 0.60 × axum-login, {backend}"), login, Bound::AtMost(0.60));
    }
    goal(&mut text, "one call of the store a request", counts.authkit_me.calls, Bound::AtMost(1.0));
    text
}

fn by_hand<'f>(findings: &'f Findings, run: &MeRun) -> Option<&'f MeRun> {
    let (Variant::Authkit(backend) | Variant::AxumLogin(backend) | Variant::ByHand(backend)) = run.variant else {
        return None;
    };
    findings.me.iter().find(|run| run.variant == Variant::ByHand(backend))
}

fn core_share(findings: &Findings) -> String {
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

fn sign_in(findings: &Findings, effort: Effort) -> String {
    let calls = findings.counts.sign_in;
    let [memory, sqlite] = findings.sign_in;
    let mut text = format!(
        "## One sign-in

With limits and lockout registered and a hash that costs microseconds, so that the rest can be seen. {} sign-ins go
through the router of the application, one after the other, without a network. Statements are those of SQLite, but for
`BEGIN` and `COMMIT`.

| | |
|---|---:|
| calls of the store | {} |
| of these, commits | {} |
| statements | {} |
| processor µs, memory | {:.0} |
| processor µs, SQLite | {:.0} |
",
        effort.sign_ins(),
        plain(calls.calls),
        plain(calls.commits),
        plain(calls.statements),
        memory.microseconds,
        sqlite.microseconds,
    );
    goals(&mut text);
    goal(&mut text, "five calls of the store", calls.calls, Bound::AtMost(5.0));
    text
}

fn storm(findings: &Findings, effort: Effort) -> String {
    let span = effort.storm_span().as_secs();
    let mut text = format!(
        "## A storm of sign-ins

{STORMING} clients, each with an address and an account of its own, sign in without pause for {span} seconds, while one client asks
for `/me` {} ms after each answer. Hashes cost what they cost by default (Argon2id, 19 456 KiB, two passes). Limits are
not registered: they would end the storm. Each of the {} rounds starts fresh processes. Memory is the most that the
process ever had resident, less what it had before the first hash.

* *unbounded* is by hand, with a `spawn_blocking` for each hash; *semaphore* lets two of them run at a time.

| application | sign-ins/s | refused | /me p50 ms | /me p99 ms | memory MiB |
|---|---:|---:|---:|---:|---:|
",
        PAUSE.as_millis(),
        effort.storm_rounds(),
    );
    for run in &findings.storm {
        row(
            &mut text,
            &[
                name(run.variant),
                format!("{:.1}", run.median(|f| f.rate)),
                plain(run.median(|f| f.refused)),
                format!("{:.1}", run.median(|f| f.p50)),
                format!("{:.1}", run.median(|f| f.p99)),
                format!("{:.0}", run.median(|f| f.memory)),
            ],
        );
    }
    goals(&mut text);
    let run = |variant| findings.storm.iter().find(|run: &&StormRun| run.variant == variant);
    let unbounded = run(Variant::StormByHand(Hashing::Unbounded)).map_or(0.0, |run| run.median(|f| f.rate));
    for backend in [Backend::Memory, Backend::Sqlite] {
        let Some(own) = run(Variant::Storm(backend)) else { continue };
        let bound = machine::cores() as f64 * 19.0 + 32.0;
        let rate = format!("as many sign-ins/s as unbounded, {backend}");
        goal(&mut text, &rate, own.median(|f| f.rate), Bound::AtLeast(unbounded));
        let wait = format!("p99 of /me at most 15 ms, {backend}");
        goal(&mut text, &wait, own.median(|f| f.p99), Bound::AtMost(15.0));
        let memory = format!("memory at most {bound:.0} MiB (19 a thread and 32), {backend}");
        goal(&mut text, &memory, own.median(|f| f.memory), Bound::AtMost(bound));
    }
    text
}

fn timing(findings: &Findings) -> String {
    let [memory, sqlite] = &findings.timing;
    let mut text = "## Whether time tells that an account exists

Pairs of requests, one about an account that exists and one about an account that does not, in an order drawn for each
pair. They go through the router of the application, without a network, with a hash that costs microseconds, so that
nothing hides in its cost. The goal is a difference of the medians below 0.2 ms or below 1 %. *t* is Welch's, of the
two samples as they are.

| entrance | store | pairs | known ms | unknown ms | difference ms | % | t | |
|---|---|---:|---:|---:|---:|---:|---:|---|
"
    .to_owned();
    for (backend, timings) in [(Backend::Memory, memory), (Backend::Sqlite, sqlite)] {
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

fn name(variant: Variant) -> String {
    match variant {
        Variant::Bare => "bare axum".to_owned(),
        Variant::ByHand(backend) => format!("by hand, {backend}"),
        Variant::Authkit(backend) | Variant::Storm(backend) => format!("**authkit, {backend}**"),
        Variant::AxumLogin(backend) => format!("axum-login, {backend}"),
        Variant::StormByHand(Hashing::Unbounded) => "unbounded, memory".to_owned(),
        Variant::StormByHand(Hashing::Semaphore) => "semaphore, memory".to_owned(),
    }
}

fn row(text: &mut String, cells: &[String]) {
    text.push_str("| ");
    text.push_str(&cells.join(" | "));
    text.push_str(" |\n");
}

/// What a goal asks of a figure.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn verdict(self, found: f64) -> String {
        let met = match self {
            Self::AtLeast(least) => found >= least,
            Self::AtMost(most) => found <= most,
        };
        if met { "met" } else { "**missed**" }.to_owned()
    }
}

fn goals(text: &mut String) {
    text.push_str("\n| goal | found | |\n|---|---:|---|\n");
}

fn goal(text: &mut String, what: &str, found: f64, bound: Bound) {
    row(text, &[what.to_owned(), plain(found), bound.verdict(found)]);
}

/// Without decimals where there are none.
fn plain(number: f64) -> String {
    if number.fract().abs() < 0.005 { format!("{number:.0}") } else { format!("{number:.2}") }
}
