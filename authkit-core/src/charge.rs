//! Limits: capped counters that are raised before an act.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Entity,
    batch::{Batch, Bump, EphemeralBatch},
    context::RequestContext,
    error::{AuthError, ErrorCode, codes},
    flow::Owed,
    id_type,
    keys::sha256,
    store::{Done, Op, StoreError, Write},
    timestamp::{Timestamp, millis},
};

/// A capped counter that is raised before an act.
///
/// So parallel requests cannot exceed the cap. [`Stage`](crate::Stage)s name what an authentication costs, and the
/// pipeline charges it. For any other act, [`RequestContext::charge`] does.
///
/// # Examples
///
/// Five failures in a row, and one attempt every ten seconds after a burst of three:
///
/// ```
/// use std::time::Duration;
/// use authkit_core::{Charge, KeyRing, Settle, Timestamp};
///
/// let ring = KeyRing::new([std::array::from_fn(|at| at as u8 * 7)])?;
/// let key = ring.mac("shop limits").pseudonym(&[b"client", b"203.0.113.7"]);
/// let failures = Charge::count("shop.failures", key, 5, Duration::from_secs(900)).settle(Settle::Keep);
/// let rate = Charge::rate("shop.rate", key, Timestamp::from_millis(0), 3, Duration::from_secs(10));
/// assert_eq!((failures.max, rate.max), (5, 30_000));
/// # Ok::<(), authkit_core::KeyRingError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Charge {
    /// What is limited, for log and audit: `throttle.client`.
    pub name: &'static str,
    /// Names the counter: a [`RequestContext::counter_key`] of what is limited and for whom, or a
    /// [`MacKey::pseudonym`](crate::MacKey::pseudonym) of a plugin's own key.
    pub key: [u8; 32],
    /// What is added.
    pub by: i64,
    /// The least value to add to.
    pub floor: Option<i64>,
    /// The greatest value that may result.
    pub max: i64,
    /// The counter is gone after this time without a charge.
    pub life: Duration,
    /// What becomes of it when something is issued.
    pub settle: Settle,
    /// What the caller is told when it is over its cap.
    pub refusal: &'static ErrorCode,
    /// When to try again, if that is told.
    pub retry_after: Option<Duration>,
}

/// What becomes of a charge when something is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Settle {
    /// It stays.
    Keep,
    /// It is given back.
    Refund,
    /// Its counter starts afresh.
    Reset,
}

impl Charge {
    /// Counts attempts: at most `max`, until none was made for `life`.
    ///
    /// It starts afresh when something is issued, and over the cap it answers [`codes::REJECTED`](crate::codes::REJECTED)
    /// without a wait: it suits failures in a row. A limit per client wants [`Settle::Keep`] or [`Settle::Refund`], or one
    /// who has an account guesses at others' without end.
    #[must_use]
    pub const fn count(name: &'static str, key: [u8; 32], max: i64, life: Duration) -> Self {
        Self {
            name,
            key,
            by: 1,
            floor: None,
            max,
            life,
            settle: Settle::Reset,
            refusal: &codes::REJECTED,
            retry_after: None,
        }
    }

    /// Limits a rate: bursts of at most `burst`, and one attempt per `interval` in the long run (GCRA).
    ///
    /// It is given back when something is issued, and over the cap it answers [`codes::LIMITED`](crate::codes::LIMITED)
    /// with `interval` as the wait.
    #[must_use]
    pub fn rate(name: &'static str, key: [u8; 32], now: Timestamp, burst: u32, interval: Duration) -> Self {
        let step = whole_millis(interval);
        let room = step.saturating_mul(i64::from(burst));
        Self {
            name,
            key,
            by: step,
            floor: Some(now.millis()),
            max: now.millis().saturating_add(room),
            life: span_of(room),
            settle: Settle::Refund,
            refusal: &codes::LIMITED,
            retry_after: Some(interval),
        }
    }

    /// Limits a number: at most `most` in any span of this length, wherever it begins.
    ///
    /// It takes two charges, which are made together. All `most` may come at once, and again after the span. They are given
    /// back when something is issued, and over the cap it answers [`codes::LIMITED`] with a wait after which there is room.
    ///
    /// The span is rounded up to whole milliseconds. A node whose clock is ahead of the others' by the span or more finds
    /// their counters expired, and lets `most` of its own through: choose spans that are longer than clocks may differ.
    #[must_use]
    pub fn window(name: &'static str, key: [u8; 32], now: Timestamp, most: u32, span: Duration) -> [Self; 2] {
        // Time is cut into slots of the span, and each charge counts in the two pairs of neighbouring slots that hold
        // it. Any span lies within one of the pairs, so each pair admits what any span may see. A counter is gone when
        // the span has passed since its last charge, so that a pause restores everything.
        //
        // The slots are part of the keys, so what is given back late, by a flow that was long on its way, does not make
        // room for what comes meanwhile.
        let length = whole_millis(span);
        let span = span_of(length);
        let slot = now.millis().div_euclid(length);
        let left = length.saturating_sub(now.millis().rem_euclid(length));
        let pair = |first: i64, wait: Duration| {
            let key = sha256(&[&key[..], &length.to_be_bytes(), &first.to_be_bytes()].concat());
            Self::count(name, key, i64::from(most), span).settle(Settle::Refund).refusal(&codes::LIMITED, Some(wait))
        };
        [pair(slot, span), pair(slot.saturating_sub(1), span_of(left))]
    }

    /// Says what becomes of it when something is issued.
    #[must_use]
    pub const fn settle(mut self, settle: Settle) -> Self {
        self.settle = settle;
        self
    }

    /// Says what the caller is told when it is over its cap.
    #[must_use]
    pub const fn refusal(mut self, code: &'static ErrorCode, retry_after: Option<Duration>) -> Self {
        self.refusal = code;
        self.retry_after = retry_after;
        self
    }
}

/// A charge that was made, and what its counter stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charged {
    /// What is limited.
    pub name: &'static str,
    /// The counter after the charge.
    pub value: i64,
    /// Its cap.
    pub max: i64,
}

impl RequestContext {
    /// Raises all counters in one commit of their own, or none.
    ///
    /// For acts that no stage limits. Nothing is given back: [`Charge::settle`] is for stages. The limit holds over all
    /// nodes on one store, and however many requests come at once.
    ///
    /// # Errors
    ///
    /// [`Charge::refusal`] of the first that is over its cap, with its wait; it is counted as [`Charge::name`] among what
    /// was turned away, and recorded in sum. [`codes::UNAVAILABLE`] if the store does not answer: the act is to be refused
    /// then. [`codes::INTERNAL`] for a charge that counts down.
    ///
    /// # Examples
    ///
    /// At most thirty searches of one client in any minute:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use authkit_core::{AuthError, Charge, RequestContext};
    ///
    /// async fn search(cx: &RequestContext) -> Result<(), AuthError> {
    ///     let client = cx.client().prefix().map(|prefix| prefix.to_string()).unwrap_or_default();
    ///     let key = cx.counter_key(&[b"shop.search", client.as_bytes()]);
    ///     cx.charge(&Charge::window("shop.search", key, cx.now(), 30, Duration::from_secs(60))).await?;
    ///     Ok(())
    /// }
    /// ```
    pub async fn charge(&self, charges: &[Charge]) -> Result<Vec<Charged>, AuthError> {
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        if charges.iter().any(|charge| charge.by < 0) {
            return Err(AuthError::new(&codes::INTERNAL).because("a charge that counts down"));
        }
        let def = &self.engine.counters.table.def;
        let bump = |charge: &Charge| {
            let counter =
                Counter { id: self.new_id(), key: charge.key, value: 0, expires_at: self.now().plus(charge.life) };
            let write = Write::Bump {
                index: Counter::by_key.position(),
                values: counter.into_values(),
                column: Counter::value.position(),
                by: charge.by,
                floor: charge.floor,
                max: Some(charge.max),
            };
            Op { def: def.clone(), write }
        };
        let ops: Vec<Op> = charges.iter().map(bump).collect();
        let done = match self.engine.store.commit(&self.scope(), &ops, self.now()).await {
            Ok(done) => done,
            Err(StoreError::Guard { op }) => {
                let Some(full) = charges.get(op) else {
                    return Err(AuthError::new(&codes::LIMITED));
                };
                self.turned_away(full.name);
                let error = AuthError::new(full.refusal).because(full.name);
                return Err(match full.retry_after {
                    Some(wait) => error.retry_after(wait),
                    None => error,
                });
            }
            Err(error) => return Err(error.into()),
        };
        let value = |done: &Done| if let Done::Bumped(value) = done { *value } else { 0 };
        let charged =
            |(charge, done): (&Charge, &Done)| Charged { name: charge.name, value: value(done), max: charge.max };
        Ok(charges.iter().zip(&done).map(charged).collect())
    }

    /// Names a counter by what is limited and for whom.
    ///
    /// The parts are framed by their lengths. The name does not tell its parts, so a row of the store names nobody, and it
    /// is the same on every node and after a rotation of the keys. Counters of two tenants are never the same.
    #[must_use]
    pub fn counter_key(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.engine.counter_keys.pseudonym(parts)
    }

    /// Gives back what was charged for a step that was not judged.
    pub(crate) async fn refund(&self, charges: &[Charge]) {
        let owed: Vec<Owed> = charges.iter().filter(|charge| charge.settle != Settle::Keep).map(Owed::from).collect();
        if owed.is_empty() {
            return;
        }
        let mut batch = EphemeralBatch::new(self);
        for owed in owed {
            let (row, bump) = owed.undo(self);
            batch.bump(&self.engine.counters, Counter::by_key, row, Counter::value, bump);
        }
        if let Err(error) = self.commit_ephemeral(batch).await {
            tracing::warn!(?error, "charges could not be given back");
        }
    }
}

/// Rounded up, and at least one: a counter that is gone at once limits nothing.
fn whole_millis(span: Duration) -> i64 {
    let up = i64::from(!span.subsec_nanos().is_multiple_of(1_000_000));
    millis(span).saturating_add(up).max(1)
}

fn span_of(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

impl Batch {
    /// Starts the counter of a [`Charge`] afresh; one that is absent is no error.
    pub fn clear_counter(&mut self, cx: &RequestContext, key: [u8; 32]) {
        self.purge(&cx.engine.counters, Counter::by_key, (key,), []);
    }
}

impl From<&Charge> for Owed {
    fn from(charge: &Charge) -> Self {
        Self { key: charge.key, by: charge.by, floor: charge.floor, settle: charge.settle }
    }
}

impl Owed {
    /// Takes the charge back, never below what an untouched counter stands at.
    pub(crate) fn undo(&self, cx: &RequestContext) -> (Counter, Bump) {
        let floor = self.floor.unwrap_or(0).saturating_add(self.by);
        let row =
            Counter { id: cx.new_id(), key: self.key, value: 0, expires_at: cx.now().plus(Duration::from_secs(1)) };
        (row, Bump { by: self.by.saturating_neg(), floor: Some(floor), max: None })
    }
}

id_type! {
    /// One counter.
    pub(crate) struct CounterId;
}

/// A counter of a [`Charge`].
#[derive(Debug, Entity)]
#[entity(table = "auth_counters", ephemeral, unique(by_key: key), expires(expires_at))]
pub(crate) struct Counter {
    pub(crate) id: CounterId,
    pub(crate) key: [u8; 32],
    pub(crate) value: i64,
    pub(crate) expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_up_to_milliseconds_so_that_no_counter_is_gone_at_once() {
        for (span, millis) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_micros(999), 1),
            (Duration::from_millis(1), 1),
            (Duration::from_nanos(1_000_001), 2),
            (Duration::from_secs(60), 60_000),
        ] {
            let now = Timestamp::from_millis(1_800_000_000_000);
            for charge in Charge::window("shop.search", [0; 32], now, 1, span) {
                assert_eq!(charge.life, Duration::from_millis(millis), "{span:?}");
                assert!(charge.retry_after.is_some_and(|wait| !wait.is_zero() && wait <= charge.life), "{span:?}");
            }
            let rate = Charge::rate("shop.rate", [0; 32], now, 3, span);
            assert_eq!((rate.by.unsigned_abs(), rate.life), (millis, Duration::from_millis(3 * millis)), "{span:?}");
        }
    }
}
