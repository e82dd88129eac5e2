//! Proving who one is, and getting something to prove it with.

use std::{any::Any, fmt, future::Future, ops::Deref, sync::Arc};

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as JsonValue;

use crate::{
    batch::Batch,
    context::RequestContext,
    error::{AuthError, codes},
    evidence::{Evidence, MethodId},
    flow::Purpose,
    principal::{Ability, Identifier, Principal},
};

/// Turns a client's response into evidence. Password, TOTP, passkey, OAuth, mailed link, API key are all this.
///
/// # Contract
///
/// 1. Core has charged the attempt before `verify` runs, and records its outcome afterwards.
/// 2. Whatever must not be used twice (a step, a counter, a mailed token) is an op in `cx.batch`, which lands in the
///    commit that decides. Nothing is written on the way.
/// 3. A wrong answer, an unknown account and a replay are all [`codes::REJECTED`], after the same work.
/// 4. If `cx.principal` is set, only that principal may be proven.
/// 5. Dropping the future at any point leaves nothing behind.
/// 6. The principal is returned in any status and as it was read: core refuses one that is not active, and guards its
///    epoch in the commit.
///
/// # Clients
///
/// `POST /auth/login` takes `{"method": "…"}` and beside it the fields of [`Response`](Self::Response); the method is
/// `password` if absent. So no response has a field named `method`, `flow` or `input`. A method with nothing to begin
/// or to remember has `()` as its types, and [`codes::UNKNOWN_METHOD`] for `begin`.
///
/// # Giving a credential
///
/// Whoever writes one adds the enrolment in the same batch, or the method is never offered as a further factor, and
/// raises the epoch of a principal that exists already:
///
/// ```
/// # use authkit_core::*;
/// # #[derive(Entity)]
/// # #[entity(table = "shop_cards", durable)]
/// # struct Card { id: PrincipalId }
/// # const METHOD: MethodId = MethodId::from_static("card");
/// # fn give(cx: &RequestContext, cards: &Collection<Card>, principal: &Principal, card: Card, batch: &mut Batch) {
/// batch.insert(cards, card).or(&codes::CONFLICT);
/// batch.add_enrolment(cx, principal, Ability::new(METHOD, Factors::POSSESSION));
/// batch.raise_epoch(cx, principal, EndSessions::None);   // not in `apply`: core does it there
/// # }
/// ```
pub trait CredentialVerifier: Send + Sync + 'static {
    /// What a client may say to begin.
    type Begin: DeserializeOwned + JsonSchema + Send + 'static;
    /// What is remembered between `begin` and `verify`; sealed, never shown.
    type State: Serialize + DeserializeOwned + Send;
    /// The client's answer.
    type Response: DeserializeOwned + JsonSchema + Send + 'static;

    /// The method that this verifies.
    fn method(&self) -> MethodId;

    /// The identifier that the response names, as typed; stages count by it before anything is verified.
    fn hint<'r>(&self, response: &'r Self::Response) -> Option<&'r str>;

    /// The identifier to begin with, as typed; stages count by it before anything is sent.
    fn begin_hint<'i>(&self, input: &'i Self::Begin) -> Option<&'i str>;

    /// Prepares a challenge: draws a nonce, sends a code.
    ///
    /// # Errors
    ///
    /// [`codes::UNKNOWN_METHOD`] if the method has nothing to begin.
    fn begin(
        &self,
        cx: &mut StepContext<'_>,
        input: Option<Self::Begin>,
    ) -> impl Future<Output = Result<Prompt<Self::State>, AuthError>> + Send;

    /// Judges the response.
    ///
    /// # Errors
    ///
    /// [`codes::REJECTED`] if it proves nothing (clause 3); other errors if it could not be judged.
    fn verify(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<Self::State>,
        response: Self::Response,
    ) -> impl Future<Output = Result<Verdict, AuthError>> + Send;

    /// Adds an effect of this method to the deciding batch: link an identity, enrol a credential.
    ///
    /// # Errors
    ///
    /// [`codes::INTERNAL`] when the effect is not one of this method's; a method without effects always says so.
    fn apply(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        effect: &Effect,
        batch: &mut Batch,
    ) -> Result<(), AuthError>;
}

/// Gives a principal a credential; the same in sign-up, inside a flow, in settings and in a reset.
///
/// # Contract
///
/// 1. `confirm` writes nothing; the effect does, by [`CredentialVerifier::apply`] of the same method.
/// 2. In sign-up the principal is not stored yet.
/// 3. Dropping the future at any point leaves nothing behind.
pub trait Enroller: Send + Sync + 'static {
    /// What a client may say to begin.
    type Begin: DeserializeOwned + JsonSchema + Send;
    /// What is remembered between `begin` and `confirm`; sealed, never shown.
    type State: Serialize + DeserializeOwned + Send;
    /// The client's answer.
    type Response: DeserializeOwned + JsonSchema + Send;

    /// The method that this enrols, and what an answer will prove then. It is offered only where that helps.
    fn ability(&self) -> Ability;

    /// Prepares an enrolment: draws a seed, asks for an attestation.
    ///
    /// # Errors
    ///
    /// [`codes::UNKNOWN_METHOD`] if the method has nothing to begin.
    fn begin(
        &self,
        cx: &mut StepContext<'_>,
        input: Option<Self::Begin>,
    ) -> impl Future<Output = Result<Prompt<Self::State>, AuthError>> + Send;

    /// Judges the answer and says what is to be written.
    ///
    /// # Errors
    ///
    /// An error of class `Invalid` that names the fields to change; other errors if it could not be judged.
    fn confirm(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<Self::State>,
        response: Self::Response,
    ) -> impl Future<Output = Result<Effect, AuthError>> + Send;
}

/// One step of one authentication.
pub struct StepContext<'a> {
    request: &'a RequestContext,
    /// What the step is for.
    pub purpose: &'a Purpose,
    /// Who is bound to the step: by the flow, by the session, or in enrolment.
    pub principal: Option<&'a Principal>,
    /// What the response named, if it could be read.
    pub identifier: Option<&'a Identifier>,
    /// To whom that leads, in any status; looked up once for all.
    pub found: Option<&'a Principal>,
    /// What lands in the commit that decides; dropped if the step is refused.
    pub batch: Batch,
}

impl<'a> StepContext<'a> {
    pub(crate) fn new(
        request: &'a RequestContext,
        purpose: &'a Purpose,
        principal: Option<&'a Principal>,
        identifier: Option<&'a Identifier>,
        found: Option<&'a Principal>,
    ) -> Self {
        Self { request, purpose, principal, identifier, found, batch: Batch::new(request) }
    }

    /// The request, for where the step's batch is borrowed: `cx.batch.secret(request)`.
    #[must_use]
    pub const fn request(&self) -> &'a RequestContext {
        self.request
    }
}

impl Deref for StepContext<'_> {
    type Target = RequestContext;

    fn deref(&self) -> &RequestContext {
        self.request
    }
}

impl fmt::Debug for StepContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepContext").field("purpose", self.purpose).finish_non_exhaustive()
    }
}

/// What a client is shown, and what is remembered until it answers.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "these are its two sides")]
pub struct Prompt<S> {
    /// What the client is shown.
    pub public: JsonValue,
    /// What is remembered, sealed.
    pub state: S,
}

/// What a response proves.
#[derive(Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// The principal answered.
    Proven {
        /// Who, as read for this step.
        principal: Principal,
        /// What was proved.
        evidence: Evidence,
    },
    /// An outside identity was proved that belongs to nobody yet. The candidate has to prove itself by another method,
    /// then the effect is applied; if it never does, nothing is.
    ProveFirst {
        /// Who it may belong to.
        candidate: Principal,
        /// What is written then.
        effect: Effect,
        /// Why more is demanded, for client and log.
        reason: &'static str,
    },
}

/// Something to be written in the commit that decides. It waits, sealed, in the flow.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Effect {
    /// The method whose `apply` writes it.
    pub method: MethodId,
    /// What confirming it has proved.
    pub evidence: Option<Evidence>,
    data: JsonValue,
}

impl Effect {
    /// An effect of this method.
    ///
    /// # Errors
    ///
    /// When the data has no JSON form.
    pub fn new(method: MethodId, data: &impl Serialize) -> Result<Self, AuthError> {
        let data = serde_json::to_value(data).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))?;
        Ok(Self { method, evidence: None, data })
    }

    /// Says what confirming it has proved.
    #[must_use]
    pub fn proving(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(evidence);
        self
    }

    /// Reads the data.
    ///
    /// # Errors
    ///
    /// When it is not of this form.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, AuthError> {
        T::deserialize(&self.data).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))
    }
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Effect({})", self.method)
    }
}

/// JSON Schemas of what a method takes from clients.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MethodSchemas {
    /// To begin.
    pub begin: Schema,
    /// To answer.
    pub response: Schema,
}

/// A verifier with its types erased; core does this once, at registration.
#[async_trait]
pub(crate) trait AnyVerifier: Send + Sync {
    fn schemas(&self) -> MethodSchemas;
    fn read(&self, response: JsonValue) -> Result<Input, AuthError>;
    fn read_begin(&self, input: JsonValue) -> Result<Input, AuthError>;
    async fn begin(&self, cx: &mut StepContext<'_>, input: Input) -> Result<Prompt<JsonValue>, AuthError>;
    async fn verify(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<JsonValue>,
        response: Input,
    ) -> Result<Verdict, AuthError>;
    fn apply(&self, cx: &RequestContext, p: &Principal, effect: &Effect, batch: &mut Batch) -> Result<(), AuthError>;
}

/// Client input that was read into the verifier's own type.
pub(crate) struct Input {
    pub(crate) hint: Option<String>,
    typed: Box<dyn Any + Send>,
}

impl Input {
    fn typed<T: 'static>(self) -> Result<T, AuthError> {
        let foreign = |_any| AuthError::new(&codes::INTERNAL).because("input of another method");
        self.typed.downcast::<T>().map(|typed| *typed).map_err(foreign)
    }
}

pub(crate) struct Erased<T>(pub(crate) Arc<T>);

#[async_trait]
impl<V: CredentialVerifier> AnyVerifier for Erased<V> {
    fn schemas(&self) -> MethodSchemas {
        MethodSchemas { begin: schema_for!(V::Begin), response: schema_for!(V::Response) }
    }

    fn read(&self, response: JsonValue) -> Result<Input, AuthError> {
        let typed: V::Response = read_input(response)?;
        let hint = self.0.hint(&typed).map(str::to_owned);
        Ok(Input { hint, typed: Box::new(typed) })
    }

    fn read_begin(&self, input: JsonValue) -> Result<Input, AuthError> {
        let typed: Option<V::Begin> = read_optional(input)?;
        let hint = typed.as_ref().and_then(|typed| self.0.begin_hint(typed)).map(str::to_owned);
        Ok(Input { hint, typed: Box::new(typed) })
    }

    async fn begin(&self, cx: &mut StepContext<'_>, input: Input) -> Result<Prompt<JsonValue>, AuthError> {
        let prompt = self.0.begin(cx, input.typed()?).await?;
        remember(prompt)
    }

    async fn verify(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<JsonValue>,
        response: Input,
    ) -> Result<Verdict, AuthError> {
        self.0.verify(cx, recall(state)?, response.typed()?).await
    }

    fn apply(&self, cx: &RequestContext, p: &Principal, effect: &Effect, batch: &mut Batch) -> Result<(), AuthError> {
        self.0.apply(cx, p, effect, batch)
    }
}

/// An enroller with its types erased.
#[async_trait]
pub(crate) trait AnyEnroller: Send + Sync {
    fn ability(&self) -> Ability;
    fn schemas(&self) -> MethodSchemas;
    async fn begin(&self, cx: &mut StepContext<'_>, input: JsonValue) -> Result<Prompt<JsonValue>, AuthError>;
    async fn confirm(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<JsonValue>,
        response: JsonValue,
    ) -> Result<Effect, AuthError>;
}

#[async_trait]
impl<N: Enroller> AnyEnroller for Erased<N> {
    fn ability(&self) -> Ability {
        self.0.ability()
    }

    fn schemas(&self) -> MethodSchemas {
        MethodSchemas { begin: schema_for!(N::Begin), response: schema_for!(N::Response) }
    }

    async fn begin(&self, cx: &mut StepContext<'_>, input: JsonValue) -> Result<Prompt<JsonValue>, AuthError> {
        let prompt = self.0.begin(cx, read_optional(input)?).await?;
        remember(prompt)
    }

    async fn confirm(
        &self,
        cx: &mut StepContext<'_>,
        state: Option<JsonValue>,
        response: JsonValue,
    ) -> Result<Effect, AuthError> {
        self.0.confirm(cx, recall(state)?, read_input(response)?).await
    }
}

/// Reads client input. What is wrong goes to the log, without the input.
pub(crate) fn read_input<T: DeserializeOwned>(input: JsonValue) -> Result<T, AuthError> {
    // Found before the input is used up: a copy of it would be a copy of its secrets.
    let no_text = KNOWN.into_iter().find(|known| input.get(known).is_some_and(|value| !is_text(value)));
    serde_json::from_value(input).map_err(|error| {
        let class = match error.classify() {
            serde_json::error::Category::Data => "input of another form",
            _ => "input that is not JSON",
        };
        let mut refused = AuthError::new(&codes::INVALID_INPUT).because(class);
        if let Some(field) = missing_field(&error) {
            refused = refused.field(field, "This field is needed.");
        } else if let Some(field) = no_text {
            refused = refused.field(field, "This field has to be a text.");
        }
        refused
    })
}

/// The texts that clients know by name.
const KNOWN: [&str; 7] = ["identifier", "password", "current_password", "new_password", "method", "flow", "invitation"];

/// Whether it can stand for a text; null is an absent one.
const fn is_text(value: &JsonValue) -> bool {
    matches!(value, JsonValue::Null | JsonValue::String(_))
}

/// The field that serde says is missing, if it is one that clients know.
fn missing_field(error: &serde_json::Error) -> Option<&'static str> {
    let text = error.to_string();
    let name = text.strip_prefix("missing field `")?.split('`').next()?;
    KNOWN.into_iter().find(|known| *known == name)
}

fn read_optional<T: DeserializeOwned>(input: JsonValue) -> Result<Option<T>, AuthError> {
    if input.is_null() { Ok(None) } else { read_input(input).map(Some) }
}

fn remember<S: Serialize>(prompt: Prompt<S>) -> Result<Prompt<JsonValue>, AuthError> {
    let state =
        serde_json::to_value(prompt.state).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))?;
    Ok(Prompt { public: prompt.public, state })
}

fn recall<S: DeserializeOwned>(state: Option<JsonValue>) -> Result<Option<S>, AuthError> {
    let read = |state| serde_json::from_value(state).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error));
    state.map(read).transpose()
}
