use async_trait::async_trait;
use authkit_core::{
    At, AuthError, Batch, Collection, Column, Identifier, JoinedReader, Principal, PrincipalId, PrincipalKind,
    PrincipalRow, ReadOnly, RequestContext, Scan, Status, Timestamp, UserStore, codes,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::entity::IdentifierRow;

type PrincipalColumns = (
    Column<PrincipalRow, PrincipalId>,
    Column<PrincipalRow, PrincipalKind>,
    Column<PrincipalRow, Status>,
    Column<PrincipalRow, i64>,
);
type Lookup = JoinedReader<IdentifierRow, (Column<IdentifierRow, PrincipalId>,), PrincipalRow, PrincipalColumns>;

/// Finds principals by the identifiers in the store.
pub(crate) struct Identifiers {
    rows: Collection<IdentifierRow>,
    lookup: Lookup,
}

impl Identifiers {
    pub(crate) fn new(rows: Collection<IdentifierRow>, principals: &ReadOnly<PrincipalRow>) -> Self {
        let principal = (PrincipalRow::id, PrincipalRow::kind, PrincipalRow::status, PrincipalRow::epoch);
        let via = IdentifierRow::principal_id;
        let lookup = rows.joined_reader((via,), via, principals, principal);
        Self { rows, lookup }
    }

    /// Adds the identifiers of a new principal; the first one is primary.
    pub(crate) fn add(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        identifiers: &[NewIdentifier],
        batch: &mut Batch,
    ) {
        for (position, NewIdentifier { identifier, typed, verified_at }) in identifiers.iter().enumerate() {
            let row = IdentifierRow {
                id: cx.new_id(),
                principal_id: principal.id,
                kind: identifier.kind.to_owned(),
                canonical: identifier.canonical.clone(),
                display: typed.trim().to_owned(),
                verified_at: *verified_at,
                is_primary: position == 0,
                created_at: cx.now(),
            };
            batch.insert(&self.rows, row).or(&codes::CONFLICT);
        }
    }

    /// The identifiers of a principal, oldest first.
    pub(crate) async fn of(
        &self,
        cx: &RequestContext,
        principal: PrincipalId,
    ) -> Result<Vec<IdentifierSummary>, AuthError> {
        let scan = Scan::of(IdentifierRow::by_principal, (principal,)).limit(MOST);
        let page = self.rows.query(cx, scan).await?;
        Ok(page.items.into_iter().map(IdentifierSummary::from).collect())
    }
}

/// An identifier that a new principal is found by.
pub(crate) struct NewIdentifier {
    pub(crate) identifier: Identifier,
    /// As somebody typed it.
    pub(crate) typed: String,
    pub(crate) verified_at: Option<Timestamp>,
}

impl NewIdentifier {
    /// One that nobody has shown to be theirs.
    pub(crate) const fn claimed(identifier: Identifier, typed: String) -> Self {
        Self { identifier, typed, verified_at: None }
    }
}

/// How many identifiers of one principal are listed.
const MOST: usize = 100;

#[async_trait]
impl UserStore for Identifiers {
    async fn find(&self, cx: &RequestContext, identifier: &Identifier) -> Result<Option<Principal>, AuthError> {
        let key = (identifier.kind.to_owned(), identifier.canonical.clone());
        let found = self.lookup.get(cx, At::key(IdentifierRow::by_canonical, key)).await?;
        Ok(found.map(|(_, (id, kind, status, epoch))| Principal::read(id, kind, status, epoch)))
    }

    fn insert(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        identifiers: &[Identifier],
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let new = |identifier: &Identifier| NewIdentifier::claimed(identifier.clone(), identifier.canonical.clone());
        let identifiers: Vec<NewIdentifier> = identifiers.iter().map(new).collect();
        self.add(cx, principal, &identifiers, batch);
        Ok(())
    }
}

/// An identifier of a principal, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct IdentifierSummary {
    /// Which kind: `email`.
    pub kind: String,
    /// As it was typed.
    pub value: String,
    /// When its owner showed that it is theirs; none if nobody did.
    pub verified_at: Option<Timestamp>,
}

impl From<IdentifierRow> for IdentifierSummary {
    fn from(row: IdentifierRow) -> Self {
        Self { kind: row.kind, value: row.display, verified_at: row.verified_at }
    }
}
