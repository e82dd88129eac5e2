use std::sync::Arc;

use authkit_core::{Command, PrincipalId, Run, SecretText};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::PasswordAdmin;

#[derive(Deserialize, JsonSchema)]
struct SetInput {
    /// The account: its id or one of its identifiers.
    account: String,
    /// The new password.
    password: SecretText,
}

#[derive(Serialize, JsonSchema)]
struct Set {
    /// Whose password it is.
    account: PrincipalId,
}

pub(crate) fn set(admin: Arc<PasswordAdmin>) -> Command {
    let handler = move |run: Run<Set>, input: SetInput| {
        let admin = admin.clone();
        async move {
            let cx = run.cx();
            let principal = run.principal(&cx, &input.account).await?;
            admin.set(&cx, &principal, input.password).await?;
            Ok(Set { account: principal.id })
        }
    };
    Command::new("accounts set-password", "Sets the password of an account and ends its sessions.", handler)
}
