//! A second factor that no other plugin knows of, as a third party would write it, and a policy that demands one.

use std::sync::Arc;

use authkit_core::{
    Aal, Ability, Admission, Aftermath, At, Attempt, AuthError, Batch, Collection, Condition, CredentialVerifier,
    Effect, End, Enroller, Entity, Evidence, Factors, FlowView, Manifest, MethodId, Order, Plugin, Principal,
    PrincipalId, Problem, Progress, Prompt, Registrar, RequestContext, Requirement, Sealed, Signals, Stage, StageId,
    StepContext, Timestamp, Verdict, codes, id_type,
};
use end_to_end::{PASSWORD, World};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) const CODE: &str = "code";
const METHOD: MethodId = MethodId::from_static(CODE);

id_type! {
    /// One box of codes.
    pub(crate) struct CodeId;
}

/// A secret number, and how often it was used.
#[derive(Debug, Entity)]
#[entity(table = "test_codes", durable, unique(by_principal: principal_id), references(principal_id -> auth_principals))]
pub(crate) struct CodeRow {
    id: CodeId,
    principal_id: PrincipalId,
    secret: Sealed<String>,
    used: i64,
    created_at: Timestamp,
}

/// Verifies and enrols a number; the client learns it when it begins to enrol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecondFactor;

#[derive(Debug)]
struct Codes {
    rows: Collection<CodeRow>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct CodeResponse {
    code: String,
}

impl Plugin for SecondFactor {
    fn manifest(&self) -> Manifest {
        Manifest::new("code", "0.1.0").creates::<CodeRow>().event::<Swapped>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let codes = Arc::new(Codes { rows: registrar.collection()? });
        registrar.verifier(codes.clone());
        registrar.enroller(Arc::new(CodeEnroller));
        registrar.provide(codes);
        Ok(())
    }
}

impl CredentialVerifier for Codes {
    type Begin = ();
    type State = ();
    type Response = CodeResponse;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, _: &'r CodeResponse) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(
        &self,
        cx: &mut StepContext<'_>,
        _: Option<()>,
        response: CodeResponse,
    ) -> Result<Verdict, AuthError> {
        let principal = cx.principal.cloned().ok_or(AuthError::new(&codes::REJECTED))?;
        let row = self.rows.get(cx, At::key(CodeRow::by_principal, (principal.id,))).await?;
        let row = row.ok_or(AuthError::new(&codes::REJECTED))?;
        if self.rows.open(cx, CodeRow::secret, row.id, &row.secret)? != response.code {
            return Err(AuthError::new(&codes::REJECTED));
        }
        // Racing answers: each has seen the same count, one may raise it.
        let seen = [CodeRow::used.eq(row.used)];
        cx.batch.update(&self.rows, At::id(row.id), seen, [CodeRow::used.plus(1)]).or(&codes::REJECTED);
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch).amr("otp");
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        effect: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let secret: String = effect.data()?;
        let id = cx.new_id();
        let row = CodeRow {
            id,
            principal_id: principal.id,
            secret: self.rows.seal(cx, CodeRow::secret, id, &secret)?,
            used: 0,
            created_at: cx.now(),
        };
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        batch.add_enrolment(cx, principal, Ability::new(METHOD, Factors::POSSESSION));
        Ok(())
    }
}

struct CodeEnroller;

#[derive(Serialize, Deserialize)]
pub(crate) struct Drawn {
    code: String,
}

impl Enroller for CodeEnroller {
    type Begin = ();
    type State = Drawn;
    type Response = CodeResponse;

    fn ability(&self) -> Ability {
        Ability::new(METHOD, Factors::POSSESSION)
    }

    async fn begin(&self, cx: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<Drawn>, AuthError> {
        let code: String = cx.random::<4>().iter().map(|byte| format!("{byte:03}")).collect();
        Ok(Prompt { public: json!({ "code": code }), state: Drawn { code } })
    }

    async fn confirm(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<Drawn>,
        response: CodeResponse,
    ) -> Result<Effect, AuthError> {
        let drawn = state.ok_or(AuthError::new(&codes::REJECTED))?;
        let principal = cx.principal.ok_or(AuthError::new(&codes::REJECTED))?;
        if drawn.code != response.code {
            return Err(AuthError::new(&codes::REJECTED));
        }
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch).amr("otp");
        Ok(Effect::new(METHOD, &drawn.code)?.proving(evidence))
    }
}

/// Demands two factors of every sign-in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DemandSecondFactor;

impl Plugin for DemandSecondFactor {
    fn manifest(&self) -> Manifest {
        Manifest::new("demand", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(*self));
        Ok(())
    }
}

#[async_trait::async_trait]
impl Stage for DemandSecondFactor {
    fn id(&self) -> StageId {
        "demand"
    }

    fn order(&self) -> Order {
        Order::ANY
    }

    async fn admit(&self, _: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> {
        Ok(Admission::Pass(Vec::new()))
    }

    async fn assess(&self, _: &RequestContext, _: &FlowView<'_>, _: &mut Signals) -> Result<(), AuthError> {
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(Requirement::of("second_factor", Condition::level(Aal::Aal2)))
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}

/// The number of somebody, as the plugin keeps it; empty without one.
pub(crate) async fn code_of(world: &World, principal: PrincipalId) -> String {
    let codes = world.auth.capability::<Codes>().expect("the plugin");
    let cx = world.cx();
    match codes.rows.get(&cx, At::key(CodeRow::by_principal, (principal,))).await.expect("a read") {
        Some(row) => codes.rows.open(&cx, CodeRow::secret, row.id, &row.secret).expect("an open seal"),
        None => String::new(),
    }
}

/// The challenge that the right password leads to.
pub(crate) async fn challenged(world: &World, identifier: &str) -> authkit_core::Challenge {
    let method = MethodId::from_static("password");
    let response = json!({ "identifier": identifier, "password": PASSWORD });
    match world.cx().sign_in(&method, response).await.expect("the right password") {
        Progress::Challenged(challenge) => challenge,
        other => panic!("{other:?}"),
    }
}

/// Enrols a number inside the flow of a first sign-in; returns the flow of a second one, and the number.
pub(crate) async fn enrolled(world: &World, identifier: &str) -> (String, String) {
    let challenge = challenged(world, identifier).await;
    let begun = world.cx().begin(&METHOD, json!(null), Some(challenge.flow.expose())).await.expect("an offer");
    let offer = begun.offers.iter().find(|offer| offer.method == METHOD).expect("the offer");
    let code = offer.prompt["code"].as_str().expect("a code").to_owned();
    let done = world.cx().answer(begun.flow.expose(), &METHOD, json!({ "code": code })).await.expect("enrolled");
    assert!(matches!(done, Progress::SignedIn(_)), "{done:?}");
    (challenged(world, identifier).await.flow.expose().to_owned(), code)
}

/// Whether the stored number of somebody does not open any more.
pub(crate) async fn cannot_open(world: &World, principal: PrincipalId) -> bool {
    let codes = world.auth.capability::<Codes>().expect("the plugin");
    let cx = world.cx();
    let row = codes.rows.get(&cx, At::key(CodeRow::by_principal, (principal,))).await.expect("a read").expect("a row");
    codes.rows.open(&cx, CodeRow::secret, row.id, &row.secret).is_err()
}

/// Gives every row the sealed number of another one, as somebody who can write to the database might.
pub(crate) async fn swap_secrets(world: &World) {
    let codes = world.auth.capability::<Codes>().expect("the plugin");
    let cx = world.cx();
    let rows = codes.rows.query(&cx, authkit_core::Scan::of(CodeRow::by_principal, ())).await.expect("rows").items;
    let mut batch = Batch::new(&cx);
    for (row, other) in rows.iter().zip(rows.iter().cycle().skip(1)) {
        batch.update(&codes.rows, At::id(row.id), [], [CodeRow::secret.set(other.secret.clone())]);
    }
    cx.commit(Swapped, batch).await.expect("a write");
}

#[derive(Serialize)]
struct Swapped;

impl authkit_core::AuditEvent for Swapped {
    const KIND: &'static str = "swapped";
    const ACT: authkit_core::Act = authkit_core::Act::Grants;

    fn about(&self) -> authkit_core::About {
        authkit_core::About::new(authkit_core::Outcome::Success)
    }
}
