//! The pipeline: admit, charge, verify, assess, decide, one commit, reveal.
//!
//! Every entrance is here, and every one of them ends in [`RequestContext::commit`].

mod admission;
mod decision;
mod machine;
mod refresh;
mod refusal;
mod sign_up;
mod suspension;

use std::{fmt, time::Duration};

use serde_json::Value as JsonValue;

use crate::{
    batch::Batch,
    charge::{Charge, Charged},
    collection::At,
    context::RequestContext,
    error::{AuthError, codes},
    event::ActionRedeemed,
    evidence::{Aal, Evidence, MethodId},
    flow::{ActionGrant, Challenge, FlowState, OfferAction, Purpose, StoredOffer},
    id::FlowId,
    principal::{Identifier, Principal, PrincipalRow, Status},
    session::{Progress, Session, StoredSession},
    stage::{Attempt, StepKind},
    timestamp::Timestamp,
    verifier::{Effect, StepContext},
};

pub use self::{machine::Caller, sign_up::SignUp};

/// How long a flow may take.
const FLOW_LIFE: Duration = Duration::from_secs(10 * 60);
/// How many answers one flow may have judged.
const FLOW_ANSWERS: i64 = 5;
/// How long a permission for one action waits to be used.
const GRANT_LIFE: Duration = Duration::from_secs(5 * 60);
/// How old a proof may be that permits an action: five minutes.
///
/// While a session has one that is younger, [`RequestContext::step_up`] and `POST /auth/step-up` ask for nothing. So what
/// demands a fresher one locks users out until theirs is older.
pub const FRESH: Duration = Duration::from_secs(5 * 60);

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
    principal: Principal,
    batch: Batch,
}

impl Proof {
    /// Who, as of this request.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Adds to the batch of the act what the proof owes: its guards, and the counters that start afresh. Where that
    /// commit fails for reasons of the store, what the proof was charged is given back.
    pub fn spend(self, batch: &mut Batch) -> Principal {
        batch.absorb(self.batch);
        self.principal
    }

    /// Gives back what the proof was charged, because the act does not come about.
    pub async fn release(self, cx: &RequestContext) {
        cx.refund(&self.batch.refunds).await;
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({})", self.principal.id)
    }
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
                let (flow, bound) = self.open_flow(token, method).await?;
                (Some(flow), bound)
            }
            None => (None, None),
        };
        let purpose = flow.as_ref().map_or(Purpose::SignIn, |flow| flow.state.purpose.clone());
        let action = match &flow {
            Some(flow) => offer(flow, method)?.action,
            None => OfferAction::Verify,
        };
        let (step, begun, batch) = match action {
            OfferAction::Verify => {
                let verifier = self.engine.verifier(method)?;
                let input = verifier.read_begin(input)?;
                let step = self.admit(purpose, StepKind::Begin, method, flow, bound, input.hint.clone()).await?;
                let mut cx = step.context(step.bound.as_ref());
                let begun = verifier.begin(&mut cx, input).await;
                let batch = cx.batch;
                (step, begun, batch)
            }
            OfferAction::Enrol => {
                let enroller = self.engine.enroller(method)?;
                let step = self.admit(purpose, StepKind::Begin, method, flow, bound, None).await?;
                let mut cx = step.context(step.bound.as_ref());
                let begun = enroller.begin(&mut cx, input).await;
                let batch = cx.batch;
                (step, begun, batch)
            }
        };
        let prompt = match begun {
            Ok(prompt) => prompt,
            Err(error) => return Err(self.turn_down(step, None, error).await),
        };
        let begun = StoredOffer { method: method.clone(), action, prompt: prompt.public, state: Some(prompt.state) };
        let mut state = match &step.flow {
            Some(flow) => flow.state.clone(),
            None => FlowState {
                purpose: step.purpose.clone(),
                epoch: None,
                evidence: Vec::new(),
                effects: Vec::new(),
                offers: Vec::new(),
                owed: Vec::new(),
                reason: "sign_in".to_owned(),
                remember: false,
            },
        };
        state.offers.retain(|offer| offer.method != *method || offer.action != action);
        state.offers.push(begun);
        state.owed = step.owed();
        state.remember = step.remembers();
        let principal = step.bound.clone();
        self.suspend(step, principal.as_ref(), state, batch).await
    }

    /// Answers a challenge.
    ///
    /// # Errors
    ///
    /// As [`RequestContext::sign_in`]; a refused answer that leaves the flow alive carries a new challenge.
    ///
    /// # Examples
    ///
    /// A second factor after the first:
    ///
    /// ```
    /// use authkit_core::{AuthError, Challenge, MethodId, Progress, RequestContext};
    ///
    /// async fn second(cx: &RequestContext, challenge: &Challenge, code: &str) -> Result<Progress, AuthError> {
    ///     let totp = MethodId::from_static("totp");
    ///     cx.answer(challenge.flow.expose(), &totp, serde_json::json!({ "code": code })).await
    /// }
    /// ```
    pub async fn answer(&self, flow: &str, method: &MethodId, response: JsonValue) -> Result<Progress, AuthError> {
        let (flow, bound) = self.open_flow(flow, method).await?;
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
                let step = self.admit(purpose, StepKind::Enrol, method, Some(flow), bound, None).await?;
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
        let session = &self.confirmed(session).await?;
        self.review(session, Purpose::StepUp { session: session.id, action: action.to_owned() }).await
    }

    /// Asks that a session stands for fresh proofs of this level: says what has to be proved, after which the session gets
    /// a new token, or that it does already.
    ///
    /// # Security
    ///
    /// Nothing is issued without a new proof, so a stolen access token does not become a longer-lived one.
    ///
    /// # Errors
    ///
    /// When this principal cannot reach the level at all.
    pub async fn raise(&self, session: &Session, level: Aal) -> Result<Progress, AuthError> {
        let session = &self.confirmed(session).await?;
        self.review(session, Purpose::Raise { session: session.id, generation: session.generation, level }).await
    }

    /// Judges the proofs that a session already has.
    async fn review(&self, session: &Session, purpose: Purpose) -> Result<Progress, AuthError> {
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
    ///
    /// # Examples
    ///
    /// A transfer asks for a fresh proof, and then for the permission that came of it:
    ///
    /// ```
    /// use authkit_core::{AuthError, Progress, RequestContext, Session};
    ///
    /// async fn may_transfer(cx: &RequestContext, session: &Session) -> Result<Progress, AuthError> {
    ///     cx.step_up(session, "bank.transfer").await
    /// }
    ///
    /// async fn transfer(cx: &RequestContext, session: &Session, permission: &str) -> Result<(), AuthError> {
    ///     cx.redeem(session, "bank.transfer", permission).await
    ///     // The money moves here.
    /// }
    /// ```
    pub async fn redeem(&self, session: &Session, action: &str, token: &str) -> Result<(), AuthError> {
        let claim = self.engine.grant_tokens.parse(token).ok_or(AuthError::new(&codes::STEP_UP_REQUIRED))?;
        let session = &self.confirmed(session).await?;
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
        let session = &self.confirmed(session).await?;
        let purpose = Purpose::StepUp { session: session.id, action: action.to_owned() };
        let step = self.admit(purpose, StepKind::Answer, method, None, Some(session.principal.clone()), None).await?;
        let (step, mut proved) = self.verify(step, None, response).await?;
        if !proved.effects.is_empty() {
            return Err(AuthError::new(&codes::STEP_UP_REQUIRED).because("the response proves somebody else"));
        }
        match self.suffices(session, &step, &mut proved).await {
            Ok(()) => {
                let Proved { principal, mut batch, .. } = proved;
                batch.refunds = step.charges;
                Ok(Proof { principal, batch })
            }
            Err(error) => {
                self.refund(&step.charges).await;
                Err(error)
            }
        }
    }

    /// Whether a proof made in a session is enough for the act; adds to its batch what the act then has to hold.
    async fn suffices(&self, session: &Session, step: &Step<'_>, proved: &mut Proved) -> Result<(), AuthError> {
        proved.evidence.extend(session_evidence(session)?);
        let enrolments = self.enrolments(proved.principal.id).await?;
        let (requirement, _) = self.requirement(&step.purpose, proved, &enrolments).await?;
        if requirement.unmet(&proved.evidence, self.now()).is_some() {
            return Err(AuthError::new(&codes::STEP_UP_REQUIRED).because("the act demands more than was proved"));
        }
        let Proved { principal, evidence, batch, .. } = proved;
        let principals = &self.engine.spine.principals;
        batch.ensure(principals, At::id(principal.id), issuable(principal)).or(&codes::CONFLICT);
        self.settle(step, batch);
        self.after_issue(step, principal, evidence, batch).await.map(drop)
    }

    /// Finds the living session that a token shows, in one store call at most.
    ///
    /// # Errors
    ///
    /// When the store fails; a token that shows nothing is no error.
    ///
    /// # Examples
    ///
    /// A token that came by another way than HTTP, such as a WebSocket's first message:
    ///
    /// ```
    /// use authkit_core::{AuthError, PrincipalId, RequestContext, codes};
    ///
    /// async fn whose(cx: &RequestContext, token: &str) -> Result<PrincipalId, AuthError> {
    ///     let session = cx.authenticate(token).await?.ok_or(AuthError::new(&codes::UNAUTHENTICATED))?;
    ///     Ok(session.principal.id)
    /// }
    /// ```
    pub async fn authenticate(&self, token: &str) -> Result<Option<Session>, AuthError> {
        let session = self.engine.tokens.authenticate(self, token).await?.map(Session::shown);
        if let Some(session) = &session
            && !session.is_claimed()
            && let Err(error) = self.engine.sessions.touch(self, session).await
        {
            tracing::warn!(?error, "the use of a session could not be noted");
        }
        Ok(session)
    }

    /// Finds out whether a session is alive, if only a signed token says so; one store call then.
    ///
    /// # Errors
    ///
    /// When the store fails; a session that ended, or whose tokens were replaced by a step-up, is no error.
    pub async fn confirm(&self, session: &Session) -> Result<Option<Session>, AuthError> {
        if !session.is_claimed() {
            return Ok(Some(session.clone()));
        }
        let found = self.engine.sessions.find(self, session.id).await?.map(|kept| kept.session);
        let same = |found: &StoredSession| {
            found.generation == session.generation && found.principal.id == session.principal.id
        };
        Ok(found.filter(same).map(Session::stored))
    }

    async fn confirmed(&self, session: &Session) -> Result<Session, AuthError> {
        self.confirm(session).await?.ok_or(AuthError::new(&codes::UNAUTHENTICATED))
    }
}

impl Step<'_> {
    /// Whether the client asked, in this step or before, to be remembered.
    fn remembers(&self) -> bool {
        self.cx.remembers() || self.flow.as_ref().is_some_and(|flow| flow.state.remember)
    }

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
}

/// The principal has to be as it was when it was proved.
fn issuable(principal: &Principal) -> [crate::entity::When<PrincipalRow>; 2] {
    [PrincipalRow::status.eq(Status::Active), PrincipalRow::epoch.eq(principal.epoch)]
}

/// What a session was issued for. The session is alive, so its proofs still stand under the present epoch.
fn session_evidence(session: &StoredSession) -> Result<Vec<Evidence>, AuthError> {
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
