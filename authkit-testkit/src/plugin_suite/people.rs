//! Somebody to sign in, in setups that have no accounts of their own.

use std::{net::Ipv4Addr, sync::Arc};

use async_trait::async_trait;
use authkit_core::{
    About, Act, At, AuditEvent, AuthError, AuthManager, Batch, Client, Collection, Column, Entity, Identifier,
    IdentifierKind, JoinedReader, Manifest, Outcome, Plugin, Principal, PrincipalId, PrincipalKind, PrincipalRow,
    Problem, Registrar, RequestContext, Status, UserStore, codes, id_type,
};
use serde::Serialize;

/// Finds principals by a name of ASCII letters and digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct People;

impl Plugin for People {
    fn manifest(&self) -> Manifest {
        Manifest::new("testkit-people", env!("CARGO_PKG_VERSION")).creates::<NameRow>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let rows: Collection<NameRow> = registrar.collection()?;
        let principal = (PrincipalRow::kind, PrincipalRow::status, PrincipalRow::epoch);
        let via = NameRow::principal_id;
        let lookup = rows.joined_reader((via,), via, &registrar.principals(), principal);
        let names = Arc::new(Names { rows, lookup });
        registrar.user_store(names.clone());
        registrar.provide(names);
        registrar.identifier_kind(Arc::new(Name));
        Ok(())
    }
}

/// Declares what the suite itself records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arranging;

impl Plugin for Arranging {
    fn manifest(&self) -> Manifest {
        Manifest::new("testkit-suite", env!("CARGO_PKG_VERSION")).event::<Arranged>()
    }

    fn register(&self, _: &mut Registrar<'_>) -> Result<(), Problem> {
        Ok(())
    }
}

/// The `n`-th client, with an address of its own, so that no limit per client is met by chance.
pub(crate) fn client(n: u32) -> Client {
    Client::default().ip(Ipv4Addr::from_bits(0x0a00_0001_u32.wrapping_add(n & 0x00ff_ffff)))
}

/// Adds an active principal; the name leads to it where the setup has [`People`].
pub(crate) async fn add(auth: &AuthManager, name: &str) -> Principal {
    let cx = auth.request(Client::default());
    let principal = Principal::new(&cx, PrincipalKind::Human);
    let mut batch = Batch::new(&cx);
    batch.add_principal(&cx, &principal);
    if let (Some(names), Some(identifier)) = (auth.capability::<Names>(), cx.identifier(name)) {
        names.insert(&cx, &principal, &[identifier], &mut batch).expect("a name can be kept");
    }
    cx.commit(Arranged, batch).await.expect("a principal is added");
    principal
}

/// Sets the status of a principal as it is now.
pub(crate) async fn set_status(auth: &AuthManager, id: PrincipalId, status: Status) {
    let cx = auth.request(Client::default());
    let principal = cx.principal(id).await.expect("a read").expect("a principal");
    let mut batch = Batch::new(&cx);
    batch.set_status(&cx, &principal, status);
    cx.commit(Arranged, batch).await.expect("the status is set");
}

struct Name;

impl IdentifierKind for Name {
    fn kind(&self) -> &'static str {
        "name"
    }

    fn canonical(&self, text: &str) -> Option<String> {
        let plain = !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain.then(|| text.to_lowercase())
    }
}

id_type! {
    struct NameId;
}

#[derive(Entity)]
#[entity(table = "testkit_names", durable, unique(by_name: name), references(principal_id -> auth_principals))]
struct NameRow {
    id: NameId,
    name: String,
    principal_id: PrincipalId,
}

struct Names {
    rows: Collection<NameRow>,
    lookup: NameLookup,
}

type NameLookup = JoinedReader<
    NameRow,
    (Column<NameRow, PrincipalId>,),
    PrincipalRow,
    (Column<PrincipalRow, PrincipalKind>, Column<PrincipalRow, Status>, Column<PrincipalRow, i64>),
>;

#[async_trait]
impl UserStore for Names {
    async fn find(&self, cx: &RequestContext, identifier: &Identifier) -> Result<Option<Principal>, AuthError> {
        let found = self.lookup.get(cx, At::key(NameRow::by_name, (identifier.canonical.clone(),))).await?;
        Ok(found.map(|((id,), (kind, status, epoch))| Principal::read(id, kind, status, epoch)))
    }

    fn insert(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        identifiers: &[Identifier],
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        for identifier in identifiers {
            let row = NameRow { id: cx.new_id(), name: identifier.canonical.clone(), principal_id: principal.id };
            batch.insert(&self.rows, row).or(&codes::CONFLICT);
        }
        Ok(())
    }
}

/// A test arranged something.
#[derive(Serialize)]
struct Arranged;

impl AuditEvent for Arranged {
    const KIND: &'static str = "testkit_arranged";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}
