//! Choices that are the same for the same seed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use authkit_core::Rng;

/// A sequence of choices (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// A number below the bound; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.number().checked_rem(bound as u64).unwrap_or(0) as usize
    }

    /// True so many times out of a hundred.
    pub(crate) fn percent(&mut self, times: usize) -> bool {
        self.below(100) < times
    }

    /// One of these, by weight.
    pub(crate) fn weighted<T: Copy>(&mut self, weights: &[(usize, T)]) -> Option<T> {
        let total = weights.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(total);
        weights.iter().find_map(|(weight, item)| match at.checked_sub(*weight) {
            Some(rest) => {
                at = rest;
                None
            }
            None => Some(*item),
        })
    }
}

/// The application's randomness: begun anew with every history. Clones draw from one sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dice(Arc<AtomicU64>);

impl Dice {
    pub(crate) fn restart(&self, seed: u64) {
        self.0.store(mixed(seed ^ 0x6469_6365), Ordering::Relaxed);
    }
}

impl Rng for Dice {
    fn fill(&self, buffer: &mut [u8]) {
        for block in buffer.chunks_mut(8) {
            let number = mixed(self.0.fetch_add(STEP, Ordering::Relaxed));
            block.copy_from_slice(number.to_le_bytes().get(..block.len()).unwrap_or_default());
        }
    }
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

const fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
