//! One history, from its first step to its last, with the model at its side.

mod resolve;
mod wallet;

use authkit_core::{Clock as _, Timestamp};

use crate::{
    ask::{Answer, Ask, Notes, Offers, perform},
    breach::{Breach, Checked, breach},
    coverage::Coverage,
    history::{Accounts, CLIENTS, Hand, Step},
    house::{ByHand, House},
    model::{Flight, Look, Model},
    plot::{History, Outcome, Telling},
    request::{Pick, Tenant, What, Wish},
    rows::{Rows, TABLES, Table},
    schedule::{Journey, block_on},
    store::{Fault, SLOTS, Seen},
};
use wallet::Wallet;

/// Runs a history in a house.
pub(crate) fn run(
    house: &mut House,
    history: &History<Accounts>,
    telling: Telling,
    coverage: &mut Coverage,
) -> Outcome {
    house.clear(history.seed);
    let mut run = Run {
        model: Model::new(),
        house,
        wallet: Wallet::default(),
        flying: Default::default(),
        latest: Default::default(),
        rows: Default::default(),
        number: 0,
        telling,
        told: Vec::new(),
        coverage,
    };
    let breach = run.all(history);
    run.abandon();
    Outcome { breach, told: run.told }
}

/// A request on its way.
struct Trip {
    flight: Flight,
    notes: Notes,
    journey: Journey<Answer>,
}

pub(crate) struct Run<'h> {
    house: &'h mut House,
    model: Model,
    wallet: Wallet,
    flying: [Option<Trip>; SLOTS],
    /// The latest request of each client.
    latest: [Option<Ask>; CLIENTS],
    /// What was last seen in the store, by tenant.
    rows: [Rows; 2],
    number: u32,
    telling: Telling,
    told: Vec<String>,
    coverage: &'h mut Coverage,
}

impl Run<'_> {
    fn all(&mut self, history: &History<Accounts>) -> Option<(usize, Breach)> {
        for (at, step) in history.steps.iter().enumerate() {
            self.tell(|| format!("{at:>3}  {step}"));
            if let Err(breach) = self.step(step) {
                return Some((at, breach));
            }
        }
        self.tell(|| "     everything that is on its way arrives; every token is presented".to_owned());
        let rest = (0..SLOTS).try_for_each(|slot| self.go(slot, None)).and_then(|()| self.present_all());
        rest.err().map(|breach| (history.steps.len(), breach))
    }

    fn step(&mut self, step: &Step) -> Checked {
        match *step {
            Step::Send { client, wish, gates, fault } => self.send(usize::from(client), wish, gates, fault),
            Step::Again { client, gates } => {
                let Some(ask) = self.latest.get(usize::from(client)).cloned().flatten() else {
                    return Ok(());
                };
                let spare = CLIENTS..SLOTS;
                let Some(slot) = spare.into_iter().find(|slot| self.flying.get(*slot).is_some_and(Option::is_none))
                else {
                    return Ok(());
                };
                self.coverage.count("sent twice");
                self.take_off(slot, ask, None);
                self.go(slot, gates)
            }
            Step::Go { slot, gates } => self.go(usize::from(slot), gates),
            Step::HangUp { slot } => {
                if let Some(trip) = self.flying.get_mut(usize::from(slot)).and_then(Option::take) {
                    self.tell(|| format!("       {} is not heard of any more", trip.flight.ask.deed.name()));
                    self.coverage.count("hung up");
                }
                Ok(())
            }
            Step::Crash => {
                self.abandon();
                self.house.crash();
                self.coverage.count("crashed");
                Ok(())
            }
            Step::Clock(millis) => {
                let now = Timestamp::from_millis(self.house.site.clock.now().millis() + millis);
                self.house.site.clock.set(now);
                self.coverage.count(if millis < 0 { "clock back" } else { "clock forward" });
                Ok(())
            }
            Step::Jobs => self.jobs(),
            Step::ByHand { tenant, person, hand } => {
                let Some((id, account)) = self.model.account_of(tenant, person) else {
                    return Ok(());
                };
                let deed = match hand {
                    Hand::Disable => ByHand::Status(authkit_core::Status::Disabled),
                    Hand::Enable => ByHand::Status(authkit_core::Status::Active),
                    Hand::EndSessions => ByHand::SessionsFrom(account.epoch + 1),
                };
                self.house.by_hand(tenant, id, deed);
                self.model.by_hand(tenant, id, deed);
                self.look(tenant, &TABLES);
                self.meanwhile(None);
                self.coverage.count("by hand");
                Ok(())
            }
        }
    }

    fn send(&mut self, client: usize, wish: Wish, gates: Option<u8>, fault: Option<Fault>) -> Checked {
        self.go(client, None)?;
        let Some(ask) = self.resolve(client as u8, wish) else {
            self.tell(|| "       there is no such token yet".to_owned());
            return Ok(());
        };
        if let Some(latest) = self.latest.get_mut(client) {
            *latest = Some(ask.clone());
        }
        self.take_off(client, ask, fault);
        self.go(client, gates)
    }

    fn take_off(&mut self, slot: usize, ask: Ask, fault: Option<Fault>) {
        self.number += 1;
        self.house.site.board.plan(slot, fault);
        let flight = self.model.flight(self.number, ask.clone(), self.house.site.clock.now());
        let notes = Notes::default();
        let journey = Journey::new(perform(self.house.auth.clone(), ask, notes.clone()));
        if let Some(place) = self.flying.get_mut(slot) {
            *place = Some(Trip { flight, notes, journey });
        }
    }

    /// Lets a request go on, and looks at what it did.
    fn go(&mut self, slot: usize, gates: Option<u8>) -> Checked {
        let Some(Trip { mut flight, notes, mut journey }) = self.flying.get_mut(slot).and_then(Option::take) else {
            return Ok(());
        };
        let answer = journey.go(&self.house.site.board, slot, gates.unwrap_or(u8::MAX));
        self.model.clock = self.house.site.clock.now();
        let seen = self.house.site.board.seen();
        let noted = notes.get();
        flight.now = noted.now.or(flight.now);
        for call in &seen {
            if let Seen::Trouble(trouble) = call {
                flight.trouble = Some(*trouble);
                self.coverage.count(trouble.name());
            }
        }
        flight.seen.extend(seen.iter().cloned());
        self.model.judge(&mut flight, &seen)?;
        if flight.found.is_none() && noted.found.is_some() {
            flight.found = noted.found;
            self.model.looked_up(&flight)?;
        }
        self.landed(&mut flight, &seen)?;
        let Some(answer) = answer else {
            if let Some(place) = self.flying.get_mut(slot) {
                *place = Some(Trip { flight, notes, journey });
            }
            return Ok(());
        };
        self.tell(|| format!("       {} → {}", flight.ask.deed.name(), told(&answer)));
        self.house.site.board.plan(slot, None);
        self.model.answered(&flight, &answer)?;
        self.coverage.ended(&flight, &answer);
        self.wallet.keep(&flight.ask, &answer);
        Ok(())
    }

    /// Compares what was written with what the request could rightly write.
    fn landed(&mut self, flight: &mut Flight, seen: &[Seen]) -> Checked {
        let touched: Vec<&'static str> = seen.iter().filter_map(Seen::landed).flatten().copied().collect();
        if touched.is_empty() {
            return Ok(());
        }
        self.meanwhile(Some(flight.number));
        let tables: Vec<&'static str> = TABLES.into_iter().filter(|table| touched.contains(table)).collect();
        let recorded = touched.contains(&"auth_audit_log");
        if tables.is_empty() && !recorded {
            return Ok(());
        }
        let tenant = flight.ask.tenant;
        let strangers = self.look(tenant.other(), &tables);
        let changed = |table: &&str| !self.rows_of(tenant.other()).table(table).since(strangers.table(table)).is_none();
        if let Some(table) = tables.iter().find(|table| changed(table)) {
            let text = format!("{} at {tenant:?} wrote {table} of the other tenant", flight.ask.deed.name());
            return Err(breach("I4", text));
        }
        let records = if recorded { self.records(tenant, flight.now) } else { Table::default() };
        let before = self.look(tenant, &tables);
        let after = self.rows_of(tenant).clone();
        let refused = self.house.site.board.refused();
        let look = Look { before: &before, after: &after, records: &records, refused: &refused };
        self.model.landed(flight, &look)
    }

    fn records(&self, tenant: Tenant, at: Option<Timestamp>) -> Table {
        block_on(Table::records(&self.house.site.gate, &self.house.shapes, tenant, at))
    }

    fn jobs(&mut self) -> Checked {
        block_on(self.house.auth.run_due_jobs());
        self.meanwhile(None);
        let now = self.house.site.clock.now();
        for tenant in Tenant::ALL {
            let records = self.records(tenant, Some(now));
            let before = self.look(tenant, &TABLES);
            let after = self.rows_of(tenant).clone();
            let look = Look { before: &before, after: &after, records: &records, refused: &[] };
            self.model.swept(tenant, now, &look)?;
        }
        self.coverage.count("jobs");
        Ok(())
    }

    /// Every token that was ever given out is presented once more.
    fn present_all(&mut self) -> Checked {
        for tenant in Tenant::ALL {
            for n in 0..8 {
                let wish = Wish { tenant, what: What::Authenticate(Pick::Nth(n)) };
                self.send(0, wish, None, None)?;
            }
            let log = self.records(tenant, None);
            self.model.log_is_whole(tenant, &log)?;
        }
        Ok(())
    }

    /// Something was written: whoever else is on the way was not alone.
    fn meanwhile(&mut self, number: Option<u32>) {
        for Trip { flight, .. } in self.flying.iter_mut().flatten() {
            flight.alone &= Some(flight.number) == number;
        }
    }

    /// Reads tables of a tenant anew; returns what was there before.
    fn look(&mut self, tenant: Tenant, tables: &[&'static str]) -> Rows {
        let before = self.rows_of(tenant).clone();
        let [north, south] = &mut self.rows;
        let rows = if tenant == Tenant::North { north } else { south };
        block_on(rows.read(&self.house.site.gate, &self.house.shapes, tenant, tables));
        before
    }

    fn rows_of(&self, tenant: Tenant) -> &Rows {
        let [north, south] = &self.rows;
        if tenant == Tenant::North { north } else { south }
    }

    /// Drops whatever is on its way.
    fn abandon(&mut self) {
        self.house.site.board.turn(None);
        for slot in 0..SLOTS {
            self.house.site.board.plan(slot, None);
        }
        self.flying = Default::default();
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.telling == Telling::Aloud {
            self.told.push(line());
        }
    }
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::SignedIn { .. } => "signed in".to_owned(),
        Answer::Challenged { offers: Offers::Nothing, .. } => "more is demanded".to_owned(),
        Answer::Challenged { offers: Offers::Badge, .. } => "more is demanded, a badge may be set up".to_owned(),
        Answer::Challenged { offers: Offers::Shown(_), .. } => "more is demanded, a badge is shown".to_owned(),
        Answer::Granted(_) => "granted".to_owned(),
        Answer::Renewed(_) => "done, with a new token".to_owned(),
        Answer::Found { .. } => "a session".to_owned(),
        Answer::Listed(sessions) => format!("{} sessions", sessions.len()),
        Answer::Done => "done".to_owned(),
        Answer::Refused(refusal) => refusal.code.to_owned(),
    }
}
