//! An application whose users were there before authkit: their table stays its own, and nobody signs up.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use authkit_core::{
    About, Act, At, AuditEvent, AuthError, Batch, BoxError, Class, Collection, Column, Entity, ErrorCode, Id,
    Identifier, IdentifierKind, JoinedReader, Manifest, MethodId, Outcome, Plugin, Principal, PrincipalId,
    PrincipalKind, PrincipalRow, Problem, Registrar, RequestContext, SecretText, SignUp, Status, Store, UserStore,
    codes, id_type,
};
use authkit_password::PasswordAdmin;
use authkit_store_memory::MemoryStore;
use authkit_store_sqlx::{SqlxPool, SqlxStore};
use end_to_end::{Backend, PASSWORD, Place, World, on_each_store};
use serde::Serialize;
use serde_json::json;
use sqlx::{
    AssertSqlSafe, MySqlPool, PgPool, SqlitePool, mysql::MySqlPoolOptions, postgres::PgPoolOptions,
    sqlite::SqlitePoolOptions,
};
use tokio::task::JoinSet;

/// The application's users, wherever it keeps them.
#[async_trait]
trait Directory: Send + Sync + 'static {
    /// The number of the user of this name.
    async fn number(&self, name: &str) -> Result<Option<i64>, BoxError>;

    /// The numbers of all users.
    async fn numbers(&self) -> Result<Vec<i64>, BoxError>;
}

/// The application's own connections.
#[derive(Clone)]
enum Pool {
    MariaDb(MySqlPool),
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// The same on every database.
macro_rules! on {
    ($pool:expr, $own:ident => $does:expr) => {
        match $pool {
            Pool::MariaDb($own) => $does,
            Pool::Postgres($own) => $does,
            Pool::Sqlite($own) => $does,
        }
    };
}

impl Pool {
    /// Three connections; none to what is in memory.
    async fn to(place: &Place, backend: Backend) -> Option<Self> {
        let url = place.url()?;
        Some(match backend {
            Backend::MariaDb => Self::MariaDb(MySqlPoolOptions::new().max_connections(3).connect(url).await.unwrap()),
            Backend::Postgres => Self::Postgres(PgPoolOptions::new().max_connections(3).connect(url).await.unwrap()),
            _ => Self::Sqlite(SqlitePoolOptions::new().max_connections(3).connect(url).await.unwrap()),
        })
    }

    async fn run(&self, sql: &'static str) {
        on!(self, pool => sqlx::raw_sql(sql).execute(pool).await.map(drop)).unwrap();
    }

    /// Rows of three texts.
    async fn texts(&self, sql: &'static str) -> Vec<(String, String, String)> {
        on!(self, pool => sqlx::query_as(sql).fetch_all(pool).await).unwrap()
    }
}

impl From<Pool> for SqlxPool {
    fn from(pool: Pool) -> Self {
        on!(pool, own => own.into())
    }
}

#[async_trait]
impl Directory for Pool {
    async fn number(&self, name: &str) -> Result<Option<i64>, BoxError> {
        let value = if matches!(self, Self::Postgres(_)) { "$1" } else { "?" };
        let sql = format!("SELECT number FROM users WHERE name = {value}");
        Ok(on!(self, pool => sqlx::query_scalar(AssertSqlSafe(sql)).bind(name).fetch_optional(pool).await)?)
    }

    async fn numbers(&self) -> Result<Vec<i64>, BoxError> {
        let sql = "SELECT number FROM users ORDER BY number";
        Ok(on!(self, pool => sqlx::query_scalar(sql).fetch_all(pool).await)?)
    }
}

#[async_trait]
impl Directory for BTreeMap<&'static str, i64> {
    async fn number(&self, name: &str) -> Result<Option<i64>, BoxError> {
        Ok(self.get(name).copied())
    }

    async fn numbers(&self) -> Result<Vec<i64>, BoxError> {
        Ok(self.values().copied().collect())
    }
}

id_type! {
    /// One link.
    struct LinkId;
}

/// Which principal is which user.
#[derive(Debug, Entity)]
#[entity(
    table = "app_user_links",
    durable,
    unique(by_number: number),
    unique(by_principal: principal_id),
    references(principal_id -> auth_principals)
)]
struct Link {
    id: LinkId,
    number: i64,
    principal_id: PrincipalId,
}

static SIGN_UP_CLOSED: ErrorCode = ErrorCode::new("app.sign_up_closed", Class::Forbidden, "Ask us for an account.");

/// The application's users, as a plugin; also its capability to bring them in.
#[derive(Clone)]
struct Existing(Arc<dyn Directory>);

impl Plugin for Existing {
    fn manifest(&self) -> Manifest {
        Manifest::new("app", "0.1.0").creates::<Link>().error(&SIGN_UP_CLOSED).event::<UserImported>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let links: Collection<Link> = registrar.collection()?;
        let principal = (PrincipalRow::id, PrincipalRow::kind, PrincipalRow::status, PrincipalRow::epoch);
        let via = Link::principal_id;
        let lookup = links.joined_reader((via,), via, &registrar.principals(), principal);
        let users = Arc::new(Users { directory: self.0.clone(), links, lookup });
        registrar.identifier_kind(Arc::new(Name));
        registrar.user_store(users.clone());
        registrar.provide(users);
        Ok(())
    }
}

/// Names as the application always had them: any text, and case counts.
struct Name;

impl IdentifierKind for Name {
    fn kind(&self) -> &'static str {
        "name"
    }

    fn canonical(&self, text: &str) -> Option<String> {
        let name = text.trim();
        (1..=255).contains(&name.chars().count()).then(|| name.to_owned())
    }
}

type PrincipalColumns = (
    Column<PrincipalRow, PrincipalId>,
    Column<PrincipalRow, PrincipalKind>,
    Column<PrincipalRow, Status>,
    Column<PrincipalRow, i64>,
);

struct Users {
    directory: Arc<dyn Directory>,
    links: Collection<Link>,
    lookup: JoinedReader<Link, (Column<Link, PrincipalId>,), PrincipalRow, PrincipalColumns>,
}

/// The number of no user: whoever is unknown is looked up like whoever is known.
const NOBODY: i64 = -1;

#[async_trait]
impl UserStore for Users {
    async fn find(&self, cx: &RequestContext, identifier: &Identifier) -> Result<Option<Principal>, AuthError> {
        let number = self.directory.number(&identifier.canonical).await.map_err(unavailable)?;
        let found = self.lookup.get(cx, At::key(Link::by_number, (number.unwrap_or(NOBODY),))).await?;
        Ok(found.map(|(_, (id, kind, status, epoch))| Principal::read(id, kind, status, epoch)))
    }

    fn insert(&self, _: &RequestContext, _: &Principal, _: &[Identifier], _: &mut Batch) -> Result<(), AuthError> {
        Err(AuthError::new(&SIGN_UP_CLOSED))
    }
}

impl Users {
    /// Gives every user a principal; may run at every start of every node.
    async fn import(&self, cx: &RequestContext) -> Result<usize, AuthError> {
        let mut made = 0;
        for number in self.directory.numbers().await.map_err(unavailable)? {
            let principal = Principal::new(cx, PrincipalKind::Human);
            let link = Link { id: cx.new_id(), number, principal_id: principal.id };
            let mut batch = Batch::new(cx);
            batch.add_principal(cx, &principal);
            batch.insert(&self.links, link).or(&codes::CONFLICT);
            match cx.commit(UserImported { principal: principal.id, number }, batch).await {
                Ok(_) => made += 1,
                // The user has one already, or another node was faster.
                Err(error) if *error.code() == codes::CONFLICT => {}
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }
}

fn unavailable(error: BoxError) -> AuthError {
    AuthError::new(&codes::UNAVAILABLE).caused_by(error)
}

/// A user of the application was given a principal.
#[derive(Debug, Serialize)]
struct UserImported {
    #[serde(skip)]
    principal: PrincipalId,
    number: i64,
}

impl AuditEvent for UserImported {
    const KIND: &'static str = "user_imported";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

/// An application that had three users for years, and its world from today on.
struct Application {
    world: World,
    /// Nothing if they are in memory.
    pool: Option<Pool>,
    _place: Place,
}

/// Names are told apart by every byte, on every database.
const MADE: &str = "INSERT INTO users VALUES (7, 'Ada', '2009'), (8, 'ada', '2014'), (12, 'Grace Hopper', NULL)";

impl Application {
    async fn new(backend: Backend) -> Self {
        let place = Place::new(backend).await;
        let pool = Pool::to(&place, backend).await;
        let world = match &pool {
            Some(pool) => {
                pool.run(match backend {
                    Backend::MariaDb => {
                        "CREATE TABLE users (number BIGINT PRIMARY KEY,
                         name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE, joined TEXT)"
                    }
                    _ => "CREATE TABLE users (number BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, joined TEXT)",
                })
                .await;
                pool.run(MADE).await;
                world(backend, pool.clone(), SqlxStore::from_pool(pool.clone()).await.unwrap()).await
            }
            None => {
                let users = BTreeMap::from([("Ada", 7), ("ada", 8), ("Grace Hopper", 12)]);
                world(backend, users, MemoryStore::new()).await
            }
        };
        Self { world, pool, _place: place }
    }

    /// Brings the users in, and gives each the same password.
    async fn imported(backend: Backend) -> Self {
        let application = Self::new(backend).await;
        let (world, users) = (&application.world, application.users());
        assert_eq!(users.import(&world.cx()).await.unwrap(), 3);
        let passwords = world.auth.capability::<PasswordAdmin>().unwrap();
        for name in ["Ada", "ada", "Grace Hopper"] {
            let principal = application.find(name).await.expect("a principal");
            passwords.set(&world.cx(), &principal, SecretText::new(PASSWORD.to_owned())).await.unwrap();
        }
        application
    }

    fn users(&self) -> Arc<Users> {
        self.world.auth.capability::<Users>().expect("the plugin")
    }

    async fn find(&self, name: &str) -> Option<Principal> {
        let cx = self.world.cx();
        cx.find_principal(&cx.identifier(name).expect("a name")).await.unwrap()
    }
}

async fn world(backend: Backend, users: impl Directory, store: impl Store) -> World {
    let world = World::builder(backend).without_accounts().plugin(Existing(Arc::new(users)));
    world.store(Arc::new(store)).build().await
}

on_each_store! {
    async fn users_of_old_sign_in_with_a_password_that_is_set_for_them(backend) {
        let application = Application::imported(backend).await;
        let world = &application.world;
        let (one, other) = (application.find("Ada").await.unwrap(), application.find("ada").await.unwrap());
        assert_ne!(one.id, other.id, "the application always told them apart");
        assert!(world.signed_in("Grace Hopper").await.get("/v1/sessions").await.status == 200);
        world.signed_in("Ada").await;
        assert_eq!(world.events_of(one.id).await, ["user_imported", "password_set", "login_success"]);
        assert_eq!(world.browser().login("ADA", PASSWORD).await.status, 401);
    }

    async fn the_import_gives_each_user_one_principal_however_often_it_runs(backend) {
        let application = Arc::new(Application::new(backend).await);
        let mut nodes = JoinSet::new();
        for _ in 0..10 {
            let application = application.clone();
            nodes.spawn(async move { application.users().import(&application.world.cx()).await.unwrap() });
        }
        assert_eq!(nodes.join_all().await.into_iter().sum::<usize>(), 3);
        assert_eq!(application.users().import(&application.world.cx()).await.unwrap(), 0);
        let world = &application.world;
        assert_eq!(world.rows("auth_principals", "id").await.len(), 3);
        let numbers: Vec<_> = world.audit().await.iter().map(|event| event["data"]["number"].clone()).collect();
        assert_eq!(numbers.len(), 3, "{numbers:?}");
        assert!([7, 8, 12].iter().all(|number| numbers.contains(&json!(number))), "{numbers:?}");
    }

    async fn nobody_signs_up(backend) {
        let application = Application::imported(backend).await;
        let world = &application.world;
        let before = (world.rows("auth_principals", "id").await, world.audit().await);
        for name in ["Mallory", "Ada"] {
            let cx = world.cx();
            let sign_up = SignUp {
                principal: Principal::new(&cx, PrincipalKind::Human),
                identifiers: vec![cx.identifier(name).unwrap()],
                method: MethodId::from_static("password"),
                response: json!({ "password": PASSWORD }),
                batch: Batch::new(&cx),
            };
            let refused = cx.sign_up(sign_up).await.unwrap_err();
            assert_eq!(*refused.code(), SIGN_UP_CLOSED, "{name}");
        }
        assert_eq!((world.rows("auth_principals", "id").await, world.audit().await), before);
    }

    async fn a_user_without_a_principal_looks_like_nobody(backend) {
        let application = Application::new(backend).await;
        let world = &application.world;
        let mut answers = Vec::new();
        for name in ["Ada", "Mallory"] {
            let before = world.store.calls();
            let answer = world.browser().login(name, PASSWORD).await;
            answers.push((answer.status, answer.code(), answer.body.len(), world.store.calls() - before));
        }
        assert_eq!(answers[0].0, 401);
        assert_eq!(answers[0], answers[1]);
    }

    async fn known_and_unknown_names_cost_the_same_store_calls(backend) {
        let application = Application::imported(backend).await;
        let world = &application.world;
        let mut costs = Vec::new();
        for name in ["Ada", "Mallory"] {
            let before = (world.store.calls(), world.store.commits());
            assert_eq!(world.browser().login(name, "a wrong password").await.status, 401);
            costs.push((world.store.calls() - before.0, world.store.commits() - before.1));
        }
        assert_eq!(costs[0], costs[1]);
    }

    async fn another_tenant_finds_none_of_the_users(backend) {
        let application = Application::imported(backend).await;
        let cx = application.world.cx_of(Id::from_bytes([9; 16]).into());
        for name in ["Ada", "ada", "Grace Hopper"] {
            assert_eq!(cx.find_principal(&cx.identifier(name).unwrap()).await.unwrap(), None, "{name}");
        }
    }

    async fn the_applications_table_is_as_it_was(backend) {
        let application = Application::imported(backend).await;
        let Some(pool) = &application.pool else { return };
        let users = pool.texts("SELECT name, COALESCE(joined, '-'), '' FROM users ORDER BY number").await;
        let users: Vec<_> = users.iter().map(|(name, joined, _)| (name.as_str(), joined.as_str())).collect();
        assert_eq!(users, [("Ada", "2009"), ("ada", "2014"), ("Grace Hopper", "-")]);
        let joined = pool
            .texts(
                "SELECT u.name, p.status, p.kind FROM users u JOIN app_user_links l USING (number)
                 JOIN auth_principals p ON p.tenant_id = l.tenant_id AND p.id = l.principal_id ORDER BY u.number",
            )
            .await;
        assert_eq!(joined[2], ("Grace Hopper".to_owned(), "active".to_owned(), "human".to_owned()));
    }

    async fn a_directory_that_fails_is_503_and_no_failed_guess(backend) {
        let application = Application::imported(backend).await;
        let Some(pool) = &application.pool else { return };
        let world = &application.world;
        let before = world.audit().await;
        pool.run("ALTER TABLE users RENAME TO moved").await;
        let failed = world.browser().login("Ada", PASSWORD).await;
        assert_eq!((failed.status, failed.code().as_str()), (503, "core.unavailable"));
        assert_eq!(world.audit().await, before);
        pool.run("ALTER TABLE moved RENAME TO users").await;
        world.signed_in("Ada").await;
    }
}
