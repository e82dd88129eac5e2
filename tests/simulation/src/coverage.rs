//! How often what happened, so that a run in which nothing did is no success.

use std::{collections::BTreeMap, fmt};

use crate::{ask::Answer, model::Flight};

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Histories that were run to their end.
    pub histories: u64,
    counts: BTreeMap<String, u64>,
    /// What has to happen in ten thousand histories, and at least how often.
    floors: &'static [(&'static str, u64)],
}

impl Coverage {
    pub(crate) fn new(floors: &'static [(&'static str, u64)]) -> Self {
        Self { floors, ..Self::default() }
    }

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
        nothing.into_iter().chain(self.floors.iter().filter_map(seldom)).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} histories", self.histories)?;
        self.counts.iter().try_for_each(|(what, count)| writeln!(f, "{count:>9}  {what}"))
    }
}
