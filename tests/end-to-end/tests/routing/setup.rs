//! Setups that cannot be routed, each with its exact word, and batches that cannot be split.

use std::sync::Arc;

use async_trait::async_trait;
use authkit_account::Accounts;
use authkit_core::{
    Acknowledgement, AuthManager, BatchSpan, Builder, Capabilities, ColumnDef, Def, Done, Durability, EntityDef, Get,
    KeyRing, Manifest, Migration, Op, Plugin, Problem, Query, Reach, Registrar, Row, Scope, Step, Store, StoreError,
    Timestamp,
};
use authkit_password::Passwords;
use authkit_session::Sessions;
use authkit_store_memory::MemoryStore;

use crate::{shelf::Shelves, stores::SESSIONS};

pub(crate) fn complete() -> Builder {
    AuthManager::builder()
        .public_url("http://localhost:3000")
        .keys(KeyRing::new([std::array::from_fn(|at| at as u8 * 3)]).unwrap())
        .store(MemoryStore::new())
        .plugin(Accounts::default())
        .plugin(Sessions::opaque())
        .plugin(Passwords::default())
        .plugin(Shelves::default())
}

pub(crate) fn problems(builder: Builder) -> Vec<String> {
    let error = builder.build().expect_err("a setup that cannot be routed");
    error.problems.iter().map(ToString::to_string).collect()
}

/// Promises what it is told to promise.
struct Promising(MemoryStore, Capabilities);

impl Promising {
    fn with(change: impl FnOnce(&mut Capabilities)) -> Self {
        let mut capabilities = Capabilities::FULL;
        change(&mut capabilities);
        Self(MemoryStore::new(), capabilities)
    }
}

#[async_trait]
impl Store for Promising {
    fn capabilities(&self) -> Capabilities {
        self.1
    }

    fn statements(&self, steps: &[Migration]) -> Vec<String> {
        self.0.statements(steps)
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        self.0.migrate(steps, defs).await
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        self.0.get(scope, get).await
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        self.0.query(scope, query).await
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        self.0.commit(scope, ops, now).await
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.0.sweep(def, now, limit).await
    }
}

#[test]
fn a_table_that_nobody_declares_is_named() {
    let said = problems(complete().route(["auth_sesions"], MemoryStore::new()));
    assert_eq!(said, ["authkit: the table auth_sesions is routed, but no plugin declares it"]);
}

#[test]
fn core_keeps_its_own_tables() {
    let said = problems(complete().route(["auth_flows"], MemoryStore::new()));
    assert_eq!(said, ["authkit: the table auth_flows is core's own and stays in the main store"]);
}

#[test]
fn what_is_used_once_stays_where_it_is_decided() {
    for table in ["auth_invitations", "auth_identifiers", "auth_passwords"] {
        let said = problems(complete().route([table], MemoryStore::new()));
        let why = "is not made for another store: what is lost there cannot undo what is written beside it";
        assert_eq!(said, [format!("authkit: the table {table} {why}")]);
    }
}

/// Takes a name that core has given away.
struct Squatter(Manifest);

impl Plugin for Squatter {
    fn manifest(&self) -> Manifest {
        self.0.clone()
    }

    fn register(&self, _: &mut Registrar<'_>) -> Result<(), Problem> {
        Ok(())
    }
}

fn marks() -> EntityDef {
    let id = ColumnDef::new::<authkit_core::AuditId>("id");
    EntityDef::new("auth_routed_commits", Reach::Tenant, Durability::Ephemeral, vec![id]).routable()
}

#[test]
fn the_table_in_which_a_second_store_remembers_is_not_for_plugins() {
    let step = Manifest::new("squat", "0.1.0").step(Step::Create(marks()));
    let mut declared = step.clone();
    declared.entities.push(Arc::new(marks()));
    for manifest in [declared, step] {
        let said = problems(complete().plugin(Squatter(manifest)));
        assert_eq!(said, ["squat: the table auth_routed_commits is core's own; rename it"]);
    }
}

#[test]
fn a_table_is_routed_once() {
    let said = problems(complete().route([SESSIONS], MemoryStore::new()).route([SESSIONS], MemoryStore::new()));
    assert_eq!(said, ["authkit: the table auth_sessions is routed more than once"]);
}

#[test]
fn a_store_has_to_write_several_entities_in_one_commit() {
    let store = Promising::with(|capabilities| capabilities.batches = BatchSpan::OneEntity);
    let said = problems(complete().route(["test_crumbs", SESSIONS], store));
    assert_eq!(said, ["authkit: the store of auth_sessions, test_crumbs cannot write several entities in one commit"]);
}

#[test]
fn a_store_that_forgets_keeps_nothing_durable() {
    let forgetful = || Promising::with(|capabilities| capabilities.durability = Acknowledgement::MayBeLost);
    let said = problems(complete().route([SESSIONS, "test_crumbs"], forgetful()));
    assert_eq!(
        said,
        ["authkit: the store of auth_sessions may lose acknowledged writes, which auth_sessions cannot bear"]
    );
    assert!(complete().route(["test_crumbs"], forgetful()).build().is_ok());
}

#[test]
fn a_table_takes_along_those_that_refer_to_it() {
    let said = problems(complete().route(["test_jars"], MemoryStore::new()));
    assert_eq!(said, ["authkit: test_lids refers to test_jars, so it has to be routed to the same store"]);
    let apart = complete().route(["test_jars"], MemoryStore::new()).route(["test_lids"], MemoryStore::new());
    assert_eq!(problems(apart), said);
    assert!(complete().route(["test_jars", "test_lids"], MemoryStore::new()).build().is_ok());
    assert!(complete().route(["test_lids"], MemoryStore::new()).build().is_ok());
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let store = Promising::with(|capabilities| {
        capabilities.batches = BatchSpan::OneEntity;
        capabilities.durability = Acknowledgement::MayBeLost;
    });
    let said = problems(complete().route(["auth_jobs", "nothing", SESSIONS], store));
    assert_eq!(said.len(), 4, "{said:?}");
}
