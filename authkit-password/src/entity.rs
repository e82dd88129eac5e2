use authkit_core::{Channel, Entity, PrincipalId, Timestamp, id_type};

id_type! {
    /// One password of one principal.
    pub(crate) struct PasswordId;
}

/// The password of a principal. Neither `Debug` nor `Clone`: the hash goes nowhere else.
#[derive(Entity)]
#[entity(
    table = "auth_passwords",
    durable,
    unique(by_principal: principal_id),
    references(principal_id -> auth_principals)
)]
pub(crate) struct PasswordRow {
    pub(crate) id: PasswordId,
    pub(crate) principal_id: PrincipalId,
    /// What the scheme makes, or another system made.
    pub(crate) hash: String,
    /// The channel by which it was set, such as a mailed link; none if its owner was signed in.
    pub(crate) channel: Option<Channel>,
    /// When it became what it is. Grows with every change, so it tells one password of the row from the next.
    pub(crate) changed_at: Timestamp,
}
