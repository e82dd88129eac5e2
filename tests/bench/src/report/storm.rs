//! The storm of sign-ins.

use crate::{
    apps::{Hashing, STORMING},
    backend::Backend,
    effort::Effort,
    machine,
    measure::{Findings, PAUSE, StormRun},
    report::{Bound, goal, goals, name, plain, row},
    serve::Variant,
};

pub(super) fn storm(findings: &Findings, effort: Effort) -> String {
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
