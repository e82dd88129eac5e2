//! Making again what conflicted with others.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use authkit_core::StoreError;

/// How often something was made again.
#[derive(Debug, Default)]
pub(crate) struct Again {
    times: u32,
}

impl Again {
    /// Waits a moment, longer each time and never as long as another node; busy after [`MOST`] times.
    pub(crate) async fn pause(&mut self) -> Result<(), StoreError> {
        if self.times == MOST {
            return Err(StoreError::Busy);
        }
        self.times += 1;
        let longest = SHORTEST.as_micros() as u64 * (1 << self.times);
        let span = Duration::from_micros(chance() % longest);
        #[expect(clippy::disallowed_methods, reason = "nobody measures the time between two attempts")]
        tokio::time::sleep(span).await;
        Ok(())
    }
}

/// A number that no other node draws at the same time; not secret.
fn chance() -> u64 {
    RandomState::new().hash_one(())
}

const MOST: u32 = 8;
const SHORTEST: Duration = Duration::from_millis(1);
