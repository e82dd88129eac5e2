//! Histories: what clients do, in which order, and what goes wrong; drawn from a seed.

use std::{fmt, sync::Arc};

use crate::{
    choice::Choices,
    coverage::Coverage,
    ground::Ground,
    house::{Hashing, House, Logging, Setup, build},
    plot::{History, Outcome, Plot, Telling},
    request::{Action, Person, Pick, Show, Tenant, Two, What, Wish, Word},
    store::{Fault, SLOTS, Trouble},
};

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
    ("session_raised", 25),
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

/// Clients; the slots beyond theirs are for repeated requests.
pub(crate) const CLIENTS: usize = 4;

/// Histories of accounts, and of everything that is done in their name.
pub(crate) struct Accounts;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A client sends a request, which passes so many gates of the store, or all of them.
    Send { client: u8, wish: Wish, gates: Option<u8>, fault: Option<Fault> },
    /// The latest request of a client is sent once more, as proxies do.
    Again { client: u8, gates: Option<u8> },
    /// A request goes on for so many gates, or to its end.
    Go { slot: u8, gates: Option<u8> },
    /// A client hangs up.
    HangUp { slot: u8 },
    /// The process dies, and another one starts.
    Crash,
    /// The clock moves, in milliseconds.
    Clock(i64),
    /// Jobs run.
    Jobs,
    /// Somebody changes the database by hand.
    ByHand { tenant: Tenant, person: Person, hand: Hand },
}

/// What somebody does by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    Disable,
    Enable,
    EndSessions,
}

impl Plot for Accounts {
    type Setup = Setup;
    type Step = Step;

    const TEST: &'static str = "histories";
    const FLOORS: &'static [(&'static str, u64)] = &FLOORS;

    fn of_seed(seed: u64) -> History<Self> {
        let mut author = Author { choices: Choices::new(seed), steps: Vec::new(), back: 0 };
        let setup = Setup {
            passwords: if author.choices.percent(6) { Hashing::Real } else { Hashing::None },
            logging: if author.choices.percent(12) { Logging::Required } else { Logging::Plain },
        };
        author.write(setup);
        History { seed, setup, steps: author.steps }
    }

    fn house(setup: Setup, ground: Arc<dyn Ground>) -> House {
        House::new(ground, move |site| build(setup, site))
    }

    fn run(house: &mut House, history: &History<Self>, telling: Telling, coverage: &mut Coverage) -> Outcome {
        crate::run::run(house, history, telling, coverage)
    }

    fn simpler(step: Step) -> Vec<Step> {
        match step {
            Step::Send { client, wish, gates, fault } if gates.is_some() || fault.is_some() => {
                let calm = Step::Send { client, wish, gates: None, fault: None };
                let held = Step::Send { client, wish, gates, fault: None };
                let whole = Step::Send { client, wish, gates: None, fault };
                vec![held, whole, calm]
            }
            _ => Vec::new(),
        }
    }
}

/// Writes a history.
struct Author {
    choices: Choices,
    steps: Vec<Step>,
    /// How far the clock was set back in all.
    back: i64,
}

/// The furthest that the clock of a history is set back in all, in milliseconds.
const FURTHEST_BACK: i64 = 10_000;

impl Author {
    fn write(&mut self, setup: Setup) {
        let home = if self.choices.percent(55) { Tenant::North } else { Tenant::South };
        self.move_in(home);
        for _ in 0..3 + self.choices.below(6) {
            let tenant = if self.choices.percent(85) { home } else { home.other() };
            self.scene(tenant, setup);
        }
    }

    /// People sign up, and most of them get a badge.
    fn move_in(&mut self, home: Tenant) {
        self.calm(0, home, What::SignUp(Person::Ann));
        if self.choices.percent(50) {
            self.calm(1, home, What::SignUp(Person::Bob));
        }
        if self.choices.percent(45) {
            self.calm(2, home.other(), What::SignUp(Person::Ann));
        }
        if self.choices.percent(65) {
            self.get_badge(0, home, Person::Ann);
        }
        if self.choices.percent(20) {
            self.get_badge(1, home, Person::Bob);
        }
    }

    fn get_badge(&mut self, client: u8, tenant: Tenant, person: Person) {
        self.calm(client, tenant, What::SignIn { person, spelling: 0, word: Word::Right });
        if tenant == Tenant::South {
            self.calm(client, tenant, What::StepUp { session: Pick::Own, action: Action::Grave });
        }
        self.calm(client, tenant, What::Begin(Pick::Own));
        self.calm(client, tenant, What::Enrol { flow: Pick::Own, show: Show::Next });
    }

    /// A few requests that belong together.
    fn scene(&mut self, tenant: Tenant, setup: Setup) {
        let client = self.choices.below(CLIENTS) as u8;
        let person = self.person();
        match self.choices.weighted(&[(20, 0), (14, 1), (18, 2), (14, 3), (8, 4), (26, 5)]) {
            Some(0) => self.log_in(client, tenant, person, setup),
            Some(1) => self.guess(tenant, person),
            Some(2) => self.cross(client, tenant, person),
            Some(3) => self.permit(client, tenant, setup),
            Some(4) => self.get_badge(client, tenant, person),
            _ => {
                for _ in 0..1 + self.choices.below(4) {
                    let client = self.choices.below(CLIENTS) as u8;
                    let what = self.anything();
                    self.send(client, tenant, what, setup);
                }
            }
        }
        self.happen(tenant);
    }

    fn log_in(&mut self, client: u8, tenant: Tenant, person: Person, setup: Setup) {
        let spelling = self.choices.below(3) as u8;
        self.calm(client, tenant, What::SignIn { person, spelling, word: Word::Right });
        let show = if self.choices.percent(85) { Show::Next } else { self.show() };
        self.send(client, tenant, What::AnswerBadge { flow: Pick::Own, show }, setup);
        if self.choices.percent(25) {
            let gates = self.gates();
            self.steps.push(Step::Again { client, gates });
        }
    }

    /// Several guesses at one account, from several clients and in several spellings.
    fn guess(&mut self, tenant: Tenant, person: Person) {
        let slow = self.choices.percent(40);
        for _ in 0..2 + self.choices.below(6) {
            let client = self.choices.below(CLIENTS) as u8;
            let what = match self.choices.below(10) {
                0 => What::AnswerPassword { flow: Pick::Newest, word: Word::Wrong },
                1 => What::AnswerBadge { flow: Pick::Newest, show: Show::Forged },
                2 => What::ChangePassword { session: Pick::Newest, word: Word::Wrong },
                _ => What::SignIn { person, spelling: self.choices.below(3) as u8, word: Word::Wrong },
            };
            let gates = self.gates();
            self.steps.push(Step::Send { client, wish: Wish { tenant, what }, gates, fault: None });
            if slow {
                let pause = 20_000 + self.choices.below(60_000) as i64;
                self.steps.push(Step::Clock(pause));
            }
        }
    }

    /// A request that issues something is held on its way while another one changes the account.
    fn cross(&mut self, client: u8, tenant: Tenant, person: Person) {
        let held = match self.choices.below(7) {
            0 => What::SignIn { person, spelling: 0, word: Word::Right },
            1 => What::AnswerBadge { flow: Pick::Newest, show: Show::Next },
            2 => What::StepUp { session: Pick::Newest, action: Action::Plain },
            3 => What::Redeem { session: Pick::Newest, grant: Pick::Newest, action: Action::Plain },
            4 => What::Raise { session: Pick::Newest, two: Two::OneFactor },
            5 => What::ChangePassword { session: Pick::Newest, word: Word::Right },
            _ => What::Enrol { flow: Pick::Newest, show: Show::Next },
        };
        let gates = Some(self.choices.below(8) as u8);
        self.steps.push(Step::Send { client, wish: Wish { tenant, what: held }, gates, fault: None });
        let change = match self.choices.below(10) {
            0 | 1 => What::ChangePassword { session: Pick::Newest, word: Word::Right },
            2 => What::SetPassword(person),
            3 => What::Disable(person),
            4 => What::EndOthers(Pick::Newest),
            5 => What::EndAll(Pick::Newest),
            6 => What::Logout(Pick::Newest),
            7 => What::AnswerBadge { flow: Pick::Newest, show: Show::Next },
            8 => What::AnswerPassword { flow: Pick::Newest, word: Word::Wrong },
            _ => held,
        };
        let other = (client + 1) % CLIENTS as u8;
        self.calm(other, tenant, change);
        if self.choices.percent(80) {
            self.steps.push(Step::Go { slot: client, gates: None });
        }
        if change == What::Disable(person) && self.choices.percent(70) {
            self.calm(other, tenant, What::Enable(person));
        }
    }

    /// A permission is asked for and used, more than once.
    fn permit(&mut self, client: u8, tenant: Tenant, setup: Setup) {
        let action = if self.choices.percent(60) { Action::Plain } else { Action::Grave };
        if self.choices.percent(25) {
            let pause = 250_000 + self.choices.below(120_000) as i64;
            self.steps.push(Step::Clock(pause));
        }
        self.calm(client, tenant, What::StepUp { session: Pick::Newest, action });
        if self.choices.percent(40) {
            self.calm(client, tenant, What::AnswerPassword { flow: Pick::Own, word: Word::Right });
            self.calm(client, tenant, What::AnswerBadge { flow: Pick::Own, show: Show::Next });
        }
        let stray = self.choices.percent(15);
        let asked = if stray { Action::Grave } else { action };
        let session = if self.choices.percent(80) { Pick::Newest } else { self.pick() };
        self.send(client, tenant, What::Redeem { session, grant: Pick::Newest, action: asked }, setup);
        if self.choices.percent(60) {
            let gates = self.gates();
            self.steps.push(Step::Again { client, gates });
        }
    }

    /// One request, to its end and without trouble.
    fn calm(&mut self, client: u8, tenant: Tenant, what: What) {
        self.steps.push(Step::Send { client, wish: Wish { tenant, what }, gates: None, fault: None });
    }

    /// One request, perhaps held on its way, perhaps with trouble.
    fn send(&mut self, client: u8, tenant: Tenant, what: What, setup: Setup) {
        let (gates, fault) = (self.gates(), self.fault(setup));
        self.steps.push(Step::Send { client, wish: Wish { tenant, what }, gates, fault });
        if self.choices.percent(10) {
            let gates = self.gates();
            self.steps.push(Step::Again { client, gates });
        }
    }

    fn fault(&mut self, setup: Setup) -> Option<Fault> {
        if !self.choices.percent(30) {
            return None;
        }
        let refuses = if setup.logging == Logging::Required { 8 } else { 0 };
        let trouble = self.choices.weighted(&[
            (2, Trouble::ReadFails),
            (2, Trouble::CommitFails),
            (1, Trouble::CommitBusy),
            (3, Trouble::UnknownBefore),
            (3, Trouble::UnknownAfter),
            (2, Trouble::Repeated),
            (refuses, Trouble::LoggerRefuses),
        ])?;
        let after = match trouble {
            Trouble::ReadFails => self.choices.below(6),
            Trouble::LoggerRefuses | Trouble::Repeated => 0,
            _ => self.choices.below(3),
        };
        Some(Fault { trouble, after: after as u8 })
    }

    /// What happens between scenes.
    fn happen(&mut self, tenant: Tenant) {
        let slot = self.choices.below(SLOTS) as u8;
        let step = match self.choices.below(100) {
            0..20 => Step::Go { slot, gates: self.gates() },
            20..32 => Step::HangUp { slot },
            32..35 => Step::Crash,
            35..60 => Step::Clock(self.pause()),
            60..68 => Step::Jobs,
            68..76 => {
                let hand = match self.choices.below(3) {
                    0 => Hand::Disable,
                    1 => Hand::Enable,
                    _ => Hand::EndSessions,
                };
                Step::ByHand { tenant, person: self.person(), hand }
            }
            _ => return,
        };
        self.steps.push(step);
    }

    fn pause(&mut self) -> i64 {
        let back = 1 + self.choices.below(4000) as i64;
        match self.choices.below(10) {
            0 | 1 if self.back + back <= FURTHEST_BACK => {
                self.back += back;
                -back
            }
            0..=4 => 1 + self.choices.below(59_999) as i64,
            5..=7 => 60_000 + self.choices.below(300_000) as i64,
            8 => 600_000 + self.choices.below(700_000) as i64,
            _ => 3_600_000,
        }
    }

    fn gates(&mut self) -> Option<u8> {
        if self.choices.percent(50) { None } else { Some(self.choices.below(9) as u8) }
    }

    fn person(&mut self) -> Person {
        let people = [(70, Person::Ann), (18, Person::Bob), (9, Person::Nobody), (3, Person::Slip)];
        self.choices.weighted(&people).unwrap_or(Person::Ann)
    }

    fn pick(&mut self) -> Pick {
        let n = self.choices.below(6) as u8;
        let picks = [(40, Pick::Own), (25, Pick::Newest), (25, Pick::Nth(n)), (10, Pick::Astray(n))];
        self.choices.weighted(&picks).unwrap_or(Pick::Own)
    }

    fn word(&mut self) -> Word {
        let words =
            [(60, Word::Right), (12, Word::Former), (8, Word::Elsewhere), (5, Word::OfAnother), (15, Word::Wrong)];
        self.choices.weighted(&words).unwrap_or(Word::Right)
    }

    fn show(&mut self) -> Show {
        let shows = [(60, Show::Next), (20, Show::Again), (12, Show::OfAnother), (8, Show::Forged)];
        self.choices.weighted(&shows).unwrap_or(Show::Next)
    }

    fn anything(&mut self) -> What {
        let person = self.person();
        let action = if self.choices.percent(60) { Action::Plain } else { Action::Grave };
        match self.choices.below(44) {
            0 | 1 => What::SignUp(person),
            2..8 => What::SignIn { person, spelling: self.choices.below(3) as u8, word: self.word() },
            8..10 => What::BadgeSignIn { person, show: self.show() },
            10..12 => What::Begin(self.pick()),
            12..14 => What::Enrol { flow: self.pick(), show: self.show() },
            14..17 => What::AnswerPassword { flow: self.pick(), word: self.word() },
            17..21 => What::AnswerBadge { flow: self.pick(), show: self.show() },
            21..24 => What::StepUp { session: self.pick(), action },
            24..26 => {
                let two = if self.choices.percent(50) { Two::OneFactor } else { Two::TwoFactors };
                What::Raise { session: self.pick(), two }
            }
            26..29 => What::Redeem { session: self.pick(), grant: self.pick(), action },
            29..32 => What::ChangePassword { session: self.pick(), word: self.word() },
            32..34 => What::Authenticate(self.pick()),
            34 => What::List(self.pick()),
            35 => What::Logout(self.pick()),
            36 => What::Revoke { session: self.pick(), ended: self.pick() },
            37 => What::EndOthers(self.pick()),
            38 => What::EndAll(self.pick()),
            39 => What::Disable(person),
            40 => What::Enable(person),
            41 => What::Delete(person),
            42 => What::Restore(person),
            _ => What::SetPassword(person),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reach = |gates: Option<u8>| gates.map_or("to its end".to_owned(), |n| format!("for {} gates", n + 1));
        match self {
            Self::Send { client, wish, gates, fault } => {
                write!(f, "client {client} asks {wish}, which goes {}", reach(*gates))?;
                match fault {
                    Some(fault) => write!(f, "; then {:?} after {} of its kind", fault.trouble, fault.after),
                    None => Ok(()),
                }
            }
            Self::Again { client, gates } => {
                write!(f, "the request of client {client} is sent again and goes {}", reach(*gates))
            }
            Self::Go { slot, gates } => write!(f, "the request in slot {slot} goes on {}", reach(*gates)),
            Self::HangUp { slot } => write!(f, "the client in slot {slot} hangs up"),
            Self::Crash => f.write_str("the process dies, another one starts"),
            Self::Clock(millis) => write!(f, "the clock moves by {millis} ms"),
            Self::Jobs => f.write_str("jobs run"),
            Self::ByHand { tenant, person, hand } => {
                write!(f, "by hand in the database: {hand:?} {person:?} at {tenant:?}")
            }
        }
    }
}
