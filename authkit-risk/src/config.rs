mod preset;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::preset::{PresetOrSteps, preset_or_steps};

/// How much may be tried, and what happens to whoever fails too often. In a configuration tree spans are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ThrottleConfig {
    /// Attempts of one client prefix, for every purpose; 10 in a minute unless set. Those that succeed do not count.
    pub per_client: Limit,
    /// Attempts on one account, or on one identifier that leads to none: that many at once, then one in each span; 5, then
    /// one a minute, unless set. Success clears it.
    pub per_subject: Limit,
    /// What happens to whoever fails too often: a word for one of the presets, or a table; `exponential` unless set.
    #[serde(deserialize_with = "preset_or_steps")]
    #[schemars(with = "PresetOrSteps")]
    pub lockout: Lockout,
    /// How long a device is known after a sign-in; 180 days unless set, at most 400.
    #[serde(with = "authkit_core::seconds")]
    #[schemars(with = "u64")]
    pub device_life: Duration,
}

/// So many attempts in any span of this length, wherever it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Limit {
    /// How many, from 1 to 10 000.
    pub attempts: u32,
    /// The span, from a second to a day.
    #[serde(with = "authkit_core::seconds")]
    #[schemars(with = "u64")]
    pub within: Duration,
}

/// What happens to whoever fails too often in a row.
///
/// Steps add up: each has a counter of its own, which is gone once its `wait` has passed without a further attempt. So
/// after a wait the count goes on towards the next step, and it begins anew after the longest one, or on success.
///
/// # Examples
///
/// Steps of one's own, with growing failures and waits:
///
/// ```
/// use std::time::Duration;
/// use authkit_risk::{LockStep, Lockout};
///
/// let minutes = |count: u64| Duration::from_secs(60 * count);
/// let lockout = Lockout::exponential()
///     .steps([LockStep::new(5, minutes(10)), LockStep::new(10, minutes(60))])
///     .hard_stop(50);
/// assert_eq!(lockout.hard_stop, Some(50));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Lockout {
    /// Short waits of an account at one client. The caller is told of them, as of any limit.
    pub delays: Vec<LockStep>,
    /// Locks of an account at one client, and at one known device. They look like a wrong password.
    pub steps: Vec<LockStep>,
    /// Locks of an account for everybody but known devices. They look like a wrong password.
    pub account_steps: Vec<LockStep>,
    /// After so many failures the account is locked for everybody but known devices until it is unlocked, at most 100.
    ///
    /// Known devices have a budget of the same size each. It may be absent only where nothing else locks either.
    pub hard_stop: Option<u32>,
}

/// After so many failures in a row, nothing is judged for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LockStep {
    /// How many failures.
    pub failures: u32,
    /// For how long, from a second to 30 days.
    #[serde(with = "authkit_core::seconds")]
    #[schemars(with = "u64")]
    pub wait: Duration,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            per_client: Limit::new(10, MINUTE),
            per_subject: Limit::new(5, MINUTE),
            lockout: Lockout::default(),
            device_life: 180 * DAY,
        }
    }
}

impl Limit {
    /// At most so many attempts in any span of this length.
    #[must_use]
    pub const fn new(attempts: u32, within: Duration) -> Self {
        Self { attempts, within }
    }
}

impl LockStep {
    /// Nothing is judged for `wait` after so many failures.
    #[must_use]
    pub const fn new(failures: u32, wait: Duration) -> Self {
        Self { failures, wait }
    }
}

impl Default for Lockout {
    /// [`Lockout::exponential`].
    fn default() -> Self {
        Self::exponential()
    }
}

impl Lockout {
    /// Five tries, 5 minutes, five tries, 15 minutes, five tries, 60 minutes, and so on; before each lock a short delay.
    #[must_use]
    pub fn exponential() -> Self {
        let step = LockStep::new;
        Self {
            delays: vec![step(3, Duration::from_secs(2)), step(4, Duration::from_secs(4))],
            steps: vec![step(5, 5 * MINUTE), step(10, 15 * MINUTE), step(15, 60 * MINUTE)],
            account_steps: vec![step(20, 15 * MINUTE), step(40, 60 * MINUTE)],
            hard_stop: Some(MOST_FAILURES),
        }
    }

    /// 15 minutes after five failures; for the whole account after twenty.
    #[must_use]
    pub fn fixed_15() -> Self {
        Self::fixed(15 * MINUTE)
    }

    /// 30 minutes after five failures; for the whole account after twenty.
    #[must_use]
    pub fn fixed_30() -> Self {
        Self::fixed(30 * MINUTE)
    }

    /// No lock at all: a password can be guessed at for as long as it takes, as fast as the limits permit.
    #[must_use]
    pub const fn dangerously_off() -> Self {
        Self { delays: Vec::new(), steps: Vec::new(), account_steps: Vec::new(), hard_stop: None }
    }

    fn fixed(wait: Duration) -> Self {
        Self {
            delays: Vec::new(),
            steps: vec![LockStep::new(5, wait)],
            account_steps: vec![LockStep::new(20, wait)],
            hard_stop: Some(MOST_FAILURES),
        }
    }

    /// Short waits of an account at one client, with growing numbers of failures.
    #[must_use]
    pub fn delays(mut self, delays: impl IntoIterator<Item = LockStep>) -> Self {
        self.delays = delays.into_iter().collect();
        self
    }

    /// Locks of an account at one client, with growing numbers of failures.
    #[must_use]
    pub fn steps(mut self, steps: impl IntoIterator<Item = LockStep>) -> Self {
        self.steps = steps.into_iter().collect();
        self
    }

    /// Locks of an account for everybody but known devices, with growing numbers of failures.
    #[must_use]
    pub fn account_steps(mut self, steps: impl IntoIterator<Item = LockStep>) -> Self {
        self.account_steps = steps.into_iter().collect();
        self
    }

    /// After how many failures the account is locked until it is unlocked, at most 100.
    #[must_use]
    pub const fn hard_stop(mut self, failures: u32) -> Self {
        self.hard_stop = Some(failures);
        self
    }

    fn check(&self, problems: &mut Vec<&'static str>) {
        let sound = |step: &LockStep| step.failures > 0 && (SECOND..=LONGEST_WAIT).contains(&step.wait);
        let grow = |a: &LockStep, b: &LockStep| a.failures < b.failures && a.wait < b.wait;
        let all = [&self.delays, &self.steps, &self.account_steps];
        if !all.iter().all(|steps| steps.iter().all(sound)) {
            problems.push("a step of the lockout has to be at least 1 failure, and 1 second to 30 days");
        }
        if !all.iter().all(|steps| steps.is_sorted_by(grow)) {
            problems.push("each list of lockout steps has to grow, in failures and in wait");
        }
        let most = all.into_iter().flatten().map(|step| step.failures).max();
        match (self.hard_stop, most) {
            (None, None) => {}
            (None, Some(_)) => problems.push("lockout.hard_stop is missing; only Lockout::dangerously_off() has none"),
            // NIST SP 800-63B-4 §3.2.2: no more than 100 consecutive failures on one account.
            (Some(stop), _) if !(1..=MOST_FAILURES).contains(&stop) => {
                problems.push("lockout.hard_stop has to be from 1 to 100");
            }
            (Some(stop), Some(most)) if most >= stop => {
                problems.push("lockout.hard_stop has to come after all other steps");
            }
            (Some(_), _) => {}
        }
    }
}

impl ThrottleConfig {
    /// Everything that is wrong with the values.
    pub(crate) fn problems(&self) -> Vec<&'static str> {
        let mut problems = Vec::new();
        let sound = |limit: &Limit| (1..=10_000).contains(&limit.attempts) && (SECOND..=DAY).contains(&limit.within);
        if !sound(&self.per_client) {
            problems.push("per_client has to be 1 to 10000 attempts within 1 second to 1 day");
        }
        if !sound(&self.per_subject) {
            problems.push("per_subject has to be 1 to 10000 attempts within 1 second to 1 day");
        }
        self.lockout.check(&mut problems);
        if !(SECOND..=400 * DAY).contains(&self.device_life) {
            problems.push("device_life has to be 1 second to 400 days, which is as long as browsers keep a cookie");
        }
        problems
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// NIST SP 800-63B-4 §3.2.2.
const MOST_FAILURES: u32 = 100;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(change: impl FnOnce(&mut ThrottleConfig)) -> usize {
        let mut config = ThrottleConfig::default();
        change(&mut config);
        config.problems().len()
    }

    #[test]
    fn default_and_presets_are_sound() {
        assert_eq!(problems(|_| {}), 0);
        for preset in [Lockout::fixed_15(), Lockout::fixed_30(), Lockout::dangerously_off()] {
            assert_eq!(problems(|config| config.lockout = preset), 0);
        }
    }

    #[test]
    fn zero_and_boundless_limits_are_refused() {
        assert_eq!(problems(|config| config.per_client = Limit::new(0, MINUTE)), 1);
        assert_eq!(problems(|config| config.per_client = Limit::new(10_001, MINUTE)), 1);
        assert_eq!(problems(|config| config.per_subject = Limit::new(5, Duration::ZERO)), 1);
        assert_eq!(problems(|config| config.per_subject = Limit::new(5, 2 * DAY)), 1);
        assert_eq!(problems(|config| config.device_life = Duration::ZERO), 1);
        assert_eq!(problems(|config| config.device_life = 401 * DAY), 1);
    }

    #[test]
    fn steps_have_to_grow_and_the_hard_stop_comes_last() {
        let lockout = |change: fn(&mut Lockout)| problems(|config| change(&mut config.lockout));
        assert_eq!(lockout(|l| l.steps = vec![LockStep::new(0, MINUTE)]), 1);
        assert_eq!(lockout(|l| l.steps = vec![LockStep::new(5, Duration::ZERO)]), 1);
        assert_eq!(lockout(|l| l.delays = vec![LockStep::new(3, 2 * SECOND), LockStep::new(4, 2 * SECOND)]), 1);
        assert_eq!(lockout(|l| l.account_steps = vec![LockStep::new(20, MINUTE), LockStep::new(20, DAY)]), 1);
        assert_eq!(lockout(|l| l.account_steps = vec![LockStep::new(20, 31 * DAY)]), 1);
        assert_eq!(lockout(|l| l.hard_stop = Some(0)), 1);
        assert_eq!(lockout(|l| l.hard_stop = Some(40)), 1);
        assert_eq!(lockout(|l| l.hard_stop = Some(101)), 1);
        assert_eq!(lockout(|l| l.hard_stop = None), 1);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let all = problems(|config| {
            config.per_client.attempts = 0;
            config.per_subject.attempts = 0;
            config.lockout.hard_stop = None;
            config.device_life = Duration::ZERO;
        });
        assert_eq!(all, 4);
    }

    #[test]
    fn spans_are_whole_seconds_in_a_tree_and_unknown_keys_are_refused() {
        let tree = serde_json::to_value(ThrottleConfig::default()).unwrap();
        assert_eq!(tree["per_client"], json!({ "attempts": 10, "within": 60 }));
        assert_eq!(tree["lockout"]["steps"][0], json!({ "failures": 5, "wait": 300 }));
        assert_eq!(serde_json::from_value::<ThrottleConfig>(tree).unwrap(), ThrottleConfig::default());
        assert!(serde_json::from_value::<Limit>(json!({ "attempts": 1, "within": 1, "burst": 2 })).is_err());
    }
}
