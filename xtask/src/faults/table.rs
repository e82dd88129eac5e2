//! The faults: exact text, what takes its place, and what that breaks.

use super::{Edit, Fault};

macro_rules! faults {
    ($test:literal; $($name:literal breaks $($invariant:literal),+: $($file:literal, $find:literal => $replace:literal)&+;)+) => {
        &[$(Fault {
            name: $name,
            test: $test,
            edits: &[$(Edit { file: $file, find: $find, replace: $replace }),+],
            breaks: &[$($invariant),+],
        }),+]
    };
}

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Fault> {
    HISTORIES.iter().chain(FAMILIES)
}

/// What the histories of accounts find.
const HISTORIES: &[Fault] = faults! {
    "histories";
    "the record is left out of the commit" breaks "I8":
        "authkit-core/src/batch.rs",
        "ops.extend(records.into_iter().map(|record| audit.insertion(record)));" => "drop(records);";
    "the refusal of a required logger is ignored" breaks "I8":
        "authkit-core/src/batch.rs",
        "audit.prepare(act, &entries).await?;" => "audit.prepare(act, &entries).await.ok();";
    "an unknown outcome is taken for success" breaks "I8":
        "authkit-core/src/batch.rs",
        "if audit.exists(self, audit_id).await? =>" => "if { audit.exists(self, audit_id).await?; true } =>";
    "an unknown outcome is taken for failure" breaks "I8":
        "authkit-core/src/batch.rs",
        "if audit.exists(self, audit_id).await? =>" => "if { audit.exists(self, audit_id).await?; false } =>";
    "the guards of updates are dropped" breaks "I2", "I3", "I8":
        "authkit-core/src/batch.rs",
        "map(|when| when.guard).collect();\n        let set" =>
        "map(|when| when.guard).take(0).collect();\n        let set";
    "the guards of takes are dropped" breaks "I1", "I2", "I3", "I9":
        "authkit-core/src/batch.rs",
        "map(|when| when.guard).collect();\n        self.push(from, Write::Take" =>
        "map(|when| when.guard).take(0).collect();\n        self.push(from, Write::Take";
    "a flow is used up whatever its token" breaks "I2":
        "authkit-core/src/pipeline/decision.rs",
        "let guards = [FlowRow::secret_hash.eq(flow.secret_hash)];" =>
        "let guards: [crate::entity::When<FlowRow>; 0] = [];";
    "a refused flow keeps its token" breaks "I2":
        "authkit-core/src/pipeline/refusal.rs",
        "let change = FlowRow::secret_hash.set(secret.hash());" =>
        "let change = FlowRow::secret_hash.set(flow.secret_hash);";
    "a flow token is not compared with the stored one" breaks "I2", "I8":
        "authkit-core/src/pipeline/suspension.rs",
        ".filter(|row| claim.proves(&row.secret_hash))" => "";
    "issuing does not guard the epoch" breaks "I1", "I3":
        "authkit-core/src/pipeline.rs",
        "[PrincipalRow::status.eq(Status::Active), PrincipalRow::epoch.eq(principal.epoch)]" =>
        "[PrincipalRow::status.eq(Status::Active), PrincipalRow::id.eq(principal.id)]";
    "issuing does not guard the status" breaks "I3":
        "authkit-core/src/pipeline.rs",
        "[PrincipalRow::status.eq(Status::Active), PrincipalRow::epoch.eq(principal.epoch)]" =>
        "[PrincipalRow::id.eq(principal.id), PrincipalRow::epoch.eq(principal.epoch)]";
    "a proof of somebody who is shut out is believed" breaks "I3", "I8":
        "authkit-core/src/pipeline/decision.rs",
        "_ if principal.status != Status::Active =>" => "_ if false =>";
    "a proof of another principal continues a flow" breaks "I1":
        "authkit-core/src/pipeline/decision.rs",
        "Some(bound) if bound.id != principal.id =>" => "Some(bound) if false && bound.id != principal.id =>";
    "proofs from before a change of credentials count" breaks "I3":
        "authkit-core/src/pipeline/decision.rs",
        "proof.epoch != proved.principal.epoch" => "proof.epoch > proved.principal.epoch" &
        "authkit-core/src/pipeline/suspension.rs",
        "|| Some(bound.epoch) != flow.state.epoch" => "|| false";
    "setting something up does not raise the epoch" breaks "I3", "I8":
        "authkit-core/src/pipeline/decision.rs",
        "changes.push(PrincipalRow::epoch.plus(1));" => "";
    "nothing is charged" breaks "I10":
        "authkit-core/src/pipeline/admission.rs",
        "step.charged = self.charge(&charges).await?;" => "step.charged = Vec::new();";
    "charges have no cap" breaks "I10":
        "authkit-core/src/charge.rs",
        "max: Some(charge.max)," => "max: None,";
    "a refused guess is given back" breaks "I10":
        "authkit-core/src/pipeline/refusal.rs",
        "if error.code().class == Class::Rejected {" =>
        "if error.code().class == Class::Rejected {\n            self.refund(&step.charges).await;";
    "every spelling of an address has a budget of its own" breaks "I10":
        "authkit-core/src/pipeline.rs",
        "(Some(principal), _) => Some(engine.principal_pseudonym(principal))," =>
        "(Some(principal), None) => Some(engine.principal_pseudonym(principal)),\n            (Some(_), Some(typed)) => Some(engine.identifier_pseudonym(None, typed)),";
    "every tenant's rows are those of the first" breaks "I4":
        "authkit-core/src/context.rs",
        "Scope::Tenant(self.tenant)" => "Scope::Tenant(TenantId::DEFAULT)";
    "expired rows live on" breaks "I2", "I3":
        "authkit-core/src/entity.rs",
        "matches!(expires_at, Some(Value::Time(at)) if *at <= now)" =>
        "matches!(expires_at, Some(Value::Time(at)) if *at <= now && false)";
    "a grant can be redeemed again" breaks "I2":
        "authkit-core/src/pipeline.rs",
        "batch.take(&self.engine.grants, At::id(claim.id.into()), guards)" =>
        "batch.ensure(&self.engine.grants, At::id(claim.id.into()), guards)";
    "a grant permits other actions" breaks "I1":
        "authkit-core/src/pipeline.rs",
        "ActionGrant::action.eq(action)," => "";
    "a grant serves other sessions" breaks "I1":
        "authkit-core/src/pipeline.rs",
        "ActionGrant::session_id.eq(session.id)," => "";
    "a grant outlives a change of credentials" breaks "I3":
        "authkit-core/src/pipeline.rs",
        "ActionGrant::epoch.eq(session.principal.epoch)," => "";
    "any old proof permits an action" breaks "I1":
        "authkit-core/src/pipeline/decision.rs",
        "Purpose::StepUp { .. } => Condition::level(Aal::Aal1).within(FRESH)," =>
        "Purpose::StepUp { .. } => Condition::level(Aal::Aal1),";
    "the last requirement replaces those before" breaks "I1":
        "authkit-core/src/requirement.rs",
        "self.clauses.extend(other.clauses);" => "self.clauses = other.clauses;";
    "two proofs by one method are two factors" breaks "I1":
        "authkit-core/src/evidence.rs",
        "let factors = kinds(evidence.clone());" =>
        "let several = evidence.clone().into_iter().count() > 1;\n    let factors = if several { Factors::KNOWLEDGE.and(Factors::POSSESSION) } else { kinds(evidence.clone()) };";
    "a method may be set up before what is held is proved" breaks "I1":
        "authkit-core/src/pipeline/decision.rs",
        "if !reachable && proven != Factors::NONE && proven.contains(held) {" => "if !reachable {";
    "sessions_from is not raised" breaks "I3":
        "authkit-core/src/principal.rs",
        "changes.push(PrincipalRow::sessions_from.set(next));" => "";
    "shutting somebody out ends no session" breaks "I3":
        "authkit-session/src/session_store.rs",
        "batch.purge(&self.rows, SessionRow::by_principal, (principal,), [SessionRow::epoch.lt(epoch)]);" =>
        "let _ = epoch;";
    "ending the other sessions ends none" breaks "I3":
        "authkit-session/src/session_store.rs",
        "batch.purge(&self.rows, SessionRow::by_principal, (principal,), others);" => "drop(others);";
    "a session of somebody who is shut out is found" breaks "I3":
        "authkit-session/src/session_store.rs",
        "status != Status::Active || session_epoch" => "session_epoch";
    "a session from before sessions_from is found" breaks "I3":
        "authkit-session/src/session_store.rs",
        "|| session_epoch < sessions_from" => "|| session_epoch < i64::MIN.min(sessions_from)";
    "the secret of a session is not compared" breaks "I3":
        "authkit-session/src/token_strategy.rs",
        "kept.filter(|kept| claim.proves(&kept.secret_hash))" => "kept.filter(|kept| claim.proves(&kept.secret_hash) || true)";
    "a session of anybody can be ended" breaks "I9":
        "authkit-session/src/session_store.rs",
        "batch.take(&self.rows, At::id(id), own).or(&codes::NOT_FOUND);" =>
        "drop(own);\n                batch.take(&self.rows, At::id(id), []).or(&codes::NOT_FOUND);";
    "what was typed is recorded as it is" breaks "I5":
        "authkit-core/src/pipeline/refusal.rs",
        "step.typed.as_ref().map(pseudonym)" => "{ drop(pseudonym); step.typed.clone() }";
    "capital letters make another address" breaks "A", "I7":
        "authkit-account/src/email.rs",
        "local.make_ascii_lowercase();" => "";
    "an account that does not exist is not looked at" breaks "I6":
        "authkit-core/src/pipeline/decision.rs",
        "let verdict = verifier.verify(&mut cx, state, response).await;" =>
        "let verdict = if step.typed.is_some() && step.found.is_none() {\n            Err(AuthError::new(&codes::REJECTED))\n        } else {\n            verifier.verify(&mut cx, state, response).await\n        };";
};

/// What the histories of families of refresh tokens find.
const FAMILIES: &[Fault] = faults! {
    "families";
    "the token before the newest one ends the family" breaks "R1":
        "authkit-session/src/jwt/refresh.rs",
        "0 | 1 => RefreshState::Replaced(kept)," =>
        "0 => RefreshState::Replaced(kept),\n            1 => RefreshState::Reused(kept, self.reuse_ends),";
    "the token before the newest one is followed" breaks "R2":
        "authkit-session/src/jwt/refresh.rs",
        "0 if !fresh => RefreshState::Newest(kept)," => "0 | 1 if !fresh => RefreshState::Newest(kept),";
    "a token that was just made is followed" breaks "R2":
        "authkit-session/src/jwt/refresh.rs",
        "0 if !fresh => RefreshState::Newest(kept)," => "0 => RefreshState::Newest(kept),";
    "the token of a sign-in is not followed for ten seconds" breaks "R2":
        "authkit-session/src/jwt/refresh.rs",
        "kept.refreshes > 0 && now.since" => "now.since";
    "the ten seconds are nine" breaks "R1", "R2":
        "authkit-session/src/jwt/refresh.rs",
        "const GRACE: Duration = Duration::from_secs(10);" => "const GRACE: Duration = Duration::from_secs(9);";
    "the ten seconds are eleven" breaks "R2", "R3":
        "authkit-session/src/jwt/refresh.rs",
        "const GRACE: Duration = Duration::from_secs(10);" => "const GRACE: Duration = Duration::from_secs(11);";
    "the last of the ten seconds has a millisecond too many" breaks "R2", "R3":
        "authkit-session/src/jwt/refresh.rs",
        "now.since(kept.session.last_seen_at) < GRACE;" => "now.since(kept.session.last_seen_at) <= GRACE;";
    "tabs that are two steps apart have no ten seconds" breaks "R1":
        "authkit-session/src/jwt/refresh.rs",
        "2 if fresh => RefreshState::Replaced(kept)," => "";
    "the ten seconds of tabs that are two steps apart never end" breaks "R3":
        "authkit-session/src/jwt/refresh.rs",
        "2 if fresh => RefreshState::Replaced(kept)," => "2 => RefreshState::Replaced(kept),";
    "an old refresh token is as good as the one before the newest" breaks "R3":
        "authkit-session/src/jwt/refresh.rs",
        "_ => RefreshState::Reused(kept, self.reuse_ends)," => "_ => RefreshState::Replaced(kept),";
    "an old refresh token is refused and ends nothing" breaks "R3":
        "authkit-session/src/jwt/refresh.rs",
        "_ => RefreshState::Reused(kept, self.reuse_ends)," => "_ => RefreshState::Dead,";
    "the secret is no part of a refresh token" breaks "R7":
        "authkit-session/src/jwt/refresh.rs",
        "self.proof.tag(&[id.as_bytes(), &number, secret_hash])" =>
        "{\n            let _ = secret_hash;\n            self.proof.tag(&[id.as_bytes(), &number, &[0; 32]])\n        }" &
        "authkit-session/src/jwt/refresh.rs",
        "[id.as_bytes(), number.as_slice(), &kept.secret_hash]" => "[id.as_bytes(), number.as_slice(), &[0; 32]]";
    "a refresh token that was made up is looked up" breaks "R4":
        "authkit-session/src/jwt/refresh.rs",
        "self.tag.verify(&[id, number, proof], tag);" => "self.tag.verify(&[id, number, proof], tag) || true;";
    "refresh tokens of the key before are forgotten" breaks "R1":
        "authkit-session/src/jwt/refresh.rs",
        "self.tag.verify(&[id, number, proof], tag);" =>
        "self.tag.tag(&[id, number, proof]).starts_with(tag);";
    "the number is not guarded" breaks "R2":
        "authkit-session/src/session_store.rs",
        "[SessionRow::refreshes.eq(kept.refreshes), SessionRow::secret_hash.eq(kept.secret_hash)]" =>
        "[SessionRow::secret_hash.eq(kept.secret_hash)]";
    "the secret is not guarded" breaks "R5", "R7":
        "authkit-session/src/session_store.rs",
        "[SessionRow::refreshes.eq(kept.refreshes), SessionRow::secret_hash.eq(kept.secret_hash)]" =>
        "[SessionRow::refreshes.eq(kept.refreshes)]";
    "tokens that are given again are not guarded" breaks "R2", "R5", "R7":
        "authkit-session/src/session_store.rs",
        "batch.ensure(&self.rows, at, unchanged).or(&codes::CONFLICT);" => "";
    "a step-up keeps the number" breaks "R2":
        "authkit-session/src/session_store.rs",
        "SessionRow::refreshes.set(0)," => "";
    "a refresh is no use of the session" breaks "R1", "R5":
        "authkit-session/src/session_store.rs",
        "SessionRow::last_seen_at.set(cx.now()).into(),\n            SessionRow::expires_at" =>
        "SessionRow::expires_at";
    "a family that is refreshed lives for ever" breaks "R5":
        "authkit-session/src/session_store.rs",
        "now.plus(idle).min(session.ends_at)" => "now.plus(idle.max(std::time::Duration::from_secs(86_400)))";
    "a refresh does not guard the principal" breaks "R5":
        "authkit-core/src/pipeline/refresh.rs",
        ".ensure(&self.engine.spine.principals, At::id(principal.id), issuable(principal))" =>
        ".ensure(&self.engine.spine.principals, At::id(principal.id), issuable(principal).into_iter().take(0))";
    "a family of somebody who is shut out goes on" breaks "R5":
        "authkit-session/src/session_store.rs",
        "status != Status::Active || session_epoch" => "session_epoch" &
        "authkit-core/src/pipeline/refresh.rs",
        ".ensure(&self.engine.spine.principals, At::id(principal.id), issuable(principal))" =>
        ".ensure(&self.engine.spine.principals, At::id(principal.id), issuable(principal).into_iter().take(0))";
    "a token that was used again is recorded, and the family goes on" breaks "R5", "R6":
        "authkit-core/src/pipeline/refresh.rs",
        "self.engine.sessions.end(self, principal, Ending::One(session), &mut batch)," => "drop(Ending::One(session)),";
    "an old token ends its session, where it is to end the account" breaks "R5", "R6":
        "authkit-core/src/pipeline/refresh.rs",
        "ReuseEnds::Account => batch.raise_epoch(self, &kept.session.principal, EndSessions::All)," =>
        "ReuseEnds::Account => self.engine.sessions.end(self, principal, Ending::One(session), &mut batch),";
    "an old token ends the account, where it is to end its session" breaks "R5", "R6":
        "authkit-core/src/pipeline/refresh.rs",
        "ReuseEnds::Session => self.engine.sessions.end(self, principal, Ending::One(session), &mut batch)," =>
        "ReuseEnds::Session => batch.raise_epoch(self, &kept.session.principal, EndSessions::All),";
    "a refresh leaves no record" breaks "R2", "R6":
        "authkit-core/src/batch.rs",
        "ops.extend(records.into_iter().map(|record| audit.insertion(record)));" =>
        "let kept = records.into_iter().filter(|record| record.kind != \"token_refreshed\");\n        ops.extend(kept.map(|record| audit.insertion(record)));";
    "an unknown outcome of a refresh is taken for success" breaks "R6":
        "authkit-core/src/batch.rs",
        "if audit.exists(self, audit_id).await? =>" => "if { audit.exists(self, audit_id).await?; true } =>";
    "a refresh that another one overtook is an error" breaks "R1":
        "authkit-core/src/pipeline/refresh.rs",
        "match self.try_refresh(token).await {\n                Err(error) if *error.code() == codes::CONFLICT => {}" =>
        "match self.try_refresh(token).await {\n                Err(error) if *error.code() == codes::CONFLICT && false => {}";
    "an access token is confirmed whatever happened to its session" breaks "R7":
        "authkit-core/src/pipeline.rs",
        "found.generation == session.generation && found.principal.id" =>
        "found.generation >= session.generation && found.principal.id";
    "an access token never expires" breaks "R5":
        "authkit-session/src/jwt/claims.rs",
        "let timely = from_seconds(claims.exp.0) > earliest" =>
        "let timely = (from_seconds(claims.exp.0) > earliest || true)";
};
