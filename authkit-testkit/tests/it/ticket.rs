//! A method of single-use tickets, honest and broken in every way that the suite is there for.

use std::sync::Arc;

use authkit_core::{
    Ability, About, Act, At, AuditEvent, AuthError, Batch, Class, Collection, CredentialVerifier, Effect, EndSessions,
    Enroller, Entity, ErrorCode, Evidence, Factors, Manifest, MethodId, Outcome, Plugin, Principal, PrincipalId,
    Problem, Prompt, Registrar, RequestContext, Status, StepContext, Verdict, codes, id_type,
};
use authkit_testkit::{
    Asked, Opening, Person, Uses, VerifierCase, World,
    plugin_suite::{AnyPlugin, Subject, input},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as JsonValue, json};
use sha2::{Digest as _, Sha256};

use crate::verdicts::{broken_clauses, holds, memory};

const METHOD: MethodId = MethodId::from_static("ticket");

/// What is wrong with the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// An empty ticket is right.
    AcceptsEmpty,
    /// A fault of the store is a wrong answer.
    BlamesTheClient,
    /// A ticket is used up in a commit of its own.
    ConsumesEarly,
    /// Refusals are counted in a table.
    CountsRefusals,
    /// The evidence is of another moment.
    DatesAhead,
    /// The verifier looks identifiers up behind the back of stages.
    HidesTheHint,
    /// In a flow, whoever is named is proven.
    IgnoresTheFlow,
    /// Junk is its own fault.
    InternalOnJunk,
    /// Whoever loses a race is told so.
    LosersConflict,
    /// Nobody is offered the method.
    NoEnrolment,
    /// What was proved before goes on to count.
    NoEpoch,
    /// Junk makes it panic.
    PanicsOnNul,
    /// The evidence proves less than the enrolment promises.
    PromisesMore,
    /// Nobody is looked for where there is nobody.
    ReturnsEarly,
    /// A ticket is never used up.
    Reusable,
    /// Errors hold the ticket.
    ShowsTheTicket,
    /// The ticket is stored as it is.
    StoresTheTicket,
    /// A field of the answer is core's.
    TakesAFlow,
    /// Whoever is disabled is told so.
    TellsDisabled,
    /// Whoever has no ticket is told so.
    TellsMissing,
    /// Whoever is not there is told so.
    TellsUnknown,
    /// A ticket is used up without a guard.
    Unguarded,
}

/// Which clauses catch which fault; no other clause does.
const CAUGHT: [(Fault, &[&str]); 22] = [
    (Fault::None, &[]),
    (Fault::AcceptsEmpty, &["junk_answers_are_refused", "spoilt_right_answers_are_refused"]),
    (Fault::BlamesTheClient, &["a_fault_is_neither_a_proof_nor_a_refusal"]),
    (
        Fault::ConsumesEarly,
        &[
            "a_disabled_principal_looks_like_a_wrong_answer",
            "a_dropped_answer_leaves_nothing_behind",
            "a_fault_is_neither_a_proof_nor_a_refusal",
            "a_lost_answer_of_the_store_is_no_second_use",
        ],
    ),
    (
        Fault::CountsRefusals,
        &[
            "a_disabled_principal_looks_like_a_wrong_answer",
            "in_the_flow_of_another_it_proves_nothing",
            "a_refusal_writes_nothing",
        ],
    ),
    (Fault::DatesAhead, &["its_evidence_is_of_this_method_and_moment"]),
    (Fault::HidesTheHint, &["limits_count_whom_it_names"]),
    (Fault::IgnoresTheFlow, &["in_the_flow_of_another_it_proves_nothing"]),
    (Fault::InternalOnJunk, &["junk_answers_are_refused", "spoilt_right_answers_are_refused"]),
    (Fault::LosersConflict, &["of_racing_right_answers_as_many_count_as_declared"]),
    (Fault::NoEpoch, &["enrolling_it_raises_the_epoch"]),
    (Fault::PanicsOnNul, &["junk_answers_are_refused", "spoilt_right_answers_are_refused"]),
    (Fault::PromisesMore, &["its_evidence_is_of_this_method_and_moment"]),
    (
        Fault::ReturnsEarly,
        &["an_unknown_account_looks_like_a_wrong_answer", "another_tenant_looks_like_a_wrong_answer"],
    ),
    (
        Fault::Reusable,
        &[
            "a_right_answer_counts_as_often_as_declared",
            "of_racing_right_answers_as_many_count_as_declared",
            "a_dropped_answer_leaves_nothing_behind",
            "a_lost_answer_of_the_store_is_no_second_use",
        ],
    ),
    (Fault::ShowsTheTicket, &["no_secret_is_stored_or_shown"]),
    (Fault::StoresTheTicket, &["no_secret_is_stored_or_shown"]),
    (Fault::TakesAFlow, &["its_answers_have_no_reserved_field"]),
    (Fault::TellsDisabled, &["a_disabled_principal_looks_like_a_wrong_answer"]),
    (Fault::TellsMissing, &["somebody_without_the_credential_looks_like_a_wrong_answer"]),
    (
        Fault::TellsUnknown,
        &[
            "an_unknown_account_looks_like_a_wrong_answer",
            "another_tenant_looks_like_a_wrong_answer",
            "limits_count_whom_it_names",
            "junk_answers_are_refused",
            "spoilt_right_answers_are_refused",
        ],
    ),
    (Fault::Unguarded, &["of_racing_right_answers_as_many_count_as_declared"]),
];

#[test]
fn every_fault_is_caught_by_the_clauses_meant_for_it_and_by_no_other() {
    let mut surprises = Vec::new();
    for (fault, expected) in CAUGHT {
        let caught = broken_clauses!(Case(fault));
        if caught != expected {
            surprises.push(format!("{fault:?} is caught by {caught:#?}, not by {expected:#?}"));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

/// Nothing that needs it as a further factor can hold then.
#[test]
fn a_missing_enrolment_is_caught() {
    assert!(broken_clauses!(Case(Fault::NoEnrolment)).contains(&"enrolling_it_offers_it"));
}

mod first_and_further {
    use super::{Case, Fault};

    authkit_testkit::verifier_suite!(store = authkit_store_memory::MemoryStore::new(), case = Case(Fault::None));
}

mod by_credential {
    use super::{ByCredential, Case, Fault};

    authkit_testkit::verifier_suite!(
        store = authkit_store_memory::MemoryStore::new(),
        case = ByCredential(Case(Fault::None))
    );
}

mod as_a_plugin {
    use super::{Fault, Tickets};

    authkit_testkit::plugin_suite!(store = authkit_store_memory::MemoryStore::new(), plugin = Tickets(Fault::None));
}

#[test]
fn the_plugin_suite_answers_methods_and_sets_them_up() {
    let plugin = || AnyPlugin::new(Tickets(Fault::InternalOnJunk));
    let subject = Subject { store: memory, plugin, companions: Vec::new };
    assert!(!holds(move || input::no_answer_to_a_method_breaks_it(subject)));
    assert!(!holds(move || input::no_enrolment_breaks_it(subject)));
}

mod further_only {
    use super::{Case, Fault, FurtherOnly};

    authkit_testkit::verifier_suite!(
        store = authkit_store_memory::MemoryStore::new(),
        case = FurtherOnly(Case(Fault::None))
    );
}

#[derive(Clone, Copy)]
struct Case(Fault);

impl VerifierCase for Case {
    type Credential = String;
    const METHOD: MethodId = METHOD;
    const OPENING: Opening = Opening::ByIdentifier;
    const USES: Uses = Uses::Single;

    fn plugin(&self) -> impl Plugin {
        Tickets(self.0)
    }

    async fn enrol(&self, world: &World, person: &Person) -> String {
        let ticket = format!("ticket of {}", person.name);
        let printer = world.auth.capability::<Printer>().expect("the plugin");
        printer.print(&world.cx(), person.principal, &ticket).await;
        ticket
    }

    async fn right(&self, _: &World, ticket: &String, asked: &Asked) -> JsonValue {
        json!({ "identifier": asked.name, "ticket": ticket })
    }

    async fn wrong(&self, _: &World, _: &String, asked: &Asked) -> JsonValue {
        json!({ "identifier": asked.name, "ticket": "another ticket" })
    }
}

/// The same method, whose answers name nobody, and which is set up inside a sign-in.
struct FurtherOnly(Case);

impl VerifierCase for FurtherOnly {
    type Credential = String;
    const METHOD: MethodId = METHOD;
    const OPENING: Opening = Opening::Never;
    const USES: Uses = Uses::Single;

    fn plugin(&self) -> impl Plugin {
        self.0.plugin()
    }

    async fn enrol(&self, world: &World, person: &Person) -> String {
        let ticket = format!("ticket of {}", person.name);
        world.enrol(person, |_| json!({ "ticket": ticket })).await;
        ticket
    }

    async fn right(&self, _: &World, ticket: &String, _: &Asked) -> JsonValue {
        json!({ "ticket": ticket })
    }

    async fn wrong(&self, _: &World, _: &String, _: &Asked) -> JsonValue {
        json!({ "ticket": "another ticket" })
    }
}

/// The same method, whose answers tell by themselves whose they are.
struct ByCredential(Case);

impl VerifierCase for ByCredential {
    type Credential = (PrincipalId, String);
    const METHOD: MethodId = METHOD;
    const OPENING: Opening = Opening::ByCredential;
    const USES: Uses = Uses::Single;

    fn plugin(&self) -> impl Plugin {
        self.0.plugin()
    }

    async fn enrol(&self, world: &World, person: &Person) -> Self::Credential {
        (person.principal, self.0.enrol(world, person).await)
    }

    async fn right(&self, _: &World, (owner, ticket): &Self::Credential, _: &Asked) -> JsonValue {
        json!({ "ticket": format!("{owner}:{ticket}") })
    }

    async fn wrong(&self, _: &World, (owner, _): &Self::Credential, _: &Asked) -> JsonValue {
        json!({ "ticket": format!("{owner}:another ticket") })
    }
}

struct Tickets(Fault);

impl Plugin for Tickets {
    fn manifest(&self) -> Manifest {
        Manifest::new("ticket", "0.1.0").creates::<TicketRow>().creates::<RefusalRow>().event::<Printed>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let rows: Collection<TicketRow> = registrar.collection()?;
        let refusals = registrar.collection()?;
        let printer = Printer { fault: self.0, rows };
        registrar.provide(Arc::new(printer.clone()));
        registrar.enroller(Arc::new(printer.clone()));
        if self.0 == Fault::TakesAFlow {
            registrar.verifier(Arc::new(Inspector::<FlowTicket> { printer, refusals, of: std::marker::PhantomData }));
        } else {
            registrar.verifier(Arc::new(Inspector::<Ticket> { printer, refusals, of: std::marker::PhantomData }));
        }
        Ok(())
    }
}

id_type! {
    struct TicketId;
    struct RefusalId;
}

#[derive(Entity)]
#[entity(table = "test_tickets", durable, unique(by_principal: principal_id), references(principal_id -> auth_principals))]
struct TicketRow {
    id: TicketId,
    principal_id: PrincipalId,
    hash: Vec<u8>,
    used: i64,
}

#[derive(Entity)]
#[entity(table = "test_refusals", durable)]
struct RefusalRow {
    id: RefusalId,
}

/// Gives tickets out.
#[derive(Clone)]
struct Printer {
    fault: Fault,
    rows: Collection<TicketRow>,
}

impl Printer {
    async fn print(&self, cx: &RequestContext, principal: PrincipalId, ticket: &str) {
        let principal = cx.principal(principal).await.expect("a read").expect("a principal");
        let mut batch = Batch::new(cx);
        self.add(cx, &principal, ticket, &mut batch);
        if self.fault != Fault::NoEpoch {
            batch.raise_epoch(cx, &principal, EndSessions::None);
        }
        cx.commit(Printed, batch).await.expect("a ticket is printed");
    }

    fn add(&self, cx: &RequestContext, principal: &Principal, ticket: &str, batch: &mut Batch) {
        let row = TicketRow { id: cx.new_id(), principal_id: principal.id, hash: self.hash(ticket), used: 0 };
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        let factors = match self.fault {
            Fault::PromisesMore => Factors::POSSESSION.and(Factors::INHERENCE),
            _ => Factors::POSSESSION,
        };
        if self.fault != Fault::NoEnrolment {
            batch.add_enrolment(cx, principal, Ability::new(METHOD, factors));
        }
    }

    fn hash(&self, ticket: &str) -> Vec<u8> {
        match self.fault {
            Fault::StoresTheTicket => ticket.as_bytes().to_vec(),
            _ => Sha256::digest(ticket).to_vec(),
        }
    }
}

impl Enroller for Printer {
    type Begin = ();
    type State = ();
    type Response = Ticket;

    fn ability(&self) -> Ability {
        Ability::new(METHOD, Factors::POSSESSION)
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn confirm(&self, cx: &mut StepContext<'_>, _: Option<()>, answer: Ticket) -> Result<Effect, AuthError> {
        if self.fault == Fault::InternalOnJunk && answer.ticket.len() > 255 {
            return Err(AuthError::new(&codes::INTERNAL).because("the ticket does not fit"));
        }
        let principal = cx.principal.ok_or(AuthError::new(&codes::REJECTED))?;
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch);
        Ok(Effect::new(METHOD, &answer.ticket)?.proving(evidence))
    }
}

/// Tears tickets.
struct Inspector<R> {
    printer: Printer,
    refusals: Collection<RefusalRow>,
    of: std::marker::PhantomData<fn() -> R>,
}

#[derive(Deserialize, JsonSchema)]
struct Ticket {
    identifier: Option<String>,
    ticket: String,
}

#[derive(Deserialize, JsonSchema)]
struct FlowTicket {
    identifier: Option<String>,
    ticket: String,
    #[expect(dead_code, reason = "only its name matters")]
    flow: Option<String>,
}

impl From<FlowTicket> for Ticket {
    fn from(FlowTicket { identifier, ticket, .. }: FlowTicket) -> Self {
        Self { identifier, ticket }
    }
}

impl AsRef<Option<String>> for Ticket {
    fn as_ref(&self) -> &Option<String> {
        &self.identifier
    }
}

impl AsRef<Option<String>> for FlowTicket {
    fn as_ref(&self) -> &Option<String> {
        &self.identifier
    }
}

static TOLD: ErrorCode = ErrorCode::new("ticket.told", Class::NotFound, "There is nobody of that name.");

impl<R> CredentialVerifier for Inspector<R>
where
    R: Into<Ticket> + AsRef<Option<String>> + serde::de::DeserializeOwned + JsonSchema + Send + 'static,
{
    type Begin = ();
    type State = ();
    type Response = R;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, response: &'r R) -> Option<&'r str> {
        if self.printer.fault == Fault::HidesTheHint { None } else { response.as_ref().as_deref() }
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, response: R) -> Result<Verdict, AuthError> {
        let Ticket { identifier, ticket } = response.into();
        let (owner, ticket) = match ticket.split_once(':') {
            Some((owner, ticket)) => (owner.parse::<PrincipalId>().ok(), ticket.to_owned()),
            None => (None, ticket),
        };
        let fault = self.printer.fault;
        assert!(fault != Fault::PanicsOnNul || !ticket.contains('\0'), "no ticket has U+0000");
        if fault == Fault::InternalOnJunk && ticket.len() > 255 {
            return Err(AuthError::new(&codes::INTERNAL).because("the ticket does not fit"));
        }
        let named = identifier.and_then(|text| cx.identifier(&text));
        let mut principal = cx.principal.or(cx.found).cloned();
        let by_itself = match fault {
            Fault::HidesTheHint => cx.principal.is_none(),
            Fault::IgnoresTheFlow => cx.principal.is_some(),
            _ => false,
        };
        if let (true, Some(named)) = (by_itself, &named) {
            principal = cx.find_principal(named).await?;
        }
        if let (None, Some(owner)) = (&principal, owner) {
            principal = cx.principal(owner).await?;
        }
        principal = principal.filter(|principal| owner.is_none_or(|owner| principal.id == owner));
        if principal.is_none() && fault == Fault::TellsUnknown {
            return Err(AuthError::new(&TOLD));
        }
        if principal.is_none() && fault == Fault::ReturnsEarly {
            return Err(AuthError::new(&codes::REJECTED));
        }
        let id = principal.as_ref().map_or_else(|| cx.new_id(), |principal| principal.id);
        let rows = &self.printer.rows;
        let row = match rows.get(cx, At::key(TicketRow::by_principal, (id,))).await {
            Err(_) if fault == Fault::BlamesTheClient => return Err(AuthError::new(&codes::REJECTED)),
            row => row?,
        };
        let (principal, row) = match (principal, row) {
            (Some(principal), Some(row)) => (principal, row),
            (Some(_), None) if fault == Fault::TellsMissing => return Err(AuthError::new(&TOLD)),
            _ => return self.refuse(cx, &ticket).await,
        };
        let empty = fault == Fault::AcceptsEmpty && ticket.is_empty();
        if row.used > 0 || (row.hash != self.printer.hash(&ticket) && !empty) {
            return self.refuse(cx, &ticket).await;
        }
        if principal.status != Status::Active && fault == Fault::TellsDisabled {
            return Err(AuthError::new(&codes::DENIED));
        }
        let (unused, used) = (TicketRow::used.eq(0), TicketRow::used.set(1));
        match fault {
            Fault::Reusable => {}
            Fault::Unguarded => cx.batch.update(rows, At::id(row.id), [], [used]).or(&codes::REJECTED),
            Fault::LosersConflict => drop(cx.batch.update(rows, At::id(row.id), [unused], [used])),
            Fault::ConsumesEarly => {
                let mut batch = Batch::new(cx);
                batch.update(rows, At::id(row.id), [unused], [used]).or(&codes::REJECTED);
                cx.commit(Printed, batch).await?;
            }
            _ => cx.batch.update(rows, At::id(row.id), [unused], [used]).or(&codes::REJECTED),
        }
        let at = if fault == Fault::DatesAhead { cx.now().plus(std::time::Duration::from_secs(1)) } else { cx.now() };
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, at, principal.epoch);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        effect: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let ticket: String = effect.data()?;
        self.printer.add(cx, principal, &ticket, batch);
        Ok(())
    }
}

impl<R> Inspector<R> {
    async fn refuse(&self, cx: &StepContext<'_>, ticket: &str) -> Result<Verdict, AuthError> {
        if self.printer.fault == Fault::CountsRefusals {
            let mut batch = Batch::new(cx);
            batch.insert(&self.refusals, RefusalRow { id: cx.new_id() });
            cx.commit(Printed, batch).await?;
        }
        let refused = AuthError::new(&codes::REJECTED);
        Err(match self.printer.fault {
            Fault::ShowsTheTicket => refused.caused_by(std::io::Error::other(ticket.to_owned())),
            _ => refused,
        })
    }
}

/// A ticket was given out.
#[derive(Serialize)]
struct Printed;

impl AuditEvent for Printed {
    const KIND: &'static str = "ticket_printed";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}
