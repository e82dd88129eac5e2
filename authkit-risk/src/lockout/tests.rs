use std::time::Duration;

use authkit_core::{Charge, Timestamp, codes};

use super::plan::{Place, Plan};
use crate::{
    config::{Limit, Lockout, ThrottleConfig},
    entity::LockScope,
    model::{Counters, Numbers, START, arrivals, keys, most_within},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ADA: [u8; 32] = [1; 32];
const DEVICE: [u8; 16] = [9; 16];

struct World {
    plan: Plan,
    counters: Counters,
}

impl World {
    fn new(lockout: Lockout) -> Self {
        Self::with(ThrottleConfig { lockout, ..ThrottleConfig::default() })
    }

    fn with(config: ThrottleConfig) -> Self {
        assert_eq!(config.problems(), [""; 0]);
        Self { plan: Plan::new(&config, keys()), counters: Counters::default() }
    }

    fn fails(&mut self, place: Place<'_>, now: Timestamp) -> Result<(), Box<Charge>> {
        self.counters.charge(&self.plan.charges(&ADA, place, now), now)
    }

    fn succeeds(&mut self, place: Place<'_>, now: Timestamp) -> Result<(), Box<Charge>> {
        let charges = self.plan.charges(&ADA, place, now);
        self.counters.charge(&charges, now)?;
        self.counters.settle(&charges, now);
        Ok(())
    }

    /// Fails again and again; returns when it was judged, since the start.
    fn hammer(&mut self, place: Place<'_>, every: Duration, for_long: Duration) -> Vec<Duration> {
        let steps = for_long.as_millis() / every.as_millis();
        let times = (0..steps as u32).map(|n| every * n);
        times.filter(|at| self.fails(place, START.plus(*at)).is_ok()).collect()
    }
}

fn client(n: u32) -> [u8; 4] {
    n.to_be_bytes()
}

/// The waits between judged attempts that are longer than a minute, and after how many attempts each began.
fn locks(judged: &[Duration]) -> Vec<(usize, Duration)> {
    let waits = judged.windows(2).enumerate().map(|(n, pair)| (n + 1, pair[1] - pair[0]));
    waits.filter(|(_, wait)| *wait > MINUTE).collect()
}

#[test]
fn five_tries_five_minutes_five_tries_fifteen_five_tries_sixty_and_so_on() {
    let mut world = World::new(Lockout::exponential());
    let judged = world.hammer(Place::Client(b"a"), SECOND, 165 * MINUTE);
    let expected = [(5, 5), (10, 15), (15, 60), (20, 5), (25, 15), (30, 60)];
    assert_eq!(locks(&judged), expected.map(|(tries, minutes)| (tries, minutes * MINUTE)));
}

#[test]
fn short_delays_come_before_the_first_lock() {
    let mut world = World::new(Lockout::exponential());
    let judged = world.hammer(Place::Client(b"a"), SECOND / 10, 20 * SECOND);
    let waits: Vec<Duration> = judged.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [SECOND / 10, SECOND / 10, 2 * SECOND, 4 * SECOND]);
}

#[test]
fn a_delay_is_told_and_a_lock_looks_like_a_wrong_password() {
    let mut world = World::new(Lockout::exponential());
    for _ in 0..3 {
        world.fails(Place::Client(b"a"), START).unwrap();
    }
    let delay = world.fails(Place::Client(b"a"), START).unwrap_err();
    assert_eq!((delay.refusal, delay.retry_after), (&codes::LIMITED, Some(2 * SECOND)));
    world.fails(Place::Client(b"a"), START.plus(2 * SECOND)).unwrap();
    world.fails(Place::Client(b"a"), START.plus(6 * SECOND)).unwrap();
    let lock = world.fails(Place::Client(b"a"), START.plus(6 * SECOND)).unwrap_err();
    assert_eq!((lock.refusal, lock.retry_after), (&codes::REJECTED, None));
}

#[test]
fn fixed_locks_do_not_grow() {
    for (preset, minutes) in [(Lockout::fixed_15(), 15), (Lockout::fixed_30(), 30)] {
        let mut world = World::new(preset);
        let judged = world.hammer(Place::Client(b"a"), SECOND, 200 * MINUTE);
        let locks = locks(&judged);
        assert!(locks.len() >= 5);
        assert!(locks.iter().all(|(_, wait)| *wait == minutes * MINUTE), "{locks:?}");
    }
}

#[test]
fn without_lockout_only_the_rate_is_left() {
    let mut world = World::new(Lockout::dangerously_off());
    assert_eq!(world.plan.charges(&ADA, Place::Client(b"a"), START).len(), 1);
    assert_eq!(world.plan.charges(&ADA, Place::Device(&DEVICE), START).len(), 1);
    assert_eq!(world.hammer(Place::Client(b"a"), SECOND, 10 * MINUTE).len(), 14);
}

#[test]
fn a_sign_in_raises_few_counters() {
    let config = ThrottleConfig::default();
    let plan = Plan::new(&config, keys());
    assert_eq!(plan.charges(&ADA, Place::Client(b"a"), START).len(), 9);
    assert_eq!(plan.charges(&ADA, Place::Device(&DEVICE), START).len(), 8);
}

#[test]
fn success_starts_all_counts_afresh() {
    let mut world = World::new(Lockout::exponential());
    let mut now = START;
    for _ in 0..50 {
        for _ in 0..4 {
            now = now.plus(15 * SECOND);
            world.fails(Place::Client(b"a"), now).unwrap();
        }
        now = now.plus(15 * SECOND);
        world.succeeds(Place::Client(b"a"), now).unwrap();
    }
}

#[test]
fn a_thousand_guesses_at_once_are_at_most_five() {
    let mut world = World::new(Lockout::exponential());
    let judged = (0..1000).filter(|n| world.fails(Place::Client(&client(n % 10)), START).is_ok()).count();
    assert_eq!(judged, 5);
    let alone = (0..1000).filter(|_| world.fails(Place::Client(b"a"), START.plus(DAY)).is_ok()).count();
    assert_eq!(alone, 3);
}

#[test]
fn an_account_is_judged_a_hundred_times_however_the_guesses_are_spread() {
    for every in [20 * SECOND, 7 * MINUTE, 61 * MINUTE] {
        let mut world = World::new(Lockout::exponential());
        let steps = (29 * DAY).as_secs() / every.as_secs();
        let mut now = START;
        let mut judged = 0;
        for n in 0..steps.min(20_000) as u32 {
            now = now.plus(every);
            judged += usize::from(world.fails(Place::Client(&client(n)), now).is_ok());
        }
        assert_eq!(judged, 100, "every {every:?}");
    }
}

#[test]
fn one_client_is_stopped_after_a_hundred_too() {
    let mut world = World::new(Lockout::exponential());
    assert_eq!(world.hammer(Place::Client(b"a"), 20 * SECOND, 3 * DAY).len(), 100);
}

#[test]
fn others_cannot_lock_out_the_owner_of_a_known_device() {
    let mut world = World::new(Lockout::exponential());
    let mut now = START;
    for n in 0..2000 {
        now = now.plus(10 * MINUTE);
        drop(world.fails(Place::Client(&client(n)), now));
    }
    let stranger = world.succeeds(Place::Client(b"new"), now).unwrap_err();
    assert_eq!(stranger.name, "lockout.account");
    world.succeeds(Place::Device(&DEVICE), now).unwrap();
    // That success has lifted the hard stop for everybody.
    world.succeeds(Place::Client(b"new"), now).unwrap();
}

#[test]
fn a_stolen_mark_has_a_capped_budget_of_its_own() {
    let mut world = World::new(Lockout::exponential());
    assert_eq!(world.hammer(Place::Device(&DEVICE), 20 * SECOND, 3 * DAY).len(), 100);
    let now = START.plus(3 * DAY);
    world.succeeds(Place::Client(b"a"), now).unwrap();
    world.succeeds(Place::Device(&[8; 16]), now).unwrap();
    assert_eq!(world.succeeds(Place::Device(&DEVICE), now).unwrap_err().name, "lockout.device");
}

#[test]
fn lifting_a_lock_needs_only_its_group() {
    let mut world = World::new(Lockout::exponential());
    let judged = world.hammer(Place::Client(b"a"), SECOND, 30 * SECOND).len();
    assert_eq!(judged, 5);
    let now = START.plus(30 * SECOND);
    for scope in [LockScope::Account, LockScope::Client] {
        let group = world.plan.group(scope, &ADA, Place::Client(b"a"));
        world.counters.clear(world.plan.counters(group));
    }
    for n in 0..5 {
        world.fails(Place::Client(b"a"), now.plus(5 * SECOND * n)).unwrap();
    }
    assert!(world.fails(Place::Client(b"a"), now.plus(25 * SECOND)).is_err());
}

#[test]
fn no_span_holds_more_attempts_on_an_account_than_the_limit_wherever_it_begins() {
    for seed in 0..400 {
        let mut numbers = Numbers::new(seed);
        let attempts = 1 + numbers.below(9) as u32;
        let mut world = World::with(ThrottleConfig {
            per_subject: Limit::new(attempts, MINUTE),
            lockout: Lockout::dangerously_off(),
            ..ThrottleConfig::default()
        });
        let times = arrivals(&mut numbers, 300, MINUTE);
        let judged: Vec<Timestamp> =
            times.into_iter().filter(|now| world.fails(Place::Client(b"a"), *now).is_ok()).collect();
        let most = most_within(&judged, MINUTE);
        assert!(most <= attempts as usize, "seed {seed}: {most} of {attempts}");
    }
}

#[test]
fn all_attempts_on_an_account_are_there_at_once_then_one_per_span() {
    let mut world = World::new(Lockout::dangerously_off());
    let judged = world.hammer(Place::Client(b"a"), SECOND, 4 * MINUTE);
    let expected = [0, 1, 2, 3, 4, 60, 120, 180].map(Duration::from_secs);
    assert_eq!(judged, expected);
}
