//! A store that fails when told.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use authkit_core::{Capabilities, Def, Done, Get, Migration, Op, Query, Row, Scope, Store, StoreError, Timestamp};

/// Passes every call on to a store, and breaks the ones it was told to break. Clones share store, plan and counts.
///
/// # Examples
///
/// The answer to the second commit from now on is lost:
/// ```
/// # use authkit_testkit::{Counted, Fault, Faulty};
/// # fn example<S: authkit_core::Store>(store: S) {
/// let store = Faulty::new(store);
/// store.inject(Counted::Commits, 2, Fault::UnknownAfter);
/// # }
/// ```
pub struct Faulty<S: ?Sized> {
    store: Arc<S>,
    plan: Arc<Mutex<Plan>>,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is not made, and the answer is [`StoreError::Unavailable`].
    Fails,
    /// It is made after its task has yielded this many times.
    Delayed(usize),
    /// A commit is made twice, one after the other, as a network that repeats itself does. Other calls pass.
    Duplicated(Answer),
    /// It is made, and the answer is lost: [`StoreError::Unknown`] for a commit, `Unavailable` for other calls.
    UnknownAfter,
    /// It is not made, and the answer is the same as that of [`Fault::UnknownAfter`].
    UnknownBefore,
}

/// Which of two answers is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Answer {
    /// That of the first time: the repetition goes unnoticed.
    First,
    /// That of the second time: the first answer was lost.
    Second,
}

/// Which calls are counted on the way to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "calls are commits or not")]
pub enum Counted {
    /// Every call that waits: migrate, get, query, commit, sweep.
    Calls,
    /// Commits only.
    Commits,
}

#[derive(Default)]
struct Plan {
    calls: usize,
    commits: usize,
    /// What counts, the count at which it happens, and what happens.
    faults: Vec<(Counted, usize, Fault)>,
}

impl<S: Store> Faulty<S> {
    /// Wraps a store; every call passes until a fault is injected.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self::over(Arc::new(store))
    }
}

impl<S: Store + ?Sized> Faulty<S> {
    /// Wraps a store that others hold as well, such as an `Arc<dyn Store>`.
    #[must_use]
    pub fn over(store: Arc<S>) -> Self {
        Self { store, plan: Arc::default() }
    }

    /// Breaks the `n`-th call from now on; 1 is the next. Several faults may be waiting.
    pub fn inject(&self, counted: Counted, n: usize, fault: Fault) {
        let mut plan = self.plan();
        let so_far = match counted {
            Counted::Calls => plan.calls,
            Counted::Commits => plan.commits,
        };
        plan.faults.push((counted, so_far.saturating_add(n), fault));
    }

    /// Forgets the faults that have not happened yet.
    pub fn heal(&self) {
        self.plan().faults.clear();
    }

    /// How many calls were made so far, commits included.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.plan().calls
    }

    /// How many commits were asked for so far; a duplicated one counts once.
    #[must_use]
    pub fn commits(&self) -> usize {
        self.plan().commits
    }

    /// The store inside, for looking at it without faults and counts.
    #[must_use]
    pub fn inner(&self) -> &Arc<S> {
        &self.store
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and makes it, as planned.
    async fn pass<T, F>(&self, kind: Counted, call: impl Fn() -> F + Send) -> Result<T, StoreError>
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let fault = self.plan().count(kind);
        match fault {
            None => call().await,
            Some(Fault::Fails) => Err(unavailable()),
            Some(Fault::Delayed(yields)) => {
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
                call().await
            }
            Some(Fault::Duplicated(answer)) if kind == Counted::Commits => {
                let first = call().await;
                let second = call().await;
                match answer {
                    Answer::First => first,
                    Answer::Second => second,
                }
            }
            Some(Fault::Duplicated(_)) => call().await,
            Some(Fault::UnknownAfter) => {
                call().await.ok();
                Err(lost(kind))
            }
            Some(Fault::UnknownBefore) => Err(lost(kind)),
        }
    }
}

impl Plan {
    /// Counts a call; returns and forgets the fault that is due.
    fn count(&mut self, kind: Counted) -> Option<Fault> {
        self.calls += 1;
        if kind == Counted::Commits {
            self.commits += 1;
        }
        let (calls, commits) = (self.calls, self.commits);
        let due = self.faults.iter().position(|(counted, at, _)| match counted {
            Counted::Calls => *at == calls,
            Counted::Commits => kind == Counted::Commits && *at == commits,
        })?;
        Some(self.faults.remove(due).2)
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("a fault was injected".into())
}

fn lost(kind: Counted) -> StoreError {
    match kind {
        Counted::Commits => StoreError::Unknown,
        Counted::Calls => unavailable(),
    }
}

impl<S: ?Sized> Clone for Faulty<S> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), plan: self.plan.clone() }
    }
}

impl<S: ?Sized> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Faulty").field("calls", &plan.calls).field("faults", &plan.faults).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Faulty<S> {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn statements(&self, steps: &[Migration]) -> Vec<String> {
        self.store.statements(steps)
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        self.pass(Counted::Calls, || self.store.migrate(steps, defs)).await
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        self.pass(Counted::Calls, || self.store.get(scope, get)).await
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        self.pass(Counted::Calls, || self.store.query(scope, query)).await
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        self.pass(Counted::Commits, || self.store.commit(scope, ops, now)).await
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.pass(Counted::Calls, || self.store.sweep(def, now, limit)).await
    }
}
