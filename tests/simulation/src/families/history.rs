//! Histories of one family of refresh tokens, drawn from a seed.

use std::{fmt, sync::Arc};

use authkit_core::ReuseEnds;

use super::{Families, Setup, Tabs, house};
use crate::{
    choice::Choices,
    coverage::Coverage,
    ground::Ground,
    house::House,
    plot::{History, Outcome, Plot, Telling},
    store::{Fault, Trouble},
};

/// Who sends requests. Each has one on the way at most, and a repeated one besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The owner's tabs.
    One,
    Two,
    Thief,
    /// The owner at another device, with a cookie; and whoever runs the application.
    Desk,
}

impl Who {
    pub(crate) const ALL: [Self; 4] = [Self::One, Self::Two, Self::Thief, Self::Desk];

    pub(crate) const fn slot(self) -> usize {
        match self {
            Self::One => 0,
            Self::Two => 1,
            Self::Thief => 2,
            Self::Desk => 3,
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The next tokens. Tabs show the newest that they know; the thief any that he has, counted from the newest.
    Refresh(u8),
    /// The next tokens, for something that looks like a token.
    Forge(Forgery),
    /// What an access token says.
    Use(u8),
    /// The same, with a look at the store.
    Confirm(u8),
    /// Sign-out with an access token, or with a refresh token.
    Logout(u8),
    LogoutRefresh(u8),
    StepUp(u8),
    ChangePassword(u8),
    /// From the desk: ends the family's session, all other sessions.
    Revoke,
    EndOthers,
    Disable,
    Enable,
    SetPassword,
}

/// What is wrong with a token that nobody made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgery {
    /// One bit of a real one is another, at this place.
    Bit(u8),
    /// A real one says another number.
    Number(i8),
    Random,
    /// A real access token.
    Access,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Heard,
    /// Nobody gets it.
    Lost,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A request goes for so many gates of the store, or to its end; its answer may be lost.
    Send {
        who: Who,
        wish: Wish,
        gates: Option<u8>,
        fault: Option<Fault>,
        reply: Reply,
    },
    /// The latest request is sent once more, as proxies do; nobody hears the answer.
    Again {
        who: Who,
        gates: Option<u8>,
    },
    Go {
        slot: u8,
        gates: Option<u8>,
    },
    HangUp {
        slot: u8,
    },
    /// The thief copies the tokens that a tab keeps: its newest ones, or older ones.
    Steal {
        from: Who,
        nth: u8,
    },
    /// The process dies, and another one starts.
    Crash,
    /// It starts with a new key in front of the old ones.
    NewKey,
    /// The clock moves, in milliseconds.
    Clock(i64),
    Jobs,
    /// Somebody changes the database by hand.
    ByHand(Hand),
}

/// What somebody does by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    Disable,
    Enable,
    EndSessions,
}

/// What has to happen in ten thousand histories, and at least how often.
const FLOORS: [(&str, u64); 47] = [
    ("two tabs alone", 5_000),
    ("refresh", 60_000),
    ("refresh again", 60_000),
    ("refresh refused", 50_000),
    ("forge refused", 1_500),
    ("use", 8_000),
    ("use refused", 8_000),
    ("confirm", 4_000),
    ("confirm refused", 8_000),
    ("log out", 120),
    ("log out by refresh token", 400),
    ("step up", 2_500),
    ("step up refused", 1_000),
    ("change password", 1_000),
    ("revoke", 50),
    ("end others", 100),
    ("disable", 250),
    ("enable", 500),
    ("set password", 250),
    ("reused", 1_500),
    ("reused, and the account ended", 400),
    ("reused by the thief", 800),
    ("reused by the owner, after a theft", 50),
    ("newest judged", 60_000),
    ("newest judged again", 20_000),
    ("replaced judged", 20_000),
    ("replaced judged after two", 400),
    ("a token from before a step-up", 10_000),
    ("parallel refreshes", 10_000),
    ("went idle", 2_000),
    ("ended by age", 5_000),
    ("sent twice", 8_000),
    ("hung up", 400),
    ("answer lost", 15_000),
    ("stolen", 6_000),
    ("crashed", 2_000),
    ("new key", 2_000),
    ("clock back", 4_000),
    ("clock forward", 40_000),
    ("jobs", 3_000),
    ("by hand", 1_000),
    ("a read failed", 2_000),
    ("a commit failed", 800),
    ("a commit was busy", 500),
    ("a commit was lost, unknown", 800),
    ("a commit landed, unknown", 1_000),
    ("a commit was repeated", 1_000),
];

impl Plot for Families {
    type Setup = Setup;
    type Step = Step;

    const TEST: &'static str = "families";
    const FLOORS: &'static [(&'static str, u64)] = &FLOORS;

    fn of_seed(seed: u64) -> History<Self> {
        // Other choices than those of the histories of accounts.
        let mut author = Author { choices: Choices::new(seed ^ 0x6661_6d69), steps: Vec::new(), theft: false, back: 0 };
        let tabs = if author.choices.percent(85) { Tabs::Jar } else { Tabs::Copies };
        let ends = if seed.is_multiple_of(3) { ReuseEnds::Account } else { ReuseEnds::Session };
        let setup = Setup { tabs, ends };
        author.write();
        History { seed, setup, steps: author.steps }
    }

    fn house(setup: Setup, ground: Arc<dyn Ground>) -> House {
        House::new(ground, move |site| house::build(site, 1, setup.ends))
    }

    fn run(house: &mut House, history: &History<Self>, telling: Telling, coverage: &mut Coverage) -> Outcome {
        super::run::run(house, history, telling, coverage)
    }

    fn simpler(step: Step) -> Vec<Step> {
        match step {
            Step::Send { who, wish, gates, fault, reply }
                if gates.is_some() || fault.is_some() || reply == Reply::Lost =>
            {
                let send = |gates, fault, reply| Step::Send { who, wish, gates, fault, reply };
                vec![
                    send(gates, None, reply),
                    send(None, fault, reply),
                    send(gates, fault, Reply::Heard),
                    send(None, None, Reply::Heard),
                ]
            }
            _ => Vec::new(),
        }
    }
}

/// Writes a history.
struct Author {
    choices: Choices,
    steps: Vec<Step>,
    /// Whether there is a thief: a history without one says that nobody is logged out, one with him that he is found.
    theft: bool,
    /// How far the clock was set back in all.
    back: i64,
}

/// The furthest that the clock of a history is set back in all, in milliseconds.
const FURTHEST_BACK: i64 = 10_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

impl Author {
    fn write(&mut self) {
        self.theft = self.choices.percent(40);
        for _ in 0..6 + self.choices.below(10) {
            match self.choices.weighted(&[(32, 0), (22, 1), (16, 2), (9, 3), (9, 4), (10, 5), (2, 6)]) {
                Some(0) => self.quiet_refresh(),
                Some(1) => self.crowd(),
                Some(2) if self.theft => self.steal(),
                Some(3) => self.cross(),
                Some(4) => self.step_up(),
                Some(5) => self.anything(),
                Some(6) => self.grow_old(),
                _ => self.quiet_refresh(),
            }
            self.happen();
        }
    }

    /// A tab refreshes and nobody is in its way; the answer may be lost.
    fn quiet_refresh(&mut self) {
        for _ in 0..1 + self.choices.below(4) {
            let (who, reply) = (self.tab(), self.reply(20));
            let fault = self.fault(12);
            self.steps.push(Step::Send { who, wish: Wish::Refresh(0), gates: None, fault, reply });
            // Within ten seconds the same tokens are given again.
            if self.choices.percent(65) {
                let pause = self.pause();
                self.steps.push(Step::Clock(pause));
            }
        }
    }

    /// Several refresh at once.
    fn crowd(&mut self) {
        for _ in 0..2 + self.choices.below(4) {
            let who = match self.choices.below(5) {
                0 | 1 => Who::One,
                2 | 3 => Who::Two,
                _ if self.theft => Who::Thief,
                _ => self.tab(),
            };
            let (gates, fault) = (Some(self.choices.below(5) as u8), self.fault(10));
            let reply = self.reply(15);
            let wish = Wish::Refresh(if who == Who::Thief { self.choices.below(3) as u8 } else { 0 });
            self.steps.push(Step::Send { who, wish, gates, fault, reply });
            if self.choices.percent(25) {
                let gates = self.gates();
                self.steps.push(Step::Again { who, gates });
            }
            if self.choices.percent(40) {
                let (slot, gates) = (self.choices.below(6) as u8, self.gates());
                let hang_up = self.choices.percent(20);
                self.steps.push(if hang_up { Step::HangUp { slot } } else { Step::Go { slot, gates } });
            }
        }
        if self.choices.percent(70) {
            for slot in 0..6 {
                self.steps.push(Step::Go { slot, gates: None });
            }
        }
        if self.choices.percent(50) {
            let pause = self.pause();
            self.steps.push(Step::Clock(pause));
        }
    }

    /// The family is refreshed for as long as it may live.
    fn grow_old(&mut self) {
        for _ in 0..5 {
            self.steps.push(calm(Who::One, Wish::Refresh(0)));
            self.steps.push(Step::Clock(6 * DAY + self.choices.below(DAY as usize) as i64));
        }
        self.steps.push(calm(Who::Two, Wish::Refresh(0)));
    }

    /// Whether it is time for the family to end: too early, and little else would happen.
    const fn is_late(&self) -> bool {
        self.steps.len() > 35
    }

    /// The thief copies tokens and uses them, at once or later.
    fn steal(&mut self) {
        let (from, nth) = (self.tab(), self.choices.below(3) as u8);
        self.steps.push(Step::Steal { from, nth });
        for _ in 0..self.choices.below(3) {
            self.quiet_refresh();
        }
        if self.choices.percent(50) {
            let pause = self.pause();
            self.steps.push(Step::Clock(pause));
        }
        for _ in 0..1 + self.choices.below(3) {
            let wish = match self.choices.below(5) {
                0..=2 => Wish::Refresh(self.choices.below(3) as u8),
                3 => Wish::Use(self.choices.below(3) as u8),
                _ => Wish::Confirm(0),
            };
            self.send(Who::Thief, wish);
        }
    }

    /// A refresh is held on its way while something else happens to the session.
    fn cross(&mut self) {
        let who = if self.theft && self.choices.percent(30) { Who::Thief } else { self.tab() };
        let held = if self.choices.percent(70) { Wish::Refresh(0) } else { self.wish_of_a_tab() };
        let gates = Some(self.choices.below(4) as u8);
        self.steps.push(Step::Send { who, wish: held, gates, fault: None, reply: Reply::Heard });
        let other = if who == Who::One { Who::Two } else { Who::One };
        let step = match self.choices.below(if self.is_late() { 14 } else { 4 }) {
            0 => calm(other, Wish::StepUp(0)),
            1 => calm(other, Wish::ChangePassword(0)),
            2 | 3 => calm(other, Wish::Refresh(0)),
            4 | 5 => Step::ByHand(Hand::Disable),
            6 => Step::ByHand(Hand::EndSessions),
            7 => calm(other, Wish::Logout(0)),
            8 => calm(Who::Desk, Wish::Disable),
            9 => calm(Who::Desk, Wish::SetPassword),
            10 => calm(Who::Desk, Wish::EndOthers),
            11 => calm(Who::Desk, Wish::Revoke),
            12 => Step::Clock(8 * DAY),
            _ => calm(other, Wish::LogoutRefresh(0)),
        };
        self.steps.push(step);
        self.steps.push(Step::Go { slot: who.slot() as u8, gates: None });
        if matches!(step, Step::ByHand(_)) && self.choices.percent(50) {
            self.steps.push(calm(Who::Desk, Wish::Enable));
            self.steps.push(Step::ByHand(Hand::Enable));
        }
    }

    /// The session gets a new secret; tokens from before are tried.
    fn step_up(&mut self) {
        let (from, who) = (self.tab(), self.tab());
        if self.theft {
            self.steps.push(Step::Steal { from, nth: self.choices.below(2) as u8 });
        }
        let wish = if self.choices.percent(70) { Wish::StepUp(0) } else { Wish::ChangePassword(0) };
        self.send(who, wish);
        for _ in 0..self.choices.below(3) {
            let wish = match self.choices.below(4) {
                0 | 1 => Wish::Refresh(self.choices.below(2) as u8),
                2 => Wish::Confirm(0),
                _ if self.is_late() => Wish::LogoutRefresh(0),
                _ => Wish::Use(0),
            };
            self.send(Who::Thief, wish);
        }
        self.quiet_refresh();
    }

    fn anything(&mut self) {
        for _ in 0..1 + self.choices.below(3) {
            let choice = self.choices.below(20);
            let (who, wish) = match choice {
                0..=2 | 4 if !self.is_late() => (self.tab(), Wish::Refresh(0)),
                0 => (Who::Desk, Wish::Revoke),
                1 => (Who::Desk, Wish::EndOthers),
                2 => (Who::Desk, Wish::Disable),
                3 => (Who::Desk, Wish::Enable),
                4 => (Who::Desk, Wish::SetPassword),
                5..=7 if self.theft => {
                    let nth = self.choices.below(4) as u8;
                    (Who::Thief, if self.choices.percent(60) { Wish::Refresh(nth) } else { Wish::Confirm(nth) })
                }
                8..=10 => (Who::Thief, Wish::Forge(self.forgery())),
                _ => (self.tab(), self.wish_of_a_tab()),
            };
            self.send(who, wish);
        }
    }

    fn wish_of_a_tab(&mut self) -> Wish {
        let end = if self.is_late() { 12 } else { 0 };
        let wishes = [
            (40, Wish::Use(0)),
            (10, Wish::Use(2)),
            (20, Wish::Confirm(0)),
            (8, Wish::Confirm(1)),
            (end, Wish::Logout(0)),
            (end, Wish::LogoutRefresh(0)),
            (10, Wish::StepUp(0)),
            (5, Wish::ChangePassword(0)),
        ];
        self.choices.weighted(&wishes).unwrap_or(Wish::Use(0))
    }

    fn forgery(&mut self) -> Forgery {
        match self.choices.below(8) {
            0..=3 => Forgery::Bit(self.choices.below(68) as u8),
            4 | 5 => Forgery::Number(self.choices.below(7) as i8 - 3),
            6 => Forgery::Random,
            _ => Forgery::Access,
        }
    }

    fn send(&mut self, who: Who, wish: Wish) {
        let (gates, fault) = (self.gates(), self.fault(12));
        let reply = self.reply(8);
        self.steps.push(Step::Send { who, wish, gates, fault, reply });
    }

    fn reply(&mut self, lost: usize) -> Reply {
        if self.choices.percent(lost) { Reply::Lost } else { Reply::Heard }
    }

    fn fault(&mut self, percent: usize) -> Option<Fault> {
        let troubles = [
            (20, Trouble::ReadFails),
            (15, Trouble::CommitFails),
            (10, Trouble::CommitBusy),
            (15, Trouble::UnknownBefore),
            (20, Trouble::UnknownAfter),
            (20, Trouble::Repeated),
        ];
        let after = if self.choices.percent(80) { 0 } else { 1 };
        let trouble = self.choices.weighted(&troubles)?;
        self.choices.percent(percent).then_some(Fault { trouble, after })
    }

    fn happen(&mut self) {
        let step = match self.choices.below(100) {
            0..4 => Step::Crash,
            4..8 => Step::NewKey,
            8..48 => Step::Clock(self.pause()),
            48..54 => Step::Jobs,
            54..60 => Step::HangUp { slot: self.choices.below(6) as u8 },
            60..63 if self.is_late() => Step::ByHand(match self.choices.below(3) {
                0 => Hand::Disable,
                1 => Hand::Enable,
                _ => Hand::EndSessions,
            }),
            _ => return,
        };
        self.steps.push(step);
    }

    fn pause(&mut self) -> i64 {
        let back = 1 + self.choices.below(5000) as i64;
        match self.choices.below(100) {
            0..10 if self.back + back <= FURTHEST_BACK => {
                self.back += back;
                -back
            }
            0..30 => 1 + self.choices.below(9_999) as i64,
            30..35 => 9_999 + self.choices.below(3) as i64,
            35..65 => 10_000 + self.choices.below(60_000) as i64,
            65..90 => 14 * MINUTE + self.choices.below(150_000) as i64,
            90..96 => 6 * 60 * MINUTE,
            96..99 => 2 * DAY + self.choices.below(DAY as usize) as i64,
            _ => 7 * DAY - 1 + self.choices.below(3) as i64,
        }
    }

    fn gates(&mut self) -> Option<u8> {
        if self.choices.percent(60) { None } else { Some(self.choices.below(6) as u8) }
    }

    fn tab(&mut self) -> Who {
        if self.choices.percent(50) { Who::One } else { Who::Two }
    }
}

const fn calm(who: Who, wish: Wish) -> Step {
    Step::Send { who, wish, gates: None, fault: None, reply: Reply::Heard }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reach = |gates: Option<u8>| gates.map_or("to its end".to_owned(), |n| format!("for {} gates", n + 1));
        match self {
            Self::Send { who, wish, gates, fault, reply } => {
                write!(f, "{who:?} asks {wish:?}, which goes {}", reach(*gates))?;
                if let Some(fault) = fault {
                    write!(f, "; then {:?} after {} of its kind", fault.trouble, fault.after)?;
                }
                if *reply == Reply::Lost { f.write_str("; the answer is lost") } else { Ok(()) }
            }
            Self::Again { who, gates } => write!(f, "the request of {who:?} is sent again and goes {}", reach(*gates)),
            Self::Go { slot, gates } => write!(f, "the request in slot {slot} goes on {}", reach(*gates)),
            Self::HangUp { slot } => write!(f, "the client in slot {slot} hangs up"),
            Self::Steal { from, nth } => {
                write!(f, "the thief copies the tokens of {from:?}, number {nth} from the newest")
            }
            Self::Crash => f.write_str("the process dies, another one starts"),
            Self::NewKey => f.write_str("the process starts again with a new key in front"),
            Self::Clock(millis) => write!(f, "the clock moves by {millis} ms"),
            Self::Jobs => f.write_str("jobs run"),
            Self::ByHand(hand) => write!(f, "by hand in the database: {hand:?}"),
        }
    }
}
