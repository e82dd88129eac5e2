//! Plugins that are broken in every way that the suite is there for.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{
    About, Access, Act, At, AuditEvent, AuthError, Batch, Call, Class, Collection, Entity, ErrorCode, HttpMethod, Id,
    Manifest, Operation, Outcome, Plugin, Problem, Registrar, Reply, RequestContext, Task, codes, id_type,
};
use authkit_testkit::plugin_suite::{AnyPlugin, Subject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::verdicts::{holds, memory};

/// What is wrong with the plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    #[default]
    None,
    /// A fault of the store is its own.
    BlamesItself,
    /// An event has a name of Rust.
    EventOfRust,
    /// The manifest is another one each time.
    ImpureManifest,
    /// Odd parts of a path are its own fault.
    InternalOnOddPaths,
    /// A job panics where the store fails.
    JobPanics,
    /// An error has no sentence to say.
    MuteError,
    /// An operation has no sentence to say.
    MuteOperation,
    /// A table has no prefix.
    NakedTable,
    /// Empty input makes it panic.
    PanicsOnEmpty,
    /// A token is taken in a query.
    SecretInQuery,
    /// After a fault it never works again.
    StaysBroken,
    /// What it registers depends on what was built before.
    Stateful,
    /// A failing store is no failure.
    SwallowsFaults,
    /// A public error is not declared.
    UndeclaredError,
}

/// Which clauses catch which fault; no other clause does.
const CAUGHT: [(Fault, &[&str]); 15] = [
    (Fault::None, &[]),
    (Fault::BlamesItself, &["operations_say_that_the_store_is_unavailable", "operations_work_again_after_a_fault"]),
    (Fault::EventOfRust, &["its_events_are_named_in_snake_case"]),
    (Fault::ImpureManifest, &["its_manifest_is_the_same_every_time"]),
    (Fault::InternalOnOddPaths, &["no_path_of_an_operation_breaks_it"]),
    (Fault::JobPanics, &["jobs_outlive_a_fault"]),
    (Fault::MuteError, &["its_errors_are_its_own_and_say_a_sentence"]),
    (Fault::MuteOperation, &["its_operations_say_what_they_are"]),
    (Fault::NakedTable, &["its_tables_have_names_of_their_own"]),
    (Fault::PanicsOnEmpty, &["no_input_of_an_operation_breaks_it"]),
    (Fault::SecretInQuery, &["no_operation_takes_a_secret_in_an_address"]),
    (Fault::StaysBroken, &["operations_work_again_after_a_fault"]),
    (Fault::Stateful, &["every_order_of_registration_gives_the_same"]),
    (Fault::SwallowsFaults, &["operations_say_that_the_store_is_unavailable"]),
    (Fault::UndeclaredError, &["no_input_of_an_operation_breaks_it"]),
];

thread_local! {
    /// Each clause runs on a thread of its own.
    static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
}

macro_rules! broken_clauses {
    (($fault:ident) $($module:ident { $($fact:ident)+ })+) => {{
        let mut broken: Vec<&'static str> = Vec::new();
        $($(
            let clause = move || {
                FAULT.set($fault);
                let plugin = || AnyPlugin::new(Odd::new(FAULT.get()));
                authkit_testkit::plugin_suite::$module::$fact(Subject { store: memory, plugin, companions: Vec::new })
            };
            if !holds(clause) {
                broken.push(stringify!($fact));
            }
        )+)+
        broken
    }};
}

#[test]
fn every_fault_is_caught_by_the_clauses_meant_for_it_and_by_no_other() {
    let mut surprises = Vec::new();
    for (fault, expected) in CAUGHT {
        let caught = authkit_testkit::__plugin_clauses! { [broken_clauses] fault };
        if caught != expected {
            surprises.push(format!("{fault:?} is caught by {caught:#?}, not by {expected:#?}"));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

mod with_a_companion {
    use super::{Fault, Odd};

    authkit_testkit::plugin_suite!(
        store = authkit_store_memory::MemoryStore::new(),
        plugin = Odd::new(Fault::None),
        with = [authkit_testkit::TestSignIn::default(), authkit_testkit::NoSessions::default()],
    );
}

struct Odd {
    fault: Fault,
    manifests: AtomicUsize,
}

impl Odd {
    fn new(fault: Fault) -> Self {
        Self { fault, manifests: AtomicUsize::new(0) }
    }
}

static TAKEN: ErrorCode = ErrorCode::new("odd.taken", Class::Conflict, "This name is taken.");
static MUTE: ErrorCode = ErrorCode::new("odd.mute", Class::Conflict, "name {0} taken");
static HIDDEN: ErrorCode = ErrorCode::new("odd.hidden", Class::Invalid, "This name is not good.");

impl Plugin for Odd {
    fn manifest(&self) -> Manifest {
        let versions = ["0.1.0", "0.1.1", "0.1.2"];
        let n = if self.fault == Fault::ImpureManifest { self.manifests.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let mut manifest = Manifest::new("odd", versions[n % 3]).creates::<OddRow>().error(&TAKEN).event::<OddMade>();
        match self.fault {
            Fault::EventOfRust => manifest = manifest.event::<OddNamed>(),
            Fault::MuteError => manifest.errors.push(&MUTE),
            Fault::NakedTable => manifest = manifest.creates::<NakedRow>(),
            _ => {}
        }
        manifest
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        static REGISTERED: AtomicUsize = AtomicUsize::new(0);
        let fault = self.fault;
        let maker = Arc::new(Maker { fault, rows: registrar.collection()?, broken: AtomicBool::new(false) });
        let summary = match fault {
            Fault::MuteOperation => "makes",
            Fault::Stateful if REGISTERED.fetch_add(1, Ordering::Relaxed) % 2 == 1 => "Makes another thing.",
            _ => "Makes a thing.",
        };
        let making = maker.clone();
        let make = move |call: Call, input: MakeInput| {
            let maker = making.clone();
            async move { maker.make(&call, input).await }
        };
        registrar.operation(Operation::new(HttpMethod::Post, "/odd-things", Access::Session, summary, make));
        let finding = maker.clone();
        let find = move |call: Call, _: Nothing| {
            let maker = finding.clone();
            async move { maker.find(&call).await }
        };
        let summary = "Finds a thing.";
        registrar.operation(Operation::new(HttpMethod::Get, "/odd-things/{id}", Access::Public, summary, find));
        if fault == Fault::SecretInQuery {
            let take = |_: Call, input: TokenInput| async move {
                input.reset_token.map_or(Ok(Reply::<()>::no_content()), |_| Err(AuthError::new(&codes::NOT_FOUND)))
            };
            let summary = "Takes a token.";
            registrar.operation(Operation::new(HttpMethod::Get, "/odd-tokens", Access::Public, summary, take));
        }
        registrar.job("odd.look", Duration::from_secs(60), maker);
        Ok(())
    }
}

id_type! {
    struct OddId;
}

#[derive(Entity)]
#[entity(table = "odd_things", durable, unique(by_name: name))]
struct OddRow {
    id: OddId,
    name: String,
}

#[derive(Entity)]
#[entity(table = "things", durable)]
struct NakedRow {
    id: OddId,
}

struct Maker {
    fault: Fault,
    rows: Collection<OddRow>,
    broken: AtomicBool,
}

#[derive(Deserialize, JsonSchema)]
struct MakeInput {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct TokenInput {
    reset_token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Found {
    name: String,
}

impl Maker {
    async fn make(&self, call: &Call, input: MakeInput) -> Result<Reply<()>, AuthError> {
        assert!(self.fault != Fault::PanicsOnEmpty || !input.name.is_empty(), "a name is never empty");
        if self.fault == Fault::UndeclaredError && input.name.is_empty() {
            return Err(AuthError::new(&HIDDEN));
        }
        if self.broken.load(Ordering::Relaxed) {
            return Err(AuthError::new(&codes::UNAVAILABLE));
        }
        let mut batch = Batch::new(&call.cx);
        batch.insert(&self.rows, OddRow { id: call.cx.new_id(), name: input.name }).or(&TAKEN);
        let made = call.cx.commit(OddMade, batch).await;
        let failed = made.as_ref().is_err_and(|error| error.code().class == Class::Unavailable);
        match self.fault {
            Fault::BlamesItself if failed => return Err(AuthError::new(&codes::INTERNAL)),
            Fault::SwallowsFaults if failed => return Ok(Reply::no_content()),
            Fault::StaysBroken if failed => self.broken.store(true, Ordering::Relaxed),
            _ => {}
        }
        made?;
        Ok(Reply::no_content())
    }

    async fn find(&self, call: &Call) -> Result<Reply<Found>, AuthError> {
        let id: Id = call.part("id").map_err(|error| match self.fault {
            Fault::InternalOnOddPaths => AuthError::new(&codes::INTERNAL),
            _ => error,
        })?;
        let row = self.rows.get(&call.cx, At::id(id.into())).await?;
        row.map(|row| Reply::ok(Found { name: row.name })).ok_or(AuthError::new(&codes::NOT_FOUND))
    }
}

#[async_trait]
impl Task for Maker {
    async fn run(&self, cx: &RequestContext) -> Result<(), AuthError> {
        let looked = self.rows.get(cx, At::key(OddRow::by_name, ("nothing".to_owned(),))).await;
        assert!(self.fault != Fault::JobPanics || looked.is_ok(), "a read succeeds");
        looked.map(drop)
    }
}

/// A thing was made, and its event is named as a type is.
#[derive(Serialize)]
struct OddNamed;

impl AuditEvent for OddNamed {
    const KIND: &'static str = "OddNamed";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

/// A thing was made.
#[derive(Serialize)]
struct OddMade;

impl AuditEvent for OddMade {
    const KIND: &'static str = "odd_made";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}
