//! Two plugins that agree on the names of signals: one weighs where a sign-in comes from, one acts on the weight.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{
    Aal, Admission, Aftermath, At, Attempt, AuthError, Bump, Class, Collection, Condition, End, Entity, ErrorCode,
    FlowView, MacKey, Manifest, Mark, Order, Plugin, PrincipalId, PrincipalRow, Problem, Purpose, ReadOnly, Registrar,
    RequestContext, Requirement, SecretText, Signals, Stage, StageId, base64url, codes, from_base64url, id_type,
};
use end_to_end::{Backend, Browser, PASSWORD, World, on_each_store};
use serde_json::{Value as JsonValue, json};

use crate::{
    numbers::{CARD, SecondFactors},
    steps::{ADA, give, recorded, sessions},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

id_type! {
    struct PlaceId;
}

/// A network from which somebody has signed in.
#[derive(Debug, Entity)]
#[entity(
    table = "radar_places",
    durable,
    unique(by_network: principal_id, network),
    references(principal_id -> auth_principals)
)]
struct PlaceRow {
    id: PlaceId,
    principal_id: PrincipalId,
    network: String,
    times: i64,
}

/// Leaves signals about network, device and absence.
#[derive(Clone, Debug, Default)]
struct Radar {
    jammed: Arc<AtomicBool>,
}

struct RadarStage {
    places: Collection<PlaceRow>,
    principals: ReadOnly<PrincipalRow>,
    devices: MacKey,
    jammed: Arc<AtomicBool>,
}

static JAMMED: ErrorCode = ErrorCode::new("radar.jammed", Class::Unavailable, "Try again later.");

impl Plugin for Radar {
    fn manifest(&self) -> Manifest {
        Manifest::new("radar", "0.1.0").creates::<PlaceRow>().error(&JAMMED)
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(RadarStage {
            places: registrar.collection()?,
            principals: registrar.principals(),
            devices: registrar.keys().mac("radar device"),
            jammed: self.jammed.clone(),
        }));
        Ok(())
    }
}

impl RadarStage {
    async fn is_known_place(&self, cx: &RequestContext, principal: PrincipalId) -> Result<bool, AuthError> {
        match network(cx) {
            Some(network) => {
                let place = self.places.get(cx, At::key(PlaceRow::by_network, (principal, network))).await?;
                Ok(place.is_some())
            }
            None => Ok(false),
        }
    }

    fn is_known_device(&self, cx: &RequestContext, principal: PrincipalId) -> bool {
        let mark = cx.client().mark(self.id()).and_then(from_base64url);
        mark.is_some_and(|tag| self.devices.verify(&[principal.to_string().as_bytes()], &tag))
    }
}

fn network(cx: &RequestContext) -> Option<String> {
    cx.client().prefix().map(|prefix| prefix.to_string())
}

#[async_trait]
impl Stage for RadarStage {
    fn id(&self) -> StageId {
        "radar"
    }

    fn order(&self) -> Order {
        Order::ANY
    }

    async fn admit(&self, _: &RequestContext, _: &Attempt<'_>) -> Result<Admission, AuthError> {
        Ok(Admission::Pass(Vec::new()))
    }

    async fn assess(&self, cx: &RequestContext, flow: &FlowView<'_>, signals: &mut Signals) -> Result<(), AuthError> {
        if self.jammed.load(Ordering::SeqCst) {
            return Err(AuthError::new(&JAMMED));
        }
        let principal = flow.principal.id;
        if !self.is_known_place(cx, principal).await? {
            signals.add("radar.new_network", 40);
        }
        if !self.is_known_device(cx, principal) {
            signals.add("radar.new_device", 30);
        }
        let last = self.principals.get(cx, At::id(principal)).await?.and_then(|row| row.last_login_at);
        if last.is_some_and(|last| cx.now().since(last) > 30 * DAY) {
            signals.add("radar.long_absence", 20);
        }
        Ok(())
    }

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, _: &Signals) -> Result<Requirement, AuthError> {
        Ok(Requirement::none())
    }

    async fn after(&self, cx: &RequestContext, end: &End<'_>, aftermath: &mut Aftermath) -> Result<(), AuthError> {
        let End::Issued { attempt, principal, .. } = end else {
            return Ok(());
        };
        if *attempt.purpose != Purpose::SignIn {
            return Ok(());
        }
        if let Some(network) = network(cx) {
            let row = PlaceRow { id: cx.new_id(), principal_id: principal.id, network, times: 0 };
            let once_more = Bump { by: 1, floor: None, max: None };
            let batch = &mut aftermath.batch;
            batch.bump(&self.places, PlaceRow::by_network, row, PlaceRow::times, once_more).or(&codes::CONFLICT);
        }
        let tag = self.devices.tag(&[principal.id.to_string().as_bytes()]);
        aftermath.mark = Some(Mark::new(SecretText::new(base64url(&tag)), 90 * DAY));
        Ok(())
    }
}

/// Demands a second factor above a weight.
#[derive(Clone, Copy, Debug)]
struct Gate {
    limit: i64,
}

impl Plugin for Gate {
    fn manifest(&self) -> Manifest {
        Manifest::new("gate", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.stage(Arc::new(*self));
        Ok(())
    }
}

#[async_trait]
impl Stage for Gate {
    fn id(&self) -> StageId {
        "gate"
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

    async fn decide(&self, _: &RequestContext, _: &FlowView<'_>, signals: &Signals) -> Result<Requirement, AuthError> {
        let weight: i64 = signals.iter().filter(|(name, _)| name.starts_with("radar.")).map(|(_, weight)| weight).sum();
        Ok(if weight > self.limit {
            Requirement::of("unusual", Condition::level(Aal::Aal2))
        } else {
            Requirement::none()
        })
    }

    async fn after(&self, _: &RequestContext, _: &End<'_>, _: &mut Aftermath) -> Result<(), AuthError> {
        Ok(())
    }
}

const HOME: [u8; 4] = [203, 0, 113, 1];
const ELSEWHERE: [u8; 4] = [198, 51, 100, 1];

/// A world in which ada has a card, and the radar that watches it.
async fn watched(backend: Backend) -> (World, Radar) {
    let radar = Radar::default();
    let builder = World::builder(backend).plugin(SecondFactors).plugin(Gate { limit: 50 }).plugin(radar.clone());
    let world = builder.build().await;
    let ada = world.sign_up(ADA).await;
    give(&world, ada, CARD, "1234").await;
    (world, radar)
}

/// Signs in with password and card, as is demanded from somewhere new; the browser is known afterwards.
async fn at_home(world: &World) -> Browser<'_> {
    let mut browser = world.browser().at(HOME);
    let asked = browser.login(ADA, PASSWORD).await.json();
    let answer = json!({ "flow": asked["challenge"]["flow"], "method": "card", "number": "1234" });
    let done = browser.post("/v1/auth/challenges/answer", answer).await.json();
    assert_eq!(done["status"], "signed_in", "{done}");
    browser
}

async fn signals(world: &World) -> JsonValue {
    let audit = world.audit().await;
    let last = audit.iter().rfind(|event| event["kind"] == "login_success").unwrap();
    last["data"]["signals"].clone()
}

on_each_store! {
    async fn a_stolen_password_is_not_enough_from_elsewhere(backend) {
        let (world, _) = watched(backend).await;
        at_home(&world).await;
        let mut thief = world.browser().at(ELSEWHERE);
        for _ in 0..3 {
            let asked = thief.login(ADA, PASSWORD).await.json();
            assert_eq!(asked["status"], "challenge", "{asked}");
            assert_eq!(asked["challenge"]["reason"], "unusual");
            assert_eq!(thief.login(ADA, "wrong").await.status, 401);
        }
        assert_eq!(sessions(&world).await.len(), 1);
        assert_eq!(world.rows("radar_places", "by_network").await.len(), 1, "trying makes no place known");
    }

    async fn a_mark_that_was_not_made_here_makes_no_device_known(backend) {
        let (world, _) = watched(backend).await;
        let home = at_home(&world).await;
        let mark = home.cookies["authkit_device"].clone();
        for planted in ["AAAA".to_owned(), "radar:AAAA".to_owned(), mark.to_uppercase(), format!("{mark}A")] {
            let mut thief = world.browser().at(ELSEWHERE);
            thief.cookies.insert("authkit_device".to_owned(), planted);
            assert_eq!(thief.login(ADA, PASSWORD).await.json()["status"], "challenge");
        }
    }

    async fn below_the_weight_one_factor_is_enough_and_the_record_says_why(backend) {
        let (world, _) = watched(backend).await;
        let mut browser = at_home(&world).await;
        assert_eq!(signals(&world).await, json!([["radar.new_network", 40], ["radar.new_device", 30]]));
        assert_eq!(browser.login(ADA, PASSWORD).await.json()["status"], "signed_in");
        assert_eq!(signals(&world).await, json!([]), "the same device in the same place");
        let mut abroad = browser.tab().at(ELSEWHERE);
        assert_eq!(abroad.login(ADA, PASSWORD).await.json()["status"], "signed_in");
        assert_eq!(signals(&world).await, json!([["radar.new_network", 40]]));
    }

    async fn a_long_absence_tips_the_scale(backend) {
        let (world, _) = watched(backend).await;
        let mut browser = at_home(&world).await;
        world.clock.advance(31 * DAY);
        assert_eq!(browser.tab().at(ELSEWHERE).login(ADA, PASSWORD).await.json()["status"], "challenge");
        assert_eq!(browser.login(ADA, PASSWORD).await.json()["status"], "signed_in", "known place, known device");
        assert_eq!(signals(&world).await, json!([["radar.long_absence", 20]]));
    }

    async fn a_proof_in_a_session_is_no_sign_in(backend) {
        let (world, _) = watched(backend).await;
        let mut browser = at_home(&world).await;
        world.clock.advance(20 * 60 * Duration::from_secs(60));
        let asked = browser.post("/v1/auth/step-up", json!({ "action": "wire.money" })).await.json();
        let answer = json!({ "flow": asked["challenge"]["flow"], "method": "password", "password": PASSWORD });
        let done = browser.post("/v1/auth/challenges/answer", answer).await.json();
        assert_eq!(done["status"], "granted", "{done}");
        let principals = world.rows("auth_principals", "id").await;
        assert_eq!(principals[0]["last_login_at"], sessions(&world).await[0]["created_at"]);
    }

    async fn nobody_signs_in_while_the_radar_is_jammed(backend) {
        let (world, radar) = watched(backend).await;
        let mut browser = at_home(&world).await;
        radar.jammed.store(true, Ordering::SeqCst);
        let closed = browser.login(ADA, PASSWORD).await;
        assert_eq!((closed.status, closed.code().as_str()), (503, "radar.jammed"));
        assert_eq!(browser.login(ADA, "wrong").await.status, 401);
        assert_eq!(recorded(&world, "login_success").await, 1);
        assert!(browser.is_signed_in().await, "sessions are not its business");
        radar.jammed.store(false, Ordering::SeqCst);
        assert_eq!(browser.login(ADA, PASSWORD).await.status, 200);
    }

    async fn two_plugins_may_leave_a_mark_on_one_device(backend) {
        let builder = World::builder(backend).plugin(SecondFactors).plugin(Gate { limit: 50 });
        let world = builder.plugin(Radar::default()).throttle(authkit_risk::Throttle::default()).build().await;
        let ada = world.sign_up(ADA).await;
        give(&world, ada, CARD, "1234").await;
        let mut browser = at_home(&world).await;
        assert_eq!(browser.login(ADA, PASSWORD).await.json()["status"], "signed_in", "the radar knows the device");
        for n in 0..120_u32 {
            let [_, b, c, d] = n.to_be_bytes();
            world.clock.advance(Duration::from_secs(13));
            world.browser().at([100, b, c, d]).login(ADA, "a wrong guess").await;
        }
        world.clock.advance(Duration::from_secs(61));
        assert_eq!(world.browser().at(ELSEWHERE).login(ADA, PASSWORD).await.status, 401, "locked for strangers");
        assert_eq!(browser.login(ADA, PASSWORD).await.json()["status"], "signed_in", "the lockout knows it too");
    }
}
