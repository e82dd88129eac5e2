//! How often what happened, so that a run in which nothing did is no success.

use std::{collections::BTreeMap, fmt};

use crate::{ask::Answer, model::Flight};

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Histories that were run to their end.
    pub histories: u64,
    counts: BTreeMap<String, u64>,
}

/// What has to happen in ten thousand histories, and at least how often.
const FLOORS: [(&str, u64); 51] = [
    ("sign up", 10_000),
    ("sign in", 10_000),
    ("sign in by badge", 150),
    ("begin", 1_000),
    ("enrol", 1_000),
    ("answer password", 100),
    ("answer badge", 500),
    ("step up", 500),
    ("raise", 100),
    ("redeem", 200),
    ("change password", 200),
    ("authenticate", 5_000),
    ("list", 50),
    ("log out", 50),
    ("revoke", 50),
    ("end others", 50),
    ("end all", 50),
    ("disable", 50),
    ("enable", 50),
    ("delete", 50),
    ("restore", 5),
    ("set password", 50),
    ("sign in refused", 1_000),
    ("sign in by badge refused", 50),
    ("answer password refused", 50),
    ("answer badge refused", 50),
    ("enrol refused", 50),
    ("redeem refused", 50),
    ("authenticate refused", 500),
    ("change password refused", 50),
    ("login_failure", 1_000),
    ("challenge_issued", 2_000),
    ("session_raised", 50),
    ("account_locked", 10),
    ("not judged for a limit", 50),
    ("sent twice", 500),
    ("hung up", 50),
    ("crashed", 50),
    ("clock back", 50),
    ("clock forward", 1_000),
    ("jobs", 200),
    ("by hand", 100),
    ("a read failed", 100),
    ("a commit failed", 100),
    ("a commit was busy", 50),
    ("a commit was lost, unknown", 100),
    ("a commit landed, unknown", 100),
    ("a commit was repeated", 100),
    ("the logger refused", 30),
    ("signed in under trouble", 40),
    ("together", 1_000),
];

impl Coverage {
    pub(crate) fn count(&mut self, what: &str) {
        match self.counts.get_mut(what) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(what.to_owned(), 1);
            }
        }
    }

    /// A request has ended.
    pub(crate) fn ended(&mut self, flight: &Flight, answer: &Answer) {
        let name = flight.ask.deed.name();
        match answer {
            Answer::Refused(refusal) => {
                self.count(&format!("{name} refused"));
                if !flight.has_been_judged() && matches!(refusal.code, "core.limited" | "core.rejected") {
                    self.count("not judged for a limit");
                }
            }
            _ => self.count(name),
        }
        if let Answer::SignedIn { .. } = answer
            && flight.trouble.is_some()
        {
            self.count("signed in under trouble");
        }
        if !flight.alone {
            self.count("together");
        }
        for kind in &flight.landed {
            if ["login_failure", "challenge_issued", "session_raised", "account_locked"].contains(&kind.as_str()) {
                self.count(kind);
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        for (what, count) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
    }

    /// What happened too seldom to say anything.
    #[must_use]
    pub fn hollow(&self) -> Vec<String> {
        let due = |floor: u64| floor * self.histories / 10_000;
        let seldom = |(what, floor): &(&str, u64)| {
            let count = self.counts.get(*what).copied().unwrap_or(0);
            (count < due(*floor)).then(|| format!("{what}: {count} of {}", due(*floor)))
        };
        let nothing = (self.histories == 0).then(|| "histories: none".to_owned());
        nothing.into_iter().chain(FLOORS.iter().filter_map(seldom)).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} histories", self.histories)?;
        self.counts.iter().try_for_each(|(what, count)| writeln!(f, "{count:>9}  {what}"))
    }
}
