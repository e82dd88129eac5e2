use std::{
    any::Any,
    fmt, io,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use sha2::{Digest, Sha256};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

use crate::{
    hash::{Alike, HashError, Hasher, SALT_BYTES, Scheme, Verification, argon2::Memory, bcrypt::BcryptFamily},
    plain::PlainPassword,
    pool::queue::FairQueue,
};

mod queue;

/// Threads that do nothing but hash passwords, behind a bounded queue.
///
/// They run at a lower scheduling priority than the threads which answer requests, where the platform allows it. Each
/// keeps the memory of one hash, made at its first hash and zeroed after every one, so a storm of sign-ins neither
/// starves other requests nor grows memory. Places in the queue are shared: a client has at most its share, and clients
/// are served in turn.
///
/// Needs no async runtime. Dropping the pool ends its threads and waits for them, at most for one hash.
///
/// # Examples
///
/// Two threads for passwords that are kept elsewhere than in authkit's tables:
///
/// ```
/// use authkit_password::{ClientKey, HashError, HashPool, PlainPassword, PoolConfig, SALT_BYTES, Verification};
///
/// async fn matches(pool: &HashPool, typed: &PlainPassword, salt: [u8; SALT_BYTES]) -> Result<bool, HashError> {
///     let client = ClientKey::of("203.0.113.0/24");
///     let stored = pool.hash(client, typed, salt).await?;
///     let outcome = pool.verify(client, typed, &stored).await?;
///     Ok(outcome != Verification::Mismatch)
/// }
///
/// let pool = HashPool::new(PoolConfig::default().threads(2).waiting(64))?;
/// # Ok::<(), authkit_password::PoolError>(())
/// ```
pub struct HashPool {
    hasher: Arc<Hasher>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl HashPool {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`PoolError::Config`] with every number out of its range; [`PoolError::Spawn`] if the system gives no thread.
    pub fn new(config: PoolConfig) -> Result<Self, PoolError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(PoolError::Config(problems));
        }
        let mut pool = Self {
            shared: Arc::new(Shared::new(&config)),
            threads: Vec::with_capacity(config.threads),
            hasher: Arc::new(config.hasher),
        };
        let blocks = pool.hasher.scheme().blocks();
        for _ in 0..config.threads {
            let shared = Arc::clone(&pool.shared);
            let thread = thread::Builder::new()
                .name("authkit-password".to_owned())
                .spawn(move || work(&shared, blocks))
                .map_err(PoolError::Spawn)?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// How new passwords are hashed.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        self.hasher.scheme()
    }

    /// Reads and makes hashes without the queue.
    pub(crate) fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Hashes a new password into a text of the scheme, with a salt that was never used before.
    ///
    /// # Errors
    ///
    /// [`HashError::Busy`] if the queue or the client's share is full; [`HashError::Failed`].
    ///
    /// # Cancel safety
    ///
    /// A job whose future was dropped is skipped when its turn comes, or finished and forgotten once it has begun.
    pub async fn hash(
        &self,
        client: ClientKey,
        password: &PlainPassword,
        salt: [u8; SALT_BYTES],
    ) -> Result<String, HashError> {
        let (hasher, password) = (Arc::clone(&self.hasher), password.clone());
        self.run(client, move |memory| hasher.hash(&password, &salt, memory)).await
    }

    /// Compares a password with a stored text of any known kind.
    ///
    /// For an account that does not exist, the text is [`Scheme::decoy`]. A stored hash is recomputed at the cost it was
    /// made with, within limits: for Argon2 128 MiB, and as much work as 16 passes over 64 MiB; for bcrypt 14; or the
    /// configured cost if that is higher.
    ///
    /// # Errors
    ///
    /// [`HashError::Busy`] if the queue or the client's share is full; [`HashError::Corrupt`] after the work of a
    /// verification; [`HashError::Failed`].
    ///
    /// # Cancel safety
    ///
    /// As [`HashPool::hash`].
    pub async fn verify(
        &self,
        client: ClientKey,
        password: &PlainPassword,
        text: &str,
    ) -> Result<Verification, HashError> {
        self.compare(client, password, text, Alike::Unmatched).await
    }

    pub(crate) async fn compare(
        &self,
        client: ClientKey,
        password: &PlainPassword,
        text: &str,
        alike: Alike,
    ) -> Result<Verification, HashError> {
        let (hasher, password, text) = (Arc::clone(&self.hasher), password.clone(), text.to_owned());
        self.run(client, move |memory| hasher.verify(&password, &text, alike, memory)).await
    }

    /// Lets a thread do a piece of work, in the queue and the share of this client.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        client: ClientKey,
        work: impl FnOnce(&mut Memory) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let (reply, answer) = oneshot::channel();
        self.shared.push(client, Box::new(Ticket { work, reply }))?;
        answer.await.map_err(|gone| HashError::Failed(gone.into()))?
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.shared.close();
        for thread in self.threads.drain(..) {
            // Jobs are caught when they panic, so that a thread does not.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for HashPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashPool").field("scheme", self.scheme()).field("threads", &self.threads.len()).finish()
    }
}

/// Who asks for a hash, as far as fairness goes.
///
/// Take the network prefix of the client (a /24, a /64) rather than the whole address, which is free to vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey(u64);

impl ClientKey {
    /// Derives the key from whatever tells clients apart.
    #[must_use]
    pub fn of(prefix: impl AsRef<[u8]>) -> Self {
        // SHA-256, so that nobody finds a prefix that shares the places of another.
        let digest = Sha256::digest(prefix);
        Self(digest.iter().take(size_of::<u64>()).fold(0, |key, &byte| key << 8 | u64::from(byte)))
    }
}

/// How many threads hash, and how much may wait.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    hasher: Hasher,
    threads: usize,
    waiting: usize,
    share: Option<usize>,
}

impl PoolConfig {
    /// How new passwords are hashed; Argon2id at its default cost unless set.
    #[must_use]
    pub fn scheme(self, scheme: impl Into<Scheme>) -> Self {
        self.hasher(Hasher::new(scheme.into(), BcryptFamily::default()))
    }

    pub(crate) fn hasher(self, hasher: Hasher) -> Self {
        Self { hasher, ..self }
    }

    /// Threads, 1 to 64; by default one per core. Each holds the memory of one hash.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Jobs that may wait, 1 to 65 536; by default 256, which two cores hash in three to six seconds.
    #[must_use]
    pub fn waiting(self, waiting: usize) -> Self {
        Self { waiting, ..self }
    }

    /// Jobs of one client that may wait, at least 1; by default an eighth of all.
    #[must_use]
    pub fn waiting_per_client(self, share: usize) -> Self {
        Self { share: Some(share), ..self }
    }

    fn share(&self) -> usize {
        self.share.unwrap_or_else(|| self.waiting.div_ceil(8))
    }

    fn problems(&self) -> Vec<PoolProblem> {
        let checks = [
            ((1..=MAX_THREADS).contains(&self.threads), PoolProblem::Threads),
            ((1..=MAX_WAITING).contains(&self.waiting), PoolProblem::Waiting),
            (self.share != Some(0), PoolProblem::WaitingPerClient),
        ];
        checks.into_iter().filter_map(|(fine, problem)| (!fine).then_some(problem)).collect()
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            hasher: Hasher::new(Scheme::default(), BcryptFamily::default()),
            threads: thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS),
            waiting: 256,
            share: None,
        }
    }
}

/// Why a pool could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// Numbers of the configuration are out of their ranges.
    #[error("the pool of hashing threads is misconfigured: {}", list(.0))]
    Config(Vec<PoolProblem>),
    /// The system gives no thread.
    #[error("a hashing thread could not be started")]
    Spawn(#[source] io::Error),
}

/// One number of a [`PoolConfig`] that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolProblem {
    /// The number of threads.
    #[error("threads must be 1 to {MAX_THREADS}")]
    Threads,
    /// The number of jobs that may wait.
    #[error("queue has to be 1 to {MAX_WAITING}")]
    Waiting,
    /// The number of jobs of one client that may wait.
    #[error("queue_per_client has to be at least 1")]
    WaitingPerClient,
}

/// One piece of work, as a thread sees it.
trait Job: Send {
    /// Whether somebody still waits for the outcome.
    fn is_wanted(&self) -> bool;

    fn run(self: Box<Self>, memory: &mut Memory);
}

struct Ticket<W, T> {
    work: W,
    reply: oneshot::Sender<Result<T, HashError>>,
}

impl<W, T> Job for Ticket<W, T>
where
    W: FnOnce(&mut Memory) -> Result<T, HashError> + Send,
    T: Send,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_canceled()
    }

    fn run(self: Box<Self>, memory: &mut Memory) {
        let outcome = (self.work)(memory);
        // An error means that the client has gone meanwhile.
        drop(self.reply.send(outcome));
    }
}

/// What the pool and its threads have in common.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    threads: u32,
}

struct State {
    jobs: FairQueue<Box<dyn Job>>,
    job_time: Duration,
    phase: Phase,
}

enum Phase {
    Open,
    Closed,
}

impl Shared {
    fn new(config: &PoolConfig) -> Self {
        let state = State {
            jobs: FairQueue::new(config.waiting, config.share()),
            job_time: FIRST_JOB_TIME,
            phase: Phase::Open,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            threads: u32::try_from(config.threads).unwrap_or(u32::MAX),
        }
    }

    fn push(&self, client: ClientKey, job: Box<dyn Job>) -> Result<(), HashError> {
        let mut state = self.lock();
        if !state.jobs.has_place(client) {
            state.jobs.retain(|job| job.is_wanted());
        }
        if !state.jobs.has_place(client) {
            return Err(HashError::Busy { retry_after: self.retry_after(&state) });
        }
        state.jobs.push(client, job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a job; nothing once the pool is closed.
    fn pop(&self) -> Option<Box<dyn Job>> {
        let mut state = self.lock();
        loop {
            if matches!(state.phase, Phase::Closed) {
                return None;
            }
            if let Some(job) = state.jobs.pop() {
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the time of a job into the moving average, where it weighs an eighth.
    fn record(&self, job_time: Duration) {
        let mut state = self.lock();
        state.job_time = (state.job_time * 7 + job_time) / 8;
    }

    fn close(&self) {
        let mut state = self.lock();
        state.phase = Phase::Closed;
        state.jobs.retain(|_| false);
        drop(state);
        self.changed.notify_all();
    }

    fn retry_after(&self, state: &State) -> Duration {
        let waiting = u32::try_from(state.jobs.waiting()).unwrap_or(u32::MAX);
        let all_done = state.job_time.saturating_mul(waiting) / self.threads.max(1);
        all_done.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and jobs run without it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The life of a hashing thread.
fn work(shared: &Shared, blocks: usize) {
    lower_priority();
    let mut memory = Memory::default();
    while let Some(job) = shared.pop() {
        if !job.is_wanted() {
            continue;
        }
        let (outcome, job_time) = timed(|| {
            let outcome = run_caught(job, &mut memory);
            memory.wipe(blocks);
            outcome
        });
        if outcome.is_ok() {
            shared.record(job_time);
        }
    }
}

/// A panic drops the reply, which fails that one request; the thread goes on.
fn run_caught(job: Box<dyn Job>, memory: &mut Memory) -> Result<(), Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| job.run(memory)))
}

#[expect(clippy::disallowed_methods, reason = "measures how long a job takes, which is not the time of any request")]
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let outcome = run();
    (outcome, start.elapsed())
}

/// Best effort: a platform without thread priorities hashes at the normal one.
fn lower_priority() {
    if let Ok(priority) = ThreadPriorityValue::try_from(PRIORITY) {
        drop(ThreadPriority::Crossplatform(priority).set_for_current());
    }
}

fn list(problems: &[PoolProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// On the scale of 0 to 99 that `thread-priority` uses for all platforms; niceness 10 on Linux.
const PRIORITY: u8 = 22;

const MAX_THREADS: usize = 64;
const MAX_WAITING: usize = 65_536;

/// Assumed until a job was measured.
const FIRST_JOB_TIME: Duration = Duration::from_millis(40);
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
