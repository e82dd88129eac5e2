//! Stages look on: they limit, judge the circumstances and demand more. There is no other policy hook.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Entity,
    batch::Batch,
    context::{Client, RequestContext},
    error::{AuthError, ErrorCode},
    evidence::{Evidence, MethodId},
    flow::Purpose,
    id_type,
    principal::{Enrolment, Identifier, Principal},
    requirement::Requirement,
    secret::SecretText,
    timestamp::Timestamp,
};

/// Names a stage: `throttle`, `lockout`.
pub type StageId = &'static str;

/// Looks on at every step of every authentication.
///
/// # Contract
///
/// 1. `admit` runs before anything is verified or charged and writes nothing. The charges of all stages are made in one
///    commit before verification; if one is over its cap, the step is turned away and none of them is made.
/// 2. `assess` runs after a proof, before anything is decided, and leaves signals. It does not see those of others.
/// 3. `decide` runs after all stages have assessed. Requirements are joined: no stage can weaken what another demands.
/// 4. `after` runs once the outcome is decided and may add to the commit of that outcome. It runs for refusals and for
///    what was issued, not for what was turned away.
/// 5. Stages run in the order of [`Stage::order`], then of their ids. Nothing may depend on the order within `admit`.
/// 6. None of this runs when a session is authenticated.
#[async_trait]
pub trait Stage: Send + Sync + 'static {
    /// Unique name.
    fn id(&self) -> StageId;

    /// When it runs, relative to other stages.
    fn order(&self) -> Order;

    /// Says what the attempt costs, or turns it away.
    ///
    /// # Errors
    ///
    /// Any error turns the attempt away (fail closed).
    async fn admit(&self, cx: &RequestContext, attempt: &Attempt<'_>) -> Result<Admission, AuthError>;

    /// Looks at the circumstances of a proof.
    ///
    /// # Errors
    ///
    /// Any error refuses the step (fail closed).
    async fn assess(&self, cx: &RequestContext, flow: &FlowView<'_>, signals: &mut Signals) -> Result<(), AuthError>;

    /// Says what has to be proved.
    ///
    /// # Errors
    ///
    /// Any error refuses the step (fail closed).
    async fn decide(
        &self,
        cx: &RequestContext,
        flow: &FlowView<'_>,
        signals: &Signals,
    ) -> Result<Requirement, AuthError>;

    /// Adds to the commit of the outcome.
    ///
    /// # Errors
    ///
    /// Any error refuses the step (fail closed).
    async fn after(&self, cx: &RequestContext, end: &End<'_>, aftermath: &mut Aftermath) -> Result<(), AuthError>;
}

const _: fn(&dyn Stage) = |_| ();

/// When a stage runs. It may name stages that are not registered only where it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Order {
    /// Stages that run before it; each has to be registered.
    pub after: &'static [StageId],
}

impl Order {
    /// At any time.
    pub const ANY: Self = Self { after: &[] };

    /// After these stages, each of which has to be registered.
    #[must_use]
    pub const fn after(stages: &'static [StageId]) -> Self {
        Self { after: stages }
    }
}

/// A step about to be made. Nothing of it is proved.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// What the step is for.
    pub purpose: &'a Purpose,
    /// What the step does.
    pub step: StepKind,
    /// The method that is used.
    pub method: &'a MethodId,
    /// Stands for whoever the attempt is about: a pseudonym of the principal, so that all its identifiers are one, or of
    /// the typed text if that leads to nobody. None if the method names nobody.
    pub subject: Option<[u8; 32]>,
    /// What was typed, if it could be read.
    pub identifier: Option<&'a Identifier>,
    /// Who is bound to the flow or session already, or to whom the identifier leads. Nothing is proved; what the caller
    /// is told must not depend on whether there is somebody.
    pub principal: Option<&'a Principal>,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepKind {
    /// Judges a response: a credential may be guessed here.
    Answer,
    /// Begins a method: a message may be sent here.
    Begin,
    /// Sets a method up.
    Enrol,
    /// Judges the proofs that a session already has.
    Review,
}

/// What a stage says to an attempt.
#[derive(Debug)]
#[non_exhaustive]
pub enum Admission {
    /// It may go on, at this price.
    Pass(Vec<Charge>),
    /// It may not: nothing is judged, and it is counted under the id of the stage and recorded in sum. An error in place of
    /// this is neither counted nor recorded; it says that the stage itself failed.
    TurnAway(AuthError),
}

/// A capped counter that is raised before anything is verified, so that parallel guesses cannot exceed the cap.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Charge {
    /// What is limited, for log and audit: `throttle.client`.
    pub name: &'static str,
    /// Names the counter: a [`MacKey::pseudonym`](crate::MacKey::pseudonym) of what is limited and by whom.
    pub key: [u8; 32],
    /// What is added.
    pub by: i64,
    /// The least value to add to.
    pub floor: Option<i64>,
    /// The greatest value that may result.
    pub max: i64,
    /// The counter is gone after this time without a charge.
    pub life: Duration,
    /// What becomes of it when something is issued.
    pub settle: Settle,
    /// What the caller is told when it is over its cap.
    pub refusal: &'static ErrorCode,
    /// When to try again, if that is told.
    pub retry_after: Option<Duration>,
}

/// What becomes of a charge when something is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Settle {
    /// It stays.
    Keep,
    /// It is given back.
    Refund,
    /// Its counter starts afresh.
    Reset,
}

impl Charge {
    /// Counts attempts: at most `max`, until none was made for `life`.
    ///
    /// It starts afresh when something is issued, and over the cap it answers [`codes::REJECTED`](crate::codes::REJECTED)
    /// without a wait: it suits failures in a row. A limit per client wants [`Settle::Keep`] or [`Settle::Refund`], or one
    /// who has an account guesses at others' without end.
    #[must_use]
    pub const fn count(name: &'static str, key: [u8; 32], max: i64, life: Duration) -> Self {
        Self {
            name,
            key,
            by: 1,
            floor: None,
            max,
            life,
            settle: Settle::Reset,
            refusal: &crate::error::codes::REJECTED,
            retry_after: None,
        }
    }

    /// Limits a rate: bursts of at most `burst`, and one attempt per `interval` in the long run (GCRA).
    ///
    /// It is given back when something is issued, and over the cap it answers [`codes::LIMITED`](crate::codes::LIMITED)
    /// with `interval` as the wait.
    #[must_use]
    pub fn rate(name: &'static str, key: [u8; 32], now: Timestamp, burst: u32, interval: Duration) -> Self {
        let step = crate::timestamp::millis(interval).max(1);
        let room = step.saturating_mul(i64::from(burst));
        Self {
            name,
            key,
            by: step,
            floor: Some(now.millis()),
            max: now.millis().saturating_add(room),
            life: interval.saturating_mul(burst),
            settle: Settle::Refund,
            refusal: &crate::error::codes::LIMITED,
            retry_after: Some(interval),
        }
    }

    /// Says what becomes of it when something is issued.
    #[must_use]
    pub const fn settle(mut self, settle: Settle) -> Self {
        self.settle = settle;
        self
    }

    /// Says what the caller is told when it is over its cap.
    #[must_use]
    pub const fn refusal(mut self, code: &'static ErrorCode, retry_after: Option<Duration>) -> Self {
        self.refusal = code;
        self.retry_after = retry_after;
        self
    }
}

/// A charge that was made, and what its counter stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charged {
    /// What is limited.
    pub name: &'static str,
    /// The counter after the charge.
    pub value: i64,
    /// Its cap.
    pub max: i64,
}

/// What is known when a step is decided.
#[derive(Debug)]
#[non_exhaustive]
pub struct FlowView<'a> {
    /// What the step is for.
    pub purpose: &'a Purpose,
    /// Who it is about.
    pub principal: &'a Principal,
    /// What was proved so far.
    pub evidence: &'a [Evidence],
    /// What else the principal could prove.
    pub enrolments: &'a [Enrolment],
}

/// What stages found out about the circumstances: name and weight.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    all: Vec<(&'static str, i64)>,
}

impl Signals {
    /// Adds a signal. The weight is for stages that agree on the name; core only records it with the sign-in.
    pub fn add(&mut self, name: &'static str, weight: i64) {
        self.all.push((name, weight));
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.all.extend(other.all);
    }

    /// All signals, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, i64)> {
        self.all.iter().copied()
    }
}

/// How a step ends.
#[derive(Debug)]
#[non_exhaustive]
pub enum End<'a> {
    /// What was demanded was proved; a session or a grant is about to be issued.
    Issued {
        /// What the step was.
        attempt: &'a Attempt<'a>,
        /// To whom.
        principal: &'a Principal,
        /// What was proved, in this step and before it.
        evidence: &'a [Evidence],
    },
    /// A credential was judged and refused.
    Refused {
        /// What the step was.
        attempt: &'a Attempt<'a>,
        /// Whose it was, if it is known.
        principal: Option<&'a Principal>,
        /// The charges that were made for it.
        charged: &'a [Charged],
    },
}

/// What stages add to an outcome.
#[derive(Debug)]
#[non_exhaustive]
pub struct Aftermath {
    /// Lands in the commit of the outcome.
    pub batch: Batch,
    /// What the client is to keep for this stage, in place of what it keeps.
    pub mark: Option<Mark>,
    /// What stages before have left.
    marks: Vec<(StageId, Mark)>,
}

impl Aftermath {
    pub(crate) fn new(cx: &RequestContext) -> Self {
        Self { batch: Batch::new(cx), mark: None, marks: Vec::new() }
    }

    /// Adds what one stage left.
    pub(crate) fn join(&mut self, stage: StageId, left: Self) {
        self.batch.absorb(left.batch);
        self.marks.extend(left.mark.map(|mark| (stage, mark)));
    }

    /// All marks as one: those left now, and what the client keeps for other stages. None if nothing is new.
    pub(crate) fn packed(&self, client: &Client, stages: &[Arc<dyn Stage>]) -> Option<Mark> {
        let life = self.marks.iter().map(|(_, mark)| mark.life).max()?;
        // Anything else could pass for the mark of another stage.
        let plain = |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let left = |id| self.marks.iter().find(|(stage, _)| *stage == id).map(|(_, mark)| mark.text.expose());
        let left = |id| left(id).filter(plain);
        let part = |stage: &Arc<dyn Stage>| {
            let text = left(stage.id()).or_else(|| client.mark(stage.id()))?;
            Some(format!("{}:{text}", stage.id()))
        };
        let parts: Vec<String> = stages.iter().filter_map(part).collect();
        Some(Mark::new(SecretText::new(parts.join("~")), life))
    }
}

/// Something that the client's device keeps for a stage and presents later; it proves nothing.
#[non_exhaustive]
pub struct Mark {
    /// What is kept, in base64url; comes back as [`Client::mark`](crate::Client::mark).
    pub text: SecretText,
    /// For how long at least. What must not come back later has its time inside.
    pub life: Duration,
}

impl Mark {
    /// Asks the device to keep this.
    #[must_use]
    pub const fn new(text: SecretText, life: Duration) -> Self {
        Self { text, life }
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({:?})", self.life)
    }
}

id_type! {
    /// One counter.
    pub(crate) struct CounterId;
}

/// A counter of a [`Charge`].
#[derive(Debug, Entity)]
#[entity(table = "auth_counters", ephemeral, unique(by_key: key), expires(expires_at))]
pub(crate) struct Counter {
    pub(crate) id: CounterId,
    pub(crate) key: [u8; 32],
    pub(crate) value: i64,
    pub(crate) expires_at: Timestamp,
}
