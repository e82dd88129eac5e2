//! Two second factors: a number on a card, and one in a key that answers to one origin only.

use std::sync::Arc;

use authkit_core::{
    Ability, About, Act, At, AuditEvent, AuthError, Batch, Collection, CredentialVerifier, Effect, EndSessions,
    Enroller, Entity, Evidence, Factors, KeyBinding, MacKey, Manifest, MethodId, Outcome, Plugin, Principal,
    PrincipalId, Problem, Prompt, Registrar, RequestContext, StepContext, Verdict, codes, id_type,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) const CARD: MethodId = MethodId::from_static("card");
/// Bound to the device that holds it and to the origin that asks.
pub(crate) const KEY: MethodId = MethodId::from_static("key");

id_type! {
    pub(crate) struct NumberId;
}

/// A number that somebody has, and how often it was used.
#[derive(Debug, Entity)]
#[entity(
    table = "test_numbers",
    durable,
    unique(by_method: principal_id, method),
    references(principal_id -> auth_principals)
)]
struct NumberRow {
    id: NumberId,
    principal_id: PrincipalId,
    method: MethodId,
    /// HMAC: a number is short.
    hash: [u8; 32],
    used: i64,
}

/// Verifies and enrols both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecondFactors;

impl Plugin for SecondFactors {
    fn manifest(&self) -> Manifest {
        Manifest::new("numbers", "0.1.0").creates::<NumberRow>().event::<NumberGiven>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let numbers = Arc::new(Numbers { rows: registrar.collection()?, mac: registrar.keys().mac("numbers") });
        for method in [CARD, KEY] {
            let number = Arc::new(Number { method, numbers: numbers.clone() });
            registrar.verifier(number.clone());
            registrar.enroller(number);
        }
        registrar.provide(numbers);
        Ok(())
    }
}

/// What an application does with numbers; `auth.capability::<Numbers>()` returns it.
#[derive(Debug)]
pub(crate) struct Numbers {
    rows: Collection<NumberRow>,
    mac: MacKey,
}

impl Numbers {
    /// Gives somebody a number, as an operator does who hands a card over.
    pub(crate) async fn give(
        &self,
        cx: &RequestContext,
        principal: PrincipalId,
        method: MethodId,
        number: &str,
    ) -> Result<(), AuthError> {
        let principal = cx.principal(principal).await?.ok_or(AuthError::new(&codes::NOT_FOUND))?;
        let mut batch = Batch::new(cx);
        self.add(cx, &principal, &method, self.hash(principal.id, &method, number), &mut batch);
        batch.raise_epoch(cx, &principal, EndSessions::None);
        cx.commit(NumberGiven { principal: principal.id, method }, batch).await.map(drop)
    }

    fn add(&self, cx: &RequestContext, principal: &Principal, method: &MethodId, hash: [u8; 32], batch: &mut Batch) {
        let row = NumberRow { id: cx.new_id(), principal_id: principal.id, method: method.clone(), hash, used: 0 };
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        batch.add_enrolment(cx, principal, ability(method));
    }

    fn hash(&self, principal: PrincipalId, method: &MethodId, number: &str) -> [u8; 32] {
        self.mac.pseudonym(&[principal.to_string().as_bytes(), method.as_str().as_bytes(), number.as_bytes()])
    }
}

#[derive(Debug, Serialize)]
struct NumberGiven {
    #[serde(skip)]
    principal: PrincipalId,
    method: MethodId,
}

impl AuditEvent for NumberGiven {
    const KIND: &'static str = "number_given";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

fn ability(method: &MethodId) -> Ability {
    let ability = Ability::new(method.clone(), Factors::POSSESSION);
    if *method == KEY { ability.phishing_resistant().key(KeyBinding::DeviceBound) } else { ability }
}

fn evidence(cx: &RequestContext, method: &MethodId, principal: &Principal) -> Evidence {
    let evidence = Evidence::new(method.clone(), Factors::POSSESSION, cx.now(), principal.epoch);
    if *method == KEY {
        evidence.amr("hwk").phishing_resistant().key(KeyBinding::DeviceBound)
    } else {
        evidence.amr("otp")
    }
}

/// One of the methods.
struct Number {
    method: MethodId,
    numbers: Arc<Numbers>,
}

#[derive(Deserialize, JsonSchema)]
struct NumberResponse {
    /// Who it is, unless that is known.
    identifier: Option<String>,
    number: String,
}

impl CredentialVerifier for Number {
    type Begin = ();
    type State = ();
    type Response = NumberResponse;

    fn method(&self) -> MethodId {
        self.method.clone()
    }

    fn hint<'r>(&self, response: &'r NumberResponse) -> Option<&'r str> {
        response.identifier.as_deref()
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
        response: NumberResponse,
    ) -> Result<Verdict, AuthError> {
        let Self { method, numbers } = self;
        let principal = cx.principal.or(cx.found).cloned().ok_or(AuthError::new(&codes::REJECTED))?;
        let row = numbers.rows.get(cx, At::key(NumberRow::by_method, (principal.id, method.clone()))).await?;
        let presented = numbers.hash(principal.id, method, &response.number);
        let row = row.filter(|row| row.hash == presented).ok_or(AuthError::new(&codes::REJECTED))?;
        // Racing answers have seen the same count, and one of them may raise it.
        let seen = [NumberRow::used.eq(row.used)];
        cx.batch.update(&numbers.rows, At::id(row.id), seen, [NumberRow::used.plus(1)]).or(&codes::REJECTED);
        let evidence = evidence(cx, method, &principal);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        effect: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        self.numbers.add(cx, principal, &self.method, effect.data()?, batch);
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Drawn {
    number: String,
}

impl Enroller for Number {
    type Begin = ();
    type State = Drawn;
    type Response = NumberResponse;

    fn ability(&self) -> Ability {
        ability(&self.method)
    }

    async fn begin(&self, cx: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<Drawn>, AuthError> {
        let number: String = cx.random::<4>().iter().map(|byte| format!("{byte:03}")).collect();
        Ok(Prompt { public: json!({ "number": number }), state: Drawn { number } })
    }

    async fn confirm(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<Drawn>,
        response: NumberResponse,
    ) -> Result<Effect, AuthError> {
        let (Some(principal), Some(drawn)) = (cx.principal, state) else {
            return Err(AuthError::new(&codes::REJECTED));
        };
        if drawn.number != response.number {
            return Err(AuthError::new(&codes::REJECTED));
        }
        let hash = self.numbers.hash(principal.id, &self.method, &drawn.number);
        Ok(Effect::new(self.method.clone(), &hash)?.proving(evidence(cx, &self.method, principal)))
    }
}
