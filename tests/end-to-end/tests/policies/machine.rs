//! Keys of programs: a service principal makes calls with one, without a session.

use std::{sync::Arc, time::Duration};

use authkit_core::{
    Aal, About, Act, At, AuditEvent, AuthError, Batch, Caller, Client, Collection, Column, Condition,
    CredentialVerifier, Effect, EndSessions, Entity, Evidence, Factors, Id, JoinedReader, Manifest, MethodId, Outcome,
    Plugin, Principal, PrincipalId, PrincipalKind, PrincipalRow, Problem, Prompt, Purpose, Registrar, RequestContext,
    Requirement, SecretText, Status, StepContext, Timestamp, TokenKind, Verdict, codes, id_type,
};
use end_to_end::{Backend, PASSWORD, World, WorldBuilder, on_each_store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    numbers::SecondFactors,
    policy::Policy,
    stages::{Fragile, GONE, Hook},
    steps::{ADA, BY_PASSWORD, challenged, recorded, sign_in},
};

const ROBOT: MethodId = MethodId::from_static("robot");
const SCRIBE: MethodId = MethodId::from_static("scribe");
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

id_type! {
    struct KeyId;
}

/// A key; the token is its id and a secret.
#[derive(Debug, Entity)]
#[entity(
    table = "robot_keys",
    durable,
    index(by_principal: principal_id),
    references(principal_id -> auth_principals),
    expires(expires_at)
)]
struct KeyRow {
    id: KeyId,
    principal_id: PrincipalId,
    secret_hash: [u8; 32],
    /// A key does not outlive an act that ends sessions.
    epoch: i64,
    expires_at: Timestamp,
}

type KeyColumns = (Column<KeyRow, [u8; 32]>, Column<KeyRow, PrincipalId>, Column<KeyRow, i64>);
type PrincipalColumns = (
    Column<PrincipalRow, PrincipalKind>,
    Column<PrincipalRow, Status>,
    Column<PrincipalRow, i64>,
    Column<PrincipalRow, i64>,
);

/// Keys for service principals.
#[derive(Clone, Copy, Debug)]
struct RobotKeys;

impl Plugin for RobotKeys {
    fn manifest(&self) -> Manifest {
        let manifest = Manifest::new("robot", "0.1.0").creates::<KeyRow>();
        manifest.event::<RobotBuilt>().event::<KeyIssued>().event::<KeyRevoked>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let keys = registrar.collection::<KeyRow>()?;
        let key = (KeyRow::secret_hash, KeyRow::principal_id, KeyRow::epoch);
        let principal = (PrincipalRow::kind, PrincipalRow::status, PrincipalRow::epoch, PrincipalRow::sessions_from);
        let hot = keys.joined_reader(key, KeyRow::principal_id, &registrar.principals(), principal);
        let robots = Arc::new(Robots { keys, hot, kind: TokenKind::new(registrar.keys(), "robot") });
        registrar.machine_verifier(robots.clone());
        registrar.machine_verifier(Arc::new(Scribe(robots.clone())));
        registrar.provide(robots);
        Ok(())
    }
}

/// What an application does with robots; `auth.capability::<Robots>()` returns it.
struct Robots {
    keys: Collection<KeyRow>,
    hot: JoinedReader<KeyRow, KeyColumns, PrincipalRow, PrincipalColumns>,
    kind: TokenKind,
}

impl Robots {
    async fn build(&self, cx: &RequestContext) -> Result<Principal, AuthError> {
        let principal = Principal::new(cx, PrincipalKind::Service);
        let mut batch = Batch::new(cx);
        batch.add_principal(cx, &principal);
        cx.commit(RobotBuilt { principal: principal.id }, batch).await?;
        Ok(principal)
    }

    async fn issue(&self, cx: &RequestContext, to: &Principal, life: Duration) -> Result<SecretText, AuthError> {
        self.add(cx, to.id, to.epoch, life, Batch::new(cx)).await
    }

    /// Issues a key and ends all before it.
    async fn rotate(&self, cx: &RequestContext, of: &Principal, life: Duration) -> Result<SecretText, AuthError> {
        let mut batch = Batch::new(cx);
        batch.raise_epoch(cx, of, EndSessions::All);
        self.add(cx, of.id, of.epoch.saturating_add(1), life, batch).await
    }

    async fn revoke(&self, cx: &RequestContext, key: &str) -> Result<(), AuthError> {
        let claim = self.kind.parse(key).ok_or(AuthError::new(&codes::NOT_FOUND))?;
        let mut batch = Batch::new(cx);
        batch.take(&self.keys, At::id(claim.id.into()), []).or(&codes::NOT_FOUND);
        cx.commit(KeyRevoked { key: claim.id }, batch).await.map(drop)
    }

    async fn add(
        &self,
        cx: &RequestContext,
        principal_id: PrincipalId,
        epoch: i64,
        life: Duration,
        mut batch: Batch,
    ) -> Result<SecretText, AuthError> {
        let secret = batch.secret(cx);
        let (id, expires_at) = (cx.new_id(), cx.now().plus(life));
        batch
            .insert(&self.keys, KeyRow { id, principal_id, secret_hash: secret.hash(), epoch, expires_at })
            .or(&codes::CONFLICT);
        let receipt = cx.commit(KeyIssued { principal: principal_id, key: id.into() }, batch).await?;
        receipt.token(&self.kind, id, &secret)
    }
}

macro_rules! events {
    ($($name:ident = $kind:literal, $act:ident { $($field:ident: $type:ty),+ })+) => { $(
        #[derive(Serialize)]
        struct $name {
            $($field: $type),+
        }

        impl AuditEvent for $name {
            const KIND: &'static str = $kind;
            const ACT: Act = Act::$act;

            fn about(&self) -> About {
                About::new(Outcome::Success)
            }
        }
    )+ };
}

events! {
    RobotBuilt = "robot_built", Grants { principal: PrincipalId }
    KeyIssued = "robot_key_issued", Grants { principal: PrincipalId, key: Id }
    KeyRevoked = "robot_key_revoked", Withdraws { key: Id }
}

#[derive(Deserialize, JsonSchema)]
struct KeyResponse {
    key: SecretText,
}

impl CredentialVerifier for Robots {
    type Begin = ();
    type State = ();
    type Response = KeyResponse;

    fn method(&self) -> MethodId {
        ROBOT
    }

    fn hint<'r>(&self, _: &'r KeyResponse) -> Option<&'r str> {
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
        response: KeyResponse,
    ) -> Result<Verdict, AuthError> {
        let claim = self.kind.parse(response.key.expose()).ok_or(AuthError::new(&codes::REJECTED))?;
        let row = self.hot.get(cx, At::id(claim.id.into())).await?.ok_or(AuthError::new(&codes::REJECTED))?;
        let ((secret_hash, principal_id, key_epoch), (kind, status, epoch, sessions_from)) = row;
        if !claim.proves(&secret_hash) || key_epoch < sessions_from {
            return Err(AuthError::new(&codes::REJECTED));
        }
        let principal = Principal::read(principal_id, kind, status, epoch);
        let evidence = Evidence::new(ROBOT, Factors::POSSESSION, cx.now(), epoch);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&codes::INTERNAL).because("the method has no effects"))
    }
}

/// A verifier that writes where nothing may be written.
struct Scribe(Arc<Robots>);

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Writing {
    Message,
    Nothing,
    Record,
    Row,
}

#[derive(Deserialize, JsonSchema)]
struct ScribeResponse {
    principal: PrincipalId,
    writes: Writing,
}

impl CredentialVerifier for Scribe {
    type Begin = ();
    type State = ();
    type Response = ScribeResponse;

    fn method(&self) -> MethodId {
        SCRIBE
    }

    fn hint<'r>(&self, _: &'r ScribeResponse) -> Option<&'r str> {
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
        response: ScribeResponse,
    ) -> Result<Verdict, AuthError> {
        let principal = cx.principal(response.principal).await?.ok_or(AuthError::new(&codes::REJECTED))?;
        match response.writes {
            Writing::Message => cx.batch.send("scribe.letter", json!({})),
            Writing::Nothing => {}
            Writing::Record => cx.batch.record(&RobotBuilt { principal: principal.id }),
            Writing::Row => {
                let (id, expires_at) = (cx.new_id(), cx.now().plus(DAY));
                let row = KeyRow { id, principal_id: principal.id, secret_hash: [7; 32], epoch: 0, expires_at };
                cx.batch.insert(&self.0.keys, row).or(&codes::CONFLICT);
            }
        }
        let evidence = Evidence::new(SCRIBE, Factors::POSSESSION, cx.now(), principal.epoch);
        Ok(Verdict::Proven { principal, evidence })
    }

    fn apply(&self, _: &RequestContext, _: &Principal, _: &Effect, _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&codes::INTERNAL).because("the method has no effects"))
    }
}

/// A robot with a key that is good for a day.
struct Built {
    world: World,
    robots: Arc<Robots>,
    robot: Principal,
    key: String,
}

impl Built {
    async fn new<P: Plugin>(backend: Backend, stages: impl IntoIterator<Item = P>) -> Self {
        let builder = World::builder(backend).plugin(RobotKeys).plugin(SecondFactors);
        let world = stages.into_iter().fold(builder, WorldBuilder::plugin).build().await;
        let robots = world.auth.capability::<Robots>().unwrap();
        let robot = robots.build(&world.cx()).await.unwrap();
        let key = robots.issue(&world.cx(), &robot, DAY).await.unwrap().expose().to_owned();
        Self { world, robots, robot, key }
    }

    async fn plain(backend: Backend) -> Self {
        Self::new::<Policy>(backend, []).await
    }

    async fn call(&self, key: &str) -> Result<Caller, AuthError> {
        self.world.cx().call(&ROBOT, json!({ "key": key })).await
    }

    async fn refuses(&self, key: &str) {
        assert_eq!(*self.call(key).await.unwrap_err().code(), codes::REJECTED);
    }

    async fn scribe(&self, writes: Writing) -> Result<(), AuthError> {
        let response = json!({ "principal": self.robot.id, "writes": writes });
        self.world.cx().call(&SCRIBE, response).await.map(drop)
    }

    /// The robot as it is now.
    async fn robot(&self) -> Principal {
        self.world.cx().principal(self.robot.id).await.unwrap().unwrap()
    }
}

on_each_store! {
    async fn a_robot_calls_in_one_read_and_writes_nothing(backend) {
        let built = Built::plain(backend).await;
        let world = &built.world;
        let (calls, commits, records) = (world.store.calls(), world.store.commits(), world.audit().await.len());
        let caller = built.call(&built.key).await.unwrap();
        assert_eq!((caller.principal.id, caller.principal.kind), (built.robot.id, PrincipalKind::Service));
        assert_eq!(caller.evidence.method, ROBOT);
        assert_eq!((world.store.calls() - calls, world.store.commits() - commits), (1, 0));
        world.auth.run_due_jobs().await;
        assert_eq!(world.audit().await.len(), records);
        assert!(crate::steps::sessions(world).await.is_empty());
        assert_eq!((recorded(world, "robot_built").await, recorded(world, "robot_key_issued").await), (1, 1));
    }

    async fn garbage_dies_before_the_store_and_is_counted(backend) {
        let built = Built::plain(backend).await;
        let (world, key) = (&built.world, &built.key);
        let calls = world.store.calls();
        let garbage =
            ["", "robot_", "robot_AAAA", &key[..key.len() - 1], &key.replace("robot", "aks"), &key.to_uppercase()];
        for text in garbage {
            built.refuses(text).await;
        }
        assert_eq!(world.store.calls(), calls);
        world.auth.run_due_jobs().await;
        let audit = world.audit().await;
        let sum: Vec<_> = audit.iter().filter(|event| event["kind"] == "rate_limited").collect();
        assert_eq!(sum.len(), 1, "{sum:?}");
        assert_eq!((&sum[0]["data"]["reason"], &sum[0]["data"]["count"]), (&json!("core.machine"), &json!(6)));
        assert_eq!(recorded(world, "login_failure").await, 0);
    }

    async fn a_key_is_dead_once_it_is_revoked_expired_or_rotated(backend) {
        let built = Built::plain(backend).await;
        let (world, robots) = (&built.world, &built.robots);
        let second = robots.issue(&world.cx(), &built.robot, 2 * DAY).await.unwrap();
        robots.revoke(&world.cx(), &built.key).await.unwrap();
        built.refuses(&built.key).await;
        built.call(second.expose()).await.unwrap();

        let third = robots.rotate(&world.cx(), &built.robot().await, DAY).await.unwrap();
        built.refuses(second.expose()).await;
        built.call(third.expose()).await.unwrap();
        world.clock.advance(DAY);
        built.refuses(third.expose()).await;
    }

    async fn a_key_is_dead_while_its_robot_is_shut_out(backend) {
        let built = Built::plain(backend).await;
        let world = &built.world;
        let admin = world.auth.capability::<authkit_account::AccountAdmin>().unwrap();
        admin.disable(&world.cx(), built.robot.id).await.unwrap();
        built.refuses(&built.key).await;
        let cx = world.cx();
        let mut batch = Batch::new(&cx);
        batch.set_status(&cx, &built.robot().await, Status::Active);
        cx.commit(RobotBuilt { principal: built.robot.id }, batch).await.unwrap();
        built.refuses(&built.key).await;
    }

    async fn a_key_opens_nothing_in_another_tenant(backend) {
        let built = Built::plain(backend).await;
        let other = built.world.cx_of(Id::from_bytes([9; 16]).into());
        let refused = other.call(&ROBOT, json!({ "key": built.key })).await.unwrap_err();
        assert_eq!(*refused.code(), codes::REJECTED);
        built.call(&built.key).await.unwrap();
    }

    async fn methods_of_people_make_no_calls_and_methods_of_robots_sign_nobody_in(backend) {
        let two_factors = Policy::new("two_factors", |_, flow| match flow.purpose {
            Purpose::SignIn => Requirement::of("second_factor", Condition::level(Aal::Aal2)),
            _ => Requirement::none(),
        });
        let built = Built::new(backend, [two_factors]).await;
        let world = &built.world;
        world.sign_up(ADA).await;
        let unknown = |error: AuthError| assert_eq!(*error.code(), codes::UNKNOWN_METHOD, "{error:?}");
        unknown(world.cx().call(&BY_PASSWORD, json!({ "identifier": ADA, "password": PASSWORD })).await.unwrap_err());

        let key = json!({ "key": built.key });
        let challenge = challenged(sign_in(world, ADA).await);
        assert!(challenge.offers.iter().all(|offer| offer.method != ROBOT), "{challenge:?}");
        let flow = challenge.flow.expose();
        unknown(world.cx().sign_in(&ROBOT, key.clone()).await.unwrap_err());
        unknown(world.cx().begin(&ROBOT, json!(null), None).await.unwrap_err());
        unknown(world.cx().begin(&ROBOT, json!(null), Some(flow)).await.unwrap_err());
        unknown(world.cx().answer(flow, &ROBOT, key.clone()).await.unwrap_err());
        let login = json!({ "method": "robot", "key": built.key });
        assert_eq!(world.browser().post("/v1/auth/login", login).await.code(), "core.unknown_method");
        assert!(world.auth.methods().all(|(method, _)| *method != ROBOT));
    }

    async fn a_stage_denies_by_address(backend) {
        let from_home = Policy::new("from_home", |cx, _| match cx.client().ip {
            Some(ip) if ip.is_loopback() => Requirement::none(),
            _ => Requirement::deny("a call from elsewhere"),
        });
        let built = Built::new(backend, [from_home]).await;
        let at = |ip: [u8; 4]| built.world.auth.request(Client::default().ip(ip));
        let key = json!({ "key": built.key });
        let denied = at([203, 0, 113, 9]).call(&ROBOT, key.clone()).await.unwrap_err();
        assert_eq!(*denied.code(), codes::DENIED);
        assert_eq!(*built.call(&built.key).await.unwrap_err().code(), codes::DENIED, "no address is no home");
        at([127, 0, 0, 1]).call(&ROBOT, key).await.unwrap();
        built.world.auth.run_due_jobs().await;
        assert_eq!(recorded(&built.world, "rate_limited").await, 2, "one sum for each client prefix");
    }

    async fn a_stage_that_fails_fails_the_call_and_is_counted(backend) {
        let fragile = Fragile::new("fragile");
        let built = Built::new(backend, [fragile.clone()]).await;
        for hook in [Hook::Assess, Hook::Decide] {
            fragile.fail_at(hook);
            for key in [built.key.as_str(), "robot_AAAA"] {
                let failed = built.call(key).await.unwrap_err();
                let expected = if key == built.key { &GONE } else { &codes::REJECTED };
                assert_eq!(failed.code(), expected, "{hook:?}: stages are asked about whoever proved himself");
            }
        }
        for hook in [Hook::Admit, Hook::After] {
            fragile.fail_at(hook);
            built.call(&built.key).await.expect("nothing is charged or written, so the stage has no say there");
        }
        built.world.auth.run_due_jobs().await;
        let audit = built.world.audit().await;
        let sums = audit.iter().filter(|event| event["kind"] == "rate_limited").map(|event| &event["data"]);
        let mut sums: Vec<_> = sums.map(|sum| (sum["reason"].as_str().unwrap(), &sum["count"])).collect();
        sums.sort_by_key(|(reason, _)| *reason);
        assert_eq!(sums, [("core.machine", &json!(2)), ("fragile", &json!(2))]);
    }

    async fn a_stage_that_demands_two_factors_of_everybody_denies_robots(backend) {
        let everybody = Policy::new("two_factors", |_, _| {
            Requirement::of("second_factor", Condition::level(Aal::Aal2))
        });
        let people = Policy::new("two_factors", |_, flow| match flow.purpose {
            Purpose::Machine => Requirement::none(),
            _ => Requirement::of("second_factor", Condition::level(Aal::Aal2)),
        });
        let built = Built::new(backend, [everybody]).await;
        assert_eq!(*built.call(&built.key).await.unwrap_err().code(), codes::DENIED);
        let built = Built::new(backend, [people]).await;
        built.call(&built.key).await.unwrap();
    }

    async fn a_verifier_that_writes_is_refused(backend) {
        let built = Built::plain(backend).await;
        built.scribe(Writing::Nothing).await.unwrap();
        assert_eq!(*built.scribe(Writing::Row).await.unwrap_err().code(), codes::INTERNAL);
        assert_eq!(built.world.rows("robot_keys", "by_principal").await.len(), 1);
    }

    async fn a_verifier_that_sends_or_records_is_refused(backend) {
        let built = Built::plain(backend).await;
        for writes in [Writing::Message, Writing::Record] {
            assert_eq!(*built.scribe(writes).await.unwrap_err().code(), codes::INTERNAL);
        }
    }
}
