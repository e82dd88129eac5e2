//! What a client was told, against what was written and what was its due.

use authkit_core::Class;

use super::{Attempt, Claim, Flight, Model, secrets::names_secret};
use crate::{
    ask::{Answer, Deed, Offers, Refusal},
    breach::{Checked, breach},
    store::{Seen, Trouble},
};

/// Records of acts that give or change something.
const GRANTING: [&str; 8] = [
    "action_granted",
    "action_redeemed",
    "challenge_issued",
    "login_success",
    "password_changed",
    "password_set",
    "session_raised",
    "signup",
];

impl Model {
    /// The session of a request is read, as things stand now.
    pub(super) fn read_session(&self, flight: &mut Flight) {
        let token = flight.ask.deed.token();
        let alive = token.and_then(|token| self.alive(flight.ask.tenant, token, flight.now()));
        flight.read = Some(alive.map(|(id, session)| (id, session.clone())));
        self.remember(flight);
    }

    /// The session of a request was found, or not: as it should be if and only if it was alive when it was read.
    pub(crate) fn looked_up(&self, flight: &Flight) -> Checked {
        let (Some(found), Some(token)) = (flight.found, flight.ask.deed.token()) else {
            return Ok(());
        };
        match (found, flight.read.as_ref().is_some_and(Option::is_some)) {
            (true, false) => {
                let stray = self.tokens.session.parse(token).map(|claim| (flight.ask.tenant.other(), claim.id));
                let elsewhere = stray.is_some_and(|key| self.owners.contains_key(&key));
                let invariant = if elsewhere { "I4" } else { "I3" };
                Err(breach(invariant, "a session was found that is not alive in this tenant"))
            }
            (false, true) => Err(breach("A", "a living session was not found")),
            _ => Ok(()),
        }
    }

    /// A request has ended.
    pub(crate) fn answered(&mut self, flight: &Flight, answer: &Answer) -> Checked {
        let needs = |kind: &str| match flight.has_landed(kind) {
            true => Ok(()),
            false => Err(breach("I8", format!("{} was answered without a record of {kind}", flight.ask.deed.name()))),
        };
        match answer {
            Answer::SignedIn { token, session, principal } => {
                if !flight.has_landed("login_success") {
                    needs("session_raised")?;
                }
                self.revealed(token);
                let claim = self.tokens.session.parse(token).ok_or_else(|| breach("I1", "a token that is none"))?;
                let named = flight.named.contains(session) && claim.id == *session;
                if !named || self.owners.get(&(flight.ask.tenant, *session)) != Some(principal) {
                    return Err(breach("I1", "the token of another session was given out"));
                }
                Ok(())
            }
            Answer::Challenged { flow, offers } => {
                needs("challenge_issued")?;
                self.revealed(flow);
                self.offered(flight, flow, offers)
            }
            Answer::Granted(token) => {
                needs("action_granted")?;
                self.revealed(token);
                let claim = self.tokens.grant.parse(token);
                if claim.is_none_or(|claim| Some(claim.id) != flight.granted) {
                    return Err(breach("I1", "the token of another grant was given out"));
                }
                Ok(())
            }
            Answer::Renewed(token) => {
                self.revealed(token);
                needs("password_changed")
            }
            Answer::Found { session, principal } => {
                if self.owners.get(&(flight.ask.tenant, *session)) != Some(principal) {
                    return Err(breach("I4", "a session was shown as that of somebody else"));
                }
                Ok(())
            }
            Answer::Listed(sessions) => {
                let caller = flight.read.iter().flatten().map(|(_, session)| session.principal).next();
                let foreign = |id: &authkit_core::Id| self.owners.get(&(flight.ask.tenant, *id)).copied() != caller;
                if sessions.iter().any(foreign) {
                    return Err(breach("I4", "a list shows the session of somebody else"));
                }
                Ok(())
            }
            Answer::Done => self.done(flight, needs),
            Answer::Refused(refusal) => self.turned_down(flight, refusal),
        }
    }

    fn done(&self, flight: &Flight, needs: impl Fn(&str) -> Checked) -> Checked {
        let key = |id| (flight.ask.tenant, id);
        let is = |id: authkit_core::Id, status: authkit_core::Status| {
            // That it was so already is no act; that it was so when the request looked may have changed since.
            let stands = self.accounts.get(&key(id)).is_some_and(|account| account.status == status);
            stands || !flight.alone
        };
        use authkit_core::Status::{Active, Deleted, Disabled};
        match &flight.ask.deed {
            Deed::SignUp { .. } if flight.has_landed("signup_refused") => Ok(()),
            Deed::SignUp { .. } => needs("signup"),
            Deed::Redeem { .. } => needs("action_redeemed"),
            Deed::EndOthers { .. } | Deed::EndAll { .. } => needs("sessions_revoked_all"),
            Deed::SetPassword { .. } => needs("password_set"),
            Deed::Logout { token } => match self.alive(flight.ask.tenant, token, flight.now()) {
                None => Ok(()),
                Some(_) => Err(breach("I3", "logged out, and the session is alive")),
            },
            Deed::Revoke { ended, .. } => match self.sessions.contains_key(&key(*ended)) {
                false => Ok(()),
                true => Err(breach("I3", "revoked, and the session is alive")),
            },
            Deed::Disable(id) if !flight.has_landed("account_disabled") && is(*id, Disabled) => Ok(()),
            Deed::Disable(_) => needs("account_disabled"),
            Deed::Enable(id) if !flight.has_landed("account_enabled") && is(*id, Active) => Ok(()),
            Deed::Enable(_) => needs("account_enabled"),
            Deed::Delete(id) if !flight.has_landed("account_deleted") && is(*id, Deleted) => Ok(()),
            Deed::Delete(_) => needs("account_deleted"),
            Deed::Restore(id) if !flight.has_landed("account_restored") && is(*id, Disabled) => Ok(()),
            Deed::Restore(_) => needs("account_restored"),
            // It proved enough already, unless others have changed meanwhile what is enough.
            Deed::Raise { .. } if flight.alone => {
                self.suffices(flight.ask.tenant, &self.proof_of(flight)?, flight.now())
            }
            Deed::Raise { .. } => Ok(()),
            deed => Err(breach("I8", format!("{} was answered with nothing", deed.name()))),
        }
    }

    /// What a challenge offers, and what it shows to be set up.
    fn offered(&mut self, flight: &Flight, token: &str, offers: &Offers) -> Checked {
        let claim = self.tokens.flow.parse(token).ok_or_else(|| breach("I2", "a flow token that is none"))?;
        let key = (flight.ask.tenant, claim.id);
        if !flight.named.contains(&claim.id) {
            return Err(breach("I2", "the token of another flow was given out"));
        }
        // An offer made before the credentials changed is of no use to anybody.
        let lives = |flow: &&super::Flow| {
            self.accounts.get(&(flight.ask.tenant, flow.principal)).is_some_and(|account| account.epoch == flow.epoch)
        };
        if !matches!(offers, Offers::Nothing)
            && let Some(flow) = self.flows.get(&key).filter(lives)
        {
            self.may_enrol(flight.ask.tenant, flow, flight.now())?;
        }
        if let Some(flow) = self.flows.get_mut(&key).filter(|flow| flow.hash == claim.hash()) {
            flow.shown = if let Offers::Shown(badge) = offers { Some(badge.clone()) } else { None };
        }
        Ok(())
    }

    fn turned_down(&mut self, flight: &Flight, refusal: &Refusal) -> Checked {
        if names_secret(&refusal.printed) {
            return Err(breach("I5", format!("an error shows a secret: {}", refusal.printed)));
        }
        if refusal.class == Class::Internal {
            return Err(breach("A", format!("{} ended in {}", flight.ask.deed.name(), refusal.printed)));
        }
        if let Some(token) = &refusal.retry {
            self.revealed(token);
        }
        if let Some(kind) = flight.landed.iter().find(|kind| GRANTING.contains(&kind.as_str()))
            && flight.trouble != Some(Trouble::ReadFails)
        {
            return Err(breach("I8", format!("{kind} was written, and the client was told {}", refusal.code)));
        }
        // A session that is gone cannot be raised, however right the answer is.
        let refused = ["core.rejected", "core.flow_invalid"].contains(&refusal.code);
        if flight.attempt == Attempt::Judged && flight.alone && flight.trouble.is_none() && refused {
            if !flight.has_landed("login_failure") {
                return Err(breach("I8", "a credential was judged and refused, and no record says so"));
            }
            if flight.claim == Claim::Due {
                return Err(breach("A", "a right answer was refused"));
            }
        }
        match flight.ask.deed {
            Deed::SignIn { .. } => self.looks_alike(flight, refusal),
            _ => Ok(()),
        }
    }

    /// Whoever fails to sign in is told the same after the same work, whether or not there is such an account.
    fn looks_alike(&mut self, flight: &Flight, refusal: &Refusal) -> Checked {
        let told = match refusal.code {
            "core.rejected" => refusal.hints == "The credentials are not valid. [] None" && refusal.retry.is_none(),
            code => ["core.limited", "core.unavailable", "core.audit_unavailable", "core.conflict"].contains(&code),
        };
        if !told {
            return Err(breach("I6", format!("a sign-in was answered with {} {}", refusal.code, refusal.hints)));
        }
        if flight.attempt == Attempt::Unpaid
            || !flight.alone
            || flight.trouble.is_some()
            || refusal.class != Class::Rejected
        {
            return Ok(());
        }
        // What is no address can be nobody's, and is not looked up.
        if !flight.seen.contains(&Seen::Read("auth_identifiers")) {
            return Ok(());
        }
        let kind = |seen: &Seen| match seen {
            Seen::Landed(_) => Seen::Landed(Vec::new()),
            seen => seen.clone(),
        };
        let asked: Vec<Seen> = flight.seen.iter().map(kind).collect();
        match &self.refusal {
            Some(usual) if *usual != asked => {
                Err(breach("I6", format!("a refused sign-in asked {asked:?} of the store, another one {usual:?}")))
            }
            _ => {
                self.refusal = Some(asked);
                Ok(())
            }
        }
    }
}
