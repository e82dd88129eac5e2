//! What was written, against what the request could rightly write.

use std::collections::BTreeSet;

use authkit_core::{Id, Status, Timestamp};
use serde_json::Value as JsonValue;

use super::{Account, Aim, Attempt, Badge, Flight, Flow, Grant, Model, Session, proof::Proved};
use crate::{
    ask::Deed,
    breach::{Checked, breach},
    plugin::SMALLEST_STEP,
    request::{Action, Person, Tenant},
    rows::{Change, Row, Rows, TABLES, Table},
};

/// Rows of the request's tenant before and after the step.
pub(crate) struct Look<'a> {
    pub(crate) before: &'a Rows,
    pub(crate) after: &'a Rows,
    /// The records of the time of the request.
    pub(crate) records: &'a Table,
    /// Ids of records that the required logger has refused.
    pub(crate) refused: &'a [String],
}

impl Look<'_> {
    /// The only row that was added to a table.
    fn added(&self, table: &str) -> Checked<Id> {
        let change = self.after.table(table).since(self.before.table(table));
        match change.added.as_slice() {
            [id] => Ok(*id),
            other => Err(breach("I8", format!("{} rows were added to {table} where one was due", other.len()))),
        }
    }

    fn session(&self, id: Id) -> Checked<&Row> {
        self.after.table("auth_sessions").get(id).ok_or_else(|| breach("I8", "a record of a session that there is not"))
    }

    fn flow(&self, id: Id) -> Checked<&Row> {
        self.after.table("auth_flows").get(id).ok_or_else(|| breach("I8", "a record of a flow that there is not"))
    }
}

impl Model {
    /// Something of a request was written.
    pub(crate) fn landed(&mut self, flight: &mut Flight, look: &Look<'_>) -> Checked {
        let tenant = flight.ask.tenant;
        for table in TABLES {
            let change = look.after.table(table).since(look.before.table(table));
            self.holds_no_secret(table, look.after.table(table), &change)?;
        }
        for id in self.new_records(tenant, look)? {
            let Some(record) = look.records.get(id) else { continue };
            let kind = record.text("kind").to_owned();
            self.recorded(flight, &kind, record, look)?;
            flight.named.extend([record.id("session_id"), record.id("flow_id")].into_iter().flatten());
            flight.landed.push(kind);
        }
        self.agrees(tenant, flight.now(), look)
    }

    /// Jobs ran: what has expired may be gone, and sums may be recorded.
    pub(crate) fn swept(&mut self, tenant: Tenant, now: Timestamp, look: &Look<'_>) -> Checked {
        for id in self.new_records(tenant, look)? {
            let Some(record) = look.records.get(id) else { continue };
            if record.text("kind") != "rate_limited" {
                return Err(breach("I8", format!("a job recorded {}", record.text("kind"))));
            }
        }
        for table in ["auth_sessions", "auth_flows", "auth_action_grants"] {
            for id in look.after.table(table).since(look.before.table(table)).removed {
                if look.before.table(table).get(id).is_some_and(|row| row.time("expires_at") > now) {
                    return Err(breach("I8", format!("a living row of {table} was swept")));
                }
                self.sessions.remove(&(tenant, id));
                self.flows.remove(&(tenant, id));
                self.grants.remove(&(tenant, id));
            }
        }
        self.agrees(tenant, now, look)
    }

    /// Takes note of records that were not there before.
    fn new_records(&mut self, tenant: Tenant, look: &Look<'_>) -> Checked<Vec<Id>> {
        let known = self.records.entry(tenant).or_default();
        let new: Vec<Id> = look.records.iter().map(|(id, _)| id).filter(|id| known.insert(*id)).collect();
        if let Some(id) = new.iter().find(|id| look.refused.contains(&id.to_string())) {
            let kind = look.records.get(*id).map_or("", |row| row.text("kind"));
            return Err(breach("I8", format!("the logger had refused the record of {kind}, and it was done")));
        }
        let change = Change { added: new.clone(), ..Change::default() };
        self.holds_no_secret("auth_audit_log", look.records, &change)?;
        Ok(new)
    }

    /// The log holds what was recorded, and nothing else.
    pub(crate) fn log_is_whole(&self, tenant: Tenant, log: &Table) -> Checked {
        let recorded = self.records.get(&tenant).map_or(0, BTreeSet::len);
        let known = log.iter().filter(|(id, _)| self.records.get(&tenant).is_some_and(|all| all.contains(id))).count();
        count("known records", known, recorded)?;
        count("records", log.iter().count(), recorded)
    }

    fn recorded(&mut self, flight: &mut Flight, kind: &str, record: &Row, look: &Look<'_>) -> Checked {
        let tenant = flight.ask.tenant;
        let deed = flight.ask.deed.clone();
        let about = || record.id("principal_id").ok_or_else(|| breach("I8", format!("{kind} about nobody")));
        match (kind, &deed) {
            ("signup", Deed::SignUp { address, password }) => self.signed_up(tenant, about()?, address, password),
            ("signup_refused", Deed::SignUp { .. }) => Ok(()),
            ("login_success", _) => self.signed_in(flight, about()?, record, look),
            ("challenge_issued", _) => self.challenged(flight, record, look),
            ("action_granted", _) => self.permitted(flight, about()?, record, look),
            ("session_raised", _) => self.raised(flight, about()?, record, look),
            ("login_failure", _) => self.refused(flight, record, look),
            ("account_locked", _) => Ok(()),
            ("action_redeemed", Deed::Redeem { grant, action, .. }) => self.redeemed(flight, record, grant, *action),
            ("password_changed", Deed::ChangePassword { new, .. }) => {
                self.password_changed(flight, about()?, record, new, look)
            }
            ("password_set", Deed::SetPassword { principal, new }) if *principal == about()? => {
                self.raise_epoch(tenant, *principal, None)?;
                self.set_password(tenant, *principal, new)
            }
            ("account_disabled", Deed::Disable(id)) => self.set_status(tenant, *id, about()?, Status::Disabled),
            ("account_enabled", Deed::Enable(id)) => self.set_status(tenant, *id, about()?, Status::Active),
            ("account_deleted", Deed::Delete(id)) => self.set_status(tenant, *id, about()?, Status::Deleted),
            ("account_restored", Deed::Restore(id)) => self.set_status(tenant, *id, about()?, Status::Disabled),
            ("sessions_revoked_all", Deed::EndOthers { .. } | Deed::EndAll { .. }) => {
                let keep = if matches!(deed, Deed::EndOthers { .. }) { record.id("session_id") } else { None };
                self.own_session(flight, record)?;
                self.raise_epoch(tenant, about()?, Some(keep).flatten())
            }
            ("session_revoked", Deed::Revoke { ended, .. }) => {
                let principal = self.own_session(flight, record)?;
                self.end_session(tenant, principal, *ended)
            }
            ("logout", Deed::Logout { .. } | Deed::Revoke { .. }) => {
                let principal = self.own_session(flight, record)?;
                let own = record.id("session_id").ok_or_else(|| breach("I8", "logout of no session"))?;
                self.end_session(tenant, principal, own)
            }
            (kind, deed) => Err(breach("I8", format!("{} recorded {kind}", deed.name()))),
        }
    }

    fn signed_up(&mut self, tenant: Tenant, principal: Id, address: &str, password: &str) -> Checked {
        let person = Person::of_address(address).ok_or_else(|| breach("I7", "an account of an unknown address"))?;
        if self.account_of(tenant, person).is_some() {
            return Err(breach("I7", format!("{person:?} signed up twice")));
        }
        let account = Account {
            person,
            status: Status::Active,
            epoch: 0,
            sessions_from: 0,
            password: password.to_owned(),
            former: Vec::new(),
            badge: None,
        };
        self.accounts.insert((tenant, principal), account);
        Ok(())
    }

    fn signed_in(&mut self, flight: &mut Flight, about: Id, record: &Row, look: &Look<'_>) -> Checked {
        let tenant = flight.ask.tenant;
        let proved = self.believed(flight, about, record)?;
        if proved.aim != Aim::SignIn {
            return Err(breach("I1", "a session out of a flow that was not for one"));
        }
        self.suffices(tenant, &proved, flight.now())?;
        let id = record.id("session_id").ok_or_else(|| breach("I8", "login_success without a session"))?;
        if self.owners.contains_key(&(tenant, id)) {
            return Err(breach("I8", "two records of one sign-in"));
        }
        let row = look.session(id)?;
        says(row, &proved)?;
        if row.id("principal_id") != Some(about) {
            return Err(breach("I1", "a session of somebody else"));
        }
        let epoch = self.account(tenant, about)?.epoch;
        let session = Session {
            principal: about,
            proofs: proved.proofs.clone(),
            epoch,
            hash: row.bytes("secret_hash").to_vec(),
            expires_at: row.time("expires_at"),
            ends_at: row.time("ends_at"),
        };
        self.sessions.insert((tenant, id), session);
        self.owners.insert((tenant, id), about);
        self.concluded(flight, &proved)
    }

    fn challenged(&mut self, flight: &mut Flight, record: &Row, look: &Look<'_>) -> Checked {
        let tenant = flight.ask.tenant;
        let id = record.id("flow_id").ok_or_else(|| breach("I8", "a challenge without a flow"))?;
        // A challenge gives nothing yet: it may rest on what has changed since it was looked at, as its flow then does.
        let (proved, epoch) = match (self.proved(flight), &flight.then, flight.stood) {
            (Ok(proved), _, stood) => {
                let now = self.account(tenant, proved.principal)?.epoch;
                (proved, stood.unwrap_or(now))
            }
            (Err(stale), Some(then), Some(stood)) if stale.invariant == "I3" => (then.clone(), stood),
            (Err(wrong), ..) => return Err(wrong),
        };
        if record.id("principal_id") != Some(proved.principal) || proved.flow.is_some_and(|flow| flow != id) {
            return Err(breach("I1", "a challenge of somebody else"));
        }
        let row = look.flow(id)?;
        let hash = row.bytes("secret_hash").to_vec();
        let before = self.flows.get(&(tenant, id)).cloned();
        if before.as_ref().is_some_and(|flow| flow.hash == hash) {
            return Err(breach("I2", "a flow went on, and its token is the one that was used"));
        }
        let begins = matches!(flight.ask.deed, Deed::Begin { .. });
        let (mut paid, steps) = before.as_ref().map_or((Vec::new(), 0), |f| (f.paid.clone(), f.steps));
        paid.push(flight.paid());
        let flow = Flow {
            principal: proved.principal,
            aim: proved.aim,
            proofs: proved.proofs.clone(),
            epoch: match &before {
                Some(flow) if begins => flow.epoch,
                _ => epoch,
            },
            doubtful: !flight.alone || before.as_ref().is_some_and(|flow| flow.doubtful),
            started: before.as_ref().map_or(flight.now(), |flow| flow.started),
            hash,
            shown: None,
            sets_up: proved.sets_up.clone(),
            steps,
            paid,
        };
        self.flows.insert((tenant, id), flow);
        self.use_step(flight, &proved)?;
        if !begins {
            self.given_back(flight);
        }
        Ok(())
    }

    fn permitted(&mut self, flight: &mut Flight, about: Id, record: &Row, look: &Look<'_>) -> Checked {
        let tenant = flight.ask.tenant;
        let proved = self.believed(flight, about, record)?;
        self.suffices(tenant, &proved, flight.now())?;
        let Aim::StepUp { session, action } = proved.aim else {
            return Err(breach("I1", "a grant out of a flow that was not for one"));
        };
        let data: JsonValue = serde_json::from_str(record.text("data")).unwrap_or_default();
        let named = data.get("action").and_then(JsonValue::as_str).and_then(Action::of_name);
        if named != Some(action) || record.id("session_id") != Some(session) {
            return Err(breach("I1", "a grant for something else than was asked"));
        }
        let id = look.added("auth_action_grants")?;
        self.concluded(flight, &proved)?;
        let epoch = self.account(tenant, about)?.epoch;
        let grant = Grant { principal: about, session, action, epoch, issued: flight.now(), used: false };
        flight.granted = Some(id);
        self.grants.insert((tenant, id), grant);
        Ok(())
    }

    fn raised(&mut self, flight: &mut Flight, about: Id, record: &Row, look: &Look<'_>) -> Checked {
        let tenant = flight.ask.tenant;
        let proved = self.believed(flight, about, record)?;
        self.suffices(tenant, &proved, flight.now())?;
        if proved.flow.is_none() {
            return Err(breach("I1", "a session was raised without a new proof"));
        }
        let Aim::Raise { session, .. } = proved.aim else {
            return Err(breach("I1", "a session was raised by a flow that was not for that"));
        };
        let row = look.session(session)?;
        says(row, &proved)?;
        self.renew(tenant, session, about, row)?;
        if let Some(session) = self.sessions.get_mut(&(tenant, session)) {
            session.proofs.clone_from(&proved.proofs);
        }
        self.concluded(flight, &proved)
    }

    fn refused(&mut self, flight: &mut Flight, record: &Row, look: &Look<'_>) -> Checked {
        let tenant = flight.ask.tenant;
        let data: JsonValue = serde_json::from_str(record.text("data")).unwrap_or_default();
        let error = data.get("error").and_then(JsonValue::as_str).unwrap_or_default();
        let claim = flight.ask.deed.flow().and_then(|token| self.tokens.flow.parse(token));
        if let (Some(claim), Some(id)) = (claim, record.id("flow_id"))
            && let Some(flow) = self.flows.get_mut(&(tenant, id)).filter(|flow| flow.hash == claim.hash())
        {
            match look.after.table("auth_flows").get(id).map(|row| row.bytes("secret_hash")) {
                Some(hash) if hash == flow.hash => {
                    return Err(breach("I2", "a flow was answered, and its token is the one that was used"));
                }
                Some(hash) => flow.hash = hash.to_vec(),
                // It cannot succeed any more: the principal has changed.
                None if error == "core.flow_invalid" => drop(self.flows.remove(&(tenant, id))),
                None => return Err(breach("I8", "a flow was refused and is gone")),
            }
        }
        if flight.attempt == Attempt::Judged && matches!(error, "core.rejected" | "core.flow_invalid") {
            self.failed(flight)?;
        }
        Ok(())
    }

    fn redeemed(&mut self, flight: &Flight, record: &Row, token: &str, action: Action) -> Checked {
        let tenant = flight.ask.tenant;
        let claim = self.tokens.grant.parse(token).ok_or_else(|| breach("I2", "no grant token was redeemed"))?;
        let session = record.id("session_id");
        let status_and_epoch = |account: &Account| (account.status, account.epoch);
        let principal = record.id("principal_id").unwrap_or(Id::NIL);
        let account = self.account(tenant, principal).map(status_and_epoch)?;
        let grant = self.grants.get_mut(&(tenant, claim.id));
        let grant = grant.ok_or_else(|| breach("I4", "a grant that this tenant does not have was redeemed"))?;
        if std::mem::replace(&mut grant.used, true) {
            return Err(breach("I2", "a grant was redeemed twice"));
        }
        if Some(grant.session) != session || grant.principal != principal {
            return Err(breach("I1", "a grant of another session was redeemed"));
        }
        if grant.action != action {
            return Err(breach("I1", "a grant for another action was redeemed"));
        }
        if account != (Status::Active, grant.epoch) {
            return Err(breach("I3", "a grant from before a change of credentials or status was redeemed"));
        }
        if flight.now().since(grant.issued) >= std::time::Duration::from_secs(5 * 60) {
            return Err(breach("I3", "a grant that has expired was redeemed"));
        }
        Ok(())
    }

    fn password_changed(&mut self, flight: &Flight, about: Id, record: &Row, new: &str, look: &Look<'_>) -> Checked {
        let tenant = flight.ask.tenant;
        let proved = self.believed(flight, about, record)?;
        self.suffices(tenant, &proved, flight.now())?;
        let (Aim::StepUp { session, .. }, Some(kept)) = (proved.aim, record.id("session_id")) else {
            return Err(breach("I8", "a change of password in no session"));
        };
        if session != kept {
            return Err(breach("I8", "a change of password in another session"));
        }
        self.renew(tenant, kept, about, look.session(kept)?)?;
        self.raise_epoch(tenant, about, Some(kept))?;
        self.issued(&[flight.paid()]);
        self.set_password(tenant, about, new)
    }

    /// What the request proves, if it is about the principal that the record names.
    fn believed(&self, flight: &Flight, about: Id, record: &Row) -> Checked<Proved> {
        let proved = self.proved(flight)?;
        if proved.principal != about {
            return Err(breach("I1", format!("{} for somebody else", record.text("kind"))));
        }
        Ok(proved)
    }

    /// Something was issued: the flow is used up, what was set up is there, failures are forgotten.
    fn concluded(&mut self, flight: &Flight, proved: &Proved) -> Checked {
        let tenant = flight.ask.tenant;
        self.use_step(flight, proved)?;
        let flow = proved.flow.and_then(|id| self.flows.remove(&(tenant, id)));
        let mut paid = flow.map(|flow| flow.paid).unwrap_or_default();
        paid.push(flight.paid());
        if proved.flow.is_some() || flight.attempt == Attempt::Judged {
            self.issued(&paid);
        }
        if let (Some(secret), Some(account)) = (&proved.sets_up, self.accounts.get_mut(&(tenant, proved.principal))) {
            account.badge = Some(Badge { secret: secret.clone(), last_step: SMALLEST_STEP });
            account.epoch += 1;
        }
        Ok(())
    }

    /// The step of a badge that was shown is used up.
    fn use_step(&mut self, flight: &Flight, proved: &Proved) -> Checked {
        if let Deed::BadgeSignIn { step, .. } | Deed::AnswerBadge { step, .. } = &flight.ask.deed
            && let Some(account) = self.accounts.get_mut(&(flight.ask.tenant, proved.principal))
            && let Some(badge) = &mut account.badge
        {
            badge.last_step = *step;
        }
        Ok(())
    }

    /// A session got a new secret.
    fn renew(&mut self, tenant: Tenant, id: Id, about: Id, row: &Row) -> Checked {
        let session = self.sessions.get_mut(&(tenant, id)).filter(|session| session.principal == about);
        let session = session.ok_or_else(|| breach("I3", "a session that had ended got a new secret"))?;
        if session.hash == row.bytes("secret_hash") {
            return Err(breach("I3", "a session was to get a new secret and kept the one it had"));
        }
        session.hash = row.bytes("secret_hash").to_vec();
        Ok(())
    }

    fn set_password(&mut self, tenant: Tenant, principal: Id, new: &str) -> Checked {
        let account = self.accounts.get_mut(&(tenant, principal));
        let account = account.ok_or_else(|| breach("I4", "a password of nobody in this tenant"))?;
        account.former.push(std::mem::replace(&mut account.password, new.to_owned()));
        Ok(())
    }

    fn set_status(&mut self, tenant: Tenant, asked: Id, about: Id, status: Status) -> Checked {
        if asked != about {
            return Err(breach("I4", "the status of somebody else was changed"));
        }
        self.raise_epoch(tenant, about, None)?;
        if let Some(account) = self.accounts.get_mut(&(tenant, about)) {
            account.status = status;
        }
        Ok(())
    }

    /// What was proved before counts no more, and the sessions end, all but one.
    fn raise_epoch(&mut self, tenant: Tenant, principal: Id, keep: Option<Id>) -> Checked {
        let account = self.accounts.get_mut(&(tenant, principal));
        let account = account.ok_or_else(|| breach("I4", "an act upon nobody in this tenant"))?;
        account.epoch += 1;
        account.sessions_from = account.epoch;
        let epoch = account.epoch;
        self.sessions.retain(|(t, id), session| *t != tenant || session.principal != principal || keep == Some(*id));
        if let Some(kept) = keep {
            let session = self.sessions.get_mut(&(tenant, kept));
            session.ok_or_else(|| breach("I3", "a session that had ended went on"))?.epoch = epoch;
        }
        Ok(())
    }

    fn end_session(&mut self, tenant: Tenant, principal: Id, ended: Id) -> Checked {
        match self.sessions.remove(&(tenant, ended)) {
            Some(session) if session.principal == principal => Ok(()),
            Some(_) => Err(breach("I9", "a session of somebody else was ended")),
            // A request that began before the expiry still finds the row that an end of all has left to the sweep.
            None if self.ghosts.remove(&(tenant, ended)) => Ok(()),
            None => Err(breach("I8", "a session was ended that had ended before")),
        }
    }

    /// The session that acts is the one whose token was presented.
    fn own_session(&self, flight: &Flight, record: &Row) -> Checked<Id> {
        let claim = flight.ask.deed.token().and_then(|token| self.tokens.session.parse(token));
        let session = claim.map(|claim| claim.id);
        let owner = session.and_then(|id| self.owners.get(&(flight.ask.tenant, id)).copied());
        if session != record.id("session_id") || owner != record.id("principal_id") {
            return Err(breach("I4", format!("{} in another session", record.text("kind"))));
        }
        owner.ok_or_else(|| breach("I4", "a session that this tenant never had"))
    }

    /// Rows and model say the same.
    fn agrees(&mut self, tenant: Tenant, now: Timestamp, look: &Look<'_>) -> Checked {
        let table = |name: &str| -> &Table { look.after.table(name) };
        let principals = table("auth_principals");
        let own = |(t, _): &(Tenant, Id)| *t == tenant;
        for ((_, id), account) in self.accounts.iter().filter(|(key, _)| own(key)) {
            let row = principals.get(*id).ok_or_else(|| breach("I8", "a principal is gone"))?;
            let stored = (row.text("status"), row.int("epoch"), row.int("sessions_from"));
            let due = (account.status.as_str(), account.epoch, account.sessions_from);
            if stored != due {
                return Err(breach("I3", format!("{:?} is {stored:?} and should be {due:?}", account.person)));
            }
        }
        count("principals", principals.iter().count(), self.accounts.keys().filter(|key| own(key)).count())?;
        let badges = self.accounts.iter().filter(|(key, account)| own(key) && account.badge.is_some()).count();
        count("badges", table("sim_badges").iter().count(), badges)?;
        let accounts = self.accounts.keys().filter(|key| own(key)).count();
        count("enrolments", table("auth_enrolments").iter().count(), accounts + badges)?;
        for (_, row) in table("sim_badges").iter() {
            let owner = row.id("principal_id").and_then(|id| self.accounts.get(&(tenant, id)));
            if owner.and_then(|owner| owner.badge.as_ref()).is_none_or(|own| own.last_step != row.int("last_step")) {
                return Err(breach("I2", "the last step of a badge is not the last one that was used"));
            }
        }
        self.sessions_agree(tenant, now, table("auth_sessions"))?;
        for (id, row) in table("auth_flows").iter() {
            match self.flows.get(&(tenant, id)) {
                None => return Err(breach("I2", "a flow is there that was used up or never recorded")),
                Some(flow) if flow.hash != row.bytes("secret_hash") => {
                    return Err(breach("I8", "the token of a flow changed without a record"));
                }
                Some(_) => {}
            }
        }
        count("flows", table("auth_flows").iter().count(), self.flows.keys().filter(|key| own(key)).count())?;
        let used = |id: Id| self.grants.get(&(tenant, id)).is_some_and(|grant| grant.used);
        if table("auth_action_grants").iter().any(|(id, _)| used(id)) {
            return Err(breach("I2", "a grant is there that was used"));
        }
        let unused = self.grants.iter().filter(|(key, grant)| own(key) && !grant.used).count();
        count("grants", table("auth_action_grants").iter().count(), unused)
    }

    fn sessions_agree(&mut self, tenant: Tenant, now: Timestamp, sessions: &Table) -> Checked {
        for (id, row) in sessions.iter() {
            let Some(session) = self.sessions.get_mut(&(tenant, id)) else {
                let known = self.owners.contains_key(&(tenant, id));
                if known && row.time("expires_at") <= now {
                    self.ghosts.insert((tenant, id));
                }
                if self.ghosts.contains(&(tenant, id)) {
                    continue;
                }
                return Err(match known {
                    true => breach("I3", "a session is in the store that was ended"),
                    false => breach("I8", "a session is in the store that no record speaks of"),
                });
            };
            if session.hash != row.bytes("secret_hash") || session.epoch != row.int("epoch") {
                return Err(breach("I8", "a session changed without a record"));
            }
            session.expires_at = row.time("expires_at");
            if session.expires_at > session.ends_at || session.ends_at != row.time("ends_at") {
                return Err(breach("I3", "a session lives longer than it may"));
            }
        }
        let own = self.sessions.keys().filter(|(t, _)| *t == tenant).count();
        let stored = sessions.iter().filter(|(id, _)| !self.ghosts.contains(&(tenant, *id))).count();
        count("sessions", stored, own)
    }
}

fn count(what: &str, stored: usize, due: usize) -> Checked {
    if stored == due {
        return Ok(());
    }
    Err(breach("I8", format!("{stored} {what} are in the store, {due} by the records")))
}

/// What a session's row says about its proofs is what was proved.
fn says(row: &Row, proved: &Proved) -> Checked {
    let evidence: Vec<JsonValue> = serde_json::from_str(row.text("evidence")).unwrap_or_default();
    let stored = evidence.iter().map(|proof| {
        let method = proof.get("method").and_then(JsonValue::as_str).unwrap_or_default().to_owned();
        (method, proof.get("at").cloned().unwrap_or_default())
    });
    let due =
        proved.proofs.iter().map(|proof| (proof.method.to_owned(), serde_json::to_value(proof.at).unwrap_or_default()));
    let (stored, due): (Vec<_>, Vec<_>) = (stored.collect(), due.collect());
    if stored != due {
        return Err(breach("I1", format!("the session says {stored:?}, proved is {due:?}")));
    }
    let level =
        if due.iter().any(|(m, _)| m == "badge") && due.iter().any(|(m, _)| m != "badge") { "aal2" } else { "aal1" };
    if row.text("aal") != level {
        return Err(breach("I1", format!("the session says {}, proved is {level}", row.text("aal"))));
    }
    Ok(())
}
