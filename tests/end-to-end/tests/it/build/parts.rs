//! What plugins register: names that clash, and things that need something else.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use authkit_core::{
    Ability, About, Access, Act, Admission, Aftermath, Attempt, AuditEntry, AuditEvent, AuditLogger, AuthError, Batch,
    BoxError, Class, CredentialImporter, CredentialVerifier, Deliver, Effect, End, Enroller, ErrorCode, Factors,
    FlowView, HttpMethod, Identifier, IdentifierKind, LoggerRole, Manifest, MethodId, Operation, Order, Outcome,
    Parcel, Plugin as _, Principal, Prompt, Reply, RequestContext, Requirement, Settlement, Signals, Stage, StageId,
    StepContext, Subscriber, Task, UserStore, Verdict, codes,
};
use authkit_testkit::{Mailbox, NoSessions, TestSignIn};
use end_to_end::proofs::{Note, Noted};

use super::{Odd, complete, passwords, refused, twice, with};

#[test]
fn a_plugin_is_added_once_and_core_not_at_all() {
    let odd = || Odd::declaring(Manifest::new("odd", "0.1.0"));
    let expected = ["authkit: the plugin odd is added more than once; keep one of them"];
    refused(with(odd()).plugin(odd()), expected);
    refused(with(odd()).plugin(odd()).plugin(odd()), expected);
    refused(
        with(Odd::declaring(Manifest::new("authkit", "0.1.0"))),
        ["authkit: a plugin calls itself authkit, which is core's own name; rename it"],
    );
}

#[test]
fn a_plugin_with_parts_of_its_own_that_is_added_twice_is_one_problem() {
    refused(complete().plugin(passwords()), ["authkit: the plugin password is added more than once; keep one of them"]);
}

static TAKEN: ErrorCode = ErrorCode::new("odd.taken", Class::Conflict, "It is taken.");

#[test]
fn an_error_code_is_declared_once_by_the_plugin_whose_name_it_bears() {
    let odd = || Odd::declaring(Manifest::new("odd", "0.1.0").error(&TAKEN));
    let other = Odd::declaring(Manifest::new("other", "0.1.0").error(&TAKEN));
    assert!(with(odd()).build().is_ok());
    refused(
        complete().plugin(odd()).plugin(other),
        [
            "authkit: the error code odd.taken is declared more than once, by odd and other; rename or drop one",
            "other: the error code odd.taken has to begin with other.",
        ],
    );
    refused(
        with(Odd::declaring(Manifest::new("odd", "0.1.0").error(&TAKEN).error(&TAKEN))),
        ["authkit: the error code odd.taken is declared more than once, by odd and odd; rename or drop one"],
    );
    refused(
        with(Odd::declaring(Manifest::new("odd", "0.1.0").error(&codes::CONFLICT))),
        [
            "authkit: the error code core.conflict is declared more than once, by authkit and odd; rename or drop one",
            "odd: the error code core.conflict has to begin with odd.",
        ],
    );
}

#[test]
fn an_event_and_a_table_have_one_owner() {
    let one = Odd::declaring(Manifest::new("one", "0.1.0").event::<Noted>().creates::<Note>());
    let other = Odd::declaring(Manifest::new("other", "0.1.0").event::<Noted>().creates::<Note>());
    refused(
        complete().plugin(one).plugin(other),
        [
            "authkit: migration 1 of other: the table proof_notes exists already",
            "authkit: the event noted is declared more than once, by one and other; rename or drop one",
            "authkit: the table proof_notes is declared more than once, by one and other; rename or drop one",
        ],
    );
}

#[test]
fn what_is_registered_under_a_name_is_registered_once() {
    let by_both =
        |thing: &str| format!("authkit: the {thing} is declared more than once, by one and other; rename or drop one");
    refused(twice(|registrar| TestSignIn::default().register(registrar).unwrap()), [&by_both("method testkit")]);
    refused(
        complete()
            .plugin(Odd::adding("one", |registrar| registrar.verifier(Arc::new(Nothing))))
            .plugin(Odd::adding("other", |registrar| registrar.machine_verifier(Arc::new(Nothing)))),
        [&by_both("method nothing")],
    );
    refused(
        twice(|registrar| registrar.job("tidy", Duration::from_secs(60), Arc::new(Nothing))),
        [&by_both("job tidy")],
    );
    refused(twice(|registrar| registrar.outbox("letters", Arc::new(Nothing))), [&by_both("topic letters")]);
    refused(
        twice(|registrar| registrar.audit_logger(Arc::new(Nothing), LoggerRole::Additional)),
        [&by_both("audit logger nothing")],
    );
    refused(twice(|registrar| registrar.stage(Arc::new(Watch::new("watch", Order::ANY)))), [&by_both("stage watch")]);
    refused(twice(|registrar| registrar.operation(operation("/things"))), [&by_both("route GET /things")]);
    refused(
        twice(|registrar| registrar.provide(Arc::new(Nothing))),
        [&by_both("capability it::build::parts::Nothing")],
    );
}

#[test]
fn what_others_registered_already_is_not_registered_again() {
    refused(
        with(Odd::adding("odd", |registrar| registrar.identifier_kind(Arc::new(Nothing)))),
        ["authkit: the identifier kind email is declared more than once, by account and odd; rename or drop one"],
    );
    refused(
        with(Odd::adding("odd", |registrar| registrar.enroller(Arc::new(PasswordToo)))),
        ["authkit: the enroller password is declared more than once, by odd and password; rename or drop one"],
    );
    refused(
        with(Odd::adding("odd", |registrar| registrar.importer(Arc::new(PasswordToo)))),
        ["authkit: the importer password is declared more than once, by odd and password; rename or drop one"],
    );
    refused(
        with(Odd::adding("odd", |registrar| registrar.operation(operation("/sessions")))),
        ["authkit: the route GET /sessions is declared more than once, by authkit and odd; rename or drop one"],
    );
    let receiver = || Odd::adding("odd", |registrar| registrar.outbox("core.notice", Arc::new(Nothing)));
    assert!(with(receiver()).build().is_ok(), "without a notifier the topic is free");
    refused(
        with(receiver()).notifier(Mailbox::new()),
        ["authkit: the topic core.notice is declared more than once, by authkit and odd; rename or drop one"],
    );
}

#[test]
fn there_is_one_of_each_role() {
    refused(
        with(Odd::adding("odd", |registrar| registrar.user_store(Arc::new(Nothing)))),
        ["authkit: 2 plugins find principals; keep one of them"],
    );
    refused(
        with(Odd::adding("odd", |registrar| NoSessions::default().register(registrar).unwrap())),
        [
            "authkit: 2 plugins keep sessions; keep one of them",
            "authkit: 2 plugins show sessions to clients; keep one of them",
        ],
    );
}

#[test]
fn what_a_part_needs_is_there() {
    refused(
        with(Odd::adding("odd", |registrar| drop(registrar.require::<Nothing>()))),
        ["odd: needs it::build::parts::Nothing, which no plugin provides; add the plugin that does"],
    );
    refused(
        with(Odd::adding("odd", |registrar| drop(registrar.require::<dyn Task>()))),
        ["odd: needs dyn authkit_core::job::Task, which no plugin provides; add the plugin that does"],
    );
    refused(
        with(Odd::adding("odd", |registrar| registrar.enroller(Arc::new(Nothing)))),
        ["odd: enrols nothing, which no plugin verifies; register its verifier"],
    );
    refused(
        with(Odd::adding("odd", |registrar| registrar.importer(Arc::new(Nothing)))),
        ["odd: imports nothing, which no plugin verifies; register its verifier"],
    );
    refused(
        with(Odd::adding("odd", |registrar| registrar.subscribe::<Unheard>(Arc::new(Nothing)))),
        ["odd: subscribes to unheard, which no plugin declares; add the plugin that does, or .event::<…>() to its \
          manifest"],
    );
    let giver = Odd::adding("giver", |registrar| registrar.provide(Arc::new(Nothing)));
    let taker = Odd::adding("taker", |registrar| drop(registrar.require::<Nothing>()));
    assert!(complete().plugin(taker).plugin(giver).build().is_ok());
}

#[test]
fn stages_run_after_stages_that_are_there_and_not_in_a_circle() {
    refused(
        with(Odd::adding("odd", |registrar| {
            registrar.stage(Arc::new(Watch::new("late", Order::after(&["geo", "mfa"]))));
        })),
        [
            "odd: the stage late runs after geo, which nobody registers; add its plugin, or drop it from the order",
            "odd: the stage late runs after mfa, which nobody registers; add its plugin, or drop it from the order",
        ],
    );
    let circle = Odd::adding("odd", |registrar| {
        registrar.stage(Arc::new(Watch::new("a", Order::after(&["b"]))));
        registrar.stage(Arc::new(Watch::new("b", Order::after(&["a", "lockout"]))));
    });
    refused(with(circle), ["authkit: the stages a, b wait for each other or themselves; change what one runs after"]);
    refused(
        with(Odd::adding("odd", |registrar| registrar.stage(Arc::new(Watch::new("self", Order::after(&["self"])))))),
        ["authkit: the stages self wait for each other or themselves; change what one runs after"],
    );
}

/// An operation that reads and says nothing.
pub(super) fn operation(path: &'static str) -> Operation {
    let nothing = async |_, ()| Ok(Reply::<()>::no_content());
    Operation::new::<(), (), _, _>(HttpMethod::Get, path, Access::Public, "Says nothing.", move |call, input| {
        nothing(call, input)
    })
}

/// Stands in for every part, and does nothing.
pub(super) struct Nothing;

/// An enroller and an importer of a method that has them.
struct PasswordToo;

/// A stage that only has a place among others.
pub(super) struct Watch {
    id: StageId,
    order: Order,
}

impl Watch {
    pub(super) const fn new(id: StageId, order: Order) -> Self {
        Self { id, order }
    }
}

/// An event that nobody declares.
#[derive(serde::Serialize)]
pub(super) struct Unheard;

impl AuditEvent for Unheard {
    const KIND: &'static str = "unheard";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

fn no() -> AuthError {
    AuthError::new(&codes::REJECTED)
}

impl CredentialVerifier for Nothing {
    type Begin = ();
    type State = ();
    type Response = ();

    fn method(&self) -> MethodId {
        MethodId::from_static("nothing")
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    fn hint<'r>(&self, (): &'r ()) -> Option<&'r str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(no())
    }

    async fn verify(&self, _: &mut StepContext<'_>, _: Option<()>, (): ()) -> Result<Verdict, AuthError> {
        Err(no())
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
        Err(no())
    }
}

impl Enroller for Nothing {
    type Begin = ();
    type State = ();
    type Response = ();

    fn ability(&self) -> Ability {
        Ability::new(MethodId::from_static("nothing"), Factors::KNOWLEDGE)
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(no())
    }

    async fn confirm(&self, _: &mut StepContext<'_>, _: Option<()>, (): ()) -> Result<Effect, AuthError> {
        Err(no())
    }
}

impl Enroller for PasswordToo {
    type Begin = ();
    type State = ();
    type Response = ();

    fn ability(&self) -> Ability {
        Ability::new(MethodId::from_static("password"), Factors::KNOWLEDGE)
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(no())
    }

    async fn confirm(&self, _: &mut StepContext<'_>, _: Option<()>, (): ()) -> Result<Effect, AuthError> {
        Err(no())
    }
}

impl CredentialImporter for Nothing {
    type Given = ();

    fn method(&self) -> MethodId {
        MethodId::from_static("nothing")
    }

    fn import(&self, _: &RequestContext, _: &Principal, (): (), _: &mut Batch) -> Result<(), AuthError> {
        Err(no())
    }
}

impl CredentialImporter for PasswordToo {
    type Given = ();

    fn method(&self) -> MethodId {
        MethodId::from_static("password")
    }

    fn import(&self, _: &RequestContext, _: &Principal, (): (), _: &mut Batch) -> Result<(), AuthError> {
        Err(no())
    }
}

impl IdentifierKind for Nothing {
    fn kind(&self) -> &'static str {
        "email"
    }

    fn canonical(&self, _: &str) -> Option<String> {
        None
    }
}

#[async_trait]
impl UserStore for Nothing {
    async fn find(&self, _: &RequestContext, _: &Identifier) -> Result<Option<Principal>, AuthError> {
        Ok(None)
    }

    fn insert(&self, _: &RequestContext, _: &Principal, _: &[Identifier], _: &mut Batch) -> Result<(), AuthError> {
        Err(no())
    }
}

#[async_trait]
impl Task for Nothing {
    async fn run(&self, _: &RequestContext) -> Result<(), AuthError> {
        Ok(())
    }
}

#[async_trait]
impl Deliver for Nothing {
    async fn deliver(&self, _: &RequestContext, _: &Parcel) -> Result<(), BoxError> {
        Ok(())
    }
}

#[async_trait]
impl Subscriber for Nothing {
    async fn notice(&self, _: &RequestContext, _: &AuditEntry) -> Result<(), BoxError> {
        Ok(())
    }
}

#[async_trait]
impl AuditLogger for Nothing {
    fn id(&self) -> &'static str {
        "nothing"
    }

    async fn prepare(&self, _: &AuditEntry) -> Result<(), BoxError> {
        Ok(())
    }

    async fn settled(&self, _: &AuditEntry, _: Settlement) -> Result<(), BoxError> {
        Ok(())
    }
}

#[async_trait]
impl Stage for Watch {
    fn id(&self) -> StageId {
        self.id
    }

    fn order(&self) -> Order {
        self.order
    }

    async fn admit(&self, _: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> {
        Ok(Admission::Pass(Vec::new()))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, signals: &mut Signals) -> Result<(), AuthError> {
        signals.add(self.id, 0);
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(Requirement::none())
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}
