//! A method that is begun: the client returns a nonce together with its key. Honest, and broken where something begins.

use std::sync::Arc;

use authkit_core::{
    Ability, At, AuthError, Batch, Class, Collection, CredentialVerifier, Effect, Enroller, Entity, ErrorCode,
    Evidence, Factors, Manifest, MethodId, Plugin, Principal, PrincipalId, Problem, Prompt, Registrar, RequestContext,
    StepContext, Verdict, codes, id_type,
};
use authkit_testkit::{Asked, Opening, Person, Uses, VerifierCase, World};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as JsonValue, json};
use sha2::{Digest as _, Sha256};

use crate::verdicts::broken_clauses;

const METHOD: MethodId = MethodId::from_static("nonce");

/// What is wrong with the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// An odd name is its own fault.
    BreaksOnOddNames,
    /// Stages do not see for whom it is begun.
    HidesTheHint,
    /// No nonce is needed where none was asked for.
    NeedsNoBeginning,
    /// The challenge holds the key.
    ShowsTheKey,
    /// Whoever is not there gets no challenge.
    TellsUnknown,
}

const CAUGHT: [(Fault, &[&str]); 6] = [
    (Fault::None, &[]),
    (Fault::BreaksOnOddNames, &["beginning_with_junk_is_refused"]),
    (Fault::HidesTheHint, &["limits_count_whom_it_names"]),
    (Fault::NeedsNoBeginning, &["an_answer_before_the_beginning_is_refused"]),
    (Fault::ShowsTheKey, &["beginning_tells_known_and_unknown_alike", "no_secret_is_stored_or_shown"]),
    (
        Fault::TellsUnknown,
        &[
            "an_unknown_account_looks_like_a_wrong_answer",
            "another_tenant_looks_like_a_wrong_answer",
            "limits_count_whom_it_names",
            "beginning_tells_known_and_unknown_alike",
        ],
    ),
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

#[derive(Clone, Copy)]
struct Case(Fault);

impl VerifierCase for Case {
    type Credential = String;
    const METHOD: MethodId = METHOD;
    const OPENING: Opening = Opening::ByIdentifier;
    const USES: Uses = Uses::Single;

    fn plugin(&self) -> impl Plugin {
        Nonces(self.0)
    }

    async fn enrol(&self, world: &World, person: &Person) -> String {
        let key = format!("key of {}", person.name);
        world.enrol(person, |_| json!({ "key": key })).await;
        key
    }

    async fn right(&self, _: &World, key: &String, asked: &Asked) -> JsonValue {
        json!({ "nonce": asked.prompt["nonce"], "key": key })
    }

    async fn wrong(&self, _: &World, _: &String, asked: &Asked) -> JsonValue {
        json!({ "nonce": asked.prompt["nonce"], "key": "another key" })
    }

    fn begin_input(&self, name: &str) -> JsonValue {
        json!({ "identifier": name })
    }
}

struct Nonces(Fault);

impl Plugin for Nonces {
    fn manifest(&self) -> Manifest {
        Manifest::new("nonce", "0.1.0").creates::<KeyRow>().error(&NOBODY)
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.enroller(Arc::new(Smith));
        registrar.verifier(Arc::new(Lock { fault: self.0, rows: registrar.collection()? }));
        Ok(())
    }
}

id_type! {
    struct KeyId;
}

#[derive(Entity)]
#[entity(table = "test_keys", durable, unique(by_principal: principal_id), references(principal_id -> auth_principals))]
struct KeyRow {
    id: KeyId,
    principal_id: PrincipalId,
    hash: Vec<u8>,
}

#[derive(Deserialize, JsonSchema)]
struct NewKey {
    key: String,
}

struct Smith;

impl Enroller for Smith {
    type Begin = ();
    type State = ();
    type Response = NewKey;

    fn ability(&self) -> Ability {
        Ability::new(METHOD, Factors::POSSESSION)
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn confirm(&self, cx: &mut StepContext<'_>, _: Option<()>, new: NewKey) -> Result<Effect, AuthError> {
        let principal = cx.principal.ok_or(AuthError::new(&codes::REJECTED))?;
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch);
        Ok(Effect::new(METHOD, &new.key)?.proving(evidence))
    }
}

struct Lock {
    fault: Fault,
    rows: Collection<KeyRow>,
}

#[derive(Deserialize, JsonSchema)]
struct Start {
    identifier: String,
}

/// Who began, and with what nonce.
#[derive(Serialize, Deserialize)]
struct Begun {
    principal: Option<PrincipalId>,
    nonce: String,
}

#[derive(Deserialize, JsonSchema)]
struct Answer {
    nonce: String,
    key: String,
}

static NOBODY: ErrorCode = ErrorCode::new("nonce.nobody", Class::NotFound, "There is nobody of that name.");

impl CredentialVerifier for Lock {
    type Begin = Start;
    type State = Begun;
    type Response = Answer;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, _: &'r Answer) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, start: &'i Start) -> Option<&'i str> {
        (self.fault != Fault::HidesTheHint).then_some(start.identifier.as_str())
    }

    async fn begin(&self, cx: &mut StepContext<'_>, start: Option<Start>) -> Result<Prompt<Begun>, AuthError> {
        let name = start.map(|start| start.identifier).unwrap_or_default();
        if self.fault == Fault::BreaksOnOddNames && name.contains('\0') {
            return Err(AuthError::new(&codes::INTERNAL).because("a name with U+0000"));
        }
        let mut principal = cx.principal.or(cx.found).cloned();
        if let (Fault::HidesTheHint, None, Some(named)) = (self.fault, cx.principal, cx.identifier(&name)) {
            principal = cx.find_principal(&named).await?;
        }
        if principal.is_none() && self.fault == Fault::TellsUnknown && cx.identifier(&name).is_some() {
            return Err(AuthError::new(&codes::REJECTED).because("nobody has this identifier"));
        }
        let nonce: String = cx.random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut public = json!({ "nonce": nonce });
        if self.fault == Fault::ShowsTheKey {
            public["key"] = json!(if principal.is_some() { "key of ada" } else { "no key" });
        }
        Ok(Prompt { public, state: Begun { principal: principal.map(|principal| principal.id), nonce } })
    }

    async fn verify(
        &self,
        cx: &mut StepContext<'_>,
        begun: Option<Begun>,
        answer: Answer,
    ) -> Result<Verdict, AuthError> {
        let rejected = || AuthError::new(&codes::REJECTED);
        let begun = match (begun, self.fault) {
            (Some(begun), _) => begun,
            (None, Fault::NeedsNoBeginning) => {
                Begun { principal: cx.principal.map(|principal| principal.id), nonce: answer.nonce.clone() }
            }
            (None, _) => return Err(rejected()),
        };
        let id = begun.principal.unwrap_or_else(|| cx.new_id());
        let principal = cx.principal(id).await?;
        let row = self.rows.get(cx, At::key(KeyRow::by_principal, (id,))).await?;
        let (Some(principal), Some(row)) = (principal, row) else {
            return Err(rejected());
        };
        let right = row.hash == Sha256::digest(&answer.key).to_vec() && begun.nonce == answer.nonce;
        if !right || cx.principal.is_some_and(|bound| bound.id != principal.id) {
            return Err(rejected());
        }
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        effect: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let key: String = effect.data()?;
        let row = KeyRow { id: cx.new_id(), principal_id: principal.id, hash: Sha256::digest(&key).to_vec() };
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        batch.add_enrolment(cx, principal, Ability::new(METHOD, Factors::POSSESSION));
        Ok(())
    }
}
