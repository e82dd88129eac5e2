//! The oracle: what has to be true, as plain data. It calls nothing of core's.
//!
//! Its state follows what lands, as seen in the rows, request by request: only one request moves between two looks, so
//! every change has one cause. What the cause could rightly do follows from what its client really sent.

mod answers;
mod landing;
mod limits;
mod proof;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};

use authkit_core::{Aal, Id, Status, Timestamp};

use crate::{
    ask::{Ask, Deed},
    request::{Action, Person, Tenant},
    store::{Seen, Trouble},
    token::{KINDS, Kinds},
};

pub(crate) use self::landing::Look;
use self::limits::Subject;

/// Everything that has to be true of a history so far.
pub(crate) struct Model {
    pub(crate) accounts: BTreeMap<(Tenant, Id), Account>,
    pub(crate) sessions: BTreeMap<(Tenant, Id), Session>,
    pub(crate) flows: BTreeMap<(Tenant, Id), Flow>,
    grants: BTreeMap<(Tenant, Id), Grant>,
    guesses: limits::Guesses,
    /// What the clock shows.
    pub(crate) clock: Timestamp,
    /// What a judged sign-in that fails asks of the store.
    refusal: Option<Vec<Seen>>,
    /// The ids of all records.
    records: BTreeMap<Tenant, BTreeSet<Id>>,
    /// To whom every session ever belonged.
    owners: BTreeMap<(Tenant, Id), Id>,
    /// Sessions that were past their expiry when they were ended: their rows wait for the sweep.
    ghosts: BTreeSet<(Tenant, Id)>,
    /// What was revealed to a client and may stand in no row.
    raw: Vec<Vec<u8>>,
    pub(crate) tokens: Kinds,
}

/// A principal.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) person: Person,
    pub(crate) status: Status,
    pub(crate) epoch: i64,
    sessions_from: i64,
    pub(crate) password: String,
    pub(crate) former: Vec<String>,
    pub(crate) badge: Option<Badge>,
}

/// A badge that somebody has.
#[derive(Clone, Debug)]
pub(crate) struct Badge {
    pub(crate) secret: String,
    last_step: i64,
}

/// A proof that a client really gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    method: &'static str,
    at: Timestamp,
}

/// A session that is in the store.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) principal: Id,
    proofs: Vec<Proof>,
    epoch: i64,
    hash: Vec<u8>,
    expires_at: Timestamp,
    ends_at: Timestamp,
}

/// What a flow or request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    SignIn,
    StepUp { session: Id, action: Action },
    Raise { session: Id, level: Aal },
}

/// A flow that is in the store.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) principal: Id,
    aim: Aim,
    proofs: Vec<Proof>,
    epoch: i64,
    started: Timestamp,
    hash: Vec<u8>,
    /// The badge that was shown to be set up, as far as the client heard of it.
    shown: Option<String>,
    /// The badge that is set up once the rest is proved.
    sets_up: Option<String>,
    steps: usize,
    /// Something else happened to the account while it was proved.
    doubtful: bool,
    /// What was paid for on its way.
    paid: Vec<limits::Paid>,
}

/// A permission that a client has.
#[derive(Clone, Debug)]
struct Grant {
    principal: Id,
    session: Id,
    action: Action,
    epoch: i64,
    issued: Timestamp,
    used: bool,
}

/// What is known of a request on its way.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) number: u32,
    pub(crate) ask: Ask,
    pub(crate) now: Option<Timestamp>,
    pub(crate) found: Option<bool>,
    /// What the store saw of it.
    pub(crate) seen: Vec<Seen>,
    /// The kinds of records that it left.
    pub(crate) landed: Vec<String>,
    /// Ids of sessions and flows of these records.
    named: Vec<Id>,
    pub(crate) trouble: Option<Trouble>,
    /// Nothing else was written while it was on its way.
    pub(crate) alone: bool,
    claim: Claim,
    subject: Option<Subject>,
    attempt: Attempt,
    /// The grant that it was given.
    granted: Option<Id>,
    /// The living session that its token showed when it was read; none before that.
    read: Option<Option<(Id, Session)>>,
    /// What it rightly proved when its proof was looked at.
    then: Option<proof::Proved>,
    /// The principal's epoch when its row was read and was as it should be.
    stood: Option<i64>,
}

/// Whether a request asks for something that is its due, as things stood when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Due,
    None,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Unpaid,
    Charged,
    /// A credential was looked up, to be compared with what was sent.
    Judged,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            flows: BTreeMap::new(),
            grants: BTreeMap::new(),
            guesses: limits::Guesses::default(),
            clock: Timestamp::MIN,
            refusal: None,
            records: BTreeMap::new(),
            owners: BTreeMap::new(),
            ghosts: BTreeSet::new(),
            raw: Vec::new(),
            tokens: KINDS,
        }
    }

    pub(crate) fn account_of(&self, tenant: Tenant, person: Person) -> Option<(Id, &Account)> {
        let own = |((t, _), account): &(&(Tenant, Id), &Account)| *t == tenant && account.person == person;
        self.accounts.iter().find(own).map(|((_, id), account)| (*id, account))
    }

    /// Takes off with a request.
    pub(crate) fn flight(&self, number: u32, ask: Ask, now: Timestamp) -> Flight {
        let mut flight = Flight {
            number,
            ask,
            now: Some(now),
            found: None,
            seen: Vec::new(),
            landed: Vec::new(),
            named: Vec::new(),
            trouble: None,
            alone: true,
            claim: Claim::None,
            subject: None,
            attempt: Attempt::Unpaid,
            granted: None,
            read: None,
            then: None,
            stood: None,
        };
        let due = matches!(
            flight.ask.deed,
            Deed::SignIn { .. } | Deed::BadgeSignIn { .. } | Deed::AnswerPassword { .. } | Deed::AnswerBadge { .. }
        ) && self.proved(&flight).is_ok_and(|proved| {
            let flow = proved.flow.and_then(|id| self.flows.get(&(flight.ask.tenant, id)));
            flow.is_none_or(|flow| !flow.doubtful)
        });
        if due {
            flight.claim = Claim::Due;
        }
        flight
    }

    /// The session that a token shows at `now`, if it is alive.
    fn alive(&self, tenant: Tenant, token: &str, now: Timestamp) -> Option<(Id, &Session)> {
        let claim = self.tokens.session.parse(token)?;
        let session = self.sessions.get(&(tenant, claim.id))?;
        let account = self.accounts.get(&(tenant, session.principal))?;
        let alive = session.hash == claim.hash()
            && account.status == Status::Active
            && session.epoch >= account.sessions_from
            && now < session.expires_at;
        alive.then_some((claim.id, session))
    }

    /// Somebody with access to the database changed a principal.
    pub(crate) fn by_hand(&mut self, tenant: Tenant, principal: Id, deed: crate::house::ByHand) {
        use crate::house::ByHand;
        if let Some(account) = self.accounts.get_mut(&(tenant, principal)) {
            match deed {
                ByHand::Status(status) => account.status = status,
                ByHand::SessionsFrom(epoch) => (account.epoch, account.sessions_from) = (epoch, epoch),
            }
        }
    }
}

impl Flight {
    pub(crate) fn has_been_judged(&self) -> bool {
        self.attempt == Attempt::Judged
    }

    fn now(&self) -> Timestamp {
        self.now.unwrap_or(Timestamp::MIN)
    }

    const fn paid(&self) -> limits::Paid {
        limits::Paid { request: self.number, subject: self.subject }
    }

    fn has_landed(&self, kind: &str) -> bool {
        self.landed.iter().any(|landed| landed == kind)
    }
}
