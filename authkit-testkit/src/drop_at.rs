//! Dropping a future wherever it waits.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
};

/// Drops an act at its first await, its second, its third, …, until it completes; returns how many polls it took.
///
/// A handler's future is dropped when a client hangs up. Whatever an act promises has to hold wherever that happens,
/// so for every `k` the driver asks `world` for a fresh place to act in, polls the future of `act` `k` times, drops it,
/// and hands the world to `check`. It does so twice: once the future is dropped at the moment it begins to wait (the
/// question is asked), once at the moment it is woken (the answer has come, and nobody looks at it). `k` begins at 0: a
/// future that is never polled does nothing. `check` is given the output of the act if it completed, and none if it was
/// dropped; the driver ends after the first round that completes.
///
/// The future is polled only when it was woken, so work on other threads goes on as usual. It runs inside the caller's
/// task: call it from a runtime that the act can live in. What a dropped act left running elsewhere may still land
/// while `check` runs, so `check` reads everything it compares in one go.
///
/// # Panics
///
/// When `check` does.
///
/// # Examples
///
/// A write of two parts that may be dropped between them:
/// ```
/// # use std::{cell::Cell, future::ready};
/// # #[tokio::main] async fn main() {
/// let polls = authkit_testkit::drop_at_every_await(
///     async || Cell::new((0, 0)),
///     async |world: &Cell<(u8, u8)>| {
///         tokio::task::yield_now().await;
///         world.set((1, 1));
///     },
///     async |world: &Cell<(u8, u8)>, output| {
///         let (one, other) = world.get();
///         assert_eq!(one, other);
///         assert!(output.is_none() || one == 1);
///     },
/// )
/// .await;
/// assert_eq!(polls, 2);
/// # }
/// ```
pub async fn drop_at_every_await<W, T>(
    mut world: impl AsyncFnMut() -> W,
    mut act: impl AsyncFnMut(&W) -> T,
    mut check: impl AsyncFnMut(&W, Option<T>),
) -> usize {
    let mut polls = 0;
    loop {
        for moment in [Moment::Waiting, Moment::Woken] {
            let world = world().await;
            let output = poll_at_most(polls, moment, act(&world)).await;
            let completed = output.is_some();
            check(&world, output).await;
            if completed {
                return polls;
            }
        }
        polls += 1;
    }
}

/// When the future is dropped after its last poll.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Waiting,
    Woken,
}

async fn poll_at_most<T>(limit: usize, moment: Moment, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    let step = move |cx: &mut Context<'_>| {
        if polls == limit {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == limit && moment == Moment::Waiting => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    };
    poll_fn(step).await
}
