use authkit_core::{Entity, PrincipalId, Timestamp, id_type, text_enum};

id_type! {
    /// One lock, past or present.
    pub struct LockId;
}

text_enum! {
    /// For whom an account is locked.
    pub enum LockScope {
        /// For everybody but known devices.
        Account = "account",
        /// For one client prefix.
        Client = "client",
        /// For one known device.
        Device = "device",
    }
}

/// A lock, so that it can be looked at and lifted.
///
/// A lock of an identifier that leads to nobody has a row too: otherwise a missing write would tell it apart. That row
/// lives no longer than the lock.
#[derive(Debug, Entity)]
#[entity(
    table = "auth_lockouts",
    durable,
    index(by_principal: principal_id, locked_at),
    references(principal_id -> auth_principals),
    expires(expires_at)
)]
pub(crate) struct LockRow {
    pub(crate) id: LockId,
    pub(crate) principal_id: Option<PrincipalId>,
    pub(crate) scope: LockScope,
    /// Pseudonym of whom the attempts were about.
    pub(crate) subject: [u8; 32],
    /// Pseudonym of the group of counters of which one is full.
    pub(crate) counters: [u8; 32],
    pub(crate) failures: i64,
    pub(crate) locked_at: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) unlocked_at: Option<Timestamp>,
    pub(crate) unlocked_by: Option<PrincipalId>,
    pub(crate) expires_at: Timestamp,
}
