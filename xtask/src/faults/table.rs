//! The faults: exact text, what takes its place, and what that breaks.

use super::{Edit, Fault};

macro_rules! faults {
    ($($name:literal breaks $($invariant:literal),+: $($file:literal, $find:literal => $replace:literal)&+;)+) => {
        &[$(Fault {
            name: $name,
            edits: &[$(Edit { file: $file, find: $find, replace: $replace }),+],
            breaks: &[$($invariant),+],
        }),+]
    };
}

pub(super) const FAULTS: &[Fault] = faults! {
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
        "authkit-core/src/pipeline/admission.rs",
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
        "&& status == Status::Active && session_epoch" => "&& session_epoch";
    "a session from before sessions_from is found" breaks "I3":
        "authkit-session/src/session_store.rs",
        "&& status == Status::Active && session_epoch >= sessions_from;" =>
        "&& status == Status::Active && session_epoch >= i64::MIN.min(sessions_from);";
    "the secret of a session is not compared" breaks "I3":
        "authkit-session/src/session_store.rs",
        "let alive = claim.proves(&secret_hash) &&" => "let alive = (claim.proves(&secret_hash) || true) &&";
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
