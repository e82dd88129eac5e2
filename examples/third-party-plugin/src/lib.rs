//! TOTP (RFC 6238) as a second factor for authkit: codes of six digits from an authenticator app, each good once.
//!
//! An application adds it with `.plugin(Totp::new("Example"))`. The README says what it needs and what it stores.

use std::{sync::Arc, time::Duration};

use authkit_core::{
    Ability, About, Access, Act, At, AuditEvent, AuthError, Batch, Call, Class, Collection, CredentialVerifier, Effect,
    EndSessions, Enroller, Entity, ErrorCode, Evidence, Factors, HttpMethod, Manifest, MethodId, Operation, Outcome,
    Plugin, Principal, PrincipalId, Problem, Prompt, Registrar, Reply, RequestContext, Sealed, StepContext, Timestamp,
    Verdict, codes,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use totp_rs::Builder;

const METHOD: MethodId = MethodId::from_static("totp");

/// The code that was to confirm an authenticator app is not the one that it shows.
static WRONG_CODE: ErrorCode = ErrorCode::new("totp.wrong_code", Class::Invalid, "This is not the present code.");

/// Lets people prove that they have an authenticator app.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Totp {
    issuer: String,
}

impl Totp {
    /// Codes for the service of this name, which the app shows; it has no colon.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into() }
    }
}

impl Plugin for Totp {
    fn manifest(&self) -> Manifest {
        Manifest::new("totp", env!("CARGO_PKG_VERSION")).creates::<App>().event::<TotpRemoved>().error(&WRONG_CODE)
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let Self { issuer } = registrar.config(self)?;
        if issuer.trim().is_empty() || issuer.contains(':') {
            return Err(registrar.problem("totp.issuer has to be the name of the service, without a colon"));
        }
        let rows: Collection<App> = registrar.collection()?;
        let apps = Arc::new(Apps { rows: rows.clone(), issuer });
        registrar.verifier(apps.clone());
        registrar.enroller(apps);
        let (fresh, summary) = (Access::FreshSession(Duration::from_mins(5)), "Removes the authenticator app.");
        let remove = move |call: Call, _: Nothing| remove(rows.clone(), call);
        registrar.operation(Operation::new(HttpMethod::Delete, "/account/totp", fresh, summary, remove));
        Ok(())
    }
}

/// The authenticator app of a principal.
#[derive(Debug, Entity)]
#[entity(table = "totp_apps", durable, references(id -> auth_principals))]
struct App {
    /// The principal's own id: nobody has two.
    id: PrincipalId,
    seed: Sealed<[u8; 20]>,
    /// The step of the last code that was used. Neither its code nor an earlier one counts again.
    last_step: i64,
}

/// An authenticator app was removed.
#[derive(Debug, Serialize)]
struct TotpRemoved {
    #[serde(skip)]
    principal: PrincipalId,
}

impl AuditEvent for TotpRemoved {
    const KIND: &'static str = "totp_removed";
    /// Signing in gets easier: that is given, not taken away, so it waits for required loggers.
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal).method(METHOD.as_str())
    }
}

/// The input of an operation that has none.
#[derive(Deserialize, JsonSchema)]
struct Nothing {}

async fn remove(rows: Collection<App>, call: Call) -> Result<Reply<()>, AuthError> {
    let (cx, session) = (&call.cx, call.session()?);
    let principal = &session.principal;
    let mut batch = Batch::new(cx);
    batch.take(&rows, At::id(principal.id), []).or(&codes::NOT_FOUND);
    batch.remove_enrolment(cx, principal.id, &METHOD, "");
    batch.raise_epoch(cx, principal, EndSessions::Others(session));
    cx.commit(TotpRemoved { principal: principal.id }, batch).await.map(|_receipt| Reply::no_content())
}

/// The authenticator apps of all principals.
struct Apps {
    rows: Collection<App>,
    issuer: String,
}

/// What a client answers, with an app that is set up or is being set up.
#[derive(Deserialize, JsonSchema)]
struct Code {
    /// The six digits that the app shows.
    code: String,
}

/// The step to which a code belongs if it is the present one or next to it (RFC 6238 §5.2).
fn step_of(cx: &RequestContext, seed: [u8; 20], code: &str) -> Option<i64> {
    let app = Builder::new().with_secret(seed).with_skew(1).build().ok()?;
    app.check(code, cx.now().since(Timestamp::from_millis(0)).as_secs())?.try_into().ok()
}

impl CredentialVerifier for Apps {
    type Begin = ();
    type State = ();
    type Response = Code;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn hint<'r>(&self, _: &'r Code) -> Option<&'r str> {
        None
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, given: Code) -> Result<Verdict, AuthError> {
        let rejected = || AuthError::new(&codes::REJECTED);
        let principal = cx.principal.cloned().ok_or_else(rejected)?;
        let row = self.rows.get(cx, At::id(principal.id)).await?.ok_or_else(rejected)?;
        let seed = self.rows.open(cx, App::seed, row.id, &row.seed)?;
        let step = step_of(cx, seed, &given.code).ok_or_else(rejected)?;
        let (unused, used) = (App::last_step.lt(step), App::last_step.set(step));
        cx.batch.update(&self.rows, At::id(row.id), [unused], [used]).or(&codes::REJECTED);
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch).amr("otp");
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(&self, cx: &RequestContext, to: &Principal, effect: &Effect, batch: &mut Batch) -> Result<(), AuthError> {
        let (seed, last_step) = effect.data::<([u8; 20], i64)>()?;
        let seed = self.rows.seal(cx, App::seed, to.id, &seed)?;
        batch.insert(&self.rows, App { id: to.id, seed, last_step }).or(&codes::CONFLICT);
        batch.add_enrolment(cx, to, self.ability());
        Ok(())
    }
}

impl Enroller for Apps {
    type Begin = ();
    type State = [u8; 20];
    type Response = Code;

    fn ability(&self) -> Ability {
        Ability::new(METHOD, Factors::POSSESSION)
    }

    async fn begin(&self, cx: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<[u8; 20]>, AuthError> {
        let principal = cx.principal.ok_or(AuthError::new(&codes::INTERNAL))?;
        let (seed, account) = (cx.random(), principal.id.to_string());
        let app = Builder::new().with_secret(seed).with_issuer(Some(&*self.issuer)).with_account_name(account).build();
        let url =
            app.and_then(|app| app.to_url()).map_err(|error| AuthError::new(&codes::INTERNAL).caused_by(error))?;
        let public = json!({ "secret": totp_rs::Secret::from(seed).to_base32(), "url": url });
        Ok(Prompt { public, state: seed })
    }

    async fn confirm(
        &self,
        cx: &mut StepContext<'_>,
        seed: Option<[u8; 20]>,
        given: Code,
    ) -> Result<Effect, AuthError> {
        let wrong = || AuthError::new(&WRONG_CODE).field("code", "Enter the code that the app shows now.");
        let (seed, principal) = seed.zip(cx.principal).ok_or_else(wrong)?;
        let step = step_of(cx, seed, &given.code).ok_or_else(wrong)?;
        let evidence = Evidence::new(METHOD, Factors::POSSESSION, cx.now(), principal.epoch).amr("otp");
        Ok(Effect::new(METHOD, &(seed, step))?.proving(evidence))
    }
}
