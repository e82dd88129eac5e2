//! A stage that demands the method as a further factor, and remembers what it saw.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use authkit_core::{
    Aal, Admission, Aftermath, Attempt, AuthError, Condition, End, Evidence, FlowView, Manifest, MethodId, Order,
    Plugin, PrincipalId, Problem, Registrar, RequestContext, Requirement, Signals, Stage, StageId, StepKind,
};

/// Whoever signs in with the testkit has to answer with this method as well. Clones share what was seen.
#[derive(Clone)]
pub(crate) struct Watch {
    method: MethodId,
    seen: Arc<Mutex<Seen>>,
}

/// What was seen since it was asked for last.
#[derive(Default)]
pub(crate) struct Seen {
    /// What each attempt by the method was about.
    pub(crate) attempts: Vec<SeenAttempt>,
    /// The last proofs by the method.
    pub(crate) evidence: Vec<Evidence>,
}

/// What one attempt was about.
#[derive(Clone, Debug)]
pub(crate) struct SeenAttempt {
    pub(crate) step: StepKind,
    /// The identifier that was typed, in canonical form.
    pub(crate) identifier: Option<String>,
    /// Whom it was about, proved or not.
    pub(crate) principal: Option<PrincipalId>,
    /// Whether there is anything to count by.
    pub(crate) counted: bool,
}

impl Watch {
    pub(crate) fn new(method: MethodId) -> Self {
        Self { method, seen: Arc::default() }
    }

    /// What was seen, and forgets it.
    pub(crate) fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({})", self.method)
    }
}

impl Plugin for Watch {
    fn manifest(&self) -> Manifest {
        Manifest::new("testkit-watch", env!("CARGO_PKG_VERSION"))
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(self.clone()));
        Ok(())
    }
}

#[async_trait]
impl Stage for Watch {
    fn id(&self) -> StageId {
        "testkit-watch"
    }

    fn order(&self) -> Order {
        Order::ANY
    }

    async fn admit(&self, _: &RequestContext, attempt: &Attempt<'_>) -> Result<Admission, AuthError> {
        if *attempt.method == self.method {
            self.seen().attempts.push(SeenAttempt {
                step: attempt.step,
                identifier: attempt.identifier.map(|identifier| identifier.canonical.clone()),
                principal: attempt.principal.map(|principal| principal.id),
                counted: attempt.subject.is_some(),
            });
        }
        Ok(Admission::Pass(Vec::new()))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, _: &mut Signals) -> Result<(), AuthError> {
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, flow: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        self.seen().evidence = flow.evidence.iter().filter(|proof| proof.method != OPENER).cloned().collect();
        let opened = flow.evidence.iter().any(|proof| proof.method == OPENER);
        let further = || Requirement::of("further", Condition::level(Aal::Aal1).method(self.method.clone()));
        Ok(if opened { further() } else { Requirement::none() })
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}

/// The method by which flows are opened that are bound to somebody.
pub(crate) const OPENER: MethodId = MethodId::from_static("testkit");
