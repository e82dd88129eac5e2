//! What has to be true of a family, as plain data. It calls nothing of the application's.

use std::collections::{BTreeMap, BTreeSet};

use authkit_core::{Id, ReuseEnds, Status, Timestamp};
use serde_json::Value as JsonValue;

use super::{
    Setup, Tabs,
    ask::{Answer, Ask, Deed, Pair},
    history::Who,
    house::{ABSOLUTE, ACCESS, IDLE, SKEW},
    protocol::{Age, FRESH_FOR, Worth, worth},
};
use crate::{
    ask::Refusal,
    breach::{Checked, breach},
    house::ByHand,
    rows::{Row, Rows, Table},
    store::{Seen, Trouble},
    token::refresh_token,
};

/// Everything that has to be true of a history so far.
pub(super) struct Model {
    pub(super) principal: Id,
    status: Status,
    pub(super) epoch: i64,
    sessions_from: i64,
    pub(super) password: String,
    /// The family's session, as it stands in the store.
    pub(super) family: Option<Family>,
    pub(super) id: Id,
    /// The owner's session at the other device.
    desk: Id,
    /// What an old token ends.
    ends: ReuseEnds,
    /// When one ended the whole account.
    account_ended: Option<Timestamp>,
    /// Tokens that were given out.
    refresh: BTreeMap<String, Token>,
    access: BTreeMap<String, Access>,
    /// The newest refresh token that a tab was given.
    best: Token,
    /// Somebody else than the owner's tabs has shown a living token.
    theft: bool,
    records: BTreeSet<Id>,
}

/// The row of the family.
#[derive(Clone, Debug)]
pub(super) struct Family {
    /// Which secret it has, counted from the first.
    secret: u32,
    /// How many tokens followed the first one under this secret.
    number: i64,
    /// When it was refreshed last.
    last: Timestamp,
    expires_at: Timestamp,
    ends_at: Timestamp,
    epoch: i64,
    /// The hash of its secret when it was last looked at, and which secret that was.
    hash: (u32, Vec<u8>),
}

/// A refresh token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token {
    secret: u32,
    number: i64,
}

impl Token {
    /// The next one under the same secret.
    const fn followed(self) -> Self {
        Self { number: self.number + 1, ..self }
    }
}

/// An access token.
#[derive(Clone, Copy, Debug)]
struct Access {
    secret: u32,
    from: Timestamp,
    /// When its session goes idle.
    until: Timestamp,
}

/// What is known of a request on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) ask: Ask,
    pub(super) now: Timestamp,
    pub(super) seen: Vec<Seen>,
    pub(super) trouble: Option<Trouble>,
    /// What happened to another request while this one was on its way: a read that failed.
    pub(super) beside: Option<Trouble>,
    /// The newest token of the family when it was sent.
    sent: Token,
    /// The owner may be logged out by it: it shows an older token than the newest that a tab was given, or two other
    /// refreshes were made while it was on its way, between which are ten seconds.
    excused: bool,
    /// What its refresh token was worth when the session was read; nothing if that shows no living session.
    pub(super) judged: Option<Option<Worth>>,
    /// Whether its access token showed a living session when that was read.
    confirmed: Option<bool>,
    /// The kinds of records that it left.
    pub(super) landed: Vec<String>,
    /// The token that is its due.
    given: Option<Token>,
}

/// Rows after a step, and the records of its time.
pub(super) struct Look<'a> {
    sessions: &'a Table,
    principals: &'a Table,
    records: &'a Table,
}

impl<'a> Look<'a> {
    pub(super) fn new(rows: &'a Rows, records: &'a Table) -> Self {
        Self { sessions: rows.table("auth_sessions"), principals: rows.table("auth_principals"), records }
    }
}

/// Records that say nothing about the family.
const ASIDE: [&str; 4] = ["challenge_issued", "login_failure", "rate_limited", "signing_key_created"];

impl Model {
    /// What there is after the owner has signed up and in.
    pub(super) fn new(setup: Setup, look: &Look<'_>, pair: &Pair, password: String, now: Timestamp) -> Checked<Self> {
        let first = pair.refresh.as_deref().and_then(refresh_token);
        let first = first.ok_or_else(|| breach("R6", "a client that keeps its tokens got no refresh token"))?;
        let row = look.sessions.get(first.id).ok_or_else(|| breach("R6", "a refresh token without a session"))?;
        let principal = row.id("principal_id").unwrap_or(Id::NIL);
        let owner = look.principals.get(principal).ok_or_else(|| breach("R6", "a session of nobody"))?;
        let desk = look.sessions.iter().map(|(id, _)| id).find(|id| *id != first.id).unwrap_or(Id::NIL);
        let family = Family {
            secret: 0,
            number: 0,
            last: now,
            expires_at: now.plus(IDLE),
            ends_at: now.plus(ABSOLUTE),
            epoch: row.int("epoch"),
            hash: (0, row.bytes("secret_hash").to_vec()),
        };
        let mut model = Self {
            principal,
            status: Status::Active,
            epoch: owner.int("epoch"),
            sessions_from: owner.int("sessions_from"),
            password,
            family: Some(family),
            id: first.id,
            desk,
            ends: setup.ends,
            account_ended: None,
            refresh: BTreeMap::new(),
            access: BTreeMap::new(),
            best: Token::default(),
            theft: setup.tabs == Tabs::Copies,
            records: look.records.iter().map(|(id, _)| id).collect(),
        };
        model.give(pair, Token::default(), now)?;
        model.agrees(look, now)?;
        Ok(model)
    }

    /// Takes off with a request; a repeated one was sent when the first was.
    pub(super) fn flight(&self, ask: Ask, now: Timestamp, first: Option<Token>) -> Flight {
        let shown = ask.deed.refresh().and_then(|token| self.refresh.get(token));
        Flight {
            excused: shown.is_some_and(|token| *token < self.best),
            ask,
            now,
            seen: Vec::new(),
            trouble: None,
            beside: None,
            sent: first.unwrap_or_else(|| self.newest()),
            judged: None,
            confirmed: None,
            landed: Vec::new(),
            given: None,
        }
    }

    /// Whether nobody but the owner's tabs has used a token, and they keep them in one place.
    pub(super) const fn is_peaceful(&self) -> bool {
        !self.theft
    }

    /// The number of the family.
    pub(super) fn newest(&self) -> Token {
        self.family.as_ref().map_or(self.best, |family| Token { secret: family.secret, number: family.number })
    }

    /// A token that was made up is one that was never given out.
    pub(super) fn is_known(&self, token: &str) -> bool {
        self.refresh.contains_key(token)
    }

    /// What the store was asked for by a request, in order.
    pub(super) fn judge(&mut self, flight: &mut Flight, seen: &[Seen]) {
        for call in seen {
            if !matches!(call, Seen::Read("auth_sessions")) {
                continue;
            }
            if let Some(token) = flight.ask.deed.refresh() {
                flight.judged = Some(self.worth(token, flight.now));
                flight.excused |= self.newest() > flight.sent.followed();
                let stranger = flight.ask.who == Who::Thief;
                self.theft |= stranger && flight.judged.flatten().is_some();
            }
            if let (Some(token), None) = (flight.ask.deed.access(), flight.confirmed) {
                let secret = self.access.get(token).map(|access| access.secret);
                let living = self.living(flight.now);
                flight.confirmed = Some(living.is_some_and(|family| Some(family.secret) == secret));
            }
        }
    }

    /// The family, if it can be used at this time.
    fn living(&self, now: Timestamp) -> Option<&Family> {
        let family = self.family.as_ref()?;
        let alive = self.status == Status::Active && family.epoch >= self.sessions_from && now < family.expires_at;
        alive.then_some(family)
    }

    fn worth(&self, token: &str, now: Timestamp) -> Option<Worth> {
        let family = self.living(now)?;
        let token = self.refresh.get(token).filter(|token| token.secret == family.secret)?;
        let fresh = now.since(family.last).as_millis() < FRESH_FOR as u128;
        Some(worth(family.number, token.number, if fresh { Age::Fresh } else { Age::Old }))
    }

    /// What has ended the family by itself, at this time.
    pub(super) fn end_of_time(&self, now: Timestamp) -> Option<&'static str> {
        let family = self.family.as_ref().filter(|family| family.expires_at <= now)?;
        Some(if family.ends_at <= now { "ended by age" } else { "went idle" })
    }

    /// Something of a request was written.
    pub(super) fn landed(&mut self, flight: &mut Flight, look: &Look<'_>) -> Checked {
        for (kind, said) in self.new_records(look)? {
            self.recorded(flight, &kind, said)?;
            flight.landed.push(kind);
        }
        self.agrees(look, flight.now)
    }

    /// Jobs ran: what has expired may be gone.
    pub(super) fn swept(&mut self, look: &Look<'_>, now: Timestamp) -> Checked {
        if let Some((kind, _)) = self.new_records(look)?.iter().find(|(kind, _)| !ASIDE.contains(&kind.as_str())) {
            return Err(breach("R6", format!("a job recorded {kind}")));
        }
        let gone = look.sessions.get(self.id).is_none();
        if gone && self.family.as_ref().is_some_and(|family| family.expires_at <= now) {
            self.family = None;
        }
        self.agrees(look, now)
    }

    /// Somebody with access to the database changed the principal.
    pub(super) const fn by_hand(&mut self, deed: ByHand) {
        match deed {
            ByHand::Status(status) => self.status = status,
            ByHand::SessionsFrom(epoch) => (self.epoch, self.sessions_from) = (epoch, epoch),
        }
    }

    /// The kinds of records that were not there before, and what they say the token was worth that was shown.
    fn new_records(&mut self, look: &Look<'_>) -> Checked<Vec<(String, Worth)>> {
        let mut new = Vec::new();
        for (id, record) in look.records.iter().filter(|(id, _)| !self.records.contains(id)) {
            if shows_token(record.text("data")) {
                return Err(breach("R6", format!("a token in the record of {}", record.text("kind"))));
            }
            let data: JsonValue = serde_json::from_str(record.text("data")).unwrap_or_default();
            let ends = data.get("ends").and_then(JsonValue::as_str);
            if record.text("kind") == "refresh_token_reused" && ends != Some(self.ends.as_str()) {
                return Err(breach("R6", format!("the record says that {ends:?} ended")));
            }
            let again = data.get("again").and_then(JsonValue::as_bool).unwrap_or(false);
            let said = if again { Worth::Replaced } else { Worth::Newest };
            new.push((id, record.text("kind").to_owned(), said));
        }
        self.records.extend(new.iter().map(|(id, ..)| *id));
        Ok(new.into_iter().map(|(_, kind, said)| (kind, said)).collect())
    }

    /// The log holds what was recorded, and nothing else.
    pub(super) fn log_is_whole(&self, log: &Table) -> Checked {
        let all: BTreeSet<Id> = log.iter().map(|(id, _)| id).collect();
        if all != self.records {
            return Err(breach("R6", format!("{} records in the log, {} were seen", all.len(), self.records.len())));
        }
        Ok(())
    }

    fn recorded(&mut self, flight: &mut Flight, kind: &str, said: Worth) -> Checked {
        match (kind, flight.ask.deed.clone()) {
            ("token_refreshed", Deed::Refresh { token }) => self.refreshed(flight, &token, said),
            ("refresh_token_reused", Deed::Refresh { .. } | Deed::LogoutRefresh { .. }) => self.reused(flight),
            ("logout", Deed::LogoutRefresh { .. }) => {
                if !matches!(flight.judged, Some(Some(Worth::Newest | Worth::Replaced))) {
                    return Err(breach("R5", "a sign-out by a refresh token that was worth nothing"));
                }
                self.end(flight.now)
            }
            ("logout", Deed::Logout { access }) => {
                self.acts(flight, &access)?;
                self.end(flight.now)
            }
            ("session_raised", Deed::StepUp { access, .. }) => {
                self.acts(flight, &access)?;
                self.renew(flight)
            }
            ("password_changed", Deed::ChangePassword { access, new, .. }) => {
                self.acts(flight, &access)?;
                self.raise_epoch();
                let epoch = self.epoch;
                if let Some(family) = &mut self.family {
                    family.epoch = epoch;
                }
                self.password = new;
                self.renew(flight)
            }
            ("session_revoked", Deed::Revoke { .. }) => self.end(flight.now),
            ("sessions_revoked_all", Deed::EndOthers { .. }) => {
                self.raise_epoch();
                self.purge(flight.now);
                Ok(())
            }
            ("password_set", Deed::SetPassword { new, .. }) => {
                self.raise_epoch();
                self.purge(flight.now);
                self.password = new;
                Ok(())
            }
            ("account_disabled", Deed::Disable(_)) => self.set_status(Status::Disabled, flight.now),
            ("account_enabled", Deed::Enable(_)) => self.set_status(Status::Active, flight.now),
            (kind, _) if ASIDE.contains(&kind) => Ok(()),
            ("token_refreshed", Deed::Forge { .. }) => Err(breach("R4", "a forged token was refreshed")),
            ("refresh_token_reused", Deed::Forge { .. }) => Err(breach("R4", "a forged token ended the family")),
            (kind, deed) => Err(breach("R6", format!("{} was recorded as {kind}", deed.name()))),
        }
    }

    fn refreshed(&mut self, flight: &mut Flight, token: &str, said: Worth) -> Checked {
        match self.worth(token, flight.now) {
            Some(due) if due == said => {}
            Some(Worth::Reused) => return Err(breach("R3", "a token that was replaced long ago was refreshed")),
            None => {
                let old = self.refresh.get(token).is_some_and(|token| token.secret < self.newest().secret);
                let invariant = if self.living(flight.now).is_some() && old { "R7" } else { "R5" };
                return Err(breach(invariant, "a dead token was refreshed"));
            }
            Some(due) => {
                return Err(breach("R2", format!("a token that is {due:?} was refreshed as if it were {said:?}")));
            }
        }
        let Some(family) = &mut self.family else { return Ok(()) };
        if said == Worth::Newest {
            family.number += 1;
            family.last = flight.now;
            family.expires_at = flight.now.plus(IDLE).min(family.ends_at);
        }
        flight.given = Some(Token { secret: family.secret, number: family.number });
        Ok(())
    }

    fn reused(&mut self, flight: &Flight) -> Checked {
        match flight.judged {
            Some(Some(Worth::Reused)) => {}
            Some(None) => return Err(breach("R7", "a dead token ended the family")),
            _ => return Err(breach("R1", "a token of the last two ended the family")),
        }
        if !self.theft && !flight.excused {
            return Err(breach("R1", "the owner is logged out, and nobody else was there"));
        }
        match self.ends {
            ReuseEnds::Account => {
                self.raise_epoch();
                self.purge(flight.now);
                self.account_ended = Some(flight.now);
                Ok(())
            }
            _ => self.end(flight.now),
        }
    }

    /// An access token showed a living session when it was looked at, and it is still there.
    fn acts(&self, flight: &Flight, access: &str) -> Checked {
        let secret = self.access.get(access).map(|access| access.secret);
        let same = self.family.as_ref().is_some_and(|family| Some(family.secret) == secret);
        match flight.confirmed {
            Some(true) => Ok(()),
            None if same && self.living(flight.now).is_some() => Ok(()),
            _ if same => Err(breach("R5", format!("{} in a session that had ended", flight.ask.deed.name()))),
            _ => Err(breach("R7", format!("{} with a token from before a step-up", flight.ask.deed.name()))),
        }
    }

    /// The session got a new secret.
    fn renew(&mut self, flight: &mut Flight) -> Checked {
        let secret = flight.ask.deed.access().and_then(|token| self.access.get(token)).map(|access| access.secret);
        let Some(family) = self.family.as_mut().filter(|family| Some(family.secret) == secret) else {
            return Err(breach("R7", "a session that had ended or was raised got a new secret"));
        };
        family.secret += 1;
        family.number = 0;
        flight.given = Some(Token { secret: family.secret, number: 0 });
        Ok(())
    }

    fn end(&mut self, now: Timestamp) -> Checked {
        match self.family.take() {
            Some(family) if family.expires_at <= now => Err(breach("R5", "an expired session was ended")),
            Some(_) => Ok(()),
            None => Err(breach("R5", "a session was ended that had ended before")),
        }
    }

    /// All sessions end; rows that have expired are left to the sweep.
    fn purge(&mut self, now: Timestamp) {
        self.family = self.family.take().filter(|family| family.expires_at <= now);
    }

    fn set_status(&mut self, status: Status, now: Timestamp) -> Checked {
        self.status = status;
        self.raise_epoch();
        self.purge(now);
        Ok(())
    }

    const fn raise_epoch(&mut self) {
        self.epoch += 1;
        self.sessions_from = self.epoch;
    }

    /// Rows and model say the same.
    fn agrees(&mut self, look: &Look<'_>, now: Timestamp) -> Checked {
        let owner = look.principals.get(self.principal).ok_or_else(|| breach("R6", "the owner is gone"))?;
        let stored = (owner.text("status"), owner.int("epoch"), owner.int("sessions_from"));
        let due = (self.status.as_str(), self.epoch, self.sessions_from);
        if stored != due {
            return Err(breach("R6", format!("the owner is {stored:?} and should be {due:?}")));
        }
        if look.sessions.iter().any(|(id, _)| id != self.id && id != self.desk) {
            return Err(breach("R2", "a session that nobody signed in to"));
        }
        let desk_goes_on = |at| look.sessions.get(self.desk).is_some_and(|row| row.time("expires_at") > at);
        if self.account_ended.is_some_and(desk_goes_on) {
            return Err(breach("R5", "the account has ended, and the session at the other device goes on"));
        }
        match (&mut self.family, look.sessions.get(self.id)) {
            (Some(family), Some(row)) => family.agrees(row),
            (None, None) => Ok(()),
            (Some(_), None) => Err(breach("R6", "the family is gone, and no record says so")),
            (None, Some(row)) if row.time("expires_at") <= now => Ok(()),
            (None, Some(_)) => Err(breach("R5", "the family has ended and is still there")),
        }
    }

    /// A request has ended.
    pub(super) fn answered(&mut self, flight: &Flight, answer: &Answer) -> Checked {
        if let Answer::Refused(refusal) = answer {
            if shows_token(&refusal.printed) {
                return Err(breach("R4", format!("an error shows a token: {}", refusal.printed)));
            }
            return self.refused(flight, refusal);
        }
        match (&flight.ask.deed, answer) {
            (Deed::Forge { .. }, _) => Err(breach("R4", "a forged token was answered with tokens")),
            (Deed::Refresh { token }, Answer::Tokens(pair)) => {
                let shown = self.refresh.get(token).copied().unwrap_or_default();
                let due = self.due(flight, "token_refreshed")?;
                if due.number < shown.number || due.number > shown.number + 2 {
                    return Err(breach("R2", format!("number {} was given for {}", due.number, shown.number)));
                }
                self.costs_two_calls(flight)?;
                self.give(pair, due, flight.now)
            }
            (Deed::StepUp { .. }, Answer::Tokens(pair)) => {
                let due = self.due(flight, "session_raised")?;
                self.give(pair, due, flight.now)
            }
            (Deed::ChangePassword { .. }, Answer::Tokens(pair)) => {
                let due = self.due(flight, "password_changed")?;
                self.give(pair, due, flight.now)
            }
            (Deed::Use { access }, Answer::Found(id)) => {
                self.asks_for_no_session(flight)?;
                let known = self.access.get(access).filter(|_| *id == self.id);
                let known = known.ok_or_else(|| breach("R5", "an access token that nobody made shows a session"))?;
                if flight.now.millis() >= known.from.millis() + ACCESS + SKEW {
                    return Err(breach("R5", "an access token outlived its fifteen minutes"));
                }
                Ok(())
            }
            (Deed::Confirm { access }, Answer::Found(_)) if flight.confirmed != Some(true) => {
                let secret = self.access.get(access).map(|access| access.secret);
                let old = secret < self.family.as_ref().map(|family| family.secret);
                Err(breach(if old { "R7" } else { "R5" }, "a session that is not alive was confirmed"))
            }
            (Deed::Logout { .. }, _) if !flight.landed.is_empty() || self.living(flight.now).is_none() => Ok(()),
            (Deed::Logout { .. }, _) => Err(breach("R5", "signed out, and the family is alive")),
            (Deed::LogoutRefresh { .. }, _)
                if flight.judged.flatten().is_some() && self.living(flight.now).is_some() =>
            {
                Err(breach("R5", "signed out by refresh token, and the family is alive"))
            }
            _ => Ok(()),
        }
    }

    fn due(&self, flight: &Flight, kind: &str) -> Checked<Token> {
        let records = flight.landed.iter().filter(|landed| *landed == kind).count();
        match flight.given {
            Some(due) if records == 1 => Ok(due),
            _ => Err(breach("R6", format!("tokens were given out with {records} records of {kind}"))),
        }
    }

    /// One read and one commit, if nobody interferes. Keys to sign with are read once in a while.
    fn costs_two_calls(&self, flight: &Flight) -> Checked {
        let calls = flight.seen.iter().filter(|call| !matches!(call, Seen::Read("auth_signing_keys"))).count();
        if calls > 2 && flight.trouble.is_none() && !flight.seen.contains(&Seen::Lost) {
            return Err(breach("R4", format!("a refresh cost {:?}", flight.seen)));
        }
        Ok(())
    }

    fn asks_for_no_session(&self, flight: &Flight) -> Checked {
        match flight.seen.iter().all(|call| matches!(call, Seen::Read("auth_signing_keys") | Seen::Trouble(_))) {
            true => Ok(()),
            false => Err(breach("R4", format!("an access token cost {:?}", flight.seen))),
        }
    }

    fn refused(&self, flight: &Flight, refusal: &Refusal) -> Checked {
        // Whoever waits for keys that another request reads fails with it.
        let shared = |_: &Trouble| refusal.printed.contains("another request could not read the signing keys");
        let trouble = flight.trouble.or(flight.beside.filter(shared));
        let dead = refusal.code == "core.unauthenticated";
        if !dead && trouble.is_none() && matches!(flight.ask.deed, Deed::Refresh { .. } | Deed::Use { .. }) {
            return Err(breach("R1", format!("{} was answered with {}", flight.ask.deed.name(), refusal.printed)));
        }
        let gives = ["token_refreshed", "session_raised", "password_changed"];
        let given = flight.landed.iter().find(|kind| gives.contains(&kind.as_str()));
        if let Some(kind) = given.filter(|_| trouble != Some(Trouble::ReadFails)) {
            return Err(breach("R6", format!("{kind} was written, and the client was told {}", refusal.code)));
        }
        match &flight.ask.deed {
            Deed::Forge { .. } if !flight.seen.is_empty() || !dead => {
                Err(breach("R4", format!("a forged token cost {:?} and was told {}", flight.seen, refusal.code)))
            }
            Deed::Refresh { .. } if dead => match flight.judged {
                Some(None) => Ok(()),
                // Whoever ended it in between was faster.
                Some(Some(Worth::Reused)) => match flight.landed.is_empty() && self.living(flight.now).is_some() {
                    true => Err(breach("R3", "a token that was replaced long ago was refused, and the family goes on")),
                    false => Ok(()),
                },
                _ => Err(breach("R1", "a token of the last two was refused")),
            },
            Deed::Use { access } | Deed::Confirm { access } if dead => {
                let known = self.access.get(access);
                let good = known.is_some_and(|access| {
                    let (now, from) = (flight.now.millis(), access.from.millis());
                    now >= from - FRESH_FOR && now < from + ACCESS && flight.now < access.until
                });
                if good && (flight.confirmed == Some(true) || matches!(flight.ask.deed, Deed::Use { .. })) {
                    return Err(breach("R1", "a good access token was refused"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Tokens are on their way to a client.
    fn give(&mut self, pair: &Pair, due: Token, now: Timestamp) -> Checked {
        let text = pair.refresh.as_deref().ok_or_else(|| breach("R6", "no refresh token was given out"))?;
        let claim = refresh_token(text).ok_or_else(|| breach("R6", "a refresh token that is none was given out"))?;
        if claim.id != self.id || claim.number != due.number {
            return Err(breach("R2", format!("token {} was given out where {} was due", claim.number, due.number)));
        }
        if self.refresh.get(text).is_some_and(|known| *known != due) {
            return Err(breach("R7", "the same token was given out for two secrets"));
        }
        self.refresh.insert(text.to_owned(), due);
        let until = self.family.as_ref().map_or(Timestamp::MAX, |family| family.expires_at);
        self.access.insert(pair.access.clone(), Access { secret: due.secret, from: now, until });
        Ok(())
    }

    /// A tab got these tokens.
    pub(super) fn received(&mut self, pair: &Pair) {
        if let Some(token) = pair.refresh.as_deref().and_then(|token| self.refresh.get(token)) {
            self.best = self.best.max(*token);
        }
    }
}

impl Family {
    fn agrees(&mut self, row: &Row) -> Checked {
        if row.int("refreshes") != self.number {
            return Err(breach("R2", format!("the number is {} and should be {}", row.int("refreshes"), self.number)));
        }
        if row.int("generation") != i64::from(self.secret) || row.int("epoch") != self.epoch {
            return Err(breach("R6", "the family changed without a record"));
        }
        let (secret, hash) = std::mem::replace(&mut self.hash, (self.secret, row.bytes("secret_hash").to_vec()));
        if (secret == self.secret) != (hash == self.hash.1) {
            return Err(breach("R7", "a step-up kept the secret, or something else changed it"));
        }
        let stored = (row.time("last_seen_at"), row.time("ends_at"));
        if stored != (self.last, self.ends_at) {
            return Err(breach("R5", format!("the family says {stored:?}, due is {:?}", (self.last, self.ends_at))));
        }
        // The span is told from the row: a clock that went back near the end takes its part of it.
        let early = self.expires_at.millis() - row.time("expires_at").millis();
        if !(0..=FRESH_FOR).contains(&early) {
            return Err(breach("R5", format!("the family goes idle {early} ms before its time")));
        }
        self.expires_at = row.time("expires_at");
        Ok(())
    }
}

impl Flight {
    /// Whether the token that it shows is from before a step-up.
    pub(super) fn is_from_before(&self, model: &Model) -> bool {
        let shown = self.ask.deed.refresh().and_then(|token| model.refresh.get(token));
        model.family.as_ref().is_some_and(|family| shown.is_some_and(|token| token.secret < family.secret))
    }

    /// How often the token that it shows was replaced.
    pub(super) fn behind(&self, model: &Model) -> Option<i64> {
        let shown = self.ask.deed.refresh().and_then(|token| model.refresh.get(token))?;
        let newest = model.newest();
        (shown.secret == newest.secret).then(|| newest.number - shown.number)
    }
}

/// Whether a text shows a token.
fn shows_token(text: &str) -> bool {
    ["akr_", "aks_", "eyJ"].iter().any(|start| text.contains(start))
}
