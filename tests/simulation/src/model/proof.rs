//! What a request proves, and what is demanded.

use std::time::Duration;

use authkit_core::{Aal, Id, Status, Timestamp};

use super::{Account, Aim, Flight, Flow, Model, Proof};
use crate::{
    ask::Deed,
    breach::{Checked, breach},
    request::{Action, Person, Tenant},
};

/// How old a proof may be that permits an action.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How long a flow may take.
pub(super) const FLOW_LIFE: Duration = Duration::from_secs(10 * 60);

/// What a request amounts to, together with what its flow has proved before.
#[derive(Clone, Debug)]
pub(super) struct Proved {
    pub(super) principal: Id,
    pub(super) aim: Aim,
    pub(super) proofs: Vec<Proof>,
    /// The badge that is set up.
    pub(super) sets_up: Option<String>,
    pub(super) flow: Option<Id>,
}

impl Model {
    /// What a request rightly proves as things stand now, or which invariant would be broken if it were believed.
    pub(super) fn proved(&self, flight: &Flight) -> Checked<Proved> {
        let proved = self.proof_of(flight)?;
        self.stands(flight, &proved)?;
        Ok(proved)
    }

    /// Takes note of how things stand while a request reads: a challenge may rest on that, though it changes later.
    pub(super) fn remember(&self, flight: &mut Flight) {
        let Ok(proved) = self.proof_of(flight) else {
            return;
        };
        if self.stands(flight, &proved).is_ok() {
            let account = self.accounts.get(&(flight.ask.tenant, proved.principal));
            flight.stood = account.map(|account| account.epoch);
        }
        flight.then = Some(proved);
    }

    /// The principal is active, and its credentials are those under which the flow began.
    fn stands(&self, flight: &Flight, proved: &Proved) -> Checked {
        let tenant = flight.ask.tenant;
        if matches!(flight.ask.deed, Deed::Begin { .. }) {
            return Ok(());
        }
        let account = self.account(tenant, proved.principal)?;
        if account.status != Status::Active {
            return Err(breach("I3", "the principal is not active"));
        }
        let flow = proved.flow.and_then(|id| self.flows.get(&(tenant, id)));
        if flow.is_some_and(|flow| flow.epoch != account.epoch) {
            return Err(breach("I3", "the credentials have changed since the flow began"));
        }
        Ok(())
    }

    /// What a request proves, whatever has become of the principal.
    pub(super) fn proof_of(&self, flight: &Flight) -> Checked<Proved> {
        let (tenant, now) = (flight.ask.tenant, flight.now());
        let mut proved = match &flight.ask.deed {
            Deed::SignIn { address, password } => {
                let person = Person::of_address(address).ok_or_else(|| breach("I1", "an address of nobody"))?;
                let found = self.account_of(tenant, person);
                let (principal, account) = found.ok_or_else(|| breach("I1", "nobody has this address"))?;
                account.knows(password)?;
                let proofs = vec![Proof { method: "password", at: now }];
                Proved { principal, aim: Aim::SignIn, proofs, sets_up: None, flow: None }
            }
            Deed::BadgeSignIn { badge, step } => {
                let principal = self.holder(tenant, badge, *step)?;
                let proofs = vec![Proof { method: "badge", at: now }];
                Proved { principal, aim: Aim::SignIn, proofs, sets_up: None, flow: None }
            }
            Deed::AnswerPassword { flow, password } => {
                let (id, flow) = self.continued(tenant, flow, now)?;
                let account = self.account(tenant, flow.principal)?;
                account.knows(password)?;
                flow.with(id, Proof { method: "password", at: now }, None)
            }
            Deed::AnswerBadge { flow, badge, step } => {
                let (id, flow) = self.continued(tenant, flow, now)?;
                if self.holder(tenant, badge, *step)? != flow.principal {
                    return Err(breach("I1", "the badge of another principal"));
                }
                flow.with(id, Proof { method: "badge", at: now }, None)
            }
            Deed::Enrol { flow, badge } => {
                let (id, flow) = self.continued(tenant, flow, now)?;
                if flow.shown.as_ref() != Some(badge) {
                    return Err(breach("I1", "not the badge that was to be set up"));
                }
                self.may_enrol(tenant, flow, now)?;
                flow.with(id, Proof { method: "badge", at: now }, Some(badge.clone()))
            }
            Deed::StepUp { action, .. } => {
                let (session, row) = flight.shown()?;
                let aim = Aim::StepUp { session, action: *action };
                Proved { principal: row.principal, aim, proofs: row.proofs.clone(), sets_up: None, flow: None }
            }
            Deed::Raise { level, .. } => {
                let (session, row) = flight.shown()?;
                let aim = Aim::Raise { session, level: *level };
                Proved { principal: row.principal, aim, proofs: row.proofs.clone(), sets_up: None, flow: None }
            }
            Deed::ChangePassword { current, .. } => {
                let (session, row) = flight.shown()?;
                self.account(tenant, row.principal)?.knows(current)?;
                let mut proofs = row.proofs.clone();
                proofs.push(Proof { method: "password", at: now });
                let aim = Aim::StepUp { session, action: Action::Plain };
                Proved { principal: row.principal, aim, proofs, sets_up: None, flow: None }
            }
            Deed::Begin { flow } => {
                let (id, flow) = self.continued(tenant, flow, now)?;
                let (principal, aim, proofs) = (flow.principal, flow.aim, flow.proofs.clone());
                Proved { principal, aim, proofs, sets_up: flow.sets_up.clone(), flow: Some(id) }
            }
            _ => return Err(breach("I1", "a request that proves nothing")),
        };
        if matches!(proved.aim, Aim::Raise { .. }) {
            proved.proofs = newest(proved.proofs);
        }
        Ok(proved)
    }

    /// Whether this is enough for what it is for.
    pub(super) fn suffices(&self, tenant: Tenant, proved: &Proved, now: Timestamp) -> Checked {
        let account = self.account(tenant, proved.principal)?;
        let fresh = || proved.proofs.iter().filter(|proof| now.since(proof.at) <= FRESH);
        let everything = kinds(proved.proofs.iter());
        let two = tenant == Tenant::North || account.badge.is_some();
        let enough = match proved.aim {
            Aim::SignIn => everything >= 1,
            Aim::StepUp { action: Action::Plain, .. } => kinds(fresh()) >= 1,
            Aim::StepUp { action: Action::Grave, .. } => kinds(fresh()) >= 2,
            Aim::Raise { level: Aal::Aal1, .. } => kinds(fresh()) >= 1,
            Aim::Raise { .. } => kinds(fresh()) >= 2,
        };
        if enough && (!two || everything >= 2) {
            return Ok(());
        }
        Err(breach(
            "I1",
            format!("{:?} was demanded of {:?}, proved is {:?}", proved.aim, account.person, proved.proofs),
        ))
    }

    /// Nothing may be set up before every kind of factor that the principal has was proved afresh.
    pub(super) fn may_enrol(&self, tenant: Tenant, flow: &Flow, now: Timestamp) -> Checked {
        let account = self.account(tenant, flow.principal)?;
        let proved = |method| flow.proofs.iter().any(|proof| proof.method == method && in_flow(proof, flow, now));
        if !proved("password") || (account.badge.is_some() && !proved("badge")) {
            return Err(breach("I1", "an enrolment before what the principal has was proved afresh"));
        }
        Ok(())
    }

    pub(super) fn account(&self, tenant: Tenant, principal: Id) -> Checked<&Account> {
        self.accounts
            .get(&(tenant, principal))
            .ok_or_else(|| breach("I4", "a principal that this tenant does not have"))
    }

    /// The flow that a token continues.
    fn continued(&self, tenant: Tenant, token: &str, now: Timestamp) -> Checked<(Id, &Flow)> {
        let claim = self.tokens.flow.parse(token).ok_or_else(|| breach("I2", "no flow token"))?;
        let flow = self.flows.get(&(tenant, claim.id));
        let flow = flow.ok_or_else(|| breach("I2", "a flow that this tenant does not have any more"))?;
        if flow.hash != claim.hash() {
            return Err(breach("I2", "a flow token that was used before"));
        }
        if now >= flow.started.plus(FLOW_LIFE) {
            return Err(breach("I2", "a flow that has expired"));
        }
        Ok((claim.id, flow))
    }

    /// Whose badge it is, if the step is one that was not used.
    fn holder(&self, tenant: Tenant, badge: &str, step: i64) -> Checked<Id> {
        let own = |account: &&Account| account.badge.as_ref().is_some_and(|own| own.secret == badge);
        let found = self.accounts.iter().find(|((t, _), account)| *t == tenant && own(account));
        let ((_, id), account) = found.ok_or_else(|| breach("I1", "a badge that nobody has in this tenant"))?;
        if account.badge.as_ref().is_none_or(|own| step <= own.last_step) {
            return Err(breach("I2", "a step of a badge that was used before"));
        }
        Ok(*id)
    }
}

impl Flight {
    /// The session that its token showed when the request began; it may have ended since.
    fn shown(&self) -> Checked<(Id, &super::Session)> {
        let shown = self
            .read
            .as_ref()
            .and_then(Option::as_ref)
            .ok_or_else(|| breach("I3", "a token that showed no living session"))?;
        Ok((shown.0, &shown.1))
    }
}

impl Account {
    fn knows(&self, password: &str) -> Checked {
        if self.password == password {
            return Ok(());
        }
        if self.former.iter().any(|former| former == password) {
            return Err(breach("I3", "a password that was changed"));
        }
        Err(breach("I1", "a wrong password"))
    }
}

impl Flow {
    fn with(&self, id: Id, proof: Proof, sets_up: Option<String>) -> Proved {
        let mut proofs = self.proofs.clone();
        proofs.push(proof);
        let sets_up = sets_up.or_else(|| self.sets_up.clone());
        Proved { principal: self.principal, aim: self.aim, proofs, sets_up, flow: Some(id) }
    }
}

/// Fresh when the flow began: an offer stands for as long as its flow.
fn in_flow(proof: &Proof, flow: &Flow, now: Timestamp) -> bool {
    flow.started.since(proof.at) <= FRESH || now.since(proof.at) <= FRESH
}

/// How many kinds of factor these are: a password is knowledge, a badge possession.
fn kinds<'p>(proofs: impl Iterator<Item = &'p Proof>) -> usize {
    let (mut password, mut badge) = (0, 0);
    for proof in proofs {
        if proof.method == "badge" { badge = 1 } else { password = 1 }
    }
    password + badge
}

/// The last proof of each method.
fn newest(proofs: Vec<Proof>) -> Vec<Proof> {
    let mut kept: Vec<Proof> = Vec::new();
    for proof in proofs {
        kept.retain(|other| other.method != proof.method);
        kept.push(proof);
    }
    kept
}
