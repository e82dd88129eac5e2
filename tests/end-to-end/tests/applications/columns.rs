//! Columns of the application: in tables of a plugin, over versions, and in the application's own SQL beside authkit's.

use std::{path::Path, sync::Arc};

use authkit_account::AccountAdmin;
use authkit_core::{
    About, Act, At, AuditEvent, AuthError, AuthManager, Batch, Collection, Column, ColumnDef, Entity, JoinedReader,
    KeyRing, Manifest, Outcome, Plugin, PrincipalId, PrincipalRow, Problem, Registrar, RequestContext, Status, Step,
    codes, id_type,
};
use authkit_store_sqlx::SqlxStore;
use end_to_end::{Backend, World, on_each_store};
use serde::Serialize;
use sqlx::{AssertSqlSafe, SqlitePool, sqlite::SqliteConnectOptions};

id_type! {
    /// One profile.
    struct ProfileId;
}

/// What the application knows about a principal, in its second version.
#[derive(Debug, Entity)]
#[entity(
    table = "app_profiles",
    durable,
    unique(by_principal: principal_id),
    references(principal_id -> auth_principals)
)]
struct Profile {
    id: ProfileId,
    principal_id: PrincipalId,
    display_name: String,
    #[entity(default = 10)]
    points: i64,
    locale: Option<String>,
}

/// The table as the first version made it; released, so it stays as it is.
mod first {
    use super::{Entity, PrincipalId, ProfileId};

    #[derive(Debug, Entity)]
    #[entity(
        table = "app_profiles",
        durable,
        unique(by_principal: principal_id),
        references(principal_id -> auth_principals)
    )]
    pub(super) struct Profile {
        pub(super) id: ProfileId,
        pub(super) principal_id: PrincipalId,
        pub(super) display_name: String,
    }
}

/// The plugin in its second version.
struct Profiles;

type Shown = (Column<Profile, String>, Column<Profile, i64>, Column<Profile, Option<String>>);

/// Reads and writes profiles.
struct Shelf {
    rows: Collection<Profile>,
    shown: JoinedReader<Profile, Shown, PrincipalRow, (Column<PrincipalRow, Status>,)>,
}

impl Plugin for Profiles {
    fn manifest(&self) -> Manifest {
        let added = |column| Step::AddColumn { table: "app_profiles", column };
        Manifest::new("profiles", "0.2.0")
            .step(Step::Create(first::Profile::def()))
            .step(added(ColumnDef::new::<i64>("points").default(10_i64)))
            .step(added(ColumnDef::new::<Option<String>>("locale")))
            .declares::<Profile>()
            .event::<Noted>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let rows: Collection<Profile> = registrar.collection()?;
        let (columns, via) = ((Profile::display_name, Profile::points, Profile::locale), Profile::principal_id);
        let shown = rows.joined_reader(columns, via, &registrar.principals(), (PrincipalRow::status,));
        registrar.provide(Arc::new(Shelf { rows, shown }));
        Ok(())
    }
}

impl Shelf {
    /// Name, points and locale of a principal, and whether it may sign in; in one store call.
    async fn show(
        &self,
        cx: &RequestContext,
        principal: PrincipalId,
    ) -> Result<Option<(String, i64, Option<String>, Status)>, AuthError> {
        let found = self.shown.get(cx, At::key(Profile::by_principal, (principal,))).await?;
        Ok(found.map(|((name, points, locale), (status,))| (name, points, locale, status)))
    }

    async fn earn(&self, cx: &RequestContext, principal: PrincipalId, points: i64) -> Result<(), AuthError> {
        let mut batch = Batch::new(cx);
        let at = At::key(Profile::by_principal, (principal,));
        batch.update(&self.rows, at, [], [Profile::points.plus(points)]).or(&codes::NOT_FOUND);
        cx.commit(Noted { principal }, batch).await.map(drop)
    }
}

/// The plugin in its first version.
struct FirstProfiles;

struct FirstShelf(Collection<first::Profile>);

impl Plugin for FirstProfiles {
    fn manifest(&self) -> Manifest {
        Manifest::new("profiles", "0.1.0").creates::<first::Profile>().event::<Noted>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.provide(Arc::new(FirstShelf(registrar.collection()?)));
        Ok(())
    }
}

impl FirstShelf {
    async fn add(&self, cx: &RequestContext, principal: PrincipalId, name: &str) -> Result<(), AuthError> {
        let row = first::Profile { id: cx.new_id(), principal_id: principal, display_name: name.to_owned() };
        let mut batch = Batch::new(cx);
        batch.insert(&self.0, row).or(&codes::CONFLICT);
        cx.commit(Noted { principal }, batch).await.map(drop)
    }
}

/// A profile was written.
#[derive(Debug, Serialize)]
struct Noted {
    #[serde(skip)]
    principal: PrincipalId,
}

impl AuditEvent for Noted {
    const KIND: &'static str = "profile_noted";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

/// The same application in its second version, on the same store, a day later.
async fn upgraded(backend: Backend, old: &World) -> World {
    let new = World::builder(backend).plugin(Profiles).store(old.store.inner().clone()).build().await;
    new.clock.advance(std::time::Duration::from_secs(86_400));
    new
}

on_each_store! {
    async fn profile_and_principal_are_one_store_call(backend) {
        let old = World::builder(backend).plugin(FirstProfiles).build().await;
        let ada = old.sign_up("ada@example.com").await;
        old.auth.capability::<FirstShelf>().unwrap().add(&old.cx(), ada, "Ada").await.unwrap();
        let world = upgraded(backend, &old).await;
        let shelf = world.auth.capability::<Shelf>().unwrap();
        world.auth.capability::<AccountAdmin>().unwrap().disable(&world.cx(), ada).await.unwrap();
        let before = world.store.calls();
        let shown = shelf.show(&world.cx(), ada).await.unwrap();
        assert_eq!(world.store.calls() - before, 1);
        assert_eq!(shown, Some(("Ada".to_owned(), 10, None, Status::Disabled)));
        let elsewhere = world.cx_of(authkit_core::Id::from_bytes([9; 16]).into());
        assert_eq!(shelf.show(&elsewhere, ada).await.unwrap(), None);
    }

    async fn rows_of_the_version_before_have_the_default_and_both_versions_go_on(backend) {
        let old = World::builder(backend).plugin(FirstProfiles).build().await;
        let (ada, bob) = (old.sign_up("ada@example.com").await, old.sign_up("bob@example.com").await);
        let before = old.auth.capability::<FirstShelf>().unwrap();
        before.add(&old.cx(), ada, "Ada").await.unwrap();
        let world = upgraded(backend, &old).await;
        let after = world.auth.capability::<Shelf>().unwrap();
        after.earn(&world.cx(), ada, 5).await.unwrap();
        old.auth.migrate().await.expect("the version before starts once more");
        before.add(&old.cx(), bob, "Bob").await.expect("the version before writes to the schema after");
        for (principal, name, points) in [(ada, "Ada", 15), (bob, "Bob", 10)] {
            let shown = after.show(&world.cx(), principal).await.unwrap().unwrap();
            assert_eq!(shown, (name.to_owned(), points, None, Status::Active));
        }
    }

    async fn a_profile_is_gone_with_its_principal_and_made_for_nobody_else(backend) {
        let old = World::builder(backend).plugin(FirstProfiles).build().await;
        let shelf = old.auth.capability::<FirstShelf>().unwrap();
        let ada = old.sign_up("ada@example.com").await;
        shelf.add(&old.cx(), ada, "Ada").await.unwrap();
        let elsewhere = old.cx_of(authkit_core::Id::from_bytes([9; 16]).into());
        assert!(shelf.add(&elsewhere, ada, "Ada of another tenant").await.is_err());
        assert!(shelf.add(&old.cx(), old.cx().new_id(), "nobody").await.is_err());
        purge(&old, ada).await;
        assert!(old.rows("app_profiles", "id").await.is_empty());
    }
}

#[test]
fn a_column_without_its_step_does_not_build() {
    struct Forgetful;
    impl Plugin for Forgetful {
        fn manifest(&self) -> Manifest {
            Manifest::new("profiles", "0.2.0").step(Step::Create(first::Profile::def())).declares::<Profile>()
        }

        fn register(&self, _: &mut Registrar<'_>) -> Result<(), Problem> {
            Ok(())
        }
    }
    let refused = AuthManager::builder().plugin(Forgetful).build().unwrap_err().to_string();
    assert!(refused.contains("column points of app_profiles"), "{refused}");
}

/// Deletes an account and lets its grace pass.
async fn purge(world: &World, id: PrincipalId) {
    let admin = world.auth.capability::<AccountAdmin>().unwrap();
    admin.delete(&world.cx(), id).await.unwrap();
    world.clock.advance(std::time::Duration::from_secs(31 * 86_400));
    assert_eq!(admin.purge(&world.cx()).await.unwrap(), 1);
}

/// The application's own connections to a database file.
async fn pool(file: &Path) -> SqlitePool {
    SqlitePool::connect_with(SqliteConnectOptions::new().filename(file).create_if_missing(true)).await.unwrap()
}

async fn run(pool: &SqlitePool, sql: impl Into<String>) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(pool).await.map(drop)
}

/// An application with a table of orders that its own SQL made.
async fn shop(on_deletion: &str) -> (World, SqlitePool) {
    let world = World::builder(Backend::Sqlite).build().await;
    let pool = pool(&world.database().unwrap()).await;
    let orders = format!(
        "CREATE TABLE orders (number INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, buyer TEXT NOT NULL, total INTEGER,
         FOREIGN KEY (tenant_id, buyer) REFERENCES auth_principals (tenant_id, id) {on_deletion})"
    );
    run(&pool, orders).await.unwrap();
    (world, pool)
}

const DEFAULT_TENANT: &str = "00000000-0000-0000-0000-000000000000";

async fn order(pool: &SqlitePool, tenant: &str, buyer: PrincipalId) -> Result<(), sqlx::Error> {
    let insert = "INSERT INTO orders (tenant_id, buyer, total) VALUES (?, ?, 995)";
    sqlx::query(insert).bind(tenant).bind(buyer.to_string()).execute(pool).await.map(drop)
}

async fn orders(pool: &SqlitePool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn orders_join_principals_identifiers_and_sessions_in_plain_sql() {
    let (world, pool) = shop("ON DELETE CASCADE").await;
    let ada = world.sign_up("Ada@example.com").await;
    world.signed_in("ada@example.com").await;
    order(&pool, DEFAULT_TENANT, ada).await.unwrap();
    let joined: (i64, String, String, i64, String, i64) = sqlx::query_as(
        "SELECT o.total, p.status, i.canonical, i.is_primary, s.user_agent, s.created_at
         FROM orders o
         JOIN auth_principals p ON p.tenant_id = o.tenant_id AND p.id = o.buyer
         JOIN auth_identifiers i ON i.tenant_id = p.tenant_id AND i.principal_id = p.id
         JOIN auth_sessions s ON s.tenant_id = p.tenant_id AND s.principal_id = p.id",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let (total, status, address, is_primary, user_agent, at) = joined;
    assert_eq!((total, is_primary, at), (995, 1, 1_800_000_000_000));
    assert_eq!([status, address, user_agent], ["active", "ada@example.com", "test browser"]);
}

#[tokio::test]
async fn an_order_needs_a_principal_of_its_tenant_and_goes_with_it() {
    let (world, pool) = shop("ON DELETE CASCADE").await;
    let ada = world.sign_up("ada@example.com").await;
    order(&pool, DEFAULT_TENANT, ada).await.unwrap();
    assert!(order(&pool, "09090909-0909-0909-0909-090909090909", ada).await.is_err(), "another tenant");
    assert!(order(&pool, DEFAULT_TENANT, world.cx().new_id()).await.is_err(), "nobody");
    purge(&world, ada).await;
    assert_eq!(orders(&pool).await, 0);
}

/// The application forgot to say what becomes of orders. It may lose the purge of the buyers, not that of others.
#[tokio::test]
async fn an_order_that_keeps_its_buyer_keeps_nobody_else() {
    let (world, pool) = shop("").await;
    let ada = world.sign_up("ada@example.com").await;
    let bob = world.sign_up("bob@example.com").await;
    order(&pool, DEFAULT_TENANT, ada).await.unwrap();
    let admin = world.auth.capability::<AccountAdmin>().unwrap();
    for id in [ada, bob] {
        admin.delete(&world.cx(), id).await.unwrap();
    }
    world.clock.advance(std::time::Duration::from_secs(31 * 86_400));
    assert_eq!(admin.purge(&world.cx()).await.unwrap(), 1);
    assert!(world.cx().principal(ada).await.unwrap().is_some(), "the order keeps her");
    assert!(world.cx().principal(bob).await.unwrap().is_none());
    assert_eq!(orders(&pool).await, 1);
}

#[tokio::test]
async fn a_column_that_the_application_adds_is_kept_and_left_alone() {
    let (world, pool) = shop("ON DELETE CASCADE").await;
    let ada = world.sign_up("ada@example.com").await;
    run(&pool, "ALTER TABLE auth_principals ADD COLUMN crm_number INTEGER").await.unwrap();
    run(&pool, "UPDATE auth_principals SET crm_number = 4711").await.unwrap();
    world.auth.migrate().await.expect("a table may have more than is declared");
    world.signed_in("ada@example.com").await;
    world.sign_up("bob@example.com").await;
    let admin = world.auth.capability::<AccountAdmin>().unwrap();
    admin.disable(&world.cx(), ada).await.unwrap();
    let numbers: Vec<(Option<i64>, String)> =
        sqlx::query_as("SELECT crm_number, status FROM auth_principals ORDER BY id").fetch_all(&pool).await.unwrap();
    assert_eq!(numbers, [(Some(4711), "disabled".to_owned()), (None, "active".to_owned())]);
}

/// Everything that SQLite knows of its tables and indexes, and what was recorded of the steps.
async fn catalogue(pool: &SqlitePool) -> (Vec<(String, String, Option<String>)>, Vec<(String, i64, String, String)>) {
    let made = sqlx::query_as("SELECT type, name, sql FROM sqlite_master ORDER BY type, name");
    let steps =
        sqlx::query_as("SELECT plugin, number, checksum, state FROM authkit_migrations ORDER BY plugin, number");
    (made.fetch_all(pool).await.unwrap(), steps.fetch_all(pool).await.unwrap())
}

#[tokio::test]
async fn sql_applied_by_hand_makes_what_migrate_makes_and_migrate_accepts_it() {
    let migrated = World::builder(Backend::Sqlite).plugin(Profiles).build().await;
    let expected = catalogue(&pool(&migrated.database().unwrap()).await).await;
    let printed = migrated.auth.migration_sql();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("by-hand.db");
    let by_hand = pool(&file).await;
    run(&by_hand, printed).await.unwrap();
    assert_eq!(catalogue(&by_hand).await, expected);

    let store = SqlxStore::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let world = World::builder(Backend::Sqlite).plugin(Profiles).store(Arc::new(store)).build().await;
    assert_eq!(catalogue(&by_hand).await, expected, "migrate() found nothing to do");
    world.sign_up("ada@example.com").await;
}

#[tokio::test]
async fn migrate_goes_on_wherever_a_hand_left_off() {
    let migrated = World::builder(Backend::Sqlite).plugin(Profiles).build().await;
    let expected = catalogue(&pool(&migrated.database().unwrap()).await).await;
    let printed = migrated.auth.migration_sql();
    let statements: Vec<&str> = printed.split_inclusive(";\n").collect();
    let directory = tempfile::tempdir().unwrap();
    for applied in 0..statements.len() {
        let file = directory.path().join(format!("{applied}.db"));
        let by_hand = pool(&file).await;
        run(&by_hand, statements[..applied].concat()).await.unwrap();
        let store = SqlxStore::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        World::builder(Backend::Sqlite).plugin(Profiles).store(Arc::new(store)).build().await;
        assert_eq!(catalogue(&by_hand).await, expected, "after {applied} statements");
    }
}

/// The application has a table by a name that is authkit's, and gives way when it is told.
async fn meets_a_table_of_the_application(table: &str, columns: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.db");
    let own = pool(&file).await;
    run(&own, format!("CREATE TABLE {table} ({columns}); INSERT INTO {table} VALUES (1, 'a')")).await.unwrap();
    let store = SqlxStore::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let auth = not_migrated(store);
    let refused = auth.migrate().await.unwrap_err().internal();
    assert!(refused.contains(table), "{refused}");
    let indexes = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = ?";
    let indexes: i64 = sqlx::query_scalar(indexes).bind(table).fetch_one(&own).await.unwrap();
    assert_eq!(indexes, 0, "it is not authkit's to index");

    run(&own, format!("ALTER TABLE {table} RENAME TO app_{table}")).await.unwrap();
    auth.migrate().await.unwrap();
    let rows: (i64, String) =
        sqlx::query_as(AssertSqlSafe(format!("SELECT * FROM app_{table}"))).fetch_one(&own).await.unwrap();
    assert_eq!(rows, (1, "a".to_owned()));
}

#[tokio::test]
async fn a_table_of_the_application_with_a_name_of_authkits_is_named_and_not_touched() {
    meets_a_table_of_the_application("auth_principals", "id INTEGER PRIMARY KEY, email TEXT").await;
}

#[tokio::test]
async fn a_table_of_the_application_that_takes_authkits_index_is_named_and_not_touched() {
    meets_a_table_of_the_application("auth_invitations", "id INTEGER PRIMARY KEY, expires_at TEXT").await;
}

/// A setup that was not migrated yet.
fn not_migrated(store: SqlxStore) -> AuthManager {
    AuthManager::builder()
        .public_url("http://localhost:3000")
        .keys(KeyRing::new([std::array::from_fn(|at| at as u8 * 7)]).unwrap())
        .store(store)
        .plugin(authkit_account::Accounts::default())
        .plugin(authkit_session::Sessions::opaque())
        .plugin(authkit_testkit::TestSignIn::default())
        .build()
        .unwrap()
}
