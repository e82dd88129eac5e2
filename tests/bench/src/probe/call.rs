//! What one call costs, over many.

use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;

use crate::machine;

/// How long one call takes.
pub(super) fn nanoseconds(runtime: &Runtime, repeats: u32, call: &impl AsyncFn() -> bool) -> Result<f64> {
    let begun = Instant::now();
    let succeeded = runtime.block_on(repeat(repeats, call));
    let elapsed = begun.elapsed();
    ensure!(succeeded, "a call failed");
    Ok(elapsed.as_nanos() as f64 / f64::from(repeats))
}

/// Processor time of this process for one call, in microseconds.
pub(super) fn processor_microseconds(runtime: &Runtime, repeats: u32, call: &impl AsyncFn() -> bool) -> Result<f64> {
    let pid = std::process::id();
    let before = machine::processor_time(pid)?;
    let succeeded = runtime.block_on(repeat(repeats, call));
    let spent = machine::processor_time(pid)? - before;
    ensure!(succeeded, "a call failed");
    Ok(spent as f64 / 1000.0 / f64::from(repeats))
}

/// How often one call allocates.
pub(super) fn allocations(runtime: &Runtime, repeats: u32, call: &impl AsyncFn() -> bool) -> f64 {
    let counted = allocation_counter::measure(|| {
        runtime.block_on(repeat(repeats, call));
    });
    (counted.count_total as f64 / f64::from(repeats)).round()
}

async fn repeat(repeats: u32, call: &impl AsyncFn() -> bool) -> bool {
    let mut succeeded = true;
    for _ in 0..repeats {
        succeeded &= std::hint::black_box(call().await);
    }
    succeeded
}
