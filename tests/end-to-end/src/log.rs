//! What an application writes to its log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt as _};

/// Everything that is logged at any level, kept for the test. Clones are one log.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keeps what this thread logs until the guard is dropped.
    #[must_use]
    pub fn keep() -> (Self, DefaultGuard) {
        let log = Self::default();
        let lines = tracing_subscriber::fmt::layer().with_writer(log.clone()).with_ansi(false);
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines));
        (log, guard)
    }

    /// Keeps what this thread logs until the guard is dropped, each line an object of JSON.
    #[must_use]
    pub fn keep_json() -> (Self, DefaultGuard) {
        let log = Self::default();
        let lines = tracing_subscriber::fmt::layer().json().with_writer(log.clone());
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines));
        (log, guard)
    }

    /// Keeps what every thread of this process logs from now on, the threads of libraries included.
    ///
    /// # Panics
    ///
    /// If the process keeps a log already.
    #[must_use]
    pub fn keep_all() -> Self {
        let log = Self::default();
        let lines = tracing_subscriber::fmt::layer().with_writer(log.clone()).with_ansi(false);
        let all = tracing_subscriber::registry().with(lines);
        tracing::subscriber::set_global_default(all).expect("the only log of the process");
        log
    }

    /// What was logged.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
