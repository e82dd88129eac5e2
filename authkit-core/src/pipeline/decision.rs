//! What a response proves, what is demanded, and what is issued.

use serde_json::Value as JsonValue;

use super::{FRESH, GRANT_LIFE, Proved, Step, issuable};
use crate::{
    audit::AuditEvent,
    batch::{Batch, Receipt},
    charge::{Counter, Settle},
    collection::At,
    context::RequestContext,
    error::{AuthError, Class, codes},
    event::{ActionGranted, LoginSuccess, SessionRaised},
    evidence::{Aal, Evidence, Factors, MethodId, attained, kinds, references},
    flow::{ActionGrant, FlowRow, FlowState, OfferAction, Owed, Purpose, StoredOffer},
    id::SessionId,
    principal::{Ability, Enrolment, Principal, PrincipalRow, Status},
    requirement::{Condition, Requirement},
    session::{Grant, Issue, Progress, Rotation, Session, SignedIn},
    stage::{Aftermath, End, FlowView, Mark, Signals, StepKind},
    verifier::{Effect, Input, Verdict},
};

impl RequestContext {
    /// Verifies a response; what is not judged is given back, what is refused is recorded.
    pub(super) async fn verify<'a>(
        &self,
        step: Step<'a>,
        state: Option<JsonValue>,
        response: Input,
    ) -> Result<(Step<'a>, Proved), AuthError> {
        let verifier = self.engine.verifier(&step.method)?;
        let mut cx = step.context(step.bound.as_ref());
        let verdict = verifier.verify(&mut cx, state, response).await;
        let batch = cx.batch;
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(error) => return Err(self.turn_down(step, None, error).await),
        };
        let (principal, evidence, effects, reason) = match verdict {
            Verdict::Proven { principal, evidence } => (principal, vec![evidence], Vec::new(), "sign_in"),
            Verdict::ProveFirst { candidate, effect, reason } => (candidate, Vec::new(), vec![effect], reason),
        };
        let own = |method: &MethodId| *method == step.method;
        if !evidence.iter().all(|proof| own(&proof.method)) || !effects.iter().all(|effect| own(&effect.method)) {
            let error = AuthError::new(&codes::INTERNAL).because("a verdict in the name of another method");
            return Err(self.turn_down(step, None, error).await);
        }
        let refusal = match &step.bound {
            Some(bound) if bound.id != principal.id => Some("a proof of another principal"),
            _ if principal.status != Status::Active => Some("the principal is not active"),
            _ if evidence.iter().any(|proof| proof.epoch != principal.epoch) => Some("a proof of another epoch"),
            _ => None,
        };
        if let Some(reason) = refusal {
            let error = AuthError::new(&codes::REJECTED).because(reason);
            return Err(self.turn_down(step, Some(principal), error).await);
        }
        Ok((step, Proved { principal, evidence, effects, batch, reason }))
    }

    pub(super) async fn judge(
        &self,
        step: Step<'_>,
        state: Option<JsonValue>,
        response: Input,
    ) -> Result<Progress, AuthError> {
        let (step, proved) = self.verify(step, state, response).await?;
        self.decide(step, proved).await
    }

    pub(super) async fn enrolled(&self, step: Step<'_>, effect: Effect, batch: Batch) -> Result<Progress, AuthError> {
        let Some(principal) = step.bound.clone() else {
            return Err(AuthError::new(&codes::FLOW_INVALID).because("an enrolment for nobody"));
        };
        if effect.method != step.method || effect.evidence.as_ref().is_some_and(|proof| proof.method != step.method) {
            let error = AuthError::new(&codes::INTERNAL).because("an effect in the name of another method");
            return Err(self.turn_down(step, None, error).await);
        }
        let evidence = effect.evidence.clone().into_iter().collect();
        self.decide(step, Proved { principal, evidence, effects: vec![effect], batch, reason: "sign_in" }).await
    }

    /// Everything that is demanded: a proof at least, a fresh one for an action, and what the stages say.
    pub(super) async fn requirement(
        &self,
        purpose: &Purpose,
        proved: &Proved,
        enrolments: &[Enrolment],
    ) -> Result<(Requirement, Signals), AuthError> {
        let view = FlowView { purpose, principal: &proved.principal, evidence: &proved.evidence, enrolments };
        let mut signals = Signals::default();
        for stage in &self.engine.stages {
            let mut found = Signals::default();
            stage.assess(self, &view, &mut found).await.inspect_err(|_| self.turned_away(stage.id()))?;
            signals.join(found);
        }
        let base = match purpose {
            Purpose::StepUp { .. } => Condition::level(Aal::Aal1).within(FRESH),
            Purpose::Raise { level, .. } => Condition::level(*level).within(FRESH),
            _ => Condition::level(Aal::Aal1),
        };
        let mut requirement = Requirement::of(proved.reason, base);
        for stage in &self.engine.stages {
            let demanded = stage.decide(self, &view, &signals).await.inspect_err(|_| self.turned_away(stage.id()))?;
            requirement = requirement.join(demanded);
        }
        Ok((requirement, signals))
    }

    /// Decides about a right proof; where that fails for other reasons than the proof, it is no failed guess.
    pub(super) async fn decide(&self, step: Step<'_>, proved: Proved) -> Result<Progress, AuthError> {
        let charges = step.charges.clone();
        let decided = self.weigh(step, proved).await;
        if let Err(error) = &decided
            && !matches!(error.code().class, Class::Rejected | Class::Conflict)
            && !error.has_landed()
        {
            self.refund(&charges).await;
        }
        decided
    }

    async fn weigh(&self, step: Step<'_>, mut proved: Proved) -> Result<Progress, AuthError> {
        if let Some(flow) = &step.flow {
            proved.evidence.splice(0..0, flow.state.evidence.iter().cloned());
            // Whoever shows the same thing twice gets it once.
            proved.effects.retain(|effect| !flow.state.effects.contains(effect));
            proved.effects.splice(0..0, flow.state.effects.iter().cloned());
        }
        if proved.evidence.iter().any(|proof| proof.epoch != proved.principal.epoch) {
            let error = AuthError::new(&codes::FLOW_INVALID).because("the credentials changed since the flow began");
            // Recorded, but without a new token: this flow cannot succeed any more.
            let step = Step { flow: None, ..step };
            return Err(self.refuse(step, Some(proved.principal), error).await);
        }
        let enrolments = self.enrolments(proved.principal.id).await?;
        let (requirement, signals) = self.requirement(&step.purpose, &proved, &enrolments).await?;
        if let Some(reason) = requirement.denied() {
            let error = AuthError::new(&codes::DENIED).because(reason);
            return Err(self.refuse(step, Some(proved.principal), error).await);
        }
        let Some(unmet) = requirement.unmet(&proved.evidence, self.now()) else {
            return match &step.purpose {
                Purpose::StepUp { session, action } => {
                    let (session, action) = (*session, action.clone());
                    self.permit(step, proved, session, action).await
                }
                Purpose::Raise { .. } if step.kind == StepKind::Review => {
                    self.refund(&step.charges).await;
                    Ok(Progress::Sufficient)
                }
                Purpose::Raise { session, generation, .. } => {
                    let (session, generation) = (*session, *generation);
                    self.raised(step, proved, session, generation).await
                }
                _ => self.issue(step, proved, &signals).await,
            };
        };
        let reason = unmet.reason;
        let offers = self.offers(&requirement, &proved, &enrolments);
        if offers.is_empty() {
            let error = AuthError::new(&codes::UNREACHABLE).because(reason);
            return Err(self.refuse(step, Some(proved.principal), error).await);
        }
        let Proved { principal, evidence, effects, batch, .. } = proved;
        // A right proof is no failed guess, though more is demanded; issuing clears the failures before it.
        let mut batch = batch;
        for charge in step.charges.iter().filter(|charge| charge.settle == Settle::Reset) {
            let (row, bump) = Owed::from(charge).undo(self);
            batch.bump(&self.engine.counters, Counter::by_key, row, Counter::value, bump).or(&codes::CONFLICT);
        }
        let owed = step.owed();
        let state = FlowState {
            purpose: step.purpose.clone(),
            epoch: None,
            evidence,
            effects,
            offers,
            owed,
            reason: reason.to_owned(),
            remember: step.remembers(),
        };
        Ok(Progress::Challenged(self.suspend(step, Some(&principal), state, batch).await?))
    }

    /// What would help: enrolled methods that bring the principal closer, or methods to set up.
    ///
    /// Nothing may be set up before every kind of factor that the principal holds has been proved afresh: whoever stole
    /// the first factor, or a session, must not choose the second.
    pub(super) fn offers(
        &self,
        requirement: &Requirement,
        proved: &Proved,
        enrolments: &[Enrolment],
    ) -> Vec<StoredOffer> {
        let (now, epoch) = (self.now(), proved.principal.epoch);
        let as_proof = |enrolment: &Enrolment| Ability::of(enrolment).proof(now, epoch);
        let with = |more: &mut dyn Iterator<Item = Evidence>| {
            let mut all = proved.evidence.clone();
            all.extend(more);
            all
        };
        let usable = || enrolments.iter().filter(|e| self.engine.verifiers.contains_key(&e.method));
        let everything = with(&mut usable().map(as_proof));
        let reachable = requirement.unmet(&everything, now).is_none();
        let fresh = |proof: &&Evidence| now.since(proof.at) <= FRESH;
        let proven = kinds(proved.evidence.iter().filter(fresh));
        // What this node has no verifier for is held all the same.
        let held = enrolments.iter().map(|e| e.factors).fold(Factors::NONE, Factors::and);

        let mut offers: Vec<StoredOffer> = Vec::new();
        let mut add = |method: &MethodId, action| {
            if !offers.iter().any(|offer| offer.method == *method) {
                offers.push(StoredOffer { method: method.clone(), action, prompt: JsonValue::Null, state: None });
            }
        };
        for enrolment in usable() {
            let evidence = with(&mut std::iter::once(as_proof(enrolment)));
            let helps = requirement.is_furthered(&proved.evidence, &evidence, now);
            // Several may help only together: one without which the others do not suffice is wanted, too.
            let without = with(&mut usable().filter(|e| e.id != enrolment.id).map(as_proof));
            let is_needed = || requirement.unmet(&without, now).is_some();
            let adds = || kinds(evidence.iter().filter(fresh)).count() > proven.count();
            let wanted = if reachable { helps || is_needed() } else { adds() };
            if wanted {
                add(&enrolment.method, OfferAction::Verify);
            }
        }
        if !reachable && proven != Factors::NONE && proven.contains(held) {
            for (method, enroller) in &self.engine.enrollers {
                let ability = enroller.ability();
                let evidence = with(&mut std::iter::once(ability.proof(now, epoch)));
                let helps = requirement.is_furthered(&proved.evidence, &evidence, now);
                if helps && !enrolments.iter().any(|e| e.method == *method) {
                    add(method, OfferAction::Enrol);
                }
            }
        }
        offers
    }

    /// What every commit that issues something holds: the flow is used up, the principal is as it was when it was
    /// proved, effects are applied, charges are settled.
    pub(super) fn conclude(&self, step: &Step<'_>, proved: &mut Proved) -> Result<(), AuthError> {
        let batch = &mut proved.batch;
        if let Some(flow) = &step.flow {
            let guards = [FlowRow::secret_hash.eq(flow.secret_hash)];
            batch.take(&self.engine.flows, At::id(flow.id), guards).or(&codes::FLOW_INVALID);
        }
        let principals = &self.engine.spine.principals;
        let mut changes = Vec::new();
        if step.purpose == Purpose::SignIn {
            changes.push(PrincipalRow::last_login_at.set(Some(self.now())).into());
        }
        if !proved.effects.is_empty() {
            // Something was linked or enrolled: what was proved elsewhere before that counts no more.
            changes.push(PrincipalRow::epoch.plus(1));
        }
        batch
            .update(principals, At::id(proved.principal.id), issuable(&proved.principal), changes)
            .or(&codes::REJECTED);
        for effect in &proved.effects {
            let mut applied = Batch::new(self);
            self.engine.verifier(&effect.method)?.apply(self, &proved.principal, effect, &mut applied)?;
            batch.absorb(applied);
        }
        self.settle(step, batch);
        Ok(())
    }

    pub(super) async fn issue(
        &self,
        step: Step<'_>,
        mut proved: Proved,
        signals: &Signals,
    ) -> Result<Progress, AuthError> {
        self.conclude(&step, &mut proved)?;
        let Proved { principal, evidence, mut batch, .. } = proved;
        let grant = Grant { remember: step.remembers(), ..grant(principal, evidence)? };
        let new = self.engine.sessions.insert(self, &grant, &mut batch)?;
        let mark = self.after_issue(&step, &grant.principal, &grant.evidence, &mut batch).await?;
        let event = LoginSuccess {
            principal: grant.principal.id,
            session: new.session.id,
            flow: step.flow.as_ref().map(|flow| flow.id),
            method: step.method.clone(),
            assurance: grant.aal,
            amr: grant.amr,
            signals: signals.iter().collect(),
        };
        let receipt: Receipt<Issue> = self.commit_issue(step, &grant.principal, event, batch).await?.retype();
        let tokens = self.engine.tokens.mint(self, &new, &receipt).await?;
        Ok(Progress::SignedIn(Box::new(SignedIn::new(Session::stored(new.session), tokens, mark))))
    }

    /// Ends a step that gives a session a new token and what was proved.
    async fn raised(
        &self,
        step: Step<'_>,
        mut proved: Proved,
        session: SessionId,
        generation: i64,
    ) -> Result<Progress, AuthError> {
        self.conclude(&step, &mut proved)?;
        let Proved { principal, evidence, mut batch, .. } = proved;
        let grant = grant(principal, newest(evidence))?;
        let rotation = Rotation::Raised(&grant);
        let new = self.engine.sessions.rotate(self, session, generation, rotation, &mut batch).await?;
        let mark = self.after_issue(&step, &grant.principal, &grant.evidence, &mut batch).await?;
        let event = SessionRaised {
            principal: grant.principal.id,
            session,
            flow: step.flow.as_ref().map(|flow| flow.id),
            method: step.method.clone(),
            assurance: grant.aal,
            amr: grant.amr,
        };
        let receipt: Receipt<Issue> = self.commit_issue(step, &grant.principal, event, batch).await?.retype();
        let tokens = self.engine.tokens.mint(self, &new, &receipt).await?;
        Ok(Progress::SignedIn(Box::new(SignedIn::new(Session::stored(new.session), tokens, mark))))
    }

    /// Commits what a step issues. A guard that is lost is a refusal like any other: it was judged, so it is recorded.
    async fn commit_issue<E: AuditEvent>(
        &self,
        step: Step<'_>,
        principal: &Principal,
        event: E,
        batch: Batch,
    ) -> Result<Receipt<E>, AuthError> {
        match self.commit(event, batch).await {
            Err(lost) if lost.code().class == Class::Rejected => {
                let landed = lost.has_landed();
                let refused = self.refuse(step, Some(principal.clone()), lost).await;
                Err(if landed { refused.landed() } else { refused })
            }
            committed => committed,
        }
    }

    pub(super) async fn permit(
        &self,
        step: Step<'_>,
        mut proved: Proved,
        session: SessionId,
        action: String,
    ) -> Result<Progress, AuthError> {
        self.conclude(&step, &mut proved)?;
        let Proved { principal, evidence, effects, mut batch, .. } = proved;
        self.after_issue(&step, &principal, &evidence, &mut batch).await?;
        let secret = batch.secret(self);
        let grant = ActionGrant {
            id: self.new_id(),
            secret_hash: secret.hash(),
            principal_id: principal.id,
            session_id: session,
            action: action.clone(),
            // Effects raise the epoch in this very commit.
            epoch: principal.epoch.saturating_add(i64::from(!effects.is_empty())),
            expires_at: self.now().plus(GRANT_LIFE),
        };
        let id = grant.id;
        batch.insert(&self.engine.grants, grant).or(&codes::CONFLICT);
        let event = ActionGranted { principal: principal.id, session, action };
        let receipt = self.commit_issue(step, &principal, event, batch).await?;
        Ok(Progress::Granted(receipt.token(&self.engine.grant_tokens, id, &secret)?))
    }

    pub(super) async fn after_issue(
        &self,
        step: &Step<'_>,
        principal: &Principal,
        evidence: &[Evidence],
        batch: &mut Batch,
    ) -> Result<Option<Mark>, AuthError> {
        let mut aftermath = Aftermath::new(self);
        let attempt = step.attempt();
        self.after(&End::Issued { attempt: &attempt, principal, evidence }, &mut aftermath).await?;
        let mark = aftermath.packed(self.client(), &self.engine.stages);
        batch.absorb(aftermath.batch);
        Ok(mark)
    }
}

fn grant(principal: Principal, evidence: Vec<Evidence>) -> Result<Grant, AuthError> {
    let aal = attained(&evidence).ok_or(AuthError::new(&codes::INTERNAL).because("nothing was proved"))?;
    let amr = references(&evidence);
    Ok(Grant { principal, evidence, aal, amr, remember: false })
}

/// The last proof of each method: a session that is raised often does not grow.
fn newest(evidence: Vec<Evidence>) -> Vec<Evidence> {
    let mut kept: Vec<Evidence> = Vec::new();
    for proof in evidence {
        kept.retain(|other| other.method != proof.method);
        kept.push(proof);
    }
    kept
}
