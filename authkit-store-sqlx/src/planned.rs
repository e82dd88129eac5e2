//! Tables for the tests that ask each database how it would read them.

use std::sync::Arc;

use authkit_core::{ColumnDef, Def, Durability, EntityDef, Id, Reach, Timestamp, Uniqueness};

/// The parents of tickets and marks.
pub(crate) fn owners() -> Def {
    let columns = vec![ColumnDef::new::<Id>("id"), ColumnDef::new::<String>("name")];
    Arc::new(EntityDef::new("p_owners", Reach::Tenant, Durability::Durable, columns))
}

/// Found by owner and time, and gone when they expire.
pub(crate) fn tickets() -> Def {
    let columns = vec![
        ColumnDef::new::<Id>("id"),
        ColumnDef::new::<Id>("owner_id"),
        ColumnDef::new::<Timestamp>("created_at"),
        ColumnDef::new::<Timestamp>("expires_at"),
    ];
    let def = EntityDef::new("p_tickets", Reach::Tenant, Durability::Ephemeral, columns);
    Arc::new(def.index("by_owner", &[1, 2], Uniqueness::Shared).reference(1, "p_owners").expiry(3))
}

/// Refers to an owner, and no declared index begins with the reference.
pub(crate) fn marks() -> Def {
    let columns = vec![ColumnDef::new::<Id>("id"), ColumnDef::new::<Id>("owner_id")];
    Arc::new(EntityDef::new("p_marks", Reach::Tenant, Durability::Ephemeral, columns).reference(1, "p_owners"))
}
