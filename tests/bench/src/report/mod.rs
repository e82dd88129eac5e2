//! The document.

mod me;
mod parts;
mod requests;
mod storm;
mod timing;

use crate::{
    apps::{Hashing, Pooling},
    backend::Backend,
    effort::Effort,
    machine,
    measure::Findings,
    serve::Variant,
};

pub(crate) fn document(findings: &Findings, effort: Effort) -> String {
    let parts = [
        introduction(findings, effort),
        me::me(findings, effort),
        me::layers(findings),
        parts::core_share(findings),
        parts::commits(findings, effort),
        parts::jwt(findings),
        requests::sign_in(findings, effort),
        requests::refresh(findings, effort),
        storm::storm(findings, effort),
        timing::timing(findings),
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
    let measured = |backend| findings.counts.iter().any(|(measured, _)| *measured == backend);
    let missing = [Backend::Postgres, Backend::MariaDb].into_iter().filter(|backend| !measured(*backend));
    let missing = missing.map(|backend| backend.to_string()).collect::<Vec<_>>().join(", ");
    let left_out = match missing.as_str() {
        "" => String::new(),
        missing => format!("\nLeft out, since the machine does not have it: {missing}.\n"),
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

PostgreSQL and MariaDB are servers on the same machine that this run has started; they do not wait for the disk. Their
own processor time is not counted.
{left_out}",
        machine::today(),
        machine::processor(),
        machine::cores(),
        machine::rustc(),
    )
}

fn name(variant: Variant) -> String {
    match variant {
        Variant::Bare => "bare axum".to_owned(),
        Variant::ByHand(backend, Pooling::Driver) => format!("by hand, {backend}"),
        Variant::ByHand(backend, Pooling::Own) => format!("by hand, {backend}, own connections"),
        Variant::Authkit(backend) | Variant::Storm(backend) => format!("**authkit, {backend}**"),
        Variant::AuthkitJwt => "**authkit, signed token**".to_owned(),
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
