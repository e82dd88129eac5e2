//! The stage "throttle": how much one client may try.

use async_trait::async_trait;
use authkit_core::{
    Admission, Aftermath, Attempt, AuthError, Charge, End, FlowView, MacKey, Order, RequestContext, Requirement,
    Signals, Stage, StageId, Timestamp,
};

use crate::config::Limit;

/// Limits the attempts of one client prefix, for every purpose.
pub(crate) struct ClientLimit {
    pub(crate) limit: Limit,
    pub(crate) keys: MacKey,
}

impl ClientLimit {
    fn charges(&self, client: &[u8], now: Timestamp) -> [Charge; 2] {
        let key = self.keys.pseudonym(&[NAME.as_bytes(), client]);
        Charge::window(NAME, key, now, self.limit.attempts, self.limit.within)
    }
}

#[async_trait]
impl Stage for ClientLimit {
    fn id(&self) -> StageId {
        "throttle"
    }

    fn order(&self) -> Order {
        Order::ANY
    }

    async fn admit(&self, cx: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> {
        let charges = match cx.client().prefix() {
            Some(prefix) => self.charges(prefix.to_string().as_bytes(), cx.now()).into(),
            None => Vec::new(),
        };
        Ok(Admission::Pass(charges))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, _: &mut Signals) -> Result<(), AuthError> {
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(Requirement::none())
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}

const NAME: &str = "throttle.client";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use authkit_core::codes;

    use super::*;
    use crate::model::{Counters, Numbers, START, arrivals, keys, most_within};

    const MINUTE: Duration = Duration::from_secs(60);

    fn limit(attempts: u32) -> ClientLimit {
        ClientLimit { limit: Limit::new(attempts, MINUTE), keys: keys() }
    }

    #[test]
    fn no_span_holds_more_than_the_limit_wherever_it_begins() {
        for seed in 0..400 {
            let mut numbers = Numbers::new(seed);
            let attempts = 1 + numbers.below(12) as u32;
            let (limit, mut counters) = (limit(attempts), Counters::default());
            let mut admitted: Vec<Timestamp> = Vec::new();
            for now in arrivals(&mut numbers, 300, MINUTE) {
                let judged = counters.charge(&limit.charges(b"a", now), now).is_ok();
                let recent = |span| admitted.iter().filter(|at| now.since(**at) < span).count();
                if !judged {
                    assert!(recent(2 * MINUTE) >= attempts as usize, "seed {seed}: refused without cause");
                    assert!(recent(MINUTE) > 0, "seed {seed}: refused after a pause");
                }
                admitted.extend(judged.then_some(now));
            }
            let most = most_within(&admitted, MINUTE);
            assert!(most <= attempts as usize, "seed {seed}: {most} of {attempts}");
        }
    }

    #[test]
    fn what_is_given_back_however_late_makes_no_room_for_more_failures() {
        for seed in 0..400 {
            let mut numbers = Numbers::new(seed);
            let attempts = 1 + numbers.below(6) as u32;
            let (limit, mut counters) = (limit(attempts), Counters::default());
            let mut pending: Vec<(Timestamp, [Charge; 2])> = Vec::new();
            let mut failed: Vec<Timestamp> = Vec::new();
            for now in arrivals(&mut numbers, 300, MINUTE) {
                for (_, charges) in pending.extract_if(.., |(due, _)| *due <= now) {
                    counters.settle(&charges, now);
                }
                let charges = limit.charges(b"a", now);
                if counters.charge(&charges, now).is_err() {
                    continue;
                }
                if numbers.below(2) == 0 {
                    pending.push((now.plus(Duration::from_millis(numbers.below(600_000))), charges));
                } else {
                    failed.push(now);
                }
            }
            let most = most_within(&failed, MINUTE);
            assert!(most <= attempts as usize, "seed {seed}: {most} of {attempts}");
        }
    }

    #[test]
    fn all_attempts_are_there_at_once_and_again_after_the_span() {
        let (limit, mut counters) = (limit(10), Counters::default());
        for round in 0..3 {
            let now = START.plus(round * MINUTE);
            let mut judge = || counters.charge(&limit.charges(b"a", now), now);
            assert!((0..10).all(|_| judge().is_ok()), "round {round}");
            let full = judge().unwrap_err();
            assert_eq!((full.refusal, full.retry_after), (&codes::LIMITED, Some(MINUTE)));
        }
    }

    #[test]
    fn a_steady_rate_of_half_the_limit_is_never_refused() {
        let (limit, mut counters) = (limit(10), Counters::default());
        for n in 0..1000 {
            let now = START.plus(n * MINUTE / 5);
            assert!(counters.charge(&limit.charges(b"a", now), now).is_ok(), "attempt {n}");
        }
    }

    #[test]
    fn clients_do_not_share() {
        let (limit, mut counters) = (limit(1), Counters::default());
        assert!(counters.charge(&limit.charges(b"a", START), START).is_ok());
        assert!(counters.charge(&limit.charges(b"b", START), START).is_ok());
        assert!(counters.charge(&limit.charges(b"a", START), START).is_err());
    }
}
