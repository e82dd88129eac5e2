//! One history of a family, from its first step to its last, with the model at its side.

use authkit_core::{Clock as _, ReuseEnds, Status, Timestamp, base64url, from_base64url};

use super::{
    Families, Setup, Tabs,
    ask::{Answer, Ask, Deed, Pair, perform},
    history::{Forgery, Hand, Reply, Step, Who, Wish},
    house::build,
    model::{Flight, Look, Model, Token},
    protocol::Worth,
};
use crate::{
    breach::{Breach, Checked},
    coverage::Coverage,
    house::{ByHand, House},
    plot::{History, Outcome, Telling},
    request::Tenant,
    rows::{Rows, Table},
    schedule::{Journey, block_on},
    store::{Fault, SLOTS, Seen, Trouble},
    token::{REFRESH, REFRESH_LENGTH},
};

/// What the model looks at.
const TABLES: [&str; 2] = ["auth_principals", "auth_sessions"];
/// Where everything happens.
const TENANT: Tenant = Tenant::North;

/// Runs a history in a house.
pub(super) fn run(
    house: &mut House,
    history: &History<Families>,
    telling: Telling,
    coverage: &mut Coverage,
) -> Outcome {
    house.clear(history.seed);
    // What the history before left in memory is of another store.
    house.auth = build(&house.site, 1, history.setup.ends);
    let mut told = Vec::new();
    let breach = match Run::begin(house, history.setup, telling, coverage) {
        Ok(mut run) => {
            let breach = run.all(history);
            run.abandon();
            told = run.told;
            breach
        }
        Err(breach) => Some((0, breach)),
    };
    Outcome { breach, told }
}

struct Run<'h> {
    house: &'h mut House,
    model: Model,
    setup: Setup,
    /// With how many keys the application runs.
    keys: u8,
    flying: [Option<Trip>; SLOTS],
    /// The latest request of each client, and the newest token when it was sent.
    latest: [Option<(Ask, Token)>; Who::ALL.len()],
    /// What each tab was given, latest last; of a jar there is one.
    tabs: [Vec<Pair>; 2],
    thief: Vec<Pair>,
    desk: String,
    passwords: u32,
    rows: Rows,
    telling: Telling,
    told: Vec<String>,
    coverage: &'h mut Coverage,
}

/// A request on its way.
struct Trip {
    flight: Flight,
    journey: Journey<Answer>,
    reply: Reply,
}

impl<'h> Run<'h> {
    /// The owner signs up, and in at two devices.
    fn begin(house: &'h mut House, setup: Setup, telling: Telling, coverage: &'h mut Coverage) -> Checked<Self> {
        let password = "canary-0-velvet kite".to_owned();
        let ask = |who, deed| block_on(perform(house.auth.clone(), Ask { who, deed }));
        ask(Who::Desk, Deed::SignUp { password: password.clone() });
        let sign_in = |who| match ask(who, Deed::SignIn { password: password.clone() }) {
            Answer::Tokens(pair) => pair,
            other => panic!("the owner signs in: {other:?}"),
        };
        let (pair, desk) = (sign_in(Who::One), sign_in(Who::Desk));
        let now = house.site.clock.now();
        let (rows, records) = look(house, None);
        let mut model = Model::new(setup, &Look::new(&rows, &records), &pair, password, now)?;
        model.received(&pair);
        Ok(Self {
            house,
            model,
            setup,
            keys: 1,
            flying: Default::default(),
            latest: Default::default(),
            tabs: [vec![pair.clone()], vec![pair]],
            thief: Vec::new(),
            desk: desk.access,
            passwords: 0,
            rows,
            telling,
            told: Vec::new(),
            coverage,
        })
    }

    fn all(&mut self, history: &History<Families>) -> Option<(usize, Breach)> {
        for (at, step) in history.steps.iter().enumerate() {
            self.tell(|| format!("{at:>3}  {step}"));
            if let Err(breach) = self.step(step) {
                return Some((at, breach));
            }
        }
        self.tell(|| "     everything that is on its way arrives; all show what they have".to_owned());
        self.settle().err().map(|breach| (history.steps.len(), breach))
    }

    /// Everything arrives, and everybody shows what he has.
    fn settle(&mut self) -> Checked {
        // One may wait for another one that loads a key.
        for slot in (0..SLOTS).chain(0..SLOTS) {
            self.go(slot, None)?;
        }
        let rest = [Wish::Confirm(0), Wish::Refresh(0), Wish::Refresh(0), Wish::Use(0)];
        for who in [Who::One, Who::Two, Who::Thief] {
            for wish in rest {
                self.send(who, wish, None, None, Reply::Heard)?;
            }
        }
        if self.model.is_peaceful() {
            self.coverage.count("two tabs alone");
        }
        let (_, log) = look(self.house, None);
        self.model.log_is_whole(&log)
    }

    fn step(&mut self, step: &Step) -> Checked {
        match *step {
            Step::Send { who, wish, gates, fault, reply } => self.send(who, wish, gates, fault, reply),
            Step::Again { who, gates } => self.again(who, gates),
            Step::Go { slot, gates } => self.go(usize::from(slot), gates),
            Step::HangUp { slot } => {
                if let Some(trip) = self.flying.get_mut(usize::from(slot)).and_then(Option::take) {
                    self.tell(|| format!("       {} is not heard of any more", trip.flight.ask.deed.name()));
                    self.coverage.count("hung up");
                }
                Ok(())
            }
            Step::Steal { from, nth } => {
                if let Some(pair) = nth_from_last(self.holder(from), nth).cloned() {
                    self.thief.push(pair);
                    self.coverage.count("stolen");
                }
                Ok(())
            }
            Step::Crash => {
                self.abandon();
                self.house.auth = build(&self.house.site, self.keys, self.setup.ends);
                self.coverage.count("crashed");
                Ok(())
            }
            Step::NewKey => {
                self.abandon();
                self.keys = self.keys.saturating_add(1).min(8);
                self.house.auth = build(&self.house.site, self.keys, self.setup.ends);
                self.coverage.count("new key");
                Ok(())
            }
            Step::Clock(millis) => {
                let clock = &self.house.site.clock;
                clock.set(Timestamp::from_millis(clock.now().millis() + millis));
                self.coverage.count(if millis < 0 { "clock back" } else { "clock forward" });
                Ok(())
            }
            Step::Jobs => self.jobs(),
            Step::ByHand(hand) => {
                let deed = match hand {
                    Hand::Disable => ByHand::Status(Status::Disabled),
                    Hand::Enable => ByHand::Status(Status::Active),
                    Hand::EndSessions => ByHand::SessionsFrom(self.model.epoch + 1),
                };
                self.house.by_hand(TENANT, self.model.principal, deed);
                self.model.by_hand(deed);
                self.coverage.count("by hand");
                Ok(())
            }
        }
    }

    fn send(&mut self, who: Who, wish: Wish, gates: Option<u8>, fault: Option<Fault>, reply: Reply) -> Checked {
        self.go(who.slot(), None)?;
        let Some(deed) = self.resolve(who, wish) else {
            self.tell(|| "       there is no such token yet".to_owned());
            return Ok(());
        };
        let ask = Ask { who, deed };
        if let Some(latest) = self.latest.get_mut(who.slot()) {
            *latest = Some((ask.clone(), self.model.newest()));
        }
        self.take_off(who.slot(), ask, None, fault, reply);
        self.go(who.slot(), gates)
    }

    fn again(&mut self, who: Who, gates: Option<u8>) -> Checked {
        let latest = self.latest.get(who.slot()).cloned().flatten();
        let spare = (Who::ALL.len()..SLOTS).find(|slot| self.flying.get(*slot).is_some_and(Option::is_none));
        let (Some((ask, first)), Some(slot)) = (latest, spare) else {
            return Ok(());
        };
        self.coverage.count("sent twice");
        self.take_off(slot, ask, Some(first), None, Reply::Lost);
        self.go(slot, gates)
    }

    fn take_off(&mut self, slot: usize, ask: Ask, first: Option<Token>, fault: Option<Fault>, reply: Reply) {
        self.house.site.board.plan(slot, fault);
        let flight = self.model.flight(ask.clone(), self.house.site.clock.now(), first);
        let journey = Journey::new(perform(self.house.auth.clone(), ask));
        if let Some(place) = self.flying.get_mut(slot) {
            *place = Some(Trip { flight, journey, reply });
        }
    }

    /// Lets a request go on, and looks at what it did.
    fn go(&mut self, slot: usize, gates: Option<u8>) -> Checked {
        let Some(Trip { mut flight, mut journey, reply }) = self.flying.get_mut(slot).and_then(Option::take) else {
            return Ok(());
        };
        let answer = journey.go_among(&self.house.site.board, slot, gates.unwrap_or(u8::MAX));
        let seen = self.house.site.board.seen();
        for call in &seen {
            if let Seen::Trouble(trouble) = call {
                flight.trouble = Some(*trouble);
                self.coverage.count(trouble.name());
                if *trouble == Trouble::ReadFails {
                    self.flying.iter_mut().flatten().for_each(|trip| trip.flight.beside = Some(*trouble));
                }
            }
        }
        flight.seen.extend(seen.iter().cloned());
        self.model.judge(&mut flight, &seen);
        self.judged(&flight, &seen);
        if seen.iter().any(|call| call.landed().is_some()) {
            let records;
            (self.rows, records) = look(self.house, Some(flight.now));
            self.model.landed(&mut flight, &Look::new(&self.rows, &records))?;
            let refreshes = |trip: &Trip| matches!(trip.flight.ask.deed, Deed::Refresh { .. });
            if flight.landed.iter().any(|kind| kind == "token_refreshed") && self.flying.iter().flatten().any(refreshes)
            {
                self.coverage.count("parallel refreshes");
            }
        }
        let Some(answer) = answer else {
            if let Some(place) = self.flying.get_mut(slot) {
                *place = Some(Trip { flight, journey, reply });
            }
            return Ok(());
        };
        self.tell(|| format!("       {} → {}", flight.ask.deed.name(), told(&answer)));
        self.house.site.board.plan(slot, None);
        self.model.answered(&flight, &answer)?;
        self.ended(&flight, &answer, reply);
        if let (Answer::Tokens(pair), Reply::Heard) = (answer, reply) {
            self.keep(flight.ask.who, pair);
        }
        Ok(())
    }

    fn jobs(&mut self) -> Checked {
        let auth = self.house.auth.clone();
        let mut jobs = Journey::new(async move { auth.run_due_jobs().await });
        // They may wait for a request that reads keys: then that one arrives first.
        for _ in 0..SLOTS {
            let done = jobs.go_among(&self.house.site.board, SLOTS, u8::MAX).is_some();
            self.house.site.board.seen();
            if done {
                break;
            }
            (0..SLOTS).try_for_each(|slot| self.go(slot, None))?;
        }
        let now = self.house.site.clock.now();
        let records;
        (self.rows, records) = look(self.house, Some(now));
        self.model.swept(&Look::new(&self.rows, &records), now)?;
        self.coverage.count("jobs");
        Ok(())
    }

    /// Somebody hears an answer with tokens.
    fn keep(&mut self, who: Who, pair: Pair) {
        match who {
            Who::Thief => self.thief.push(pair),
            Who::Desk => {}
            Who::One | Who::Two => {
                self.model.received(&pair);
                let [one, two] = &mut self.tabs;
                match (self.setup.tabs, who) {
                    (Tabs::Copies, Who::Two) => two.push(pair),
                    _ => one.push(pair),
                }
            }
        }
    }

    /// What somebody was given, latest last.
    const fn holder(&self, who: Who) -> &Vec<Pair> {
        let [one, two] = &self.tabs;
        match (who, self.setup.tabs) {
            (Who::Thief, _) => &self.thief,
            (Who::Two, Tabs::Copies) => two,
            _ => one,
        }
    }

    /// From what somebody wants to what he sends.
    fn resolve(&mut self, who: Who, wish: Wish) -> Option<Deed> {
        let held = |nth| nth_from_last(self.holder(who), nth).cloned();
        let access = |nth| held(nth).map(|pair| pair.access);
        let token = |nth| held(nth).and_then(|pair| pair.refresh);
        let desk = || self.desk.clone();
        Some(match wish {
            Wish::Refresh(nth) => Deed::Refresh { token: token(nth)? },
            Wish::Forge(forgery) => {
                let real = nth_from_last(self.holder(Who::One), 0)?;
                let token = forged(real, forgery)?;
                // One that says the truth by chance is none.
                if self.model.is_known(&token) { Deed::Refresh { token } } else { Deed::Forge { token } }
            }
            Wish::Use(nth) => Deed::Use { access: access(nth)? },
            Wish::Confirm(nth) => Deed::Confirm { access: access(nth)? },
            Wish::Logout(nth) => Deed::Logout { access: access(nth)? },
            Wish::LogoutRefresh(nth) => Deed::LogoutRefresh { token: token(nth)? },
            Wish::StepUp(nth) => Deed::StepUp { access: access(nth)?, password: self.model.password.clone() },
            Wish::ChangePassword(nth) => {
                let (access, current) = (access(nth)?, self.model.password.clone());
                Deed::ChangePassword { access, current, new: self.new_password() }
            }
            Wish::Revoke => Deed::Revoke { access: desk(), family: self.model.id },
            Wish::EndOthers => Deed::EndOthers { access: desk() },
            Wish::Disable => Deed::Disable(self.model.principal),
            Wish::Enable => Deed::Enable(self.model.principal),
            Wish::SetPassword => Deed::SetPassword { principal: self.model.principal, new: self.new_password() },
        })
    }

    /// A password that nobody had before.
    fn new_password(&mut self) -> String {
        self.passwords += 1;
        format!("canary-{}-velvet kite", self.passwords)
    }

    /// Counts what a look at the session said.
    fn judged(&mut self, flight: &Flight, seen: &[Seen]) {
        if !seen.contains(&Seen::Read("auth_sessions")) || !matches!(flight.ask.deed, Deed::Refresh { .. }) {
            return;
        }
        match flight.judged.flatten() {
            Some(Worth::Newest) => self.coverage.count("newest judged"),
            Some(Worth::Replaced) => self.coverage.count(match flight.behind(&self.model) {
                Some(0) => "newest judged again",
                Some(1) => "replaced judged",
                _ => "replaced judged after two",
            }),
            Some(Worth::Reused) => {}
            None if flight.is_from_before(&self.model) => self.coverage.count("a token from before a step-up"),
            None => {
                if let Some(end) = self.model.end_of_time(flight.now) {
                    self.coverage.count(end);
                }
            }
        }
    }

    fn ended(&mut self, flight: &Flight, answer: &Answer, reply: Reply) {
        let name = flight.ask.deed.name();
        match answer {
            Answer::Refused(_) => self.coverage.count(&format!("{name} refused")),
            Answer::Tokens(_) if flight.judged == Some(Some(Worth::Replaced)) => self.coverage.count("refresh again"),
            _ => self.coverage.count(name),
        }
        if matches!(answer, Answer::Tokens(_)) && reply == Reply::Lost {
            self.coverage.count("answer lost");
        }
        if flight.landed.iter().any(|kind| kind == "refresh_token_reused") {
            self.coverage.count("reused");
            if self.setup.ends == ReuseEnds::Account {
                self.coverage.count("reused, and the account ended");
            }
            match flight.ask.who {
                Who::Thief => self.coverage.count("reused by the thief"),
                _ if !self.thief.is_empty() => self.coverage.count("reused by the owner, after a theft"),
                _ if self.setup.tabs == Tabs::Jar => self.coverage.count("reused by the owner alone, late or twice"),
                _ => {}
            }
        }
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

/// Reads the rows anew, and the records of a time or all.
fn look(house: &House, at: Option<Timestamp>) -> (Rows, Table) {
    let (gate, shapes) = (&house.site.gate, &house.shapes);
    let mut rows = Rows::default();
    block_on(rows.read(gate, shapes, TENANT, &TABLES));
    (rows, block_on(Table::records(gate, shapes, TENANT, at)))
}

fn nth_from_last(all: &[Pair], nth: u8) -> Option<&Pair> {
    all.iter().rev().nth(usize::from(nth))
}

/// Something that looks like a refresh token.
fn forged(real: &Pair, forgery: Forgery) -> Option<String> {
    let text = real.refresh.as_deref()?;
    let mut bytes = from_base64url(text.strip_prefix(REFRESH)?)?;
    match forgery {
        Forgery::Bit(at) => *bytes.get_mut(usize::from(at))? ^= 1 << (at % 8),
        Forgery::Number(by) => {
            let number = bytes.get_mut(16..24)?;
            let said = i64::from_be_bytes((&*number).try_into().ok()?);
            number.copy_from_slice(&(said.wrapping_add(by.into())).to_be_bytes());
        }
        Forgery::Random => bytes = (0..REFRESH_LENGTH).map(|at| (at as u8).wrapping_mul(71)).collect(),
        Forgery::Access => return Some(real.access.clone()),
    }
    Some(format!("{REFRESH}{}", base64url(&bytes)))
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Tokens(pair) => {
            let number = pair.refresh.as_deref().and_then(crate::token::refresh_token).map(|claim| claim.number);
            format!("tokens, number {}", number.map_or("none".to_owned(), |number| number.to_string()))
        }
        Answer::Found(_) => "a session".to_owned(),
        Answer::Done => "done".to_owned(),
        Answer::Refused(refusal) => refusal.code.to_owned(),
    }
}
