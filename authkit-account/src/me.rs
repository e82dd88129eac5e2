use std::sync::Arc;

use authkit_core::{
    Access, At, AuthError, Call, HttpMethod, Operation, PrincipalId, PrincipalKind, PrincipalRow, ReadOnly, Reply,
    Status, Timestamp, codes,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::user_store::{IdentifierSummary, Identifiers};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// The caller's own account.
#[derive(Serialize, JsonSchema)]
struct Me {
    /// Unique.
    id: PrincipalId,
    /// What it is.
    kind: PrincipalKind,
    /// Whether it may authenticate.
    status: Status,
    /// By what it is found, oldest first.
    identifiers: Vec<IdentifierSummary>,
    /// When it was made.
    created_at: Timestamp,
    /// When it last signed in.
    last_login_at: Option<Timestamp>,
}

pub(crate) fn operation(identifiers: Arc<Identifiers>, principals: ReadOnly<PrincipalRow>) -> Operation {
    let handler = move |call: Call, _: Nothing| {
        let (identifiers, principals) = (identifiers.clone(), principals.clone());
        async move { me(&call, &identifiers, &principals).await }
    };
    Operation::new(HttpMethod::Get, "/auth/me", Access::Session, "Shows the caller's account.", handler)
}

async fn me(
    call: &Call,
    identifiers: &Identifiers,
    principals: &ReadOnly<PrincipalRow>,
) -> Result<Reply<Me>, AuthError> {
    let id = call.session()?.principal.id;
    let row = principals.get(&call.cx, At::id(id)).await?.ok_or(AuthError::new(&codes::UNAUTHENTICATED))?;
    Ok(Reply::ok(Me {
        id,
        kind: row.kind,
        status: row.status,
        identifiers: identifiers.of(&call.cx, id).await?,
        created_at: row.created_at,
        last_login_at: row.last_login_at,
    }))
}
