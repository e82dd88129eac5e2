//! A second factor: a badge that says whose it is, used with steps that only go up.

use std::sync::Arc;

use authkit_core::{
    Ability, At, AuthError, Batch, Collection, CredentialVerifier, Effect, Enroller, Entity, Evidence, Factors, MacKey,
    Manifest, MethodId, Plugin, Principal, PrincipalId, Problem, Prompt, Registrar, RequestContext, StepContext,
    Timestamp, Verdict, base64url, codes, id_type,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The method of the badge.
pub(crate) const BADGE: MethodId = MethodId::from_static("badge");
/// The step that a new badge was used with.
pub(crate) const SMALLEST_STEP: i64 = 0;

id_type! {
    /// One badge.
    pub(crate) struct BadgeId;
}

/// A badge of a principal.
#[derive(Debug, Entity)]
#[entity(
    table = "sim_badges",
    durable,
    unique(by_principal: principal_id),
    unique(by_secret: secret),
    references(principal_id -> auth_principals)
)]
pub(crate) struct BadgeRow {
    id: BadgeId,
    principal_id: PrincipalId,
    /// Pseudonym of its text.
    secret: [u8; 32],
    last_step: i64,
    created_at: Timestamp,
}

/// Lets principals prove themselves with badges.
pub(crate) struct Badges;

struct Keeper {
    rows: Collection<BadgeRow>,
    keys: MacKey,
}

struct Maker;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Shown {
    badge: String,
    step: i64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Drawn {
    badge: String,
}

impl Plugin for Badges {
    fn manifest(&self) -> Manifest {
        Manifest::new("badge", "0.1.0").creates::<BadgeRow>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let keeper = Arc::new(Keeper { rows: registrar.collection()?, keys: registrar.keys().mac("simulation badge") });
        registrar.verifier(keeper);
        registrar.enroller(Arc::new(Maker));
        Ok(())
    }
}

impl CredentialVerifier for Keeper {
    type Begin = ();
    type State = ();
    type Response = Shown;

    fn method(&self) -> MethodId {
        BADGE
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    fn hint<'r>(&self, _: &'r Shown) -> Option<&'r str> {
        None
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    /// Proves whoever has the badge, whoever is bound to the step: core has to compare them.
    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, shown: Shown) -> Result<Verdict, AuthError> {
        let rejected = || AuthError::new(&codes::REJECTED);
        let secret = self.keys.pseudonym(&[shown.badge.as_bytes()]);
        let row = self.rows.get(cx, At::key(BadgeRow::by_secret, (secret,))).await?.ok_or_else(rejected)?;
        let principal = cx.principal(row.principal_id).await?.ok_or_else(rejected)?;
        if shown.step <= row.last_step {
            return Err(rejected());
        }
        let unused = [BadgeRow::last_step.lt(shown.step)];
        let used = [BadgeRow::last_step.set(shown.step)];
        cx.batch.update(&self.rows, At::id(row.id), unused, used).or(&codes::REJECTED);
        let evidence = evidence(cx, &principal);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(&self, cx: &RequestContext, of: &Principal, effect: &Effect, batch: &mut Batch) -> Result<(), AuthError> {
        let Drawn { badge } = effect.data()?;
        let row = BadgeRow {
            id: cx.new_id(),
            principal_id: of.id,
            secret: self.keys.pseudonym(&[badge.as_bytes()]),
            last_step: SMALLEST_STEP,
            created_at: cx.now(),
        };
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        batch.add_enrolment(cx, of, Ability::new(BADGE, Factors::POSSESSION));
        Ok(())
    }
}

impl Enroller for Maker {
    type Begin = ();
    type State = Drawn;
    type Response = Shown;

    fn ability(&self) -> Ability {
        Ability::new(BADGE, Factors::POSSESSION)
    }

    async fn begin(&self, cx: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<Drawn>, AuthError> {
        let badge = format!("canary-badge-{}", base64url(&cx.random::<12>()));
        Ok(Prompt { public: json!({ "badge": badge }), state: Drawn { badge } })
    }

    async fn confirm(&self, cx: &mut StepContext<'_>, state: Option<Drawn>, shown: Shown) -> Result<Effect, AuthError> {
        let rejected = || AuthError::new(&codes::REJECTED);
        let drawn = state.filter(|drawn| drawn.badge == shown.badge).ok_or_else(rejected)?;
        let principal = cx.principal.ok_or_else(rejected)?;
        let evidence = evidence(cx, principal);
        Ok(Effect::new(BADGE, &drawn)?.proving(evidence))
    }
}

fn evidence(cx: &RequestContext, principal: &Principal) -> Evidence {
    Evidence::new(BADGE, Factors::POSSESSION, cx.now(), principal.epoch).amr("hwk")
}
