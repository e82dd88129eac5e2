//! Requests on their way, polled by hand: one at a time, from one call of the store to the next.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use crate::store::Board;

/// A request on its way to an answer.
pub(crate) struct Journey<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
}

/// What a request can wait for that is not the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    Thread,
    Request,
}

impl<T> Journey<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Box::pin(future) }
    }

    /// Lets the request pass so many gates of the store; the answer if it ends before.
    ///
    /// Only the store is a place to wait at. Where the request waits for a hash of another thread, this thread waits
    /// with it, so that what happens does not depend on how fast the other one is.
    pub(crate) fn go(&mut self, board: &Board, slot: usize, gates: u8) -> Option<T> {
        self.poll(board, slot, gates, Elsewhere::Thread)
    }

    /// The same for a request that waits for no thread: where it waits for another request, it is left there.
    pub(crate) fn go_among(&mut self, board: &Board, slot: usize, gates: u8) -> Option<T> {
        self.poll(board, slot, gates, Elsewhere::Request)
    }

    fn poll(&mut self, board: &Board, slot: usize, gates: u8, elsewhere: Elsewhere) -> Option<T> {
        board.turn(Some(slot));
        let waker = this_thread();
        let mut context = Context::from_waker(&waker);
        let mut passed = 0;
        let answer = loop {
            match self.future.as_mut().poll(&mut context) {
                Poll::Ready(answer) => break Some(answer),
                Poll::Pending if board.waits() => {
                    passed += 1;
                    if passed > gates {
                        break None;
                    }
                }
                Poll::Pending if elsewhere == Elsewhere::Request => break None,
                Poll::Pending => thread::park(),
            }
        };
        board.turn(None);
        answer
    }
}

/// Runs something to its end, without gates.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = this_thread();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn this_thread() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}
