//! A store at which every call waits for the scheduler, and which fails as planned.

use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use async_trait::async_trait;
use authkit_core::{Capabilities, Def, Done, Get, Migration, Op, Query, Row, Scope, Store, StoreError, Timestamp};

use crate::ground::{Emptied, Ground};

/// How many requests can be on their way at once.
pub(crate) const SLOTS: usize = 6;

/// What goes wrong with one call of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// A read gets no answer.
    ReadFails,
    /// A commit is not made, and says so.
    CommitFails,
    /// A commit is not made because others are in the way.
    CommitBusy,
    /// A commit is not made, and nobody knows.
    UnknownBefore,
    /// A commit is made, and nobody knows.
    UnknownAfter,
    /// A commit with a record is made twice, as a network that repeats itself does, and the second answer comes back.
    Repeated,
    /// The required logger refuses a record.
    LoggerRefuses,
}

/// A trouble that waits for its call: the first one of its kind after so many others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) trouble: Trouble,
    pub(crate) after: u8,
}

/// What the store saw of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A read that was answered.
    Read(&'static str),
    /// A commit that was written, and what it touched.
    Landed(Vec<&'static str>),
    /// A commit that was refused for its guards.
    Lost,
    /// A trouble that happened.
    Trouble(Trouble),
}

impl Trouble {
    /// Short name, for coverage.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ReadFails => "a read failed",
            Self::CommitFails => "a commit failed",
            Self::CommitBusy => "a commit was busy",
            Self::UnknownBefore => "a commit was lost, unknown",
            Self::UnknownAfter => "a commit landed, unknown",
            Self::Repeated => "a commit was repeated",
            Self::LoggerRefuses => "the logger refused",
        }
    }
}

impl Seen {
    /// What a commit touched that was written.
    pub(crate) const fn landed(&self) -> Option<&Vec<&'static str>> {
        if let Self::Landed(tables) = self { Some(tables) } else { None }
    }
}

/// What scheduler, stores and logger tell each other.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Whose request is polled; none while the runner itself looks at the store.
    slot: Option<usize>,
    waits: bool,
    faults: [Option<Fault>; SLOTS],
    seen: Vec<Seen>,
    refused: Vec<String>,
}

impl Board {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls belong to this slot from now on; without one they neither wait nor fail.
    pub(crate) fn turn(&self, slot: Option<usize>) {
        let mut state = self.state();
        state.slot = slot;
        state.waits = false;
    }

    /// Whether the request that was just polled waits at the store; it may go on when polled again.
    pub(crate) fn waits(&self) -> bool {
        std::mem::take(&mut self.state().waits)
    }

    pub(crate) fn plan(&self, slot: usize, fault: Option<Fault>) {
        if let Some(planned) = self.state().faults.get_mut(slot) {
            *planned = fault;
        }
    }

    /// What was seen since the last time.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    /// The ids of the records that the logger has refused.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.state().refused.clone()
    }

    /// Whether the logger refuses the record of this id.
    pub(crate) fn refuses(&self, record: String) -> bool {
        let mut state = self.state();
        let refuses = state.trouble(&[Trouble::LoggerRefuses]).is_some();
        if refuses {
            state.refused.push(record);
        }
        refuses
    }

    /// Forgets everything of the history before.
    pub(crate) fn clear(&self) {
        *self.state() = State::default();
    }

    async fn gate(&self) {
        let mut passed = self.state().slot.is_none();
        poll_fn(move |_| {
            if passed {
                return Poll::Ready(());
            }
            passed = true;
            self.state().waits = true;
            Poll::Pending
        })
        .await;
    }
}

impl State {
    /// Counts a call towards a planned trouble of these kinds; says if it happens now.
    fn trouble(&mut self, kinds: &[Trouble]) -> Option<Trouble> {
        let planned = self.faults.get_mut(self.slot?)?;
        let fault = planned.as_mut().filter(|fault| kinds.contains(&fault.trouble))?;
        if let Some(rest) = fault.after.checked_sub(1) {
            fault.after = rest;
            return None;
        }
        let trouble = fault.trouble;
        *planned = None;
        self.seen.push(Seen::Trouble(trouble));
        Some(trouble)
    }

    fn saw(&mut self, seen: Seen) {
        if self.slot.is_some() {
            self.seen.push(seen);
        }
    }
}

/// The store of a history. Clones share rows and board.
#[derive(Clone)]
pub(crate) struct Gate {
    ground: Arc<dyn Ground>,
    board: Board,
}

impl Gate {
    pub(crate) fn new(board: Board, ground: Arc<dyn Ground>) -> Self {
        Self { ground, board }
    }

    /// Removes all rows.
    pub(crate) fn empty(&self) -> Emptied {
        self.ground.empty()
    }

    fn inner(&self) -> Arc<dyn Store> {
        self.ground.store()
    }

    async fn read<T>(&self, def: &Def, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.board.gate().await;
        if self.board.state().trouble(&[Trouble::ReadFails]).is_some() {
            return Err(unavailable());
        }
        let answer = call.await;
        self.board.state().saw(Seen::Read(def.table));
        answer
    }
}

/// What can befall a commit; the last one only a commit that can be told from its repetition.
const COMMIT_TROUBLES: [Trouble; 5] =
    [Trouble::CommitFails, Trouble::CommitBusy, Trouble::UnknownBefore, Trouble::UnknownAfter, Trouble::Repeated];

#[async_trait]
impl Store for Gate {
    fn capabilities(&self) -> Capabilities {
        Capabilities::FULL
    }

    fn statements(&self, _: &[Migration]) -> Vec<String> {
        Vec::new()
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        self.inner().migrate(steps, defs).await
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        let inner = self.inner();
        self.read(&get.shape.def, inner.get(scope, get)).await
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        let inner = self.inner();
        self.read(&query.shape.def, inner.query(scope, query)).await
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        self.board.gate().await;
        let recorded = ops.iter().any(|op| op.def.table == "auth_audit_log");
        let kinds = if recorded { COMMIT_TROUBLES.as_slice() } else { COMMIT_TROUBLES.split_at(4).0 };
        let trouble = self.board.state().trouble(kinds);
        let answer = match trouble {
            Some(Trouble::CommitFails) => return Err(unavailable()),
            Some(Trouble::CommitBusy) => return Err(StoreError::Busy),
            Some(Trouble::UnknownBefore) => Err(StoreError::Unknown),
            _ => {
                let answer = self.inner().commit(scope, ops, now).await;
                self.board.state().saw(match &answer {
                    Ok(_) => Seen::Landed(ops.iter().map(|op| op.def.table).collect()),
                    Err(_) => Seen::Lost,
                });
                match trouble {
                    Some(Trouble::Repeated) => self.inner().commit(scope, ops, now).await,
                    Some(_) => Err(StoreError::Unknown),
                    None => answer,
                }
            }
        };
        // The answer is on its way: whoever hangs up now does not hear of what was written.
        self.board.gate().await;
        answer
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.board.gate().await;
        let removed = self.inner().sweep(def, now, limit).await?;
        if removed > 0 {
            self.board.state().saw(Seen::Landed(vec![def.table]));
        }
        Ok(removed)
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("a fault was injected".into())
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}
