//! Which counters an attempt is charged to. Every one is a row of core's, so nothing is kept here.

use std::time::Duration;

use authkit_core::{Charge, Charged, MacKey, MethodId, Settle, Timestamp, codes};

use crate::{
    config::{Limit, LockStep, ThrottleConfig},
    entity::LockScope,
};

/// The configured limits and steps, as counters.
pub(crate) struct Plan {
    rate: Limit,
    delays: Vec<LockStep>,
    account: Vec<LockStep>,
    client: Vec<LockStep>,
    device: Vec<LockStep>,
    /// The last step of account and device.
    stop: Option<LockStep>,
    keys: MacKey,
}

/// Where an attempt comes from.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// A client prefix, as bytes.
    Client(&'a [u8]),
    /// A device on which the principal is known. It has a budget of its own.
    Device(&'a [u8; 16]),
}

/// The counters of one subject in one scope.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    pub(crate) scope: LockScope,
    /// Pseudonym from which the keys of the counters are derived.
    pub(crate) id: [u8; 32],
}

impl Plan {
    pub(crate) fn new(config: &ThrottleConfig, keys: MacKey) -> Self {
        let lockout = &config.lockout;
        let stop = lockout.hard_stop.map(|failures| LockStep::new(failures, HARD_STOP));
        let with_stop = |steps: &[LockStep]| steps.iter().copied().chain(stop).collect();
        Self {
            rate: config.per_subject,
            delays: lockout.delays.clone(),
            account: with_stop(&lockout.account_steps),
            client: lockout.steps.clone(),
            device: with_stop(&lockout.steps),
            stop,
            keys,
        }
    }

    /// What an attempt costs. Locks come first, so that of several full counters a lock decides what is answered.
    pub(crate) fn charges(&self, subject: &[u8; 32], place: Place<'_>, now: Timestamp) -> Vec<Charge> {
        let account = self.group(LockScope::Account, subject, place);
        let (own, limited, mut charges) = match place {
            Place::Client(_) => {
                let client = self.group(LockScope::Client, subject, place);
                let locks = self.locks(client).chain(self.locks(account));
                (client, account, locks.collect::<Vec<_>>())
            }
            Place::Device(_) => {
                let device = self.group(LockScope::Device, subject, place);
                let locks = self.locks(device).chain(self.release(account));
                (device, device, locks.collect())
            }
        };
        charges.extend(self.delays(own));
        charges.push(self.rate(limited, now));
        charges
    }

    /// One credential of one account.
    pub(crate) fn subject(&self, account: &[u8; 32], method: &MethodId) -> [u8; 32] {
        self.keys.pseudonym(&[b"subject", account, method.as_str().as_bytes()])
    }

    pub(crate) fn group(&self, scope: LockScope, subject: &[u8; 32], place: Place<'_>) -> Group {
        let part: &[u8] = match (scope, place) {
            (LockScope::Client, Place::Client(prefix)) => prefix,
            (LockScope::Device, Place::Device(device)) => device,
            _ => &[],
        };
        Group { scope, id: self.keys.pseudonym(&[scope.as_str().as_bytes(), subject, part]) }
    }

    /// The longest lock that these charges have filled.
    pub(crate) fn filled(&self, scope: LockScope, charged: &[Charged]) -> Option<LockStep> {
        let full = |step: &&LockStep| {
            let max = i64::from(step.failures);
            charged.iter().any(|c| c.name == lock_name(scope) && c.max == max && c.value >= max)
        };
        self.steps(scope).iter().rfind(full).copied()
    }

    /// The keys of all counters of a group, to clear them.
    pub(crate) fn counters(&self, group: Group) -> impl Iterator<Item = [u8; 32]> {
        let locks = self.locks(group).chain(self.delays(group)).map(|charge| charge.key);
        locks.chain([self.rate_key(group)])
    }

    fn steps(&self, scope: LockScope) -> &[LockStep] {
        match scope {
            LockScope::Account => &self.account,
            LockScope::Client => &self.client,
            LockScope::Device => &self.device,
        }
    }

    /// A full counter whose row lives for `wait` from the last charge on is the lock. Attempts that are turned away
    /// charge nothing, so they do not prolong it.
    fn locks(&self, group: Group) -> impl Iterator<Item = Charge> {
        self.steps(group.scope).iter().map(move |step| {
            let name = lock_name(group.scope);
            // Locks look like a wrong password: whoever guesses must not learn that the next guess is not judged.
            Charge::count(name, self.key(group, name, step.failures), i64::from(step.failures), step.wait)
        })
    }

    fn delays(&self, group: Group) -> impl Iterator<Item = Charge> {
        self.delays.iter().map(move |step| {
            let key = self.key(group, DELAY, step.failures);
            Charge::count(DELAY, key, i64::from(step.failures), step.wait).refusal(&codes::LIMITED, Some(step.wait))
        })
    }

    /// All attempts at once, then one per span: whoever waits as long as the lock after five failures takes has all of
    /// them back. Slower refilling is what makes the limit hold in every span, wherever it begins.
    fn rate(&self, group: Group, now: Timestamp) -> Charge {
        let Limit { attempts, within } = self.rate;
        Charge::rate(RATE, self.rate_key(group), now, attempts, within).settle(Settle::Reset)
    }

    /// Costs nothing and refuses nothing, but success clears it: an owner who signs in on a known device lifts the hard
    /// stop that others have brought about.
    fn release(&self, account: Group) -> Option<Charge> {
        let key = self.key(account, lock_name(account.scope), self.stop?.failures);
        let mut charge = Charge::count(RELEASE, key, i64::MAX, Duration::from_secs(1));
        charge.by = 0;
        Some(charge)
    }

    fn rate_key(&self, group: Group) -> [u8; 32] {
        self.key(group, RATE, self.rate.attempts)
    }

    fn key(&self, group: Group, name: &str, failures: u32) -> [u8; 32] {
        self.keys.pseudonym(&[&group.id, name.as_bytes(), &failures.to_be_bytes()])
    }
}

const fn lock_name(scope: LockScope) -> &'static str {
    match scope {
        LockScope::Account => "lockout.account",
        LockScope::Client => "lockout.client",
        LockScope::Device => "lockout.device",
    }
}

const DELAY: &str = "lockout.delay";
const RATE: &str = "throttle.subject";
const RELEASE: &str = "lockout.release";
/// How long the hard stop lasts if nobody lifts it.
const HARD_STOP: Duration = Duration::from_secs(30 * 24 * 60 * 60);
