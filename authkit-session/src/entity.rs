use authkit_core::{Aal, Entity, Evidence, Json, PrincipalId, SessionId, Timestamp};

/// The row of a session. Its token is `id` and a secret, of which the row holds the hash.
#[derive(Debug, Entity)]
#[entity(
    table = "auth_sessions",
    durable,
    index(by_principal: principal_id, created_at),
    references(principal_id -> auth_principals),
    expires(expires_at),
    routable
)]
pub(crate) struct SessionRow {
    pub(crate) id: SessionId,
    pub(crate) secret_hash: [u8; 32],
    pub(crate) principal_id: PrincipalId,
    /// Dead if this is below the principal's `sessions_from`.
    pub(crate) epoch: i64,
    pub(crate) aal: Aal,
    pub(crate) amr: String,
    pub(crate) evidence: Json<Vec<Evidence>>,
    /// How often the secret was changed.
    pub(crate) generation: i64,
    /// How many refresh tokens followed the first one under this secret.
    pub(crate) refreshes: i64,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) created_at: Timestamp,
    /// When it ends however much it is used.
    pub(crate) ends_at: Timestamp,
    #[entity(volatile)]
    pub(crate) last_seen_at: Timestamp,
    /// When it ends unless it is used: its idle span after the last use, at most `ends_at`. The span is not kept: it is
    /// what lies between the two.
    #[entity(volatile)]
    pub(crate) expires_at: Timestamp,
}
