//! Time, randomness and messages under the control of a test.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{BoxError, Clock, Notice, Notifier, Rng, Timestamp};
use sha2::{Digest, Sha256};

/// A clock that moves only when told. Clones show the same time.
///
/// # Examples
///
/// A session that ends after a day, without waiting for it:
///
/// ```
/// use std::time::Duration;
/// use authkit_core::{AuthManager, Clock};
/// use authkit_testkit::TestClock;
///
/// let clock = TestClock::default();
/// let builder = AuthManager::builder().clock(clock.clone());
/// let before = clock.now();
/// clock.advance(Duration::from_secs(24 * 60 * 60));
/// assert_eq!(clock.now().since(before), Duration::from_secs(24 * 60 * 60));
/// ```
#[derive(Clone, Debug)]
pub struct TestClock {
    millis: Arc<AtomicI64>,
}

impl TestClock {
    /// Makes a clock that shows this time.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { millis: Arc::new(AtomicI64::new(now.millis())) }
    }

    /// Shows this time from now on; it may be earlier than before.
    pub fn set(&self, now: Timestamp) {
        self.millis.store(now.millis(), Ordering::SeqCst);
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        let later = |millis| Some(Timestamp::from_millis(millis).plus(by).millis());
        self.millis.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later).ok();
    }
}

impl Default for TestClock {
    /// Shows 2027-01-15T08:00:00Z.
    fn default() -> Self {
        Self::new(Timestamp::from_millis(1_800_000_000_000))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst))
    }
}

/// Randomness that is the same in every run: SHA-256 over the seed and a counter. Clones draw from one sequence.
///
/// # Security
///
/// Everybody can predict it. It belongs in tests only.
///
/// # Examples
///
/// The same tokens in every run:
///
/// ```
/// use authkit_core::Rng;
/// use authkit_testkit::SeededRng;
///
/// let draw = || {
///     let mut bytes = [0; 16];
///     SeededRng::new(7).fill(&mut bytes);
///     bytes
/// };
/// assert_eq!(draw(), draw());
/// ```
#[derive(Clone, Debug)]
pub struct SeededRng {
    seed: u64,
    drawn: Arc<AtomicU64>,
}

impl SeededRng {
    /// Starts the sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: Arc::default() }
    }
}

impl Rng for SeededRng {
    fn fill(&self, buffer: &mut [u8]) {
        for block in buffer.chunks_mut(32) {
            let counter = self.drawn.fetch_add(1, Ordering::Relaxed);
            let digest = Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(counter.to_be_bytes());
            block.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
        }
    }
}

/// A notifier that keeps what it was given. Clones share one mailbox.
#[derive(Clone, Default)]
pub struct Mailbox {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    notices: Vec<Notice>,
    failures: usize,
}

impl Mailbox {
    /// Makes an empty mailbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything delivered so far, oldest first.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        self.state().notices.clone()
    }

    /// The latest notice of this template to this address.
    #[must_use]
    pub fn latest(&self, template: &str, to: &str) -> Option<Notice> {
        self.state().notices.iter().rfind(|notice| notice.template == template && notice.to == to).cloned()
    }

    /// Refuses the next deliveries.
    pub fn fail(&self, deliveries: usize) {
        self.state().failures = deliveries;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("notices", &self.state().notices.len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for Mailbox {
    async fn notify(&self, notice: &Notice) -> Result<(), BoxError> {
        let mut state = self.state();
        if let Some(left) = state.failures.checked_sub(1) {
            state.failures = left;
            return Err("the mailbox was told to fail".into());
        }
        state.notices.push(notice.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_blocks_differ() {
        let draw = |seed| {
            let rng = SeededRng::new(seed);
            let mut bytes = [0; 80];
            rng.fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(draw(1)[..32], draw(1)[32..64]);
    }

    #[test]
    fn the_clock_moves_only_by_hand() {
        let clock = TestClock::default();
        let start = clock.now();
        clock.clone().advance(Duration::from_secs(5));
        assert_eq!(clock.now().since(start), Duration::from_secs(5));
        clock.set(start);
        assert_eq!(clock.now(), start);
    }
}
