//! The pipeline: admit, charge, verify, assess, decide, one commit, reveal.
//!
//! Every entrance is here, and every one of them ends in [`RequestContext::commit`].

use std::{fmt, time::Duration};

use serde_json::Value as JsonValue;

use crate::{
    batch::{Batch, Bump, EphemeralBatch, Receipt},
    collection::At,
    context::RequestContext,
    error::{AuthError, Class, codes},
    event::{ActionGranted, ActionRedeemed, ChallengeIssued, LoginFailure, LoginSuccess, SignUpRefused, SignedUp},
    evidence::{Aal, Evidence, Factors, MethodId, attained, references},
    flow::{ActionGrant, Challenge, FlowRow, FlowState, Offer, OfferAction, Owed, Purpose, StoredOffer},
    id::FlowId,
    principal::{Enrolment, Identifier, Principal, PrincipalKind, PrincipalRow, Status},
    requirement::{Condition, Requirement},
    session::{Grant, Issue, Progress, Session, SignedIn},
    stage::{Admission, Aftermath, Attempt, Charge, Charged, Counter, End, FlowView, Settle, Signals, StepKind},
    store::{Done, Op, StoreError},
    timestamp::Timestamp,
    verifier::{Effect, Response, StepContext, Verdict},
};

/// How long a flow may take.
const FLOW_LIFE: Duration = Duration::from_secs(10 * 60);
/// How many answers one flow may have judged.
const FLOW_ANSWERS: i64 = 5;
/// How long a permission for one action waits to be used.
const GRANT_LIFE: Duration = Duration::from_secs(5 * 60);
/// How old a proof may be that permits an action.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// A flow that a client continues.
struct OpenFlow {
    id: FlowId,
    /// Guards the row against whoever else continues it.
    secret_hash: [u8; 32],
    state: FlowState,
    expires_at: Timestamp,
}

/// A step that was admitted and paid for.
struct Step<'a> {
    cx: &'a RequestContext,
    purpose: Purpose,
    kind: StepKind,
    method: MethodId,
    flow: Option<OpenFlow>,
    /// Bound by the flow or the session.
    bound: Option<Principal>,
    typed: Option<String>,
    identifier: Option<Identifier>,
    /// To whom the identifier leads.
    found: Option<Principal>,
    charges: Vec<Charge>,
    charged: Vec<Charged>,
}

/// What a step has proved, before anything is decided.
struct Proved {
    principal: Principal,
    evidence: Vec<Evidence>,
    effects: Vec<Effect>,
    batch: Batch,
    /// Demanded beyond what stages demand.
    reason: &'static str,
}

/// A fresh proof of a session's principal. Spend it in the commit of the act that it was for.
pub struct Proof {
    /// Who, as of this request.
    pub principal: Principal,
    batch: Batch,
}

impl Proof {
    /// Adds to the batch of the act what the proof owes: its guards, and the counters that start afresh.
    pub fn spend(self, batch: &mut Batch) -> Principal {
        batch.absorb(self.batch);
        self.principal
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({})", self.principal.id)
    }
}

/// Somebody who signs up.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is a list of arguments")]
pub struct SignUp {
    /// What it is.
    pub kind: PrincipalKind,
    /// By what it is found; at least one.
    pub identifiers: Vec<Identifier>,
    /// The method that it enrols.
    pub method: MethodId,
    /// The answer that enrols it.
    pub response: JsonValue,
    /// What lands in the same commit: an invitation that is taken.
    pub batch: Batch,
}

impl RequestContext {
    /// Signs in by a method that needs nothing to begin.
    ///
    /// # Errors
    ///
    /// [`codes::REJECTED`] whatever was wrong with the credential; [`codes::LIMITED`] and others if it was not judged.
    pub async fn sign_in(&self, method: &MethodId, response: JsonValue) -> Result<Progress, AuthError> {
        let response = self.engine.verifier(method)?.read(response)?;
        let step = self.admit(Purpose::SignIn, StepKind::Answer, method, None, None, response.hint.clone()).await?;
        self.judge(step, None, response).await
    }

    /// Begins a method, in a flow or to start one.
    ///
    /// # Errors
    ///
    /// [`codes::FLOW_INVALID`] if the flow cannot be continued; [`codes::UNKNOWN_METHOD`] if it does not offer this.
    pub async fn begin(&self, method: &MethodId, input: JsonValue, flow: Option<&str>) -> Result<Challenge, AuthError> {
        let (flow, bound) = match flow {
            Some(token) => {
                let (flow, bound) = self.open_flow(token).await?;
                (Some(flow), bound)
            }
            None => (None, None),
        };
        let purpose = flow.as_ref().map_or(Purpose::SignIn, |flow| flow.state.purpose.clone());
        let action = match &flow {
            Some(flow) => offer(flow, method)?.action,
            None => OfferAction::Verify,
        };
        let step = self.admit(purpose, StepKind::Begin, method, flow, bound, None).await?;
        let mut cx = step.context(step.bound.as_ref());
        let prompt = match action {
            OfferAction::Verify => self.engine.verifier(method)?.begin(&mut cx, input).await?,
            OfferAction::Enrol => self.engine.enroller(method)?.begin(&mut cx, input).await?,
        };
        let batch = cx.batch;
        let begun = StoredOffer { method: method.clone(), action, prompt: prompt.public, state: Some(prompt.state) };
        let mut state = match &step.flow {
            Some(flow) => flow.state.clone(),
            None => FlowState {
                purpose: step.purpose.clone(),
                evidence: Vec::new(),
                effects: Vec::new(),
                offers: Vec::new(),
                owed: Vec::new(),
                reason: "sign_in".to_owned(),
            },
        };
        state.offers.retain(|offer| offer.method != *method || offer.action != action);
        state.offers.push(begun);
        let principal = step.bound.clone();
        self.suspend(step, principal.as_ref(), state, batch).await
    }

    /// Answers a challenge.
    ///
    /// # Errors
    ///
    /// As [`RequestContext::sign_in`]; a refused answer that leaves the flow alive carries a new challenge.
    pub async fn answer(&self, flow: &str, method: &MethodId, response: JsonValue) -> Result<Progress, AuthError> {
        let (flow, bound) = self.open_flow(flow).await?;
        let StoredOffer { action, state, .. } = offer(&flow, method)?.clone();
        let purpose = flow.state.purpose.clone();
        match action {
            OfferAction::Verify => {
                let response = self.engine.verifier(method)?.read(response)?;
                let step =
                    self.admit(purpose, StepKind::Answer, method, Some(flow), bound, response.hint.clone()).await?;
                self.judge(step, state, response).await
            }
            OfferAction::Enrol => {
                let enroller = self.engine.enroller(method)?;
                let step = self.admit(purpose, StepKind::Answer, method, Some(flow), bound, None).await?;
                let mut cx = step.context(step.bound.as_ref());
                let confirmed = enroller.confirm(&mut cx, state, response).await;
                let batch = cx.batch;
                match confirmed {
                    Ok(effect) => self.enrolled(step, effect, batch).await,
                    Err(error) => Err(self.turn_down(step, None, error).await),
                }
            }
        }
    }

    /// Asks to do one action in a session: permits it at once, or says what has to be proved first.
    ///
    /// # Errors
    ///
    /// When it cannot be permitted to this principal at all.
    pub async fn step_up(&self, session: &Session, action: &str) -> Result<Progress, AuthError> {
        let purpose = Purpose::StepUp { session: session.id, action: action.to_owned() };
        let method = MethodId::from_static("session");
        let step = self.admit(purpose, StepKind::Review, &method, None, Some(session.principal.clone()), None).await?;
        let proved = Proved {
            principal: session.principal.clone(),
            evidence: session_evidence(session)?,
            effects: Vec::new(),
            batch: Batch::new(self),
            reason: "step_up",
        };
        self.decide(step, proved).await
    }

    /// Uses up a permission for one action. Of many who try, one succeeds.
    ///
    /// # Errors
    ///
    /// [`codes::STEP_UP_REQUIRED`] if the token does not permit this action in this session, or was used.
    pub async fn redeem(&self, session: &Session, action: &str, token: &str) -> Result<(), AuthError> {
        let claim = self.engine.grant_tokens.parse(token).ok_or(AuthError::new(&codes::STEP_UP_REQUIRED))?;
        let mut batch = Batch::new(self);
        let guards = [
            ActionGrant::secret_hash.eq(claim.hash()),
            ActionGrant::session_id.eq(session.id),
            ActionGrant::action.eq(action),
            ActionGrant::epoch.eq(session.principal.epoch),
        ];
        batch.take(&self.engine.grants, At::id(claim.id.into()), guards).or(&codes::STEP_UP_REQUIRED);
        batch
            .ensure(&self.engine.spine.principals, At::id(session.principal.id), issuable(&session.principal))
            .or(&codes::STEP_UP_REQUIRED);
        let event = ActionRedeemed { principal: session.principal.id, session: session.id, action: action.to_owned() };
        self.commit(event, batch).await.map(drop)
    }

    /// Proves a session's principal afresh, for an act that follows in this request.
    ///
    /// # Errors
    ///
    /// [`codes::REJECTED`] if the response proves nothing; [`codes::STEP_UP_REQUIRED`] if more is demanded for the act.
    pub async fn prove(
        &self,
        session: &Session,
        method: &MethodId,
        response: JsonValue,
        action: &str,
    ) -> Result<Proof, AuthError> {
        let response = self.engine.verifier(method)?.read(response)?;
        let purpose = Purpose::StepUp { session: session.id, action: action.to_owned() };
        let step = self.admit(purpose, StepKind::Answer, method, None, Some(session.principal.clone()), None).await?;
        let (step, mut proved) = self.verify(step, None, response).await?;
        proved.evidence.extend(session_evidence(session)?);
        let enrolments = self.enrolments(proved.principal.id).await?;
        let (requirement, _) = self.requirement(&step, &proved, &enrolments).await?;
        if requirement.denied().is_some() || requirement.unmet(&proved.evidence, self.now()).is_some() {
            return Err(AuthError::new(&codes::STEP_UP_REQUIRED).because("the act demands more than was proved"));
        }
        if !proved.effects.is_empty() {
            return Err(AuthError::new(&codes::STEP_UP_REQUIRED).because("the response proves somebody else"));
        }
        let Proved { principal, mut batch, .. } = proved;
        let principals = &self.engine.spine.principals;
        batch.ensure(principals, At::id(principal.id), issuable(&principal)).or(&codes::CONFLICT);
        self.settle(&step, &mut batch);
        self.after_issue(&step, &principal, &mut batch).await?;
        Ok(Proof { principal, batch })
    }

    /// Makes a principal that proves itself with a newly enrolled method. Issues nothing: it signs in afterwards.
    ///
    /// # Errors
    ///
    /// [`codes::CONFLICT`] if an identifier is taken; errors of the enroller that name what to change.
    pub async fn sign_up(&self, sign_up: SignUp) -> Result<Principal, AuthError> {
        let SignUp { kind, identifiers, method, response, mut batch } = sign_up;
        let enroller = self.engine.enroller(&method)?;
        let typed = identifiers.first().map(|identifier| identifier.canonical.clone());
        let step = self.admit(Purpose::SignUp, StepKind::Answer, &method, None, None, typed).await?;
        let principal = Principal::new(self, kind);
        let mut cx = step.context(Some(&principal));
        let confirmed = enroller.confirm(&mut cx, None, response).await;
        let staged = cx.batch;
        let effect = match confirmed {
            Ok(effect) => effect,
            Err(error) => return Err(self.turn_down(step, None, error).await),
        };
        batch.absorb(staged);
        batch.add_principal(self, &principal);
        self.engine.users.insert(self, &principal, &identifiers, &mut batch)?;
        self.engine.verifier(&method)?.apply(self, &principal, &effect, &mut batch)?;
        // Looked up in every case, so that a taken identifier costs what a free one does; the commit is what decides.
        let mut taken = false;
        for identifier in &identifiers {
            taken |= self.find_principal(identifier).await?.is_some();
        }
        if taken {
            self.refuse_sign_up(identifiers.first(), self.decoys(batch.len())).await?;
            return Err(AuthError::new(&codes::CONFLICT).because("the identifier is taken"));
        }
        let event = SignedUp { principal: principal.id, principal_kind: kind, method };
        match self.commit(event, batch).await {
            Ok(_) => Ok(principal),
            Err(error) if error.code().class == Class::Conflict => {
                self.refuse_sign_up(identifiers.first(), Batch::new(self)).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn refuse_sign_up(&self, identifier: Option<&Identifier>, batch: Batch) -> Result<(), AuthError> {
        let pseudonym = |id: &Identifier| hex(&self.engine.identifier_pseudonym(Some(id), ""));
        let event = SignUpRefused { reason: "taken", identifier: identifier.map(pseudonym) };
        self.commit(event, batch).await.map(drop)
    }

    /// Rows that mean nothing and are gone at once: they take the time that as many real ones would.
    fn decoys(&self, count: usize) -> Batch {
        let mut batch = Batch::new(self);
        for _ in 0..count {
            let row = Counter { id: self.new_id(), key: self.random(), value: 0, expires_at: self.now() };
            batch.insert(&self.engine.counters, row).or(&codes::CONFLICT);
        }
        batch
    }

    /// Finds the living session that a token shows, in one store call.
    ///
    /// # Errors
    ///
    /// When the store fails; a token that shows nothing is no error.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Session>, AuthError> {
        let session = self.engine.tokens.authenticate(self, token).await?;
        if let Some(session) = &session
            && let Err(error) = self.engine.sessions.touch(self, session).await
        {
            tracing::warn!(?error, "the use of a session could not be noted");
        }
        Ok(session)
    }

    /// Turns the attempt away or makes its charges, before anything is judged.
    async fn admit(
        &self,
        purpose: Purpose,
        kind: StepKind,
        method: &MethodId,
        flow: Option<OpenFlow>,
        bound: Option<Principal>,
        typed: Option<String>,
    ) -> Result<Step<'_>, AuthError> {
        let identifier = typed.as_deref().and_then(|text| self.identifier(text));
        // Limits are per account, not per spelling, so this comes before them; it costs the same for nobody.
        let found = match &identifier {
            Some(identifier) if purpose == Purpose::SignIn && bound.is_none() => {
                self.find_principal(identifier).await?
            }
            _ => None,
        };
        let mut step = Step {
            cx: self,
            purpose,
            kind,
            method: method.clone(),
            flow,
            bound,
            typed,
            identifier,
            found,
            charges: Vec::new(),
            charged: Vec::new(),
        };
        let mut charges = Vec::new();
        for stage in &self.engine.stages {
            match stage.admit(self, &step.attempt()).await? {
                Admission::Pass(demanded) => charges.extend(demanded),
                Admission::TurnAway(error) => {
                    self.turned_away(stage.id());
                    return Err(error);
                }
            }
        }
        if let Some(flow) = &step.flow {
            let id: crate::id::Id = flow.id.into();
            let key = self.engine.pseudonyms.pseudonym(&[b"flow", id.as_bytes()]);
            let charge = Charge::count("core.flow", key, FLOW_ANSWERS, FLOW_LIFE).settle(Settle::Keep);
            charges.push(charge.refusal(&codes::FLOW_INVALID, None));
        }
        step.charged = self.charge(&charges).await?;
        step.charges = charges;
        Ok(step)
    }

    /// Raises all counters in one commit of its own, or none.
    async fn charge(&self, charges: &[Charge]) -> Result<Vec<Charged>, AuthError> {
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        let def = &self.engine.counters.table.def;
        let bump = |charge: &Charge| {
            let counter =
                Counter { id: self.new_id(), key: charge.key, value: 0, expires_at: self.now().plus(charge.life) };
            Op::Bump {
                def: def.clone(),
                index: Counter::by_key.position(),
                values: crate::entity::Entity::into_values(counter),
                column: Counter::value.position(),
                by: charge.by,
                floor: charge.floor,
                max: Some(charge.max),
            }
        };
        let ops: Vec<Op> = charges.iter().map(bump).collect();
        let done = match self.engine.store.commit(&self.scope(), &ops, self.now()).await {
            Ok(done) => done,
            Err(StoreError::Guard { op }) => {
                let Some(full) = charges.get(op) else {
                    return Err(AuthError::new(&codes::LIMITED));
                };
                self.turned_away(full.name);
                let error = AuthError::new(full.refusal).because(full.name);
                return Err(match full.retry_after {
                    Some(wait) => error.retry_after(wait),
                    None => error,
                });
            }
            Err(error) => return Err(error.into()),
        };
        let value = |done: &Done| if let Done::Bumped(value) = done { *value } else { 0 };
        let charged =
            |(charge, done): (&Charge, &Done)| Charged { name: charge.name, value: value(done), max: charge.max };
        Ok(charges.iter().zip(&done).map(charged).collect())
    }

    /// Gives back what was charged for a step that was not judged.
    async fn refund(&self, step: &Step<'_>) {
        let mut batch = EphemeralBatch::new(self);
        for owed in step.charges.iter().filter(|charge| charge.settle != Settle::Keep).map(Owed::from) {
            let (row, bump) = owed.undo(self);
            batch.bump(&self.engine.counters, Counter::by_key, row, Counter::value, bump);
        }
        if let Err(error) = self.commit_ephemeral(batch).await {
            tracing::warn!(?error, "charges could not be given back");
        }
    }

    /// Verifies a response; what is not judged is given back, what is refused is recorded.
    async fn verify<'a>(
        &self,
        step: Step<'a>,
        state: Option<JsonValue>,
        response: Response,
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

    async fn judge(&self, step: Step<'_>, state: Option<JsonValue>, response: Response) -> Result<Progress, AuthError> {
        let (step, proved) = self.verify(step, state, response).await?;
        self.decide(step, proved).await
    }

    async fn enrolled(&self, step: Step<'_>, effect: Effect, batch: Batch) -> Result<Progress, AuthError> {
        let Some(principal) = step.bound.clone() else {
            return Err(AuthError::new(&codes::FLOW_INVALID).because("an enrolment for nobody"));
        };
        let evidence = effect.evidence.clone().into_iter().collect();
        self.decide(step, Proved { principal, evidence, effects: vec![effect], batch, reason: "sign_in" }).await
    }

    /// Everything that is demanded: a proof at least, a fresh one for an action, and what the stages say.
    async fn requirement(
        &self,
        step: &Step<'_>,
        proved: &Proved,
        enrolments: &[Enrolment],
    ) -> Result<(Requirement, Signals), AuthError> {
        let view =
            FlowView { purpose: &step.purpose, principal: &proved.principal, evidence: &proved.evidence, enrolments };
        let mut signals = Signals::default();
        for stage in &self.engine.stages {
            stage.assess(self, &view, &mut signals).await?;
        }
        let base = match step.purpose {
            Purpose::StepUp { .. } => Condition::level(Aal::Aal1).within(FRESH),
            _ => Condition::level(Aal::Aal1),
        };
        let mut requirement = Requirement::of(proved.reason, base);
        for stage in &self.engine.stages {
            requirement = requirement.join(stage.decide(self, &view, &signals).await?);
        }
        Ok((requirement, signals))
    }

    async fn decide(&self, step: Step<'_>, mut proved: Proved) -> Result<Progress, AuthError> {
        if let Some(flow) = &step.flow {
            proved.evidence.splice(0..0, flow.state.evidence.iter().cloned());
            proved.effects.splice(0..0, flow.state.effects.iter().cloned());
        }
        if proved.evidence.iter().any(|proof| proof.epoch != proved.principal.epoch) {
            let error = AuthError::new(&codes::FLOW_INVALID).because("the credentials changed since the flow began");
            return Err(self.turn_down(step, Some(proved.principal), error).await);
        }
        let enrolments = self.enrolments(proved.principal.id).await?;
        let (requirement, signals) = self.requirement(&step, &proved, &enrolments).await?;
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
        let owed = step.owed();
        let state =
            FlowState { purpose: step.purpose.clone(), evidence, effects, offers, owed, reason: reason.to_owned() };
        Ok(Progress::Challenged(self.suspend(step, Some(&principal), state, batch).await?))
    }

    /// What would help: enrolled methods that bring the principal closer, or methods to set up.
    ///
    /// Nothing may be set up before every kind of factor that the principal holds has been proved afresh: whoever stole
    /// the first factor, or a session, must not choose the second.
    fn offers(&self, requirement: &Requirement, proved: &Proved, enrolments: &[Enrolment]) -> Vec<StoredOffer> {
        let (now, epoch) = (self.now(), proved.principal.epoch);
        let as_proof = |e: &Enrolment| {
            let proof = Evidence::new(e.method.clone(), e.factors, now, epoch).channel(e.channel.clone());
            if e.phishing_resistant { proof.phishing_resistant() } else { proof }
        };
        let with = |more: &mut dyn Iterator<Item = Evidence>| {
            let mut all = proved.evidence.clone();
            all.extend(more);
            all
        };
        let usable = || enrolments.iter().filter(|e| self.engine.verifiers.contains_key(&e.method));
        let before = requirement.count_unmet(&proved.evidence, now);
        let level = attained(&proved.evidence);
        let everything = with(&mut usable().map(as_proof));
        let reachable = requirement.count_unmet(&everything, now) == 0;
        let kinds = |all: &mut dyn Iterator<Item = Factors>| all.fold(Factors::NONE, Factors::and);
        let fresh = proved.evidence.iter().filter(|proof| now.since(proof.at) <= FRESH);
        let proven = kinds(&mut fresh.map(|proof| proof.factors));
        // What this node has no verifier for is held all the same.
        let held = kinds(&mut enrolments.iter().map(|e| e.factors));

        let mut offers: Vec<StoredOffer> = Vec::new();
        let mut add = |method: &MethodId, action| {
            if !offers.iter().any(|offer| offer.method == *method) {
                offers.push(StoredOffer { method: method.clone(), action, prompt: JsonValue::Null, state: None });
            }
        };
        for enrolment in usable() {
            let evidence = with(&mut std::iter::once(as_proof(enrolment)));
            let helps = requirement.count_unmet(&evidence, now) < before || attained(&evidence) > level;
            if helps && (reachable || !proven.contains(enrolment.factors)) {
                add(&enrolment.method, OfferAction::Verify);
            }
        }
        if !reachable && proven != Factors::NONE && proven.contains(held) {
            for method in self.engine.enrollers.keys() {
                if !enrolments.iter().any(|e| e.method == *method) {
                    add(method, OfferAction::Enrol);
                }
            }
        }
        offers
    }

    /// Stores the flow and gives out its next token. A token that was used by somebody else loses.
    async fn suspend(
        &self,
        step: Step<'_>,
        principal: Option<&Principal>,
        state: FlowState,
        mut batch: Batch,
    ) -> Result<Challenge, AuthError> {
        let id = step.flow.as_ref().map_or_else(|| self.new_id(), |flow| flow.id);
        let expires_at = step.flow.as_ref().map_or_else(|| self.now().plus(FLOW_LIFE), |flow| flow.expires_at);
        let secret = batch.secret(self);
        let event = ChallengeIssued {
            principal: principal.map(|principal| principal.id),
            flow: id,
            method: step.method.clone(),
            reason: state.reason.clone(),
            offers: state.offers.iter().map(|offer| offer.method.clone()).collect(),
        };
        let (reason, offers) = (state.reason.clone(), state.offers.iter().map(Offer::from).collect());
        let flows = &self.engine.flows;
        let sealed = flows.seal(self, FlowRow::state, id, &state)?;
        match &step.flow {
            Some(flow) => {
                let changes = [
                    FlowRow::secret_hash.set(secret.hash()),
                    FlowRow::principal_id.set(principal.map(|principal| principal.id)),
                    FlowRow::state.set(sealed),
                ];
                batch
                    .update(flows, At::id(id), [FlowRow::secret_hash.eq(flow.secret_hash)], changes)
                    .or(&codes::FLOW_INVALID);
            }
            None => {
                let row = FlowRow {
                    id,
                    secret_hash: secret.hash(),
                    principal_id: principal.map(|principal| principal.id),
                    state: sealed,
                    created_at: self.now(),
                    expires_at,
                };
                batch.insert(flows, row).or(&codes::CONFLICT);
            }
        }
        let receipt = self.commit(event, batch).await?;
        let flow = receipt.token(&self.engine.flow_tokens, id, &secret)?;
        Ok(Challenge { flow, reason, offers, expires_at })
    }

    async fn open_flow(&self, token: &str) -> Result<(OpenFlow, Option<Principal>), AuthError> {
        let Some(claim) = self.engine.flow_tokens.parse(token) else {
            self.turned_away("core.flow_token");
            return Err(AuthError::new(&codes::FLOW_INVALID));
        };
        let flows = &self.engine.flows;
        let row = flows.get(self, At::id(claim.id.into())).await?.filter(|row| claim.proves(&row.secret_hash));
        let row = row.ok_or(AuthError::new(&codes::FLOW_INVALID))?;
        let state = flows.open(self, FlowRow::state, row.id, &row.state)?;
        let bound = match row.principal_id {
            Some(id) => Some(self.principal(id).await?.ok_or(AuthError::new(&codes::FLOW_INVALID))?),
            None => None,
        };
        let flow = OpenFlow { id: row.id, secret_hash: row.secret_hash, state, expires_at: row.expires_at };
        Ok((flow, bound))
    }

    /// What every commit that issues something holds: the flow is used up, the principal is as it was when it was
    /// proved, effects are applied, charges are settled.
    fn conclude(&self, step: &Step<'_>, proved: &mut Proved) -> Result<(), AuthError> {
        let batch = &mut proved.batch;
        if let Some(flow) = &step.flow {
            let guards = [FlowRow::secret_hash.eq(flow.secret_hash)];
            batch.take(&self.engine.flows, At::id(flow.id), guards).or(&codes::FLOW_INVALID);
        }
        let principals = &self.engine.spine.principals;
        let mut changes = vec![PrincipalRow::last_login_at.set(Some(self.now())).into()];
        if !proved.effects.is_empty() {
            // Something was linked or enrolled: what was proved elsewhere before that counts no more.
            changes.push(PrincipalRow::epoch.plus(1));
        }
        batch
            .update(principals, At::id(proved.principal.id), issuable(&proved.principal), changes)
            .or(&codes::REJECTED);
        for effect in &proved.effects {
            self.engine.verifier(&effect.method)?.apply(self, &proved.principal, effect, batch)?;
        }
        self.settle(step, batch);
        Ok(())
    }

    async fn issue(&self, step: Step<'_>, mut proved: Proved, signals: &Signals) -> Result<Progress, AuthError> {
        self.conclude(&step, &mut proved)?;
        let Proved { principal, evidence, mut batch, .. } = proved;
        let amr = references(&evidence);
        let aal = attained(&evidence).ok_or(AuthError::new(&codes::INTERNAL).because("nothing was proved"))?;
        let grant = Grant { principal, evidence, aal, amr };
        let new = self.engine.sessions.insert(self, &grant, &mut batch)?;
        let mark = self.after_issue(&step, &grant.principal, &mut batch).await?;
        let event = LoginSuccess {
            principal: grant.principal.id,
            session: new.session.id,
            flow: step.flow.as_ref().map(|flow| flow.id),
            method: step.method.clone(),
            assurance: grant.aal,
            amr: grant.amr,
            signals: signals.iter().collect(),
        };
        let receipt: Receipt<Issue> = self.commit(event, batch).await?.retype();
        let tokens = self.engine.tokens.mint(&new, &receipt)?;
        Ok(Progress::SignedIn(Box::new(SignedIn::new(new.session, tokens, mark))))
    }

    async fn permit(
        &self,
        step: Step<'_>,
        mut proved: Proved,
        session: crate::id::SessionId,
        action: String,
    ) -> Result<Progress, AuthError> {
        self.conclude(&step, &mut proved)?;
        let Proved { principal, effects, mut batch, .. } = proved;
        self.after_issue(&step, &principal, &mut batch).await?;
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
        let receipt = self.commit(ActionGranted { principal: principal.id, session, action }, batch).await?;
        Ok(Progress::Granted(receipt.token(&self.engine.grant_tokens, id, &secret)?))
    }

    /// Gives back or clears the counters of this and earlier steps.
    fn settle(&self, step: &Step<'_>, batch: &mut Batch) {
        for owed in step.owed() {
            match owed.settle {
                Settle::Keep => {}
                Settle::Reset => batch.purge(&self.engine.counters, Counter::by_key, (owed.key,), None),
                Settle::Refund => {
                    let (row, bump) = owed.undo(self);
                    batch.bump(&self.engine.counters, Counter::by_key, row, Counter::value, bump).or(&codes::CONFLICT);
                }
            }
        }
    }

    async fn after_issue(
        &self,
        step: &Step<'_>,
        principal: &Principal,
        batch: &mut Batch,
    ) -> Result<Option<crate::stage::Mark>, AuthError> {
        let mut aftermath = Aftermath::new(self);
        let attempt = step.attempt();
        self.after(&End::Issued { attempt: &attempt, principal }, &mut aftermath).await?;
        batch.absorb(aftermath.batch);
        Ok(aftermath.mark)
    }

    async fn after(&self, end: &End<'_>, aftermath: &mut Aftermath) -> Result<(), AuthError> {
        for stage in &self.engine.stages {
            stage.after(self, end, aftermath).await?;
        }
        Ok(())
    }

    /// Ends a step on an error: what was judged is recorded and stays charged, what was not is given back.
    async fn turn_down(&self, step: Step<'_>, principal: Option<Principal>, error: AuthError) -> AuthError {
        if error.code().class == Class::Rejected {
            return self.refuse(step, principal, error).await;
        }
        // What the client got wrong stays charged, or asking wrongly would be free.
        if matches!(error.code().class, Class::Internal | Class::Limited | Class::Unavailable) {
            self.refund(&step).await;
        }
        error
    }

    /// Records a refusal and moves the flow on to a new token.
    async fn refuse(&self, step: Step<'_>, principal: Option<Principal>, error: AuthError) -> AuthError {
        match self.record_refusal(step, principal, &error).await {
            Ok(Some(challenge)) => error.retry(challenge),
            Ok(None) => error,
            Err(failure) => failure,
        }
    }

    async fn record_refusal(
        &self,
        step: Step<'_>,
        principal: Option<Principal>,
        error: &AuthError,
    ) -> Result<Option<Challenge>, AuthError> {
        tracing::debug!(code = error.code().code, reason = error.internal(), "a proof was refused");
        let mut aftermath = Aftermath::new(self);
        let known = principal.or_else(|| step.bound.clone()).or_else(|| step.found.clone());
        let attempt = step.attempt();
        let end = End::Refused { attempt: &attempt, principal: known.as_ref(), charged: &step.charged };
        self.after(&end, &mut aftermath).await?;
        let mut batch = aftermath.batch;
        let pseudonym = |typed: &String| hex(&self.engine.identifier_pseudonym(step.identifier.as_ref(), typed));
        let event = || LoginFailure {
            principal: known.as_ref().map(|principal| principal.id),
            flow: step.flow.as_ref().map(|flow| flow.id),
            method: step.method.clone(),
            purpose: step.purpose.clone(),
            error: error.code().code,
            identifier: if known.is_none() { step.typed.as_ref().map(pseudonym) } else { None },
        };
        let Some(flow) = &step.flow else {
            self.commit(event(), batch).await?;
            return Ok(None);
        };
        let secret = batch.secret(self);
        let flows = &self.engine.flows;
        let change = FlowRow::secret_hash.set(secret.hash());
        batch
            .update(flows, At::id(flow.id), [FlowRow::secret_hash.eq(flow.secret_hash)], [change])
            .or(&codes::FLOW_INVALID);
        let receipt = match self.commit(event(), batch).await {
            Err(lost) if *lost.code() == codes::FLOW_INVALID => {
                // Another answer was faster and used the token up; this one was judged all the same.
                let mut aftermath = Aftermath::new(self);
                self.after(&end, &mut aftermath).await?;
                self.commit(event(), aftermath.batch).await?;
                return Err(lost);
            }
            committed => committed?,
        };
        Ok(Some(Challenge {
            flow: receipt.token(&self.engine.flow_tokens, flow.id, &secret)?,
            reason: flow.state.reason.clone(),
            offers: flow.state.offers.iter().map(Offer::from).collect(),
            expires_at: flow.expires_at,
        }))
    }
}

impl Batch {
    /// Starts the counter of a [`Charge`] afresh; one that is absent is no error.
    pub fn clear_counter(&mut self, cx: &RequestContext, key: [u8; 32]) {
        self.purge(&cx.engine.counters, Counter::by_key, (key,), None);
    }
}

impl Step<'_> {
    /// What a verifier or enroller sees of the step.
    fn context<'s>(&'s self, principal: Option<&'s Principal>) -> StepContext<'s> {
        StepContext::new(self.cx, &self.purpose, principal, self.identifier.as_ref(), self.found.as_ref())
    }

    fn attempt(&self) -> Attempt<'_> {
        let engine = &self.cx.engine;
        let principal = self.bound.as_ref().or(self.found.as_ref());
        let subject = match (principal, &self.typed) {
            (Some(principal), _) => Some(engine.principal_pseudonym(principal)),
            (None, Some(typed)) => Some(engine.identifier_pseudonym(self.identifier.as_ref(), typed)),
            (None, None) => None,
        };
        Attempt {
            purpose: &self.purpose,
            step: self.kind,
            method: &self.method,
            subject,
            identifier: self.identifier.as_ref(),
            principal,
        }
    }

    /// The charges of this step and of the flow's earlier ones.
    fn owed(&self) -> Vec<Owed> {
        let mut all: Vec<Owed> = self.flow.as_ref().map(|flow| flow.state.owed.clone()).unwrap_or_default();
        all.extend(self.charges.iter().filter(|charge| charge.settle != Settle::Keep).map(Owed::from));
        all
    }
}

impl From<&Charge> for Owed {
    fn from(charge: &Charge) -> Self {
        Self { key: charge.key, by: charge.by, floor: charge.floor, settle: charge.settle }
    }
}

impl Owed {
    /// Takes the charge back, never below what an untouched counter stands at.
    fn undo(&self, cx: &RequestContext) -> (Counter, Bump) {
        let floor = self.floor.unwrap_or(0).saturating_add(self.by);
        let row =
            Counter { id: cx.new_id(), key: self.key, value: 0, expires_at: cx.now().plus(Duration::from_secs(1)) };
        (row, Bump { by: self.by.saturating_neg(), floor: Some(floor), max: None })
    }
}

/// The principal has to be as it was when it was proved.
fn issuable(principal: &Principal) -> [crate::entity::When<PrincipalRow>; 2] {
    [PrincipalRow::status.eq(Status::Active), PrincipalRow::epoch.eq(principal.epoch)]
}

/// What a session was issued for. The session is alive, so its proofs still stand under the present epoch.
fn session_evidence(session: &Session) -> Result<Vec<Evidence>, AuthError> {
    let mut evidence = session.evidence.get()?;
    for proof in &mut evidence {
        proof.epoch = session.principal.epoch;
    }
    Ok(evidence)
}

fn offer<'f>(flow: &'f OpenFlow, method: &MethodId) -> Result<&'f StoredOffer, AuthError> {
    flow.state.offers.iter().find(|offer| offer.method == *method).ok_or(AuthError::new(&codes::UNKNOWN_METHOD))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
