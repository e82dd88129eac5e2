use authkit_core::{Entity, PrincipalId, Timestamp, id_type};

use crate::invitation::InvitationId;

id_type! {
    /// One identifier of one principal.
    pub(crate) struct IdentifierId;
}

/// An identifier, and to whom it leads.
#[derive(Debug, Entity)]
#[entity(
    table = "auth_identifiers",
    durable,
    unique(by_canonical: kind, canonical),
    index(by_principal: principal_id, created_at),
    references(principal_id -> auth_principals)
)]
pub(crate) struct IdentifierRow {
    pub(crate) id: IdentifierId,
    pub(crate) principal_id: PrincipalId,
    pub(crate) kind: String,
    pub(crate) canonical: String,
    /// As typed, without surrounding white space. Messages go here.
    pub(crate) display: String,
    pub(crate) verified_at: Option<Timestamp>,
    pub(crate) is_primary: bool,
    pub(crate) created_at: Timestamp,
}

id_type! {
    /// One account that was taken over.
    pub(crate) struct ImportId;
}

/// What another system called an account.
#[derive(Debug, Entity)]
#[entity(
    table = "auth_imports",
    durable,
    unique(by_source: source_id),
    unique(by_principal: principal_id),
    references(principal_id -> auth_principals)
)]
pub(crate) struct ImportRow {
    pub(crate) id: ImportId,
    pub(crate) source_id: String,
    pub(crate) principal_id: PrincipalId,
    pub(crate) imported_at: Timestamp,
}

/// An invitation that waits to be used.
#[derive(Debug, Entity)]
#[entity(table = "auth_invitations", durable, expires(expires_at))]
pub(crate) struct InvitationRow {
    pub(crate) id: InvitationId,
    pub(crate) secret_hash: [u8; 32],
    /// Kind of the only identifier that may sign up with it.
    pub(crate) kind: Option<String>,
    /// Canonical text of that identifier.
    pub(crate) canonical: Option<String>,
    pub(crate) expires_at: Timestamp,
}
