//! What core and a store make of charges, for tests that move through days in an instant.

use std::{collections::HashMap, time::Duration};

use authkit_core::{Charge, KeyRing, MacKey, Settle, Timestamp};

#[derive(Default)]
pub(crate) struct Counters {
    rows: HashMap<[u8; 32], Row>,
}

#[derive(Clone, Copy)]
struct Row {
    value: i64,
    expires_at: Timestamp,
}

impl Counters {
    /// Makes all charges or none; what is over its cap says so.
    pub(crate) fn charge(&mut self, charges: &[Charge], now: Timestamp) -> Result<(), Box<Charge>> {
        let mut next = self.rows.clone();
        for charge in charges {
            let sum = Self::value(&next, charge, now).max(charge.floor.unwrap_or(i64::MIN)) + charge.by;
            if sum > charge.max {
                return Err(Box::new(charge.clone()));
            }
            Self::put(&mut next, charge.key, sum, charge.life, now);
        }
        self.rows = next;
        Ok(())
    }

    /// What the commit of a success does to the charges that led to it.
    pub(crate) fn settle(&mut self, charges: &[Charge], now: Timestamp) {
        for charge in charges {
            match charge.settle {
                Settle::Reset => self.clear([charge.key]),
                Settle::Refund => {
                    let floor = charge.floor.unwrap_or(0) + charge.by;
                    let left = Self::value(&self.rows, charge, now).max(floor) - charge.by;
                    Self::put(&mut self.rows, charge.key, left, Duration::from_secs(1), now);
                }
                _ => {}
            }
        }
    }

    /// What an administrator does.
    pub(crate) fn clear(&mut self, keys: impl IntoIterator<Item = [u8; 32]>) {
        for key in keys {
            self.rows.remove(&key);
        }
    }

    fn value(rows: &HashMap<[u8; 32], Row>, charge: &Charge, now: Timestamp) -> i64 {
        rows.get(&charge.key).filter(|row| row.expires_at > now).map_or(0, |row| row.value)
    }

    fn put(rows: &mut HashMap<[u8; 32], Row>, key: [u8; 32], value: i64, life: Duration, now: Timestamp) {
        let own = rows.get(&key).map_or(Timestamp::MIN, |row| row.expires_at);
        rows.insert(key, Row { value, expires_at: own.max(now.plus(life)) });
    }
}

pub(crate) fn keys() -> MacKey {
    let ring = KeyRing::new([std::array::from_fn(|i| (i as u8).wrapping_mul(37))]).unwrap();
    ring.mac("risk counter")
}

/// The start of every simulation; it is no boundary of anything.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_012_345);

/// Numbers that are the same in every run (xorshift).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The most of these times that any half-open span holds, wherever it begins. The times are in order.
pub(crate) fn most_within(times: &[Timestamp], span: Duration) -> usize {
    let from = |first: &Timestamp| times.iter().filter(|at| *at >= first && at.since(*first) < span).count();
    times.iter().map(from).max().unwrap_or(0)
}

/// The arrivals of one run: dense bursts, pauses of about a span, and everything between.
pub(crate) fn arrivals(numbers: &mut Numbers, count: usize, span: Duration) -> Vec<Timestamp> {
    let span = span.as_millis() as u64;
    let mut now = START;
    let mut next = || {
        let gap = match numbers.below(8) {
            0 => 0,
            1..=3 => numbers.below(span / 20 + 1),
            4..=5 => numbers.below(span / 3 + 1),
            6 => span - 2 + numbers.below(4),
            _ => numbers.below(2 * span),
        };
        now = now.plus(Duration::from_millis(gap));
        now
    };
    (0..count).map(|_| next()).collect()
}
