//! How many guesses were judged, of which attempts, and whether each was paid for before.

use std::{collections::BTreeMap, time::Duration};

use authkit_core::{Id, Timestamp};

use super::{Attempt, Flight, Model};
use crate::{
    ask::Deed,
    breach::{Checked, breach},
    house::{FAILURES, GUESSES, GUESSES_OF_CLIENT},
    request::{Person, Tenant},
    store::Seen,
};

/// What is guessed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A credential of a principal, by its method: each counts for itself.
    Principal(Tenant, Id, &'static str),
    /// An address that leads to nobody.
    Address(Tenant, Person),
}

/// A request that was paid for, and what was guessed at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paid {
    pub(super) request: u32,
    pub(super) subject: Option<Subject>,
}

#[derive(Clone, Copy, Debug)]
struct Guess {
    request: u32,
    /// When its request began: limits count by that.
    begun: Timestamp,
    /// When it was paid for: a request may be long on its way.
    paid: Timestamp,
    standing: Standing,
}

/// Whether a guess still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It was paid for, and not judged so far.
    Charged,
    /// It was judged, and nothing more is known.
    Judged,
    /// It was refused, which can never be undone.
    Failed,
    /// It was given back: a right proof, or nothing that was told.
    Undone,
}

#[derive(Default)]
pub(super) struct Guesses {
    of_subjects: BTreeMap<Subject, Vec<Guess>>,
    of_clients: BTreeMap<(Tenant, u8), Vec<Guess>>,
    /// How often something was given back that had been given back before.
    late: BTreeMap<Subject, usize>,
}

/// The span of the limits.
const MINUTE: Duration = Duration::from_secs(60);
/// How many answers one flow may have judged.
const STEPS_OF_FLOW: usize = 5;

impl Model {
    /// Takes note of what a request asked of the store in this step.
    pub(crate) fn judge(&mut self, flight: &mut Flight, seen: &[Seen]) -> Checked {
        for call in seen {
            match call {
                Seen::Landed(tables) if tables.contains(&"auth_counters") && flight.attempt == Attempt::Unpaid => {
                    self.charged(flight);
                }
                Seen::Landed(tables) if tables.iter().all(|table| *table == "auth_counters") => self.given_back(flight),
                Seen::Read("auth_identifiers") if flight.subject.is_none() => {
                    flight.subject = self.subject(flight);
                    self.remember(flight);
                }
                Seen::Read("auth_passwords" | "sim_words" | "sim_badges") if flight.attempt != Attempt::Judged => {
                    self.remember(flight);
                    self.guess(flight)?;
                }
                Seen::Read("auth_sessions") if flight.read.is_none() => self.read_session(flight),
                Seen::Read("auth_principals") => self.remember(flight),
                _ => {}
            }
        }
        Ok(())
    }

    fn subject(&self, flight: &Flight) -> Option<Subject> {
        let tenant = flight.ask.tenant;
        match &flight.ask.deed {
            Deed::SignIn { address, .. } => {
                let person = Person::of_address(address)?;
                let known = self.account_of(tenant, person).map(|(id, _)| Subject::Principal(tenant, id, "password"));
                Some(known.unwrap_or(Subject::Address(tenant, person)))
            }
            Deed::AnswerPassword { flow, .. } | Deed::AnswerBadge { flow, .. } => {
                let claim = self.tokens.flow.parse(flow)?;
                let badge = matches!(flight.ask.deed, Deed::AnswerBadge { .. });
                let method = if badge { "badge" } else { "password" };
                self.flows.get(&(tenant, claim.id)).map(|flow| Subject::Principal(tenant, flow.principal, method))
            }
            Deed::ChangePassword { token, .. } => {
                let claim = self.tokens.session.parse(token)?;
                self.owners.get(&(tenant, claim.id)).map(|owner| Subject::Principal(tenant, *owner, "password"))
            }
            _ => None,
        }
    }

    /// An attempt was paid for. A success that comes between this and its judgement forgives it, too.
    fn charged(&mut self, flight: &mut Flight) {
        flight.attempt = Attempt::Charged;
        if flight.subject.is_none() {
            flight.subject = self.subject(flight);
        }
        let guess =
            Guess { request: flight.number, begun: flight.now(), paid: self.clock, standing: Standing::Charged };
        let client = (flight.ask.tenant, flight.ask.client);
        self.guesses.of_clients.entry(client).or_default().push(guess);
        if let Some(subject) = flight.subject {
            self.guesses.of_subjects.entry(subject).or_default().push(guess);
        }
    }

    /// A credential was looked up, to be compared with what was sent.
    fn guess(&mut self, flight: &mut Flight) -> Checked {
        let judged = matches!(
            flight.ask.deed,
            Deed::SignIn { .. }
                | Deed::BadgeSignIn { .. }
                | Deed::AnswerPassword { .. }
                | Deed::AnswerBadge { .. }
                | Deed::ChangePassword { .. }
        );
        if !judged {
            return Ok(());
        }
        if std::mem::replace(&mut flight.attempt, Attempt::Judged) == Attempt::Unpaid {
            return Err(breach("I10", "a credential was judged before the attempt was charged"));
        }
        self.guesses.set(flight.number, Standing::Judged);
        let flow = flight.ask.deed.flow().and_then(|token| self.tokens.flow.parse(token)).map(|claim| claim.id);
        if let Some(flow) = flow.and_then(|id| self.flows.get_mut(&(flight.ask.tenant, id))) {
            flow.steps += 1;
            if flow.steps > STEPS_OF_FLOW {
                return Err(breach("I10", format!("{} answers of one flow were judged", flow.steps)));
            }
        }
        self.within_limits(flight)
    }

    /// What was charged for a request was given back.
    ///
    /// If time has given a part of it back already, or a success all of it, one further guess is judged. Somebody who
    /// knows a right answer gains it only while a request is on its way, so one each is let pass.
    pub(super) fn given_back(&mut self, flight: &Flight) {
        let Some(subject) = flight.subject else {
            return self.guesses.set(flight.number, Standing::Undone);
        };
        let own = |guess: &Guess| guess.request == flight.number && guess.standing != Standing::Undone;
        let counts = self.guesses.of_subjects.get(&subject).is_some_and(|guesses| guesses.iter().any(own));
        if !counts || self.clock > flight.now() {
            *self.guesses.late.entry(subject).or_default() += 1;
        }
        self.guesses.set(flight.number, Standing::Undone);
    }

    /// A request was judged and refused.
    pub(super) fn failed(&mut self, flight: &Flight) -> Checked {
        self.guesses.set(flight.number, Standing::Failed);
        self.within_limits(flight)
    }

    /// Something was issued: failures at the credentials that led to it are forgotten, and so is what it cost.
    pub(super) fn issued(&mut self, paid: &[Paid]) {
        for subject in paid.iter().filter_map(|paid| paid.subject) {
            self.guesses.of_subjects.remove(&subject);
            self.guesses.late.remove(&subject);
        }
        let led = |guess: &Guess| paid.iter().any(|paid| paid.request == guess.request);
        for guesses in self.guesses.of_clients.values_mut() {
            guesses.retain(|guess| !led(guess) || guess.standing == Standing::Failed);
        }
    }

    fn within_limits(&self, flight: &Flight) -> Checked {
        if let Some(guesses) = flight.subject.and_then(|subject| self.guesses.of_subjects.get(&subject)) {
            let (lately, ever) = (most_within_a_minute(guesses), judged(guesses).count());
            let late = flight.subject.and_then(|subject| self.guesses.late.get(&subject)).copied().unwrap_or(0);
            if lately > GUESSES + late || ever > FAILURES as usize + late {
                return Err(breach("I10", format!("{lately} guesses at one account in a minute, {ever} in all")));
            }
        }
        let own = self.guesses.of_clients.get(&(flight.ask.tenant, flight.ask.client));
        let lately = own.map_or(0, |guesses| most_within_a_minute(guesses));
        if lately > GUESSES_OF_CLIENT {
            return Err(breach("I10", format!("{lately} guesses of one client in a minute")));
        }
        Ok(())
    }
}

impl Guesses {
    fn set(&mut self, request: u32, standing: Standing) {
        let all = self.of_subjects.values_mut().chain(self.of_clients.values_mut()).flatten();
        for guess in all.filter(|guess| guess.request == request && guess.standing != Standing::Failed) {
            guess.standing = standing;
        }
    }
}

fn judged(guesses: &[Guess]) -> impl Iterator<Item = &Guess> {
    guesses.iter().filter(|guess| matches!(guess.standing, Standing::Judged | Standing::Failed))
}

/// The most that any minute holds, wherever it begins: of requests that began and were paid for within it.
fn most_within_a_minute(guesses: &[Guess]) -> usize {
    let within = |from: Timestamp, guess: &Guess| {
        guess.begun >= from && guess.begun.since(from).max(guess.paid.since(from)) < MINUTE
    };
    let from = |first: &Guess| judged(guesses).filter(|guess| within(first.begun, guess)).count();
    judged(guesses).map(from).max().unwrap_or(0)
}
