//! Requests on their way, polled by hand: one at a time, from one call of the store to the next.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use authkit_core::AuthManager;

use crate::{
    ask::{Answer, Ask, Notes, perform},
    store::Board,
};

/// A request on its way.
pub(crate) struct Journey {
    future: Pin<Box<dyn Future<Output = Answer> + Send>>,
    pub(crate) notes: Notes,
}

impl Journey {
    pub(crate) fn new(auth: &AuthManager, ask: Ask) -> Self {
        let notes = Notes::default();
        Self { future: Box::pin(perform(auth.clone(), ask, notes.clone())), notes }
    }

    /// Lets the request pass so many gates of the store; the answer if it ends before.
    ///
    /// Only the store is a place to wait at. Where the request waits for a hash of another thread, this thread waits
    /// with it, so that what happens does not depend on how fast the other one is.
    pub(crate) fn go(&mut self, board: &Board, slot: usize, gates: u8) -> Option<Answer> {
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
