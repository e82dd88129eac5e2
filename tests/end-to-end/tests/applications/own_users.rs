//! An application's own users: a table with columns of its own, found by a login name, without `authkit-account`.

use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{
    About, Access, Act, At, AuditEvent, AuthError, Batch, Call, Class, Collection, Column, Entity, ErrorCode,
    HttpMethod, Identifier, IdentifierKind, JoinedReader, Manifest, MethodId, Operation, Outcome, Plugin, Principal,
    PrincipalId, PrincipalKind, PrincipalRow, Problem, Registrar, Reply, RequestContext, SecretText, SignUp, Status,
    Timestamp, UserStore, codes, id_type,
};
use authkit_testkit::drop_at_every_await;
use end_to_end::{Answer, Backend, PASSWORD, World, on_each_store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;

id_type! {
    /// One user.
    pub(crate) struct UserId;
}

/// A user, with what the application wants to know about them.
#[derive(Debug, Entity)]
#[entity(
    table = "app_users",
    durable,
    unique(by_login: login),
    unique(by_principal: principal_id),
    references(principal_id -> auth_principals)
)]
pub(crate) struct User {
    id: UserId,
    principal_id: PrincipalId,
    login: String,
    display_name: String,
    locale: Option<String>,
    newsletter: bool,
    created_at: Timestamp,
}

static LOGIN_TAKEN: ErrorCode = ErrorCode::new("people.login_taken", Class::Conflict, "This name is taken.");

/// The application's users, as a plugin.
#[derive(Clone, Copy, Debug)]
struct People;

impl Plugin for People {
    fn manifest(&self) -> Manifest {
        Manifest::new("people", "0.1.0")
            .creates::<User>()
            .error(&LOGIN_TAKEN)
            .event::<ProfileChanged>()
            .event::<ShutOut>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        use HttpMethod::{Get, Post};
        let rows: Collection<User> = registrar.collection()?;
        let principal = (PrincipalRow::id, PrincipalRow::kind, PrincipalRow::status, PrincipalRow::epoch);
        let via = User::principal_id;
        let lookup = rows.joined_reader((via,), via, &registrar.principals(), principal);
        let (made, shown, changed) = (rows.clone(), rows.clone(), rows.clone());
        let make = move |call: Call, new: NewUser| {
            let rows = made.clone();
            async move { sign_up(&rows, &call.cx, new).await }
        };
        let show = move |call: Call, _: Nothing| {
            let rows = shown.clone();
            async move { show(&rows, &call).await }
        };
        let change = move |call: Call, to: Profile| {
            let rows = changed.clone();
            async move { change(&rows, &call, to).await }
        };
        registrar.identifier_kind(Arc::new(Login));
        registrar.user_store(Arc::new(Users { rows, lookup }));
        registrar.operation(Operation::new(Post, "/people", Access::Public, "Makes a user.", make));
        registrar.operation(Operation::new(Get, "/people/me", Access::Session, "Shows the user.", show));
        registrar.operation(Operation::new(Post, "/people/me", Access::Session, "Changes the user.", change));
        Ok(())
    }
}

/// Login names: letters, digits and hyphens, 3 to 32 of them; upper and lower case are the same.
struct Login;

impl IdentifierKind for Login {
    fn kind(&self) -> &'static str {
        "login"
    }

    fn canonical(&self, text: &str) -> Option<String> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (plain && (3..=32).contains(&text.len())).then(|| text.to_ascii_lowercase())
    }
}

type PrincipalColumns = (
    Column<PrincipalRow, PrincipalId>,
    Column<PrincipalRow, PrincipalKind>,
    Column<PrincipalRow, Status>,
    Column<PrincipalRow, i64>,
);

struct Users {
    rows: Collection<User>,
    lookup: JoinedReader<User, (Column<User, PrincipalId>,), PrincipalRow, PrincipalColumns>,
}

#[async_trait]
impl UserStore for Users {
    async fn find(&self, cx: &RequestContext, identifier: &Identifier) -> Result<Option<Principal>, AuthError> {
        let found = self.lookup.get(cx, At::key(User::by_login, (identifier.canonical.clone(),))).await?;
        Ok(found.map(|(_, (id, kind, status, epoch))| Principal::read(id, kind, status, epoch)))
    }

    fn insert(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        identifiers: &[Identifier],
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        for Identifier { canonical, .. } in identifiers {
            let user = User {
                id: cx.new_id(),
                principal_id: principal.id,
                login: canonical.clone(),
                display_name: String::new(),
                locale: None,
                newsletter: false,
                created_at: cx.now(),
            };
            batch.insert(&self.rows, user).or(&codes::CONFLICT);
        }
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema)]
struct NewUser {
    login: String,
    password: SecretText,
    profile: Profile,
}

async fn sign_up(rows: &Collection<User>, cx: &RequestContext, new: NewUser) -> Result<Reply<PrincipalId>, AuthError> {
    let odd = AuthError::new(&codes::INVALID_INPUT).field("login", "3 to 32 letters, digits and hyphens.");
    let principal = Principal::new(cx, PrincipalKind::Human);
    let mut batch = Batch::new(cx);
    new.profile.write(rows, principal.id, &mut batch);
    let sign_up = SignUp {
        principal,
        identifiers: vec![cx.identifier(&new.login).ok_or(odd)?],
        method: MethodId::from_static("password"),
        response: json!({ "password": new.password.expose() }),
        batch,
    };
    match cx.sign_up(sign_up).await {
        Ok(principal) => Ok(Reply::ok(principal.id).status(201)),
        Err(error) if *error.code() == codes::CONFLICT => Err(AuthError::new(&LOGIN_TAKEN).caused_by(error)),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Profile {
    display_name: String,
    locale: Option<String>,
    newsletter: bool,
}

impl Profile {
    /// Puts it into the row of a principal, which may be one that the same commit adds.
    fn write(self, rows: &Collection<User>, principal: PrincipalId, batch: &mut Batch) {
        let Self { display_name, locale, newsletter } = self;
        let changes =
            [User::display_name.set(display_name), User::locale.set(locale), User::newsletter.set(newsletter)];
        batch.update(rows, At::key(User::by_principal, (principal,)), [], changes).or(&codes::NOT_FOUND);
    }
}

async fn show(rows: &Collection<User>, call: &Call) -> Result<Reply<Profile>, AuthError> {
    let user = rows.get(&call.cx, At::key(User::by_principal, (call.session()?.principal.id,))).await?;
    let User { display_name, locale, newsletter, .. } = user.ok_or(AuthError::new(&codes::NOT_FOUND))?;
    Ok(Reply::ok(Profile { display_name, locale, newsletter }))
}

async fn change(rows: &Collection<User>, call: &Call, to: Profile) -> Result<Reply<()>, AuthError> {
    let principal = call.session()?.principal.id;
    let mut batch = Batch::new(&call.cx);
    to.write(rows, principal, &mut batch);
    call.cx.commit(ProfileChanged { principal }, batch).await?;
    Ok(Reply::no_content())
}

/// A user changed what the application knows about them.
#[derive(Debug, Serialize)]
struct ProfileChanged {
    #[serde(skip)]
    principal: PrincipalId,
}

impl AuditEvent for ProfileChanged {
    const KIND: &'static str = "profile_changed";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

/// A user was shut out.
#[derive(Debug, Serialize)]
struct ShutOut {
    #[serde(skip)]
    principal: PrincipalId,
}

impl AuditEvent for ShutOut {
    const KIND: &'static str = "shut_out";
    const ACT: Act = Act::Withdraws;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

async fn with_people(backend: Backend) -> World {
    World::builder(backend).without_accounts().plugin(People).build().await
}

async fn register(world: &World, login: &str) -> Answer {
    let profile = json!({ "display_name": "Somebody", "locale": "en-GB", "newsletter": true });
    world.browser().post("/v1/people", json!({ "login": login, "password": PASSWORD, "profile": profile })).await
}

async fn registered(world: &World, login: &str) -> PrincipalId {
    let answer = register(world, login).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    serde_json::from_value(answer.json()).expect("an id")
}

/// What there is of users: principals, own rows with all that was said, passwords, records of sign-ups.
async fn counts(world: &World) -> [usize; 4] {
    [
        world.rows("auth_principals", "id").await.len(),
        world.rows("app_users", "id").await.iter().filter(|user| user["display_name"] == "Somebody").count(),
        world.rows("auth_passwords", "id").await.len(),
        world.audit().await.iter().filter(|event| event["kind"] == "signup").count(),
    ]
}

/// Without `authkit-account` there is no `AccountAdmin`; core says all that is needed.
async fn shut_out(world: &World, id: PrincipalId) {
    let cx = world.cx();
    let principal = cx.principal(id).await.unwrap().expect("a principal");
    let mut batch = Batch::new(&cx);
    batch.set_status(&cx, &principal, Status::Disabled);
    cx.commit(ShutOut { principal: id }, batch).await.unwrap();
}

on_each_store! {
    async fn a_user_signs_up_and_in_by_a_login_name(backend) {
        let world = with_people(backend).await;
        let id = registered(&world, "Ada-L").await;
        let mut browser = world.signed_in("ADA-l").await;
        let user = browser.get("/v1/people/me").await.json();
        assert_eq!(user, json!({ "display_name": "Somebody", "locale": "en-GB", "newsletter": true }));
        assert_eq!(world.events_of(id).await, ["signup", "login_success"]);
        assert_eq!(world.browser().post("/v1/auth/signup", json!({})).await.status, 404, "there is one way in");
    }

    async fn a_users_columns_are_their_own_to_change(backend) {
        let world = with_people(backend).await;
        let ada = registered(&world, "ada").await;
        registered(&world, "bob").await;
        let to = json!({ "display_name": "Ada Lovelace", "locale": "en-GB", "newsletter": true });
        let mut browser = world.signed_in("ada").await;
        let changed = browser.post("/v1/people/me", to.clone()).await;
        assert_eq!(changed.status, 204, "{changed:?}");
        assert_eq!(browser.get("/v1/people/me").await.json(), to);
        assert_eq!(world.signed_in("bob").await.get("/v1/people/me").await.json()["display_name"], "Somebody");
        assert_eq!(world.events_of(ada).await.last().unwrap(), "profile_changed");
    }

    async fn a_taken_name_is_refused_and_nothing_is_written(backend) {
        let world = with_people(backend).await;
        registered(&world, "ada").await;
        for spelling in ["ada", "ADA", "aDa"] {
            let again = register(&world, spelling).await;
            assert_eq!((again.status, again.code().as_str()), (409, "people.login_taken"), "{spelling}");
        }
        assert_eq!(counts(&world).await, [1; 4]);
    }

    async fn text_that_is_no_login_name_is_refused_and_nothing_is_written(backend) {
        let world = with_people(backend).await;
        for odd in ["", "ab", "ada lovelace", "ada@example.com", "аda", "ada\0", &"a".repeat(33)] {
            let refused = register(&world, odd).await;
            assert_eq!((refused.status, refused.code().as_str()), (400, "core.invalid_input"), "{odd:?}");
            assert_eq!(refused.json()["errors"][0]["field"], "login", "{odd:?}");
        }
        assert_eq!(counts(&world).await, [0; 4]);
    }

    async fn of_many_sign_ups_with_one_name_one_wins(backend) {
        let world = Arc::new(with_people(backend).await);
        let mut all = JoinSet::new();
        for n in 0..20 {
            let world = world.clone();
            all.spawn(async move { register(&world, ["ada", "ADA"][n % 2]).await.status });
        }
        let statuses = all.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
        assert_eq!(counts(&world).await, [1; 4]);
    }

    async fn a_sign_up_that_is_dropped_anywhere_leaves_everything_or_nothing(backend) {
        drop_at_every_await(
            async || with_people(backend).await,
            async |world: &World| register(world, "ada").await.status,
            async |world: &World, status| {
                // A commit that was on its way when its handler was dropped lands before one of the same name, or not at all.
                let again = register(world, "ada").await.status;
                match status {
                    Some(status) => assert_eq!((status, again), (201, 409)),
                    None => assert!([201, 409].contains(&again), "{again}"),
                }
                assert_eq!(counts(world).await, [1; 4]);
            },
        )
        .await;
    }

    async fn known_and_unknown_names_cost_the_same_store_calls(backend) {
        let world = with_people(backend).await;
        registered(&world, "ada").await;
        shut_out(&world, registered(&world, "eve").await).await;
        let mut costs = Vec::new();
        for name in ["ada", "eve", "bob"] {
            let before = (world.store.calls(), world.store.commits());
            assert_eq!(world.browser().login(name, "a wrong password").await.status, 401);
            costs.push((world.store.calls() - before.0, world.store.commits() - before.1));
        }
        for name in ["ada", "cyd"] {
            let before = world.store.calls();
            register(&world, name).await;
            costs.push((world.store.calls() - before, 0));
        }
        assert_eq!(costs[0], costs[1], "shut out");
        assert_eq!(costs[0], costs[2], "unknown");
        assert_eq!(costs[3], costs[4], "a taken name and a free one");
    }

    async fn a_name_leads_to_one_principal_per_tenant_in_any_status(backend) {
        let world = with_people(backend).await;
        let ours = registered(&world, "ada").await;
        let name = world.cx().identifier("ADA").expect("a login name");
        let other = world.cx_of(authkit_core::Id::from_bytes([9; 16]).into());
        assert_eq!(other.find_principal(&name).await.unwrap(), None);
        let sign_up = SignUp {
            principal: Principal::new(&other, PrincipalKind::Human),
            identifiers: vec![name.clone()],
            method: MethodId::from_static("password"),
            response: json!({ "password": PASSWORD }),
            batch: Batch::new(&other),
        };
        let theirs = other.sign_up(sign_up).await.unwrap();
        shut_out(&world, ours).await;
        let found = world.cx().find_principal(&name).await.unwrap().expect("whoever is shut out is found");
        assert_eq!((found.id, found.status), (ours, Status::Disabled));
        assert_eq!(other.find_principal(&name).await.unwrap(), Some(theirs));
    }

    async fn whoever_the_application_shuts_out_is_out_at_once(backend) {
        let world = with_people(backend).await;
        let id = registered(&world, "ada").await;
        let mut browser = world.signed_in("ada").await;
        shut_out(&world, id).await;
        assert_eq!(browser.get("/v1/people/me").await.status, 401);
        assert_eq!(browser.login("ada", PASSWORD).await.status, 401);
    }

    async fn a_user_goes_with_their_principal_and_the_name_is_free_again(backend) {
        let world = with_people(backend).await;
        let id = registered(&world, "ada").await;
        let cx = world.cx();
        let principal = cx.principal(id).await.unwrap().unwrap();
        let mut batch = Batch::new(&cx);
        batch.remove_principal(&cx, &principal);
        cx.commit(ShutOut { principal: id }, batch).await.unwrap();
        assert_eq!(counts(&world).await, [0, 0, 0, 1]);
        registered(&world, "ada").await;
    }
}
