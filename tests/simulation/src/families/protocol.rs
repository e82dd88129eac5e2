//! The family protocol by itself: what becomes of a refresh token that is shown, and all that can follow from it.
//!
//! The table is that of the specification, not of the code. The model of the histories judges by it, all states that
//! two tabs and a thief can reach are searched with it, and random walks through it are compared with the application.

use std::collections::{HashSet, VecDeque};

/// What a refresh token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// The next one follows.
    Newest,
    /// The newest one is given out again.
    Replaced,
    /// The family ends.
    Reused,
}

/// How long ago the last refresh was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Age {
    /// Less than ten seconds.
    Fresh,
    Old,
}

/// The ten seconds, in milliseconds.
pub(crate) const FRESH_FOR: i64 = 10_000;

/// What token number `shown` is worth where `number` is the newest; nothing was given out beyond that.
///
/// The newest one is not followed while it is fresh, unless it is the first: that one was not made by a refresh.
pub(crate) const fn worth(number: i64, shown: i64, age: Age) -> Worth {
    match (number - shown, age) {
        (i64::MIN..=0, Age::Fresh) if number > 0 => Worth::Replaced,
        (i64::MIN..=0, _) => Worth::Newest,
        (1, _) | (2, Age::Fresh) => Worth::Replaced,
        _ => Worth::Reused,
    }
}

/// A family, and what everybody knows of it. Token numbers are bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) number: u8,
    pub(crate) alive: bool,
    pub(crate) age: Age,
    /// What the owner's tabs were given and keep in one place.
    pub(crate) owner: u16,
    pub(crate) thief: u16,
    /// Requests and answers of the tabs that are on their way.
    tabs: [Tab; 2],
    peace: Peace,
}

/// Whether anything happened for which the owner may be logged out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peace {
    Kept,
    /// A copy was used by somebody else, or an old token once more.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Tab {
    Idle,
    /// A request with this token.
    Asks(u8),
    /// An answer with this token, or a refusal.
    Hears(Option<u8>),
}

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Owner,
    Thief,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A tab sends the newest token that the owner knows.
    Send(usize),
    /// A request that was sent arrives.
    Arrive(usize),
    /// Its answer arrives, or is lost.
    Hear(usize),
    Lose(usize),
    /// Somebody shows any token he ever had, and gets the answer at once.
    Show(Party, u8),
    /// The thief copies all that the owner has.
    Steal,
    /// Ten seconds go by.
    Wait,
}

/// The last number that is looked at.
pub(crate) const LAST: u8 = 6;

impl State {
    pub(crate) const FIRST: Self =
        Self { number: 0, alive: true, age: Age::Old, owner: 1, thief: 0, tabs: [Tab::Idle; 2], peace: Peace::Kept };

    /// What can happen next.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let tab = |at: usize| match self.tabs.get(at) {
            Some(Tab::Asks(_)) => vec![Action::Arrive(at)],
            Some(Tab::Hears(_)) => vec![Action::Hear(at), Action::Lose(at)],
            _ => vec![Action::Send(at)],
        };
        let of = |party, all: u16| (0..=LAST).filter(move |n| all >> n & 1 == 1).map(move |n| Action::Show(party, n));
        let replays = of(Party::Owner, self.owner & !newest_bit(self.owner));
        let mut all: Vec<Action> = tab(0).into_iter().chain(tab(1)).collect();
        all.extend(of(Party::Thief, self.thief).chain(replays));
        all.push(Action::Steal);
        // Nobody waits ten seconds for an answer: a request that does is a replay.
        if self.tabs.iter().all(|tab| !matches!(tab, Tab::Asks(_))) {
            all.push(Action::Wait);
        }
        all
    }

    /// The state after this; what was shown in it, and the token that was given for it.
    pub(crate) fn after(mut self, action: Action) -> (Self, Option<Shown>) {
        let mut shown = None;
        match action {
            Action::Send(at) => self.put(at, Tab::Asks(top(self.owner))),
            Action::Arrive(at) => {
                if let Some(Tab::Asks(token)) = self.tabs.get(at).copied() {
                    let given = self.show(token);
                    self.put(at, Tab::Hears(given));
                    shown = Some(Shown { token, given });
                }
            }
            Action::Hear(at) => {
                if let Some(Tab::Hears(Some(given))) = self.tabs.get(at).copied() {
                    self.owner |= 1 << given;
                }
                self.put(at, Tab::Idle);
            }
            Action::Lose(at) => self.put(at, Tab::Idle),
            Action::Show(party, token) => {
                self.peace = Peace::Broken;
                let given = self.show(token);
                let held = if party == Party::Owner { &mut self.owner } else { &mut self.thief };
                *held |= given.map_or(0, |given| 1 << given);
                shown = Some(Shown { token, given });
            }
            Action::Steal => self.thief |= self.owner,
            Action::Wait => self.age = Age::Old,
        }
        (self, shown)
    }

    /// Shows a token; the one that is given for it.
    fn show(&mut self, token: u8) -> Option<u8> {
        if !self.alive {
            return None;
        }
        match worth(self.number.into(), token.into(), self.age) {
            Worth::Newest => (self.number, self.age) = (self.number + 1, Age::Fresh),
            Worth::Replaced => {}
            Worth::Reused => self.alive = false,
        }
        self.alive.then_some(self.number)
    }

    fn put(&mut self, at: usize, tab: Tab) {
        if let Some(place) = self.tabs.get_mut(at) {
            *place = tab;
        }
    }

    /// What must not be, in this state or on the way to it.
    fn wrong(&self, before: &Self, shown: Option<Shown>) -> Option<&'static str> {
        if !self.alive && self.peace == Peace::Kept {
            return Some("the owner is logged out, and nobody else was there");
        }
        // From this it follows that the next request of the owner is answered.
        let idle = self.tabs.iter().all(|tab| *tab == Tab::Idle);
        if self.peace == Peace::Kept && idle && top(self.owner) + 1 < self.number {
            return Some("the owner's newest token is not one of the last two");
        }
        if self.number < before.number || (self.number > before.number + 1) {
            return Some("the number does not go up by ones");
        }
        if self.number > before.number && before.age == Age::Fresh {
            return Some("the number goes up twice in ten seconds");
        }
        let Shown { token, given } = shown?;
        if before.alive && before.age == Age::Old && token + 2 <= before.number && (self.alive || given.is_some()) {
            return Some("a token that was replaced twice, and not just now, did not end the family");
        }
        if !before.alive && (given.is_some() || self.alive) {
            return Some("a family that had ended goes on");
        }
        if given.is_some_and(|given| given < token || given > token + 2) {
            return Some("another token than the same or the next two was given");
        }
        if given == Some(token) && before.age == Age::Old {
            return Some("a token that was not just made was given for itself");
        }
        None
    }
}

/// A token that was shown, and the one that was given for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) token: u8,
    pub(crate) given: Option<u8>,
}

/// Looks at all states that can be reached, nearest first, at most so many; how many there were, or what is wrong.
pub(crate) fn search(most: usize) -> Result<usize, String> {
    let mut known = HashSet::from([State::FIRST]);
    let mut ahead = VecDeque::from([State::FIRST]);
    while let Some(state) = ahead.pop_front() {
        for action in state.actions() {
            let (next, shown) = state.after(action);
            if let Some(wrong) = next.wrong(&state, shown) {
                return Err(format!("{wrong}: {action:?} in {state:?} leads to {next:?}"));
            }
            if next.number <= LAST && known.len() < most && known.insert(next) {
                ahead.push_back(next);
            }
        }
    }
    Ok(known.len())
}

/// The newest of some tokens.
pub(crate) const fn top(tokens: u16) -> u8 {
    15_u32.saturating_sub(tokens.leading_zeros()) as u8
}

const fn newest_bit(tokens: u16) -> u16 {
    1 << top(tokens)
}
