//! Stages look on: they limit, judge the circumstances and demand more. There is no other policy hook.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    batch::Batch,
    charge::{Charge, Charged},
    context::{Client, RequestContext},
    error::AuthError,
    evidence::{Evidence, MethodId},
    flow::Purpose,
    principal::{Enrolment, Identifier, Principal},
    requirement::Requirement,
    secret::SecretText,
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
///
/// # Examples
///
/// Administrators prove a second factor, wherever they sign in:
///
/// ```
/// use async_trait::async_trait;
/// use authkit_core::*;
///
/// struct Administrators(Vec<PrincipalId>);
///
/// #[async_trait]
/// impl Stage for Administrators {
///     fn id(&self) -> StageId { "administrators" }
///     fn order(&self) -> Order { Order::ANY }
///     # async fn admit(&self, _: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> { Ok(Admission::Pass(Vec::new())) }
///     # async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, _: &mut Signals) -> Result<(), AuthError> { Ok(()) }
///     # async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> { Ok(()) }
///     async fn decide(&self, _: &RequestContext, flow: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
///         let second = Requirement::of("administrator", Condition::level(Aal::Aal2));
///         Ok(if self.0.contains(&flow.principal.id) { second } else { Requirement::none() })
///     }
/// }
/// ```
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
